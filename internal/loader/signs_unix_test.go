//go:build unix

package loader_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/internal/loader"
)

// What has the name of a sign and cannot be read, or never ends, is none; the sign
// beside it counts all the same.
func TestSignsThatAreNone(t *testing.T) {
	t.Parallel()
	const sign = "services: {a: {env_file: .env}}\n"
	tests := map[string]func(file string) error{
		"a FIFO":              func(file string) error { return syscall.Mkfifo(file, 0o600) },
		"a link to /dev/zero": func(file string) error { return os.Symlink("/dev/zero", file) },
		"a link to nothing":   func(file string) error { return os.Symlink("nothing", file) },
		"a link to itself":    func(file string) error { return os.Symlink(file, file) },
		"a folder":            func(file string) error { return os.Mkdir(file, 0o700) },
		"of 1 MiB and a byte": func(file string) error {
			return os.WriteFile(file, []byte(sign+strings.Repeat("#", 1<<20+1-len(sign))), 0o600)
		},
	}
	for name, make := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := errors.Join(make(filepath.Join(dir, "compose.yaml")), os.WriteFile(filepath.Join(dir, "package.json"), []byte(`{"next": "16"}`), 0o600)); err != nil {
				t.Fatal(err)
			}
			found, err := loader.Signs(os.DirFS(dir), ".")
			if want := []loader.Sign{{Loader: "next", File: "package.json"}}; err != nil || !slices.Equal(found, want) {
				t.Errorf("Signs = %v, %v; want %v", found, err, want)
			}
		})
	}
}
