package dotenv_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

func TestSetPlace(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, src, variable, want string }{
		{name: "an empty file", variable: "A", want: "A=1\n"},
		{name: "at the end", src: "A=2\nB=2\n", variable: "C", want: "A=2\nB=2\nC=1\n"},
		{name: "without a line end", src: "A=2", variable: "C", want: "A=2\nC=1\n"},
		{name: "below its family", src: "DB_HOST=h # host\n\nZ=2\n", variable: "DB_PORT", want: "DB_HOST=h # host\nDB_PORT=1\n\nZ=2\n"},
		{name: "below the last of its family", src: "DB_A=2\nX=2\nDB_B='a\nb'\nZ=2\n", variable: "DB_C", want: "DB_A=2\nX=2\nDB_B='a\nb'\nDB_C=1\nZ=2\n"},
		{name: "before a blank line", src: "DB_A=2\n\nZ=2\n", variable: "DB_C", want: "DB_A=2\nDB_C=1\n\nZ=2\n"},
		{name: "a family of its own", src: "DB=2\nZ=2\n", variable: "DB_C", want: "DB=2\nZ=2\nDB_C=1\n"},
		{name: "CRLF", src: "DB_A=2\r\nZ=2\r\n", variable: "DB_C", want: "DB_A=2\r\nDB_C=1\r\nZ=2\r\n"},
		{name: "in place", src: "A=2 # a\nexport A='2'\n", variable: "A", want: "A=2 # a\nexport A='1'\n"},
	}
	for _, tt := range tests {
		got, err := dotenv.Parse([]byte(tt.src)).Set(tt.variable, "1")
		if err != nil || string(got.Bytes()) != tt.want {
			t.Errorf("%s: Set = %q, %v; want %q", tt.name, got.Bytes(), err, tt.want)
		}
	}
}

func TestUnset(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, want string
		lines           int
	}{
		{name: "not there", src: "A=1\n", want: "A=1\n"},
		{name: "the line and its comment", src: "# about\nX=1 # x\nA=1\n", want: "# about\nA=1\n", lines: 1},
		{name: "the last line, without an end", src: "A=1\n  export X=1", want: "A=1\n", lines: 1},
		{name: "every assignment", src: "X=1\nA=1\nX='a\nb'\r\nB=2", want: "A=1\nB=2", lines: 2},
		{name: "before a blank line", src: "X=1\n\nA=1\n", want: "\nA=1\n", lines: 1},
		{name: "a value on the next line", src: "X=\n\"a\"\nA=1\n", want: "A=1\n", lines: 1},
	}
	for _, tt := range tests {
		got, lines, err := dotenv.Parse([]byte(tt.src)).Unset("X")
		if err != nil || string(got.Bytes()) != tt.want || lines != tt.lines {
			t.Errorf("%s: Unset = %q, %d, %v; want %q, %d", tt.name, got.Bytes(), lines, err, tt.want, tt.lines)
		}
	}
}

// Setting and removing variables never touches the others, whatever the file is.
func TestSetSecretLaws(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	lines := []string{"A=1", "DB_A='x y'", "# c", "", "B=\"a\nb\"", "export C=3 # c", "D: 4", "E=`q`", "nonsense", "F=$A"}
	values := []string{"", "a b", "it's", `say "hi"`, "$HOME", "a\nb", "#x", " lead", "ünï", "`", `\`}
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 1))
		var src strings.Builder
		for range r.IntN(8) {
			src.WriteString(lines[r.IntN(len(lines))] + []string{"\n", "\r\n"}[seed%2])
		}
		doc := dotenv.Parse([]byte(src.String()))
		name, value := []string{"NEW", "A", "DB_B", "B", "C"}[r.IntN(5)], values[r.IntN(len(values))]
		set, err := doc.SetSecret(name, secret.New(value), key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			t.Fatalf("seed %d: SetSecret(%s) of %q: %v", seed, name, src.String(), err)
		}
		e, _ := set.Get(name)
		if got := (ecies.Keys{key}).DecryptAll([]string{e.Value})[0]; got.Err != nil || got.Plaintext.Reveal() != value {
			t.Fatalf("seed %d: the value of %s in %q is not %q", seed, name, set.Bytes(), value)
		}
		for _, old := range doc.Entries() {
			if now, ok := set.Get(old.Name); old.Name != name && (!ok || now.Value != last(doc, old.Name)) {
				t.Fatalf("seed %d: %s changed in %q", seed, old.Name, set.Bytes())
			}
		}
		plain, _, err := set.Decrypt(ecies.Keys{key}, dotenv.Selection{})
		var unwritable *dotenv.QuoteError
		if err != nil && !errors.As(err, &unwritable) {
			t.Fatalf("seed %d: Decrypt of %q: %v", seed, set.Bytes(), err)
		}
		if err == nil {
			if e, _ := plain.Get(name); e.Value != value {
				t.Fatalf("seed %d: %s is %q when decrypted, not %q", seed, name, e.Value, value)
			}
		}
		if _, known := doc.Get(name); known {
			continue
		}
		again, n, err := set.Unset(name)
		if err != nil || n != 1 || !strings.HasSuffix(string(again.Bytes()), strings.TrimSuffix(src.String(), "\r\n")) && !strings.HasSuffix(string(again.Bytes()), src.String()) {
			t.Fatalf("seed %d: Unset after SetSecret: %q, %d, %v; want it to end in %q", seed, again.Bytes(), n, err, src.String())
		}
	}
}

func TestSetSecretRefuses(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{"encrypted:AAAA", "a\x00b", "\xff", "<<<<<<< a\nb\n=======\nc\n>>>>>>> d"} {
		doc, err := dotenv.Parse([]byte("A=1\n")).SetSecret("B", secret.New(value), key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		unwritable := (*dotenv.QuoteError)(nil)
		if !errors.As(err, &unwritable) || strings.HasPrefix(err.Error(), "line") {
			t.Errorf("SetSecret of %q = %v, %v; want a QuoteError", value, doc, err)
		}
	}
}

func last(doc *dotenv.Document, name string) string {
	e, _ := doc.Get(name)
	return e.Value
}
