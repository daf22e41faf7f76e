package atomicfile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// steps are the steps of a write, in order.
var steps = []string{"create", "write", "chown", "sync", "rename", "chmod", "sync directory"}

// A fault is what happens before a step: an error of the disk, or the end of
// the process, after which no more of envdrift's code runs.
type fault struct {
	name string
	err  error // nil: the process dies
	torn bool  // half of the data is in the new file by then
}

var faults = []fault{
	{"EIO", syscall.EIO, false}, {"ENOSPC", syscall.ENOSPC, false}, {"ENOSPC in the middle", syscall.ENOSPC, true},
	{"EACCES", syscall.EACCES, false}, {"kill", nil, false}, {"kill in the middle", nil, true},
}

type killed struct{}

// TestEveryFaultAtEveryStep tries every fault before every step of writing
// files of every kind. A reader then finds the old file or the new one, never
// neither, and only its owner can read what is not complete. An error leaves no other file, a kill only what
// Leftovers finds. The next write succeeds.
func TestEveryFaultAtEveryStep(t *testing.T) {
	t.Parallel()
	modes := []fs.FileMode{0, 0o600, 0o644, 0o400}
	if runtime.GOOS == "windows" {
		modes = []fs.FileMode{0, 0o666}
	}
	for _, old := range modes { // 0: there is no file
		for _, private := range []bool{false, true} {
			for _, linked := range []bool{false, true} {
				if linked && (old == 0 || runtime.GOOS == "windows") {
					continue
				}
				t.Run(fmt.Sprintf("mode %o, private %t, linked %t", old, private, linked), func(t *testing.T) {
					t.Parallel()
					for _, size := range []int{0, 1, 4096, 300_000} {
						for _, step := range steps {
							for _, f := range faults {
								(&trial{old: old, private: private, size: size, linked: linked, step: step, fault: f}).run(t)
							}
						}
					}
				})
			}
		}
	}
}

type trial struct {
	old     fs.FileMode
	private bool
	size    int
	linked  bool
	step    string
	fault   fault

	dir string
}

func (tr *trial) run(t *testing.T) {
	t.Helper()
	var err error
	if tr.dir, err = os.MkdirTemp(t.TempDir(), "trial"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(tr.dir) }()
	root, err := os.OpenRoot(tr.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	old, data := []byte("old\n"), bytes.Repeat([]byte("n"), tr.size)
	name := tr.prepare(t, old)
	before := tr.mode(t)

	err, died := tr.write(root, name, data)
	describe := fmt.Sprintf("%s before %q, %d bytes", tr.fault.name, tr.step, tr.size)
	if died != (tr.fault.err == nil) || !errors.Is(err, tr.fault.err) {
		t.Fatalf("%s: write = %v, died %t; want the fault", describe, err, died)
	}
	got, err := os.ReadFile(filepath.Join(tr.dir, "f"))
	switch isNew := tr.step == "sync directory" || tr.step == "chmod"; {
	case isNew && !bytes.Equal(got, data):
		t.Errorf("%s: %d bytes; want the new content", describe, len(got))
	case isNew && tr.mode(t)&^max(before, 0o600) != 0:
		t.Errorf("%s: mode %o; want none wider than %o", describe, tr.mode(t), before)
	case !isNew && tr.old == 0 && !errors.Is(err, fs.ErrNotExist):
		t.Errorf("%s: read = %v; want no file", describe, err)
	case !isNew && tr.old != 0 && (!bytes.Equal(got, old) || tr.mode(t) != before):
		t.Errorf("%s: %q, mode %o; want the old file", describe, got, tr.mode(t))
	}
	left := tr.temps(t)
	if len(left) > 0 && !died {
		t.Errorf("%s: an error left %q", describe, left)
	}
	for _, temp := range left {
		if info, err := os.Stat(temp); err == nil && runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %s has mode %o; want it to be its owner's alone", describe, temp, info.Mode().Perm())
		}
	}
	for _, temp := range Leftovers(root, ".", time.Time{}) {
		if err := root.Remove(temp); err != nil {
			t.Error(err)
		}
	}
	if err := Write(root, name, data, 0o600, tr.private); err != nil {
		t.Errorf("%s: the next write = %v", describe, err)
	}
	if got, err := os.ReadFile(filepath.Join(tr.dir, "f")); !bytes.Equal(got, data) || len(tr.temps(t)) > 0 {
		t.Errorf("%s: the next write left %d bytes, %v, and %q", describe, len(got), err, tr.temps(t))
	}
}

// prepare makes the old file and returns the name that is written to.
func (tr *trial) prepare(t *testing.T, old []byte) string {
	t.Helper()
	if tr.old == 0 {
		return "f"
	}
	file := filepath.Join(tr.dir, "f")
	if err := errors.Join(os.WriteFile(file, old, 0o600), os.Chmod(file, tr.old)); err != nil {
		t.Fatal(err)
	}
	if !tr.linked {
		return "f"
	}
	if err := os.Symlink("f", filepath.Join(tr.dir, "link")); err != nil {
		t.Fatal(err)
	}
	return "link"
}

// write writes with the fault.
func (tr *trial) write(root *os.Root, name string, data []byte) (err error, died bool) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(killed); !ok {
				panic(r)
			}
			died = true
		}
	}()
	place := func(root *os.Root, temp, base string) error { return swap(root, temp, base, []byte("old\n")) }
	if tr.old == 0 {
		place = create
	}
	return write(root, name, data, 0o600, tr.private, place, func(step string) error {
		if step != tr.step {
			return nil
		}
		if tr.fault.torn {
			temps, _ := filepath.Glob(filepath.Join(tr.dir, tempPrefix+"*"))
			for _, temp := range temps {
				_ = os.WriteFile(temp, data[:len(data)/2], 0o600)
			}
		}
		if tr.fault.err == nil {
			panic(killed{})
		}
		return &fs.PathError{Op: step, Path: name, Err: tr.fault.err}
	}), false
}

func (tr *trial) mode(t *testing.T) fs.FileMode {
	t.Helper()
	info, err := os.Stat(filepath.Join(tr.dir, "f"))
	if errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func (tr *trial) temps(t *testing.T) []string {
	t.Helper()
	temps, err := filepath.Glob(filepath.Join(tr.dir, tempPrefix+"*"))
	if err != nil {
		t.Fatal(err)
	}
	return temps
}

// A reader finds one of the contents, whole, while others write.
func TestReadersAndWritersAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	root := open(t, dir)
	content := func(i int) []byte { return bytes.Repeat([]byte{byte('a' + i)}, 10_000) }
	if err := Write(root, "f", content(0), 0o600, true); err != nil {
		t.Fatal(err)
	}
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for {
				got, err := os.ReadFile(filepath.Join(dir, "f"))
				if err != nil || len(got) != 10_000 || strings.Trim(string(got), string(got[:1])) != "" {
					t.Errorf("read %d bytes, %v; want one writer's", len(got), err)
					return
				}
				select {
				case <-done:
					return
				default:
				}
			}
		})
	}
	for i := range 8 {
		writers.Go(func() {
			for range 20 {
				if err := Write(root, "f", content(i), 0o600, true); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	if temps, _ := filepath.Glob(filepath.Join(dir, tempPrefix+"*")); len(temps) > 0 {
		t.Errorf("%q was left behind", temps)
	}
}
