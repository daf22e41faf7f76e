// Package atomicfile replaces files so that whoever looks, at any moment and
// after a crash, finds the old content or the new one, never a part.
//
// It works inside an [os.Root], so that no symbolic link leads a write out of
// the directory that was meant; the libraries for atomic replacing know
// either Windows or os.Root, none both.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"
)

// tempPrefix begins the names of the files that a killed run leaves behind.
const tempPrefix = ".envdrift-tmp-"

// Pattern matches those files in a .gitignore: they may hold secrets.
const Pattern = tempPrefix + "*"

// Write replaces name, relative to root, by data. A new file gets mode perm;
// an existing one keeps its own mode, less the bits that perm lacks if private
// is set. A symbolic link at name is written through while it stays inside
// root; one that leaves is an error, as is one that points to nothing.
func Write(root *os.Root, name string, data []byte, perm fs.FileMode, private bool) error {
	return write(root, name, data, perm, private, func(string) error { return nil })
}

// write calls step before each of its steps, by name: the seam where tests
// let the disk fail or the process die.
func write(root *os.Root, name string, data []byte, perm fs.FileMode, private bool, step func(string) error) error {
	name, err := resolve(root, name)
	if err != nil {
		return err
	}
	info, err := root.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return &fs.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
	case err == nil && private:
		perm &= info.Mode().Perm()
	case err == nil:
		perm = info.Mode().Perm()
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	temp := path.Join(path.Dir(name), tempPrefix+rand.Text())
	if err := writeNew(root, temp, data, perm, step); err != nil {
		return err
	}
	err = step("rename")
	if err == nil {
		err = root.Rename(temp, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temp))
	}
	if err := step("sync directory"); err != nil {
		return err
	}
	return syncDir(root, path.Dir(name))
}

// writeNew creates name, which must not exist, and brings data to the disk. On
// an error nothing is left.
func writeNew(root *os.Root, name string, data []byte, perm fs.FileMode, step func(string) error) (err error) {
	if err := step("create"); err != nil {
		return err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Remove(name))
		}
	}()
	for _, s := range []struct {
		name string
		do   func() error
	}{
		{"write", func() error { _, err := f.Write(data); return err }},
		{"chmod", func() error { return chmod(f, perm) }},
		{"sync", f.Sync},
	} {
		err := step(s.name)
		if err == nil {
			err = s.do()
		}
		if err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}

// Leftovers lists what runs that were killed left in dir, relative to root. A
// file that was changed after before may belong to a run that is at work; the
// zero time is for a caller who holds the lock that every run takes.
func Leftovers(root *os.Root, dir string, before time.Time) []string {
	entries, _ := fs.ReadDir(root.FS(), path.Clean(filepath.ToSlash(dir)))
	var names []string
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), tempPrefix) {
			continue
		}
		if info, err := e.Info(); err == nil && (before.IsZero() || info.ModTime().Before(before)) {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	return names
}

// resolve gives the file that a symbolic link at name leads to, so that the
// link stays. Links in the directories above are os.Root's to follow or refuse.
func resolve(root *os.Root, name string) (string, error) {
	name = path.Clean(filepath.ToSlash(name))
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return name, nil
	}
	if err != nil || info.Mode()&fs.ModeSymlink == 0 {
		return name, err
	}
	base, err := filepath.EvalSymlinks(root.Name())
	if err != nil {
		return "", err
	}
	target, err := filepath.EvalSymlinks(filepath.Join(root.Name(), filepath.FromSlash(name)))
	if err != nil {
		return "", err
	}
	rel, err := filepath.Rel(base, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &fs.PathError{Op: "write", Path: name, Err: ErrLeaves}
	}
	return filepath.ToSlash(rel), nil
}

// ErrLeaves reports a symbolic link that leads out of the root.
var ErrLeaves = errors.New("symbolic link leads out of the repository")
