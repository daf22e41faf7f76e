package edit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

// A folder is where a decrypted text is while the user edits it. Only the user can
// read it.
type folder struct {
	dir   string
	lock  *flock.Flock // of all editors of the same file
	guard func()       // ends the process that removes dir if this one dies
}

// newFolder creates the folder for the env file with an absolute path.
func newFolder(file string, onDisk func(folder string)) (*folder, error) {
	base, inMemory := memory()
	if !inMemory {
		base = os.TempDir()
		onDisk(base)
	}
	base = filepath.Join(base, "envdrift-"+strconv.Itoa(os.Getuid()))
	if err := os.Mkdir(base, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	if err := private(base); err != nil {
		return nil, err
	}
	id := fmt.Sprintf("%x", sha256.Sum256([]byte(file)))[:16]
	f := &folder{lock: flock.New(filepath.Join(base, id+".lock"), flock.SetPermissions(0o600))}
	if locked, err := f.lock.TryLock(); err != nil {
		return nil, err
	} else if !locked {
		return nil, &BusyError{filepath.Base(file)}
	}
	err := f.create(base, id)
	if err != nil {
		f.remove()
	}
	return f, err
}

// create makes the folder, after those that were left when a process and its guard
// were killed.
func (f *folder) create(base, id string) (err error) {
	left, _ := filepath.Glob(filepath.Join(base, id+"-*"))
	for _, dir := range left {
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	if f.dir, err = os.MkdirTemp(base, id+"-*"); err != nil {
		return err
	}
	f.guard, err = guard(f.dir)
	return err
}

func (f *folder) remove() {
	if f.dir != "" {
		_ = os.RemoveAll(f.dir) // the guard tries again
	}
	if f.guard != nil {
		f.guard()
	}
	_ = f.lock.Unlock() // which the process's end does too
}
