// Package atomicfile replaces files so that a reader, at any moment and after a
// crash, finds the old content or the new one, never a part.
//
// It works inside an [os.Root], so that no symbolic link leads a write out of
// the intended directory. The libraries for atomic replacement support either
// Windows or os.Root, none both.
package atomicfile

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// tempPrefix begins the names of the files that a killed run leaves behind.
const tempPrefix = ".envdrift-tmp-"

// Pattern matches those files in a .gitignore: they may contain secrets.
const Pattern = tempPrefix + "*"

// Write replaces name, relative to root, by data. A new file gets mode perm; an
// existing one keeps its own mode, less the bits that perm lacks if private is
// set. A symbolic link at name is followed while it stays inside root. It is an
// error if the link leaves root, if it is dangling, or if the file would be in
// a .git folder of root. If root runs it, as with sudo, the file keeps its
// owner, and a new one gets its folder's.
func Write(root *os.Root, name string, data []byte, perm fs.FileMode, private bool) error {
	return write(root, name, data, perm, private, (*os.Root).Rename, noFault)
}

// Replace is like Write for a file that must hold old, or must not exist if old
// is nil. Otherwise the file stays as it is and the error is [ErrChanged]: an
// editor's save is not lost, at whatever moment it comes.
func Replace(root *os.Root, name string, old, data []byte, perm fs.FileMode, private bool) error {
	place := func(root *os.Root, temp, base string) error { return swap(root, temp, base, old) }
	if old == nil {
		place = create
	}
	return write(root, name, data, perm, private, place, noFault)
}

func noFault(string) error { return nil }

// write calls step before each of its steps, by name: the seam where tests make
// the disk fail or the process die. place makes the temporary file the file.
func write(root *os.Root, name string, data []byte, perm fs.FileMode, private bool,
	place func(root *os.Root, temp, base string) error, step func(string) error) error {
	dir, base, err := resolve(root, name)
	if err != nil {
		return err
	}
	if root, err = enter(root, dir); err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	info, err := root.Stat(base)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return &fs.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
	case err == nil && private:
		perm &= info.Mode().Perm()
	case err == nil:
		perm = info.Mode().Perm()
	case errors.Is(err, fs.ErrNotExist):
		info, err = root.Stat(".")
	}
	if err != nil {
		return err
	}
	temp := tempPrefix + rand.Text()
	mine, err := writeNew(root, temp, data, info, step)
	if err != nil {
		return err
	}
	err = step("rename")
	if err == nil {
		err = place(root, temp, base)
	}
	if err != nil {
		if gone := root.Remove(temp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return err
	}
	if err := step("chmod"); err != nil {
		return err
	}
	if err := widen(root, base, mine, perm); err != nil {
		return err
	}
	if err := step("sync directory"); err != nil {
		return err
	}
	return syncDir(root, ".")
}

// writeNew creates name, which must not exist, with the owner of like, and syncs
// data to the disk. Only its owner can read it: what a killed run leaves must
// not be readable to more users. On an error it leaves nothing behind.
func writeNew(root *os.Root, name string, data []byte, like fs.FileInfo, step func(string) error) (mine fs.FileInfo, err error) {
	if err := step("create"); err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
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
		{"chown", func() error { return own(f, like) }},
		{"sync", f.Sync},
	} {
		err := step(s.name)
		if err == nil {
			err = s.do()
		}
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
	}
	mine, err = f.Stat()
	return mine, errors.Join(err, f.Close())
}

// widen gives the file that was placed at base its mode, unless another program
// has replaced it already.
func widen(root *os.Root, base string, mine fs.FileInfo, perm fs.FileMode) error {
	if mine.Mode().Perm() == perm {
		return nil
	}
	f, err := root.Open(base)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && os.SameFile(info, mine) {
		err = chmod(f, perm)
	}
	return errors.Join(err, f.Close())
}

// Leftovers returns the files that killed runs left in dir, relative to root. A
// file that was changed after before may belong to a run in progress. The zero
// time is for a caller who has the lock that every run takes.
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

