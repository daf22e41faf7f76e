package dotenv_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/secret"
)

const (
	hex1 = "1111111111111111111111111111111111111111111111111111111111111111"
	hex2 = "2222222222222222222222222222222222222222222222222222222222222222"
)

// shortKeys replaces the keys in a text by 1 and 2.
var shortKeys = strings.NewReplacer(hex1, "<1>", hex2, "<2>")

// longKeys is the inverse of shortKeys.
var longKeys = strings.NewReplacer("<1>", hex1, "<2>", hex2)

func TestKeysFileSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, want string
	}{
		{"plain", "K=<1>\n", "K=<2>\n"},
		{"another environment", "# .env.x\nK_X=<1>\n", "# .env.x\nK_X=<1>\n\n# .env.p\nK=<2>\n"},
		{"no final newline", "K_X=<1>", "K_X=<1>\n# .env.p\nK=<2>\n"},
		{"CRLF", "K_X=<1>\r\n", "K_X=<1>\r\n\r\n# .env.p\r\nK=<2>\r\n"},
		{"every spelling", "export K = '<1>' # c\nK: \"<1>\"\r\nK=\n", "export K = '<2>' # c\nK: \"<2>\"\r\nK=<2>\n"},
		{"byte order mark", "\ufeffK=<1>\n", "\ufeffK=<2>\n"},
		{"foreign lines", "junk\nA='x\nK=<1>", "junk\nA='x\nK=<2>"},
		{"one quote", "K=\"\nK_X=<1>\n", "K=<2>\nK_X=<1>\n"},
		{"in a comment", "#K=<1>\n", "#K=<1>\n\n# .env.p\nK=<2>\n"},
		{"in another value", "A='\nK=<1>\n'\n", "A='\nK=<1>\n'\n\n# .env.p\nK=<2>\n"},
		{"blank", "\n", "\n\n# .env.p\nK=<2>\n"},
	}
	name := strings.NewReplacer("K", "DOTENV_PRIVATE_KEY_P")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src, want := name.Replace(longKeys.Replace(tt.src)), name.Replace(longKeys.Replace(tt.want))
			f := dotenv.ParseKeysFile([]byte(src))
			if err := f.Set("DOTENV_PRIVATE_KEY_P", secret.New(hex2), "app/.env.p"); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != want {
				t.Errorf("Set in %q = %q; want %q", tt.src, shortKeys.Replace(got), shortKeys.Replace(want))
			}
		})
	}
}

// TestNewKeysFile compares with the files that dotenvx makes.
func TestNewKeysFile(t *testing.T) {
	t.Parallel()
	for _, v := range encryptVectors(t) {
		if v.name != "03-comments-and-blank-lines" && v.name != "38-custom-filename" {
			continue
		}
		want := readFile(t, "encryptfile", v.name, "v2_38_2.env.keys")
		e := dotenv.ParseKeysFile(want).Entries()[0]
		f := dotenv.ParseKeysFile(nil)
		if err := f.Set(e.Name, e.Value, v.File); err != nil {
			t.Fatal(err)
		}
		if got := f.Bytes(); !bytes.Equal(got, want) {
			t.Errorf("%s: Set in a new file = %q; want %q", v.name, got, want)
		}
	}
}

func TestKeysFileRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src, name, file string
		want            any
	}{
		{"A=\xff\n", "DOTENV_PRIVATE_KEY", ".env", new(*dotenv.EncodingError)},
		{"\xff\xfeA\x00", "DOTENV_PRIVATE_KEY", ".env", new(*dotenv.EncodingError)},
		{"A=1\n", "DOTENV PRIVATE", ".env", new(*dotenv.NameError)},
		{"A=1\n", "DOTENV_PRIVATE_KEY", ".env\nEVIL=1", new(*dotenv.NameError)},
	}
	for _, tt := range tests {
		f := dotenv.ParseKeysFile([]byte(tt.src))
		if err := f.Set(tt.name, secret.New(hex1), tt.file); !errors.As(err, tt.want) || string(f.Bytes()) != tt.src {
			t.Errorf("Set(%q, %q) in %q = %v, file %q; want a %T and no change", tt.name, tt.file, tt.src, err, f.Bytes(), tt.want)
		}
	}
}

