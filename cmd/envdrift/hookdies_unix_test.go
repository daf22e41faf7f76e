//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
)

// TestHookDies kills the hook at each git command that it runs. The index and
// the working tree must then have the version before or the one after, the edit
// must not be lost, and git must work.
func TestHookDies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	git, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	wrapper := fmt.Sprintf("#!/bin/sh\necho >>\"$GITS\"\n[ $(wc -l <\"$GITS\") -eq $DIES ] && kill -9 $PPID\nexec '%s' \"$@\"\n", git)
	for n := 1; ; n++ {
		b := f.commit(t)
		b.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+f.stranger.Reveal()+"\n"))
		b.write(envFile, f.strays)
		b.run("git", "add", envFile)
		bin := t.TempDir()
		syscall.ForkLock.RLock() // a process forked while the file is open would keep others from running it
		err := os.WriteFile(filepath.Join(bin, "git"), []byte(wrapper), 0o755)
		syscall.ForkLock.RUnlock()
		if err != nil {
			t.Fatal(err)
		}
		dying := b.with("PATH="+bin+":"+os.Getenv("PATH"), "GITS="+filepath.Join(bin, "gits"), fmt.Sprintf("DIES=%d", n))
		out, err := dying.try("envdrift", "hook", "run", "pre-commit")
		if exit, ok := err.(*exec.ExitError); ok && exit.ExitCode() == 1 {
			if n < 8 {
				t.Fatalf("the hook started %d gits; want some more to die at:\n%s", n-1, out)
			}
			return // it ended by itself
		}
		check := matrixCheck{b, f, "plain", b.run("git", "rev-parse", "HEAD")}
		check.repository()
		for name, data := range map[string]string{"index": b.run("git", "show", ":"+envFile), "working tree": b.read(envFile)} {
			if got := check.value(data, f.right, f.stranger); got != "2" {
				t.Errorf("killed at git %d: A in the %s = %q; want the edit", n, name, got)
			}
			if !bytes.Equal([]byte(data), f.strays) {
				if got := check.value(data, ecies.Keys{f.right}...); got != "2" {
					t.Errorf("killed at git %d: the %s is neither as before nor as after", n, name)
				}
				check.backup(f.strays)
			}
		}
		// The next run completes what this one began.
		if out, err := b.try("git", "status"); err != nil {
			t.Errorf("killed at git %d: %v\n%s", n, err, out)
		}
		_, _ = b.try("envdrift", "repair")
		b.run("envdrift", "hook", "run", "pre-commit")
	}
}
