package dotenv_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

func TestCheckForm(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	cipher, err := key.PublicKey().Encrypt([]byte("x")) // its length leaves padding
	if err != nil {
		t.Fatal(err)
	}
	unpadded, err := key.PublicKey().Encrypt([]byte("xyz"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, text string
		want       string // "LINE NAME" of each problem
	}{
		{"nothing", "", ""},
		{"plain", "A=1\nB='2' # c\nC=\n", ""},
		{"ciphertext", "A=" + cipher + "\nB=\"" + cipher + "\"\n", ""},
		{"ciphertext and a comment", "A=" + cipher + " # c\nB=\"" + cipher + "\" # c\n", ""},
		{"glued line", "A=" + cipher + "B=secret\n", "1 A"},
		{"glued line without padding", "A=" + unpadded + "==B=secret", "1 A"},
		{"text behind a blank", "A=" + cipher + " secret\n", "1 A"},
		{"text in the quotes", "A=\"" + cipher + " secret\"\n", "1 A"},
		{"line end in the base64", "A=\"" + cipher[:40] + "\n" + cipher[40:] + "\"\n", "1 A"},
		{"glued comment on ciphertext", "A=" + cipher + "#secret\n", "1 A"},
		{"glued comment", "X=1\nA=ab#cd\n", "2 A"},
		{"glued comment behind nothing", "A=#cd\n", "1 A"},
		{"quoted #", "A='ab#cd'\nB=\"ab\"#cd\n", ""},
		{"PEM", "K=-----BEGIN KEY-----\nAbc+/\nAbc=\n-----END KEY-----\nA=1\n", "1 K"},
		{"PEM of one line of padding", "K=-----BEGIN KEY-----\nAbcd==\n", "1 K"},
		{"PEM without end", "K=-----BEGIN KEY-----\nAb/c+\n", "1 K"},
		{"PEM on one line", "K=-----BEGIN KEY-----abc-----END KEY-----\nA=1\n", ""},
		{"PEM escaped on one line", `K=-----BEGIN KEY-----\nabc` + "\nA=1\n", ""},
		{"quoted PEM", "K=\"-----BEGIN KEY-----\nAbc=\n-----END KEY-----\"\nA=1\n", ""},
		{"open quote", "K=\"one\ntwo three\nA=1\n", "1 K"},
		{"open quote, next variable", "K=\"one\nA=1\n", ""},
		{"JSON", "J={\"a\": [1,\n \"b\"]\n}\nA=1\n", "1 J"},
		{"JSON on one line", "J={\"a\": [1]}\nA=1\n", ""},
		{"open bracket, next variable", "J=[1\nA=1\n", ""},
		{"at the end", "J={\n", ""},
		{"damaged ciphertext", "A=encrypted:abc\n", ""}, // which decrypting reports
		{"two", "A=1#2\nB=3#4\n", "1 A, 2 B"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := dotenv.Parse([]byte(tt.text)).CheckForm()
			if got := problems(err); got != tt.want {
				t.Errorf("CheckForm of %q = %q (%v); want %q", tt.text, got, err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the text: %v", err)
			}
		})
	}
}

// problems lists line and name of joined FormErrors.
func problems(err error) string {
	var list []string
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		for _, e := range joined.Unwrap() {
			var form *dotenv.FormError
			if errors.As(e, &form) {
				list = append(list, fmt.Sprintf("%d %s", form.Line, form.Name))
			}
		}
	}
	return strings.Join(list, ", ")
}

func TestCheckConflict(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       int // line; 0 for none
	}{
		{"none", "A=1\n", 0},
		{"git's", "X=1\n<<<<<<< HEAD\nA=1\n=======\nA=2\n>>>>>>> b\n", 2},
		{"without labels", "<<<<<<<\nA=1\n=======\nA=2\n>>>>>>>\n", 1},
		{"diff3", "<<<<<<< a\nA=1\n||||||| b\nA=0\n=======\nA=2\n>>>>>>> c\n", 1},
		{"long", strings.Repeat("<", 40) + " a\nA=1\n" + strings.Repeat("=", 40) + "\nA=2\n" + strings.Repeat(">", 40) + " b\n", 1},
		{"short", "<<< a\nA=1\n===\nA=2\n>>> b\n", 1},
		{"CRLF", "<<<<<<< a\r\nA=1\r\n=======\r\nA=2\r\n>>>>>>> b\r\n", 1},
		{"CR", "X=1\r<<<<<<< a\rA=1\r=======\rA=2\r>>>>>>> b\r", 2},
		{"only the end is left", "A=1\n>>>>>>> b\n", 2},
		{"in a value", "A=<<<<<<< b\n", 0},
		{"lengths differ", "<<< a\n====\n>>> b\n", 0},
		{"a lesser sign", "<\nA=1\n", 0},
	}
	for _, tt := range tests {
		var conflict *dotenv.ConflictError
		got := 0
		if errors.As(dotenv.Parse([]byte(tt.text)).Check(), &conflict) {
			got = conflict.Line
		}
		if got != tt.want {
			t.Errorf("%s: Check of %q reports a conflict in line %d; want %d", tt.name, tt.text, got, tt.want)
		}
	}
}

// Whatever a file holds, its form is judged without a panic, and what was
// encrypted by this package alone is in order.
func FuzzCheckForm(f *testing.F) {
	key, err := ecies.GenerateKey()
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"A=1\n", "A={\n", "A=\"x\ny", "A=1#2", "<<<<<<<\n", "K=-----BEGIN X-----\nab=\n", "A=[[\n]]\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := dotenv.Parse(data)
		if doc.Check() != nil || doc.CheckForm() != nil {
			return
		}
		out, _, err := doc.Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			return
		}
		for _, e := range out.Entries() {
			if e.Encrypted() && !ecies.IsCanonical(e.Value) && !doc.State().HasCiphertext() {
				t.Fatalf("%q: the value of line %d is not canonical after Encrypt", data, e.Line)
			}
		}
	})
}