func TestKeysFileLookup(t *testing.T) {
	t.Parallel()
	f := dotenv.ParseKeysFile([]byte(longKeys.Replace("# c\nDOTENV_PRIVATE_KEY=<1>\nOTHER=<1>\nDOTENV_PRIVATE_KEY_X=<1>,<2>\n\nDOTENV_PRIVATE_KEY='<2>'\n")))
	var got []string
	for _, e := range f.Entries() {
		got = append(got, fmt.Sprintf("%s:%d:%s", e.Name, e.Line, shortKeys.Replace(e.Value.Reveal())))
	}
	if got, want := strings.Join(got, " "), "DOTENV_PRIVATE_KEY:2:<1> DOTENV_PRIVATE_KEY_X:4:<1>,<2> DOTENV_PRIVATE_KEY:6:<2>"; got != want {
		t.Errorf("Entries() = %s; want %s", got, want)
	}
	if got := f.Lookup("DOTENV_PRIVATE_KEY"); len(got) != 2 || got[1].Line != 6 {
		t.Errorf("Lookup = %v; want lines 2 and 6", got)
	}
	if out := fmt.Sprintf("%v %+v %#v", f, f.Entries(), f.Entries()); strings.Contains(out, hex1) {
		t.Errorf("a keys file prints as %s", out)
	}
}

func TestIsKeysFile(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want bool
	}{
		{"", false},
		{"DOTENV_PUBLIC_KEY=02<1>\n", false},
		{"DOTENV_PRIVATE_KEY=\n", false},
		{"DOTENV_PRIVATE_KEY=${KEY}\n", false},
		{"# see DOTENV_PRIVATE_KEY\nA=<1>\n", false},
		{"DOTENV_PRIVATE_KEY=<1>\n", true},
		{"A=DOTENV_PRIVATE_KEY\nexport DOTENV_PRIVATE_KEY_PROD-EU = '<1>,<2>'\n", true},
		{"DOTENV_PRIVATE_KEY: \"<1>\"", true},
		{"# DOTENV_PRIVATE_KEY=<1>\n", true},
		{`{"DOTENV_PRIVATE_KEY": "<1>"}`, true},
		{"DOTENV_PRIVATE_KEY=" + hex1[1:], false},
	}
	for _, tt := range tests {
		if got := dotenv.IsKeysFile([]byte(longKeys.Replace(tt.src))); got != tt.want {
			t.Errorf("IsKeysFile(%q) = %t; want %t", tt.src, got, tt.want)
		}
	}
	utf16 := []byte{0xFF, 0xFE}
	for _, c := range []byte("DOTENV_PRIVATE_KEY=" + hex1) {
		utf16 = append(utf16, c, 0)
	}
	if !dotenv.IsKeysFile(utf16) {
		t.Error("IsKeysFile of UTF-16 = false; want true")
	}
}

// FuzzKeysFile sets a key in any file: no other entry may change or disappear.
func FuzzKeysFile(f *testing.F) {
	for _, seed := range []string{"", "DOTENV_PRIVATE_KEY=1\n", "export DOTENV_PRIVATE_KEY : '1\n'", "A=\"\r\nDOTENV_PRIVATE_KEY_X=2"} {
		f.Add([]byte(seed))
	}
	const name = "DOTENV_PRIVATE_KEY"
	f.Fuzz(func(t *testing.T, data []byte) {
		file := dotenv.ParseKeysFile(data)
		if got := file.Bytes(); !bytes.Equal(got, data) {
			t.Fatalf("ParseKeysFile(%q).Bytes() = %q", data, got)
		}
		before := dotenv.Parse(data).Entries()
		if err := file.Set(name, secret.New(hex1), ".env"); err != nil {
			// A colon at the end becomes an assignment with what
			// follows.
			colon := bytes.HasSuffix(bytes.TrimSpace(data), []byte(":"))
			if file.Check() == nil && !colon || !bytes.Equal(file.Bytes(), data) {
				t.Fatalf("Set in %q: %v; file %q", data, err, file.Bytes())
			}
			return
		}
		after := dotenv.Parse(file.Bytes()).Entries()
		if len(after) < len(before) || len(file.Lookup(name)) == 0 {
			t.Fatalf("Set in %q = %q: entries are gone", data, file.Bytes())
		}
		for i, e := range after {
			switch {
			case e.Name == name && e.Value != hex1:
				t.Fatalf("Set in %q = %q: %v is not set", data, file.Bytes(), e)
			case e.Name != name && (e.Name != before[i].Name || e.Value != before[i].Value):
				t.Fatalf("Set in %q = %q: %v changed", data, file.Bytes(), e)
			}
		}
		if !dotenv.IsKeysFile(file.Bytes()) {
			t.Fatalf("IsKeysFile(%q) = false", file.Bytes())
		}
	})
}
