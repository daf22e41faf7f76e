//go:build unix

package hooks_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/envdrift/envdrift/hooks"
)

const theirs = "#!/bin/sh\necho theirs\n"

// An install that was killed after it gave the other hook its second name, and
// before envdrift's took the first, is completed by the next install.
func TestInstallAfterAKilledOne(t *testing.T) {
	t.Parallel()
	s := hooks.Location{Dir: t.TempDir(), Self: "envdrift"}
	file := filepath.Join(s.Dir, "pre-commit")
	if err := errors.Join(os.WriteFile(file, []byte(theirs), 0o755), os.Link(file, file+".envdrift-chained")); err != nil {
		t.Fatal(err)
	}
	if _, err := hooks.Install(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) == theirs {
		t.Errorf("%s was not replaced: %v", file, err)
	}
	if _, err := hooks.Uninstall(t.Context(), s); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(file); err != nil || string(data) != theirs {
		t.Errorf("after Uninstall the hook is %q, %v; want theirs", data, err)
	}
}

// During install and uninstall there is a hook at every moment, whether the
// process dies or a commit comes in between.
func TestNeverWithoutAHook(t *testing.T) {
	t.Parallel()
	s := hooks.Location{Dir: t.TempDir(), Self: "envdrift"}
	file := filepath.Join(s.Dir, "pre-commit")
	if err := os.WriteFile(file, []byte(theirs), 0o755); err != nil {
		t.Fatal(err)
	}
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
				t.Errorf("for a moment there was no %s", file)
				return
			}
			select {
			case <-done:
				return
			default:
			}
		}
	}()
	for range 10 {
		if _, err := hooks.Install(t.Context(), s); err != nil {
			t.Error(err)
		}
		if _, err := hooks.Uninstall(t.Context(), s); err != nil {
			t.Error(err)
		}
	}
	close(done)
	<-ended
}
