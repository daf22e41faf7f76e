package atomicfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

func openDir(t *testing.T) (string, *os.Root) {
	t.Helper()
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return dir, root
}

func TestReplace(t *testing.T) {
	t.Parallel()
	tests := []struct {
		there, old any // a string, or nil for no file
		want       string
		err        error
	}{
		{nil, nil, "new", nil},
		{"old", "old", "new", nil},
		{"", "", "new", nil},
		{"edited", "old", "edited", atomicfile.ErrChanged},
		{"edit", nil, "edit", atomicfile.ErrChanged},
		{nil, "old", "", atomicfile.ErrChanged},
	}
	for _, tt := range tests {
		dir, root := openDir(t)
		file := filepath.Join(dir, "f")
		if content, ok := tt.there.(string); ok {
			if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		var old []byte
		if content, ok := tt.old.(string); ok {
			old = []byte(content)
		}
		err := atomicfile.Replace(root, "f", old, []byte("new"), 0o644, false)
		got, _ := os.ReadFile(file)
		if !errors.Is(err, tt.err) || string(got) != tt.want {
			t.Errorf("Replace of %v with old %v = %v and %q; want %v and %q", tt.there, tt.old, err, got, tt.err, tt.want)
		}
		if left := atomicfile.Leftovers(root, ".", time.Time{}); left != nil {
			t.Errorf("%q is left", left)
		}
		want := fs.FileMode(0o640)
		if tt.there == nil {
			want = 0o644
		}
		if info, err := os.Stat(file); err == nil && info.Mode().Perm() != want && runtime.GOOS != "windows" {
			t.Errorf("mode %o; want %o", info.Mode().Perm(), want)
		}
	}
}

// TestSaveDuringReplace saves a file, in place and by a rename, at every moment
// of a replacement. The file then holds the save: it came later, or it was not
// replaced. ENVDRIFT_ROUNDS sets how often.
func TestSaveDuringReplace(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("no other system tells whether a file is being written")
	}
	rounds := 200
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	for name, save := range map[string]func(file, data string) error{"in place": inPlace, "truncated later": truncated, "renamed": renamed} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, root := openDir(t)
			file := filepath.Join(dir, "f")
			refused := 0
			for n := range rounds {
				if err := os.WriteFile(file, []byte("old\n"), 0o600); err != nil {
					t.Fatal(err)
				}
				var started atomic.Bool
				saved := make(chan error)
				edit := fmt.Sprintf("edit %d\n", n)
				go func() {
					for !started.Load() {
						runtime.Gosched()
					}
					// A replacement takes about a millisecond here.
					time.Sleep(time.Duration(n%300) * 10 * time.Microsecond)
					saved <- save(file, edit)
				}()
				started.Store(true)
				err := atomicfile.Replace(root, "f", []byte("old\n"), []byte("new\n"), 0o600, false)
				if err := <-saved; err != nil {
					t.Fatal(err)
				}
				if errors.Is(err, atomicfile.ErrChanged) {
					refused++
				} else if err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(file); err != nil || string(got) != edit {
					t.Fatalf("round %d: the file holds %q, %v; want the save", n, got, err)
				}
				if left := atomicfile.Leftovers(root, ".", time.Time{}); left != nil {
					t.Fatalf("round %d: %q is left", n, left)
				}
			}
			t.Logf("%d of %d replacements met the save", refused, rounds)
		})
	}
}

func inPlace(file, data string) error { return os.WriteFile(file, []byte(data), 0o600) }

// truncated opens the file first, and truncates and writes it later.
func truncated(file, data string) error {
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	time.Sleep(200 * time.Microsecond)
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteString(data)
	}
	return errors.Join(err, f.Close())
}

func renamed(file, data string) error {
	return errors.Join(os.WriteFile(file+".new", []byte(data), 0o600), os.Rename(file+".new", file))
}

// What root writes for a user belongs to the user: the old file's owner, else
// the folder's.
func TestOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	dir, root := openDir(t)
	if err := os.Chown(dir, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	theirs := filepath.Join(dir, "theirs")
	if err := errors.Join(os.WriteFile(theirs, []byte("old"), 0o644), os.Chown(theirs, 3456, 4567)); err != nil {
		t.Fatal(err)
	}
	err := errors.Join(
		atomicfile.Write(root, "new", nil, 0o600, true),
		atomicfile.Replace(root, "created", nil, nil, 0o600, true),
		atomicfile.Replace(root, "theirs", []byte("old"), []byte("new"), 0o600, false),
		atomicfile.MkdirAll(filepath.Join(dir, "made", "below"), 0o700),
		atomicfile.MkdirAllIn(root, "inside/below", 0o700),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"new": "1234:2345", "created": "1234:2345", "theirs": "3456:4567", "made": "1234:2345", "made/below": "1234:2345", "inside": "1234:2345", "inside/below": "1234:2345"} {
		if got := owner(t, filepath.Join(dir, name)); got != want {
			t.Errorf("%s belongs to %s; want %s", name, got, want)
		}
	}
}
