//go:build unix

package userstate_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/userstate"
)

// What is in the place of a file, or of its lock, is named, and not waited for or followed.
func TestNotRegular(t *testing.T) {
	t.Parallel()
	for kind, put := range map[string]func(string) error{
		"pipe":   func(name string) error { return syscall.Mkfifo(name, 0o600) },
		"folder": func(name string) error { return os.Mkdir(name, 0o700) },
		"link":   func(name string) error { return os.Symlink("target", name) },
	} {
		dir := t.TempDir()
		file := filepath.Join(dir, "keys.json")
		check := func(name string, do func() error) {
			t.Helper()
			if err := put(name); err != nil {
				t.Fatal(err)
			}
			done := make(chan error, 1)
			go func() { done <- do() }()
			select {
			case err := <-done:
				if e := (*userstate.FileError)(nil); !errors.As(err, &e) || e.File != name || !strings.Contains(e.Remedy, "mv '"+name+"'") {
					t.Errorf("%s in the place of %s: %v", kind, name, err)
				}
			case <-time.After(30 * time.Second):
				t.Fatalf("%s in the place of %s is waited for", kind, name)
			}
			if err := os.Remove(name); err != nil {
				t.Fatal(err)
			}
		}
		check(file, func() error { return userstate.Read(file, new(map[string]int)) })
		check(file, func() error { _, err := userstate.ReadFile(file); return err })
		check(file+".lock", func() error {
			return userstate.Change(t.Context(), file, func() (any, error) { return map[string]int{}, nil })
		})
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%s: %v are left, %v", kind, left, err)
		}
	}
}
