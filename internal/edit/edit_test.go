package edit

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"regexp"
	"slices"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
)

func TestList(t *testing.T) {
	t.Parallel()
	doc := dotenv.Parse([]byte("DOTENV_PUBLIC_KEY=02\nA=encrypted:x\nB=\n# c\nC=1\nA=2\n"))
	want := []Variable{{"A", "plaintext", 6}, {"B", "empty", 3}, {"C", "plaintext", 5}}
	if got := List(doc); !slices.Equal(got, want) {
		t.Errorf("List = %v; want %v", got, want)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	hexOf := func(n int) func(string) bool {
		return func(s string) bool { b, err := hex.DecodeString(s); return err == nil && len(b) == n }
	}
	matches := func(re string) func(string) bool { return regexp.MustCompile(re).MatchString }
	tests := map[string]func(string) bool{
		"":            matches(`^[A-Za-z0-9]{32}$`),
		"alnum":       matches(`^[A-Za-z0-9]{32}$`),
		"alnum:7":     matches(`^[A-Za-z0-9]{7}$`),
		"hex":         hexOf(32),
		"hex:4":       hexOf(4),
		"base64:5":    func(s string) bool { b, err := base64.StdEncoding.DecodeString(s); return err == nil && len(b) == 5 },
		"base64url:5": func(s string) bool { b, err := base64.RawURLEncoding.DecodeString(s); return err == nil && len(b) == 5 },
		"uuid":        matches(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`),
		"nope":        nil, "hex:0": nil, "hex:x": nil, "hex:1025": nil, "uuid:4": nil, "hex:-1": nil,
	}
	for format, valid := range tests {
		one, err := Generate(format)
		if valid == nil {
			if !errors.As(err, new(*FormatError)) {
				t.Errorf("Generate(%q) = %v; want a FormatError", format, err)
			}
			continue
		}
		two, _ := Generate(format)
		if err != nil || !valid(one.Reveal()) || one.Equal(two) {
			t.Errorf("Generate(%q) = %d characters, %v, twice the same: %t", format, len(one.Reveal()), err, one.Equal(two))
		}
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	old, now := dotenv.Parse([]byte("A=1\nB=1\nC=1\nD=1\nD=2\n")), dotenv.Parse([]byte("C=1\nA=2\nE=1\nD=2\n"))
	if got, want := changed(old, now), []string{"A", "E", "B"}; !slices.Equal(got, want) {
		t.Errorf("changed = %q; want %q", got, want)
	}
}
