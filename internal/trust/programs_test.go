package trust_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/internal/userstate"
)

func TestPrograms(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	p, err := trust.ProgramsAt(lookup(map[string]string{"HOME": home}))
	if err != nil {
		t.Fatal(err)
	}
	if all, err := p.All(); len(all) != 0 || err != nil || p.Variables() != nil {
		t.Errorf("without a file: %v, %v", all, err)
	}
	one, two := trust.Program{Path: "/bin/one"}, trust.Program{Path: "/bin/two", Env: []string{"TWO_TOKEN"}}
	for name, program := range map[string]trust.Program{"one": one, "two": two, "gone": one} {
		if err := p.Set(t.Context(), name, program); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Remove(t.Context(), "gone"); err != nil {
		t.Fatal(err)
	}
	if all, err := p.All(); err != nil || !reflect.DeepEqual(all, map[string]trust.Program{"one": one, "two": two}) {
		t.Errorf("All() = %v, %v; want what was set", all, err)
	}
	if got := p.Variables(); !reflect.DeepEqual(got, two.Env) {
		t.Errorf("Variables() = %q; want %q", got, two.Env)
	}
	if runtime.GOOS == "windows" {
		return
	}
	if err := os.Chmod(filepath.Join(home, ".local/state/envdrift/helpers.json"), 0o666); err != nil {
		t.Fatal(err)
	}
	if _, err := p.All(); err == nil || !strings.Contains(err.Error(), "can be written by other users") {
		t.Errorf("All() of a file that others can write = %v; want an error", err)
	}
	if err := p.Set(t.Context(), "one", two); err == nil {
		t.Error("Set changed a file that others can write")
	}
	if got := p.Variables(); len(got) != 1 {
		t.Errorf("Variables() = %q; want them hidden all the same", got)
	}
}

// What is no list of programs is left as it is.
func TestDamagedPrograms(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "is damaged", "{": "is damaged", "[]": "is damaged", `{"a":"/bin/a"}`: "is damaged", `{"a":null}`: `the path of "a" is not absolute`,
		`{"a":{"path":"bin/a"}}`: `the path of "a" is not absolute`, "null": "is damaged", "{}": "",
	} {
		state := filepath.Join(t.TempDir(), "it's")
		file := filepath.Join(state, "envdrift", "helpers.json")
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		p, err := trust.ProgramsAt(lookup(map[string]string{"XDG_STATE_HOME": state}))
		if err != nil {
			t.Fatal(err)
		}
		err = p.Set(t.Context(), "b", trust.Program{Path: filepath.Join(state, "b")})
		if want == "" {
			if err != nil {
				t.Errorf("%q: Set = %v", text, err)
			}
			continue
		}
		e := (*userstate.FileError)(nil)
		if !errors.As(err, &e) || e.File != file || !strings.Contains(e.Why, want) || !strings.Contains(e.Remedy, `: rm '`) {
			t.Errorf("%q: Set = %v; want %q, and the command that deletes %s", text, err, want, file)
		}
		if data, _ := os.ReadFile(file); string(data) != text {
			t.Errorf("%q was replaced by %q", text, data)
		}
	}
}
