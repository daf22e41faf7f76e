//go:build unix

package helper_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/helper"
)

// TestResolve: a program that others could change is not registered.
func TestResolve(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, env string
		prepare   func(dir, file string) error
		want      string // in the error
	}{
		{name: "good"},
		{name: "with-a.variable", env: "MY_TOKEN"},
		{name: "../up", want: "is no name"},
		{name: "a b", want: "is no name"},
		{name: "", want: "is no name"},
		{name: "key", env: "DOTENV_PRIVATE_KEY_CI", want: "is for envdrift alone"},
		{name: "path", env: "PATH", want: "is for all programs"},
		{name: "state", env: "XDG_STATE_HOME", want: "is for all programs"},
		{name: "assigned", env: "A=b", want: "is not the name of a variable"},
		{name: "writable", prepare: func(_, file string) error { return os.Chmod(file, 0o775) }, want: "others can write to it: chmod go-w "},
		{name: "folder", prepare: func(dir, _ string) error { return os.Chmod(dir, 0o777) }, want: "others can write to it: chmod go-w "},
		{name: "above", prepare: func(dir, _ string) error { return os.Chmod(filepath.Dir(dir), 0o777) }, want: "others can write to it: chmod go-w "},
		{name: "sticky", prepare: func(dir, _ string) error { return os.Chmod(filepath.Dir(dir), 0o777|os.ModeSticky) }},
		{name: "text", prepare: func(_, file string) error { return os.Chmod(file, 0o644) }, want: "is no program"},
		{name: "missing", prepare: func(_, file string) error { return os.Remove(file) }, want: "no such file"},
		{name: "directory", prepare: func(_, file string) error { return errors.Join(os.Remove(file), os.Mkdir(file, 0o755)) }, want: "is no program"},
		{name: "owner", prepare: func(_, file string) error { return os.Chown(file, 4711, -1) }, want: "belongs to the user with the ID 4711"},
		{name: "its-owner", prepare: func(dir, _ string) error {
			return errors.Join(os.Chmod(dir, 0o777|os.ModeSticky), os.Chown(dir, 4711, -1))
		}, want: "belongs to the user with the ID 4711"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if strings.Contains(tt.want, "4711") && os.Geteuid() != 0 {
				t.Skip("only root gives files away")
			}
			dir := filepath.Join(t.TempDir(), "bin")
			file := filepath.Join(dir, "program")
			if err := errors.Join(os.Mkdir(dir, 0o755), os.WriteFile(file, []byte("#!/bin/sh\n"), 0o755)); err != nil {
				t.Fatal(err)
			}
			if tt.prepare != nil {
				if err := tt.prepare(dir, file); err != nil {
					t.Fatal(err)
				}
			}
			var env []string
			if tt.env != "" {
				env = []string{tt.env}
			}
			_, err := helper.Resolve(tt.name, file, env)
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("Resolve(%q) = %v; want %q", tt.name, err, tt.want)
			}
		})
	}
}

// TestExec: what a registered program is given, where it starts, and that nothing is
// started which is not registered, or not what it was.
func TestExec(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	for name, value := range map[string]string{
		"XDG_STATE_HOME": home, "HOME": home, "GNUPGHOME": "/gnupg", "AWS_SECRET_ACCESS_KEY": "m4rked", "HELPER_TEST": "tells",
	} {
		t.Setenv(name, value)
	}
	program := filepath.Join(dir, "program")
	script := "#!/bin/sh\nread -r line\nprintf '{\"id\":1,\"protocol\":1,\"vault\":\"%s %s\"}\\n' \"$(pwd -P)\" \"$(env | cut -d= -f1 | grep -E '^(GNUPGHOME|AWS_SECRET|BW_|OP_|MY_)' | sort | tr '\\n' ' ')\"\nread -r line\n"
	if err := os.WriteFile(program, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	getenv := func(name string) string {
		return map[string]string{"BW_SESSION": "m4rked", "OP_CONNECT_TOKEN": "m4rked", "MY_TOKEN": "m4rked"}[name]
	}
	open := func(provider, configDir string) (vault.Store, error) {
		return helper.Exec().Open(t.Context(), vault.Config{Provider: provider, Dir: configDir, Getenv: getenv})
	}
	if s, err := open("exec:bw", dir); s != nil || !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.(*vault.Error).Remedy, "envdrift vault add bw PATH") {
		t.Errorf("what is not registered: %v, %v; want the command that registers it", s, err)
	}
	if p := helper.Exec().Program("exec:bw"); p != "" {
		t.Errorf("what is not registered has the path %q", p)
	}
	found, err := helper.Resolve("bw", program, []string{"MY_TOKEN"})
	if err != nil {
		t.Fatal(err)
	}
	programs, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		t.Fatal(err)
	}
	if err := programs.Set(t.Context(), "bw", found); err != nil {
		t.Fatal(err)
	}
	if got := helper.Variables(); len(got) != 1 || got[0] != "MY_TOKEN" {
		t.Errorf("Variables() = %q; want the one that is registered", got)
	}
	s, err := open("exec:bw", t.TempDir())
	if want := "exec:bw, " + filepath.Dir(found.Path) + " BW_SESSION GNUPGHOME MY_TOKEN "; err != nil || s.String() != want {
		t.Errorf("Open = %v, %v; want %q: its folder, and its own variables", s, err, want)
	}
	for text, want := range map[string]string{"#!/no/such/program\n": "what its first line names is not there", "words": "exec format error"} {
		if err := os.WriteFile(program, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
		if s, err := open("exec:bw", t.TempDir()); s != nil || !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.Error(), found.Path+", does not start: "+want) {
			t.Errorf("%q: %v, %v; want that it does not start: %s", text, s, err, want)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	below := filepath.Join(dir, "service")
	if err := os.Mkdir(below, 0o755); err != nil {
		t.Fatal(err)
	}
	if s, err := open("exec:bw", below); s != nil || err == nil || !strings.Contains(err.Error(), "is in this repository") {
		t.Errorf("a program of the repository: %v, %v; want it refused", s, err)
	}
	if err := errors.Join(os.Rename(program, program+"-2"), os.Symlink(program+"-2", program)); err != nil {
		t.Fatal(err)
	}
	if s, err := open("exec:bw", t.TempDir()); s != nil || err == nil || !strings.Contains(err.Error(), "program-2 now") {
		t.Errorf("a program that became a link: %v, %v; want it refused", s, err)
	}
}
