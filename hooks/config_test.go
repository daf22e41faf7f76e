//go:build unix

package hooks

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestCommand runs the text of git's configuration as git does, with any git.
func TestCommand(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	repo, self := filepath.Join(home, "repo"), filepath.Join(home, "it's here", "envdrift")
	write := func(file, text string, perm os.FileMode) {
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), perm)); err != nil {
			t.Fatal(err)
		}
	}
	write(self, "#!/bin/sh\necho \"ran: $*\"\n[ -z \"$FAIL\" ]\n", 0o755)
	write(filepath.Join(repo, "file"), "x\n", 0o644)
	run := func(env, program string, args ...string) (string, bool) {
		cmd := exec.Command(program, args...)
		cmd.Dir = repo
		cmd.Env = append(strings.Fields(env), "PATH="+os.Getenv("PATH"), "HOME="+home, "GIT_CONFIG_NOSYSTEM=1",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@b", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@b")
		out, err := cmd.CombinedOutput()
		return string(out), err == nil
	}
	git := func(args ...string) {
		if out, ok := run("", "git", args...); !ok {
			t.Fatalf("git %q: %s", args, out)
		}
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-qm", "one")
	there, gone := Location{Self: self}, Location{Self: "/no/such/envdrift"}
	for _, name := range Names() {
		event, _ := EventNamed(name)
		hook := func(env string, l Location, everywhere bool) (string, bool) {
			text := l.command(name, everywhere)
			return run(env, "/bin/sh", "-c", text+` "$@"`, text, "a b", "c", "1")
		}
		check := func(what, env string, l Location, everywhere bool, want string, wantOK bool) {
			t.Helper()
			if out, ok := hook(env, l, everywhere); ok != wantOK || want == "" && out != "" || !strings.Contains(out, want) {
				t.Errorf("%s, %s: printed %q, succeeded: %t; want %q, %t", name, what, out, ok, want, wantOK)
			}
		}
		ran := "ran: hook run " + name + " "
		check("installed", "", there, false, ran, true)
		check("arguments", "", there, false, "a b c 1\n", true)
		check("fails", "FAIL=1", there, false, ran, !event.Stops)
		check("gone", "", gone, false, "neither in PATH nor at /no/such/envdrift", !event.Stops)
		if want := ran; event.Stops {
			check("ENVDRIFT=0", "ENVDRIFT=0", there, false, want, true)
		} else {
			check("ENVDRIFT=0", "ENVDRIFT=0", there, false, "", true)
		}
		if event.Updates == nil {
			check("everywhere, without a configuration", "FAIL=1", there, true, "", true)
		}
		write(filepath.Join(repo, "envdrift.toml"), "", 0o644)
		check("everywhere", "FAIL=1", there, true, ran+"--everywhere ", !event.Stops)
		if err := os.Remove(filepath.Join(repo, "envdrift.toml")); err != nil {
			t.Fatal(err)
		}
	}
}
