package environ_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/secret"
)

func variable(name, value string) dotenv.Variable {
	return dotenv.Variable{Name: name, Value: secret.New(value)}
}

func TestFormat(t *testing.T) {
	t.Parallel()
	const notUTF8 = "\xff"
	for _, tt := range []struct {
		format, name, value string
		want, problem       string
	}{
		{"shell", "A", `it's "$HOME"`, `export A='it'\''s "$HOME"'` + "\n", ""},
		{"shell", "A", notUTF8, "export A='\xff'\n", ""},
		{"shell", "a.b", "1", "", "a.b: no shell can have a variable of that name"},
		{"dotenv", "A", "two words", "A=\"two words\"\n", ""},
		{"docker", "A", `it's "$HOME"`, `A=it's "$HOME"` + "\n", ""},
		{"docker", "A", "1\n2", "", "A: its value has several lines, which an env file for docker cannot hold"},
		{"docker", "A", notUTF8, "", "A: its value is not UTF-8"},
		{"docker", "A", strings.Repeat("x", 1<<16), "", "A: its value is too long for docker's env files"},
		{"json", "a.b", "<&>", "{\n  \"a.b\": \"<&>\"\n}\n", ""},
		{"json", "A", notUTF8, "", "A: its value is not UTF-8"},
	} {
		got, err := environ.Format(tt.format, []dotenv.Variable{variable(tt.name, tt.value)})
		switch {
		case tt.problem == "" && (err != nil || string(got) != tt.want):
			t.Errorf("%s: %s=%q: %q, %v; want %q", tt.format, tt.name, tt.value, got, err, tt.want)
		case tt.problem != "" && (!errors.As(err, new(*environ.FormatError)) || err.Error() != tt.problem):
			t.Errorf("%s: %s=%.9q: %v; want %q", tt.format, tt.name, tt.value, err, tt.problem)
		}
	}
}

// TestFormatNamesEach: the error names each variable that does not fit.
func TestFormatNamesEach(t *testing.T) {
	t.Parallel()
	_, err := environ.Format("docker", []dotenv.Variable{variable("A", "1\n2"), variable("B", "1"), variable("C", "1\r2")})
	if err == nil || strings.Count(err.Error(), "several lines") != 2 {
		t.Error(err)
	}
}

func TestForGitHub(t *testing.T) {
	t.Parallel()
	e := environ.Environ{Given: []dotenv.Variable{variable("A", "first line\r\n100% of it\nxy"), variable("B_PLAIN", "not a secret")}}
	masks, lines, err := e.ForGitHub("END")
	if err != nil {
		t.Fatal(err)
	}
	if want := "::add-mask::first line\n::add-mask::100%25 of it\n"; string(masks) != want {
		t.Errorf("masks %q, want %q", masks, want)
	}
	if want := "A<<END\nfirst line\r\n100% of it\nxy\nEND\nB_PLAIN<<END\nnot a secret\nEND\n"; string(lines) != want {
		t.Errorf("lines %q, want %q", lines, want)
	}
	e.Given = append(e.Given, variable("C", "\xff"))
	if masks, lines, err := e.ForGitHub("END"); err == nil || masks != nil || lines != nil {
		t.Errorf("%q, %q, %v: want an error alone", masks, lines, err)
	}
}
