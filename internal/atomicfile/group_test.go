package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"
)

// members are the files of a group: old and new ones, in two folders, and one behind a
// link.
var members = []struct{ name, file, old string }{
	{"a", "a", "old a"}, {"new", "new", ""}, {"d/b", "d/b", "old b"}, {"d/new", "d/new", ""}, {"link", "d/linked", "old linked"}, {"d/c", "d/c", "old c"},
}

// TestEveryFaultInAGroup tries every fault before every step of every file of a group.
// Each file is the old one or the new one then. An error is that of its file alone, and
// leaves no other; a kill leaves only what Leftovers finds, and the next run succeeds.
func TestEveryFaultInAGroup(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("a link needs a privilege there")
	}
	for _, step := range steps {
		for at := range members {
			if step == "sync directory" && at > 1 {
				continue // there are two
			}
			for _, f := range faults {
				if f.torn && step != "write" {
					continue
				}
				t.Run(fmt.Sprintf("%s before %q of file %d", f.name, step, at), func(t *testing.T) {
					t.Parallel()
					groupTrial(t, step, at, f)
				})
			}
		}
	}
}

func groupTrial(t *testing.T, step string, at int, f fault) {
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "d"), 0o755), os.Symlink("d/linked", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	var files []*Replacement
	for _, m := range members {
		r := &Replacement{Name: m.name, Data: []byte("the new content of " + m.name), Perm: 0o600}
		if m.old != "" {
			r.Old = []byte(m.old)
			if err := os.WriteFile(filepath.Join(dir, m.file), r.Old, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		files = append(files, r)
	}
	root := open(t, dir)
	died := faultyGroup(root, files, step, at, f)

	for i, m := range members {
		got, err := os.ReadFile(filepath.Join(dir, m.file))
		isNew, isOld := bytes.Equal(got, files[i].Data), string(got) == m.old && (m.old != "") == (err == nil)
		failed := files[i].Err != nil
		switch {
		case !isNew && !isOld:
			t.Errorf("%s holds %q, %v; want all of the old or of the new content", m.name, got, err)
		case !died && !failed && !isNew:
			t.Errorf("%s is as before; want the new content", m.name)
		case !died && failed != (i == at) && step != "sync directory":
			t.Errorf("%s: %v; want an error of file %d alone", m.name, files[i].Err, at)
		case failed && !errors.Is(files[i].Err, f.err):
			t.Errorf("%s: %v; want the fault", m.name, files[i].Err)
		}
	}
	left := slices.Concat(Leftovers(root, ".", time.Time{}), Leftovers(root, "d", time.Time{}))
	if len(left) > 0 && !died {
		t.Errorf("an error left %q", left)
	}
	var next []*Replacement
	for _, temp := range left {
		if info, err := root.Stat(temp); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v; want it to be its owner's alone", temp, info.Mode(), err)
		}
		if err := root.Remove(temp); err != nil {
			t.Error(err)
		}
	}
	for _, r := range files {
		old, err := fs.ReadFile(root.FS(), r.Name)
		if err != nil {
			old = nil
		}
		next = append(next, &Replacement{Name: r.Name, Old: old, Data: r.Data, Perm: 0o600})
	}
	ReplaceAll(root, next, 3)
	for i, m := range members {
		if got, err := os.ReadFile(filepath.Join(dir, m.file)); next[i].Err != nil || !bytes.Equal(got, files[i].Data) {
			t.Errorf("the next run: %s holds %q, %v, %v", m.name, got, err, next[i].Err)
		}
	}
}

// faultyGroup writes with a fault before a step of the file at.
func faultyGroup(root *os.Root, files []*Replacement, step string, at int, f fault) (died bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			died = true
		}
	}()
	n := 0
	replaceAll(root, files, 1, func(now string) error {
		if now != step {
			return nil
		}
		if n++; n-1 != at {
			return nil
		}
		if f.torn {
			for _, temp := range slices.Concat(Leftovers(root, ".", time.Time{}), Leftovers(root, "d", time.Time{})) {
				if info, err := root.Stat(temp); err == nil && info.Size() == 0 {
					_ = root.WriteFile(temp, files[at].Data[:5], 0o600)
				}
			}
		}
		if f.err == nil {
			panic(killed{})
		}
		return &fs.PathError{Op: step, Path: "f", Err: f.err}
	})
	return false
}

// TestGroupSyncsBeforeItRenames: no file of a group gets its name before it is on the
// disk, and each folder is synced once, after all.
func TestGroupSyncsBeforeItRenames(t *testing.T) {
	t.Parallel()
	root := open(t, t.TempDir())
	var did []string
	files := []*Replacement{{Name: "a", Data: []byte("1"), Perm: 0o600}, {Name: "b", Data: []byte("2"), Perm: 0o600}}
	replaceAll(root, files, 1, func(step string) error { did = append(did, step); return nil })
	want := []string{"create", "write", "chown", "create", "write", "chown", "sync", "sync", "rename", "chmod", "rename", "chmod", "sync directory"}
	if !slices.Equal(did, want) {
		t.Errorf("steps %q; want %q", did, want)
	}
}

// TestGroupLosesNoEdit: a file that was changed meanwhile stays, and the others are
// replaced.
func TestGroupLosesNoEdit(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := open(t, dir)
	for _, name := range []string{"a", "b"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	files := []*Replacement{{Name: "a", Old: []byte("old"), Data: []byte("new"), Perm: 0o600}, {Name: "b", Old: []byte("old"), Data: []byte("new"), Perm: 0o600}}
	replaceAll(root, files, 1, func(step string) error {
		if step == "rename" {
			return os.WriteFile(filepath.Join(dir, "a"), []byte("edited"), 0o600)
		}
		return nil
	})
	a, _ := os.ReadFile(filepath.Join(dir, "a"))
	b, _ := os.ReadFile(filepath.Join(dir, "b"))
	if string(a) != "edited" || !errors.Is(files[0].Err, ErrChanged) || string(b) != "new" || files[1].Err != nil {
		t.Errorf("a: %q, %v; b: %q, %v; want the edit and ErrChanged, and the new content", a, files[0].Err, b, files[1].Err)
	}
}