// MkdirAll is like [os.MkdirAll]. If root runs it, what it makes belongs to the
// owner of the folder that it is in.
func MkdirAll(dir string, perm fs.FileMode) error {
	err := os.Mkdir(dir, perm)
	if errors.Is(err, fs.ErrNotExist) {
		if err := MkdirAll(filepath.Dir(dir), perm); err != nil {
			return err
		}
		err = os.Mkdir(dir, perm)
	}
	if info, there := os.Stat(dir); errors.Is(err, fs.ErrExist) && there == nil && info.IsDir() {
		return nil
	}
	if err != nil {
		return err
	}
	return Adopt(dir)
}

// MkdirAllIn is MkdirAll inside root.
func MkdirAllIn(root *os.Root, dir string, perm fs.FileMode) error {
	if info, err := root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if up := path.Dir(dir); up != dir {
		if err := MkdirAllIn(root, up, perm); err != nil {
			return err
		}
	}
	if err := root.Mkdir(dir, perm); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	folder, err := root.Stat(path.Dir(dir))
	if err != nil {
		return err
	}
	made, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(own(made, folder), made.Close())
}

// resolve returns the folder, relative to root and without links, and the name
// of the file to replace. If name is a link, it stays, and its target is the
// file.
func resolve(root *os.Root, name string) (dir, base string, err error) {
	file := filepath.Join(root.Name(), filepath.FromSlash(name))
	target, err := filepath.EvalSymlinks(file)
	if errors.Is(err, fs.ErrNotExist) && !isLink(file) {
		target, err = filepath.EvalSymlinks(filepath.Dir(file))
		target = filepath.Join(target, filepath.Base(file))
	}
	if err != nil {
		return "", "", err
	}
	top, err := filepath.EvalSymlinks(root.Name())
	if err != nil {
		return "", "", err
	}
	rel, err := filepath.Rel(top, target)
	if err != nil || !filepath.IsLocal(rel) {
		return "", "", &fs.PathError{Op: "write", Path: name, Err: ErrLeaves}
	}
	rel = filepath.ToSlash(rel)
	if slices.ContainsFunc(strings.Split(rel, "/"), IsGit) {
		return "", "", &fs.PathError{Op: "write", Path: name, Err: ErrGit}
	}
	return path.Dir(rel), path.Base(rel), nil
}

func isLink(file string) bool {
	info, err := os.Lstat(file)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// enter opens dir, a path without links. What is opened must be what was seen,
// else another process has put a link there meanwhile, which may lead into
// .git.
func enter(root *os.Root, dir string) (*os.Root, error) {
	at, err := root.OpenRoot(".")
	if err != nil || dir == "." {
		return at, err
	}
	for part := range strings.SplitSeq(dir, "/") {
		next, err := descend(at, part)
		_ = at.Close()
		if err != nil {
			return nil, &fs.PathError{Op: "write", Path: dir, Err: err}
		}
		at = next
	}
	return at, nil
}

func descend(at *os.Root, name string) (*os.Root, error) {
	seen, err := at.Lstat(name)
	if err != nil {
		return nil, err
	}
	next, err := at.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	opened, err := next.Stat(".")
	if err == nil && !os.SameFile(seen, opened) {
		err = errMoved
	}
	if err != nil {
		return nil, errors.Join(err, next.Close())
	}
	return next, nil
}

// ErrChanged reports a file that does not hold what [Replace] expected.
var ErrChanged = errors.New("was changed by another program in the meantime")

// Errors that Write wraps if a symbolic link leads to a file that must not be
// written.
var (
	ErrLeaves = errors.New("symbolic link leads out of the repository")
	ErrGit    = errors.New("is in .git, which belongs to git")
	errMoved  = errors.New("the folder was replaced in the meantime")
)

// IsGit reports whether name is, on any file system, the name of the
// repository's own folder: in any case, as its short name, and with characters
// that Windows ignores.
func IsGit(name string) bool {
	name, _, _ = strings.Cut(name, ":")
	name = strings.TrimRight(name, ". ")
	return strings.EqualFold(name, ".git") || strings.EqualFold(name, "git~1")
}
