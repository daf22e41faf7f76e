package loader_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/secret"
)

func find(t *testing.T, name string) loader.Loader {
	t.Helper()
	l, ok := loader.Find(name)
	if !ok {
		t.Fatalf("no loader %s", name)
	}
	return l
}

// How one line differs between loaders; "?" where the model is not sure.
func TestRead(t *testing.T) {
	t.Parallel()
	tests := []struct {
		loader, raw, want string
	}{
		{"node", `"a\nb"`, "a\nb"},
		{"node", `"a\tb"`, `a\tb`},
		{"node", `pa$word`, `pa$word`},
		{"node", `'it\'s'`, "?"},
		{"vite", `pa$word`, "?"},
		{"vite", `'pa\$word'`, `pa$word`},
		{"dotenv", "`it's \"x\"`", `it's "x"`},
		{"dotenv", `'abc\'`, "?"},
		{"python-dotenv", `'it\'s'`, "it's"},
		{"python-dotenv", `'${HOME}'`, "?"},
		{"python-dotenv", `a#b`, "a#b"},
		{"node", `a#b`, "a"},
		{"compose", `"say \"hi\""`, `say "hi"`},
		{"compose", `'it's'`, "?"},
		{"godotenv", `"say \"hi\""`, "?"}, // which loses its last quote
		{"dotenvy", `two words`, "?"},
		{"docker", `"x"`, `"x"`},
		{"docker", "a\nb", "?"},
		{"sh", `'it'\''s'`, "it's"},
		{"sh", "\"a`b`\"", "?"},
		{"sh", `"\$x"`, "$x"},
		{"systemd", `"\$x\y"`, `$x\y`},
		{"systemd", "'\x01'", "?"},
		{"java", `'x'`, "?"},
		{"java", `"a\nb"`, `a\nb`},
		{"php", `"a\nb"`, "a\nb"},
		{"php", `'x="y'`, "?"},
		{"ruby", `"a\nb"`, "?"}, // which depends on the version
		{"bun", `'$x'`, "?"},
		{"bun", `'\$x$'`, "$x$"},
		{"deno", `"\$x"`, "$x"},
		{"node", "\xff", "?"},
		{"node", ``, ""},
	}
	for _, tt := range tests {
		got, sure := find(t, tt.loader).Read(tt.raw)
		if !sure {
			got = "?"
		}
		if got != tt.want {
			t.Errorf("%s reads %q as %q; want %q", tt.loader, tt.raw, got, tt.want)
		}
	}
}

// Whatever Line writes, the model reads as it is; what has no spelling is an error
// without the value.
func TestLine(t *testing.T) {
	t.Parallel()
	tests := []struct{ loader, value, want string }{
		{"node", "plain", "A=plain\n"},
		{"node", "it's", "A=\"it's\"\n"},
		{"vite", "$5", `A="\$5"` + "\n"},
		{"python-dotenv", "a${b}", `A="a${:-$}{b}"` + "\n"},
		{"sh", "it's $5", `A="it's \$5"` + "\n"},
		{"docker", ` "x" `, `A= "x" ` + "\n"},
		{"systemd", "a\r", "A: systemd has no spelling for it: its value has a carriage return"},
		{"docker", "hunter2\n", "A: docker has no spelling for it: its value has several lines"},
		{"docker", strings.Repeat("x", 64<<10), "A: docker has no spelling for it: its value is too long, or has characters that it does not take"},
		{"node", "hunter2'\"`\n", "A: node has no spelling for it: its value has several lines"},
	}
	for _, tt := range tests {
		got, err := find(t, tt.loader).Line("A", secret.New(tt.value))
		var no *loader.SpellingError
		if errors.As(err, &no) {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: Line of %.40q = %q, %v; want %q", tt.loader, tt.value, got, err, tt.want)
		}
	}
	for name, want := range map[string]string{"a.b": "node compose godotenv", "A-B": "node compose", "1A": "node godotenv", "é": "", "": "", "A B": "", ".a": ""} {
		var takes []string
		for _, l := range []string{"node", "compose", "godotenv", "sh"} {
			if _, err := find(t, l).Line(name, secret.New("x")); err == nil {
				takes = append(takes, l)
			}
		}
		if got := strings.Join(takes, " "); got != want {
			t.Errorf("%q is a name for %s; want %s", name, got, want)
		}
	}
	if _, ok := loader.Find("perl"); ok || !slices.IsSorted(loader.Names()) {
		t.Errorf("Names = %v", loader.Names())
	}
}

func FuzzLine(f *testing.F) {
	for _, seed := range []string{"", "it's", `"$x`, "a\nb\r", `\`, "${:-$}", "`'\"", "é\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		for _, l := range loader.All() {
			line, err := l.Line("A", secret.New(value))
			if err != nil {
				if len(value) > 9 && strings.Contains(err.Error(), value) {
					t.Fatalf("%s: the error holds the value", l.Name)
				}
				continue
			}
			raw := strings.TrimSuffix(strings.TrimPrefix(line, "A="), "\n")
			if got, sure := l.Read(raw); !sure || got != value {
				t.Fatalf("%s reads %q as %q, %t; want %q", l.Name, raw, got, sure, value)
			}
		}
	})
}
