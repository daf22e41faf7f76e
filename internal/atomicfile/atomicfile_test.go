package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

func open(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close() })
	return root
}

func read(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestWriteModes(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows keeps access in ACLs")
	}
	t.Parallel()
	tests := []struct {
		name    string
		old     fs.FileMode // 0: no file
		perm    fs.FileMode
		private bool
		want    fs.FileMode
	}{
		{name: "new", perm: 0o600, want: 0o600},
		{name: "new, public", perm: 0o644, want: 0o644},
		{name: "mode kept", old: 0o664, perm: 0o600, want: 0o664},
		{name: "key file made private", old: 0o644, perm: 0o600, private: true, want: 0o600},
		{name: "stricter mode kept", old: 0o400, perm: 0o600, private: true, want: 0o400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			file := filepath.Join(dir, "f")
			if tt.old != 0 {
				if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
					t.Fatal(err)
				}
				if err := os.Chmod(file, tt.old); err != nil {
					t.Fatal(err)
				}
			}
			if err := Write(open(t, dir), "f", []byte("new"), tt.perm, tt.private); err != nil {
				t.Fatal(err)
			}
			info, err := os.Stat(file)
			if err != nil {
				t.Fatal(err)
			}
			if got := info.Mode().Perm(); got != tt.want || read(t, file) != "new" {
				t.Errorf("Write left mode %o, content %q; want %o, new", got, read(t, file), tt.want)
			}
		})
	}
}

func TestWriteThroughSymlinks(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("making symbolic links needs a privilege on Windows")
	}
	t.Parallel()
	outside := t.TempDir()
	tests := []struct {
		name   string
		link   string // what "dir/link" points to
		target string // the file, relative to the root, that has the new content then
		want   error
	}{
		{name: "beside", link: "file", target: "dir/file"},
		{name: "elsewhere inside", link: "../file", target: "file"},
		{name: "out by dots", link: "../../file", want: fs.ErrNotExist},
		{name: "out, absolute", link: filepath.Join(outside, "file"), want: ErrLeaves},
		{name: "to nothing", link: "nothing", want: fs.ErrNotExist},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "root")
			for name, content := range map[string]string{
				filepath.Join(dir, "dir", "file"):  "old",
				filepath.Join(dir, "file"):         "old",
				filepath.Join(outside, "file"):     "outside",
				filepath.Join(dir, "dir", "other"): "old",
			} {
				if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			link := filepath.Join(dir, "dir", "link")
			if err := os.Symlink(tt.link, link); err != nil {
				t.Fatal(err)
			}
			err := Write(open(t, dir), "dir/link", []byte("new"), 0o600, false)
			if !errors.Is(err, tt.want) {
				t.Fatalf("Write through a link to %s = %v; want %v", tt.link, err, tt.want)
			}
			if got, _ := os.Readlink(link); got != tt.link {
				t.Errorf("the link leads to %q; want %q", got, tt.link)
			}
			if tt.want == nil && read(t, filepath.Join(dir, tt.target)) != "new" {
				t.Errorf("%s was not written", tt.target)
			}
			if got := read(t, filepath.Join(outside, "file")); got != "outside" {
				t.Errorf("the file outside now holds %q", got)
			}
		})
	}
}

func TestLinkedParentThatLeavesIsRefused(t *testing.T) {
	t.Parallel()
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "sub")); err != nil {
		t.Fatal(err)
	}
	if err := Write(open(t, dir), "sub/f", []byte("new"), 0o600, false); err == nil {
		t.Error("Write through a parent that leaves the root = nil; want an error")
	}
	if entries, _ := os.ReadDir(outside); len(entries) != 0 {
		t.Errorf("%s holds %v; want nothing", outside, entries)
	}
}

// Also in a directory whose name is a pattern.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	dir := filepath.Join(top, "[x]")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{tempPrefix + "OLD", tempPrefix + "NEW", "f", ".env"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	hour := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(dir, tempPrefix+"OLD"), hour, hour); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		before time.Time
		want   []string
	}{
		{time.Time{}, []string{"[x]/" + tempPrefix + "NEW", "[x]/" + tempPrefix + "OLD"}},
		{hour.Add(time.Minute), []string{"[x]/" + tempPrefix + "OLD"}},
	} {
		if got := Leftovers(open(t, top), "[x]", tt.before); !slices.Equal(got, tt.want) {
			t.Errorf("Leftovers before %v = %q; want %q", tt.before, got, tt.want)
		}
	}
}
