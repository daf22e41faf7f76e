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

	"golang.org/x/sync/errgroup"
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
	return write(root, name, data, perm, private, placeOver(old), noFault)
}

// A Replacement is one file of [ReplaceAll], with the arguments of [Replace].
type Replacement struct {
	Name      string
	Old, Data []byte
	Perm      fs.FileMode
	Private   bool
	Err       error // the result
}

// ReplaceAll is Replace for several files, each on its own, and sets their Err. It
// does each step for all of them, workers at a time, before the next one, and syncs a
// folder once: the disk has less to do. Two files or folders are open for each of them
// meanwhile.
func ReplaceAll(root *os.Root, files []*Replacement, workers int) {
	replaceAll(root, files, workers, noFault)
}

func replaceAll(root *os.Root, files []*Replacement, workers int, step func(string) error) {
	writes := make([]*pending, len(files))
	all := func(do func(i int) error) {
		each(len(files), workers, func(i int) {
			if files[i].Err == nil {
				files[i].Err = do(i)
			}
		})
	}
	all(func(i int) (err error) {
		f := files[i]
		writes[i], err = prepare(root, f.Name, f.Data, f.Perm, f.Private, placeOver(f.Old), step)
		return err
	})
	all(func(i int) error { return writes[i].sync() })
	all(func(i int) error { return writes[i].put() })
	var dirs []int // the first write in each
	first := map[string]int{}
	for i, w := range writes {
		if files[i].Err == nil {
			if _, known := first[w.dir]; !known {
				first[w.dir], dirs = i, append(dirs, i)
			}
		}
	}
	synced := make([]error, len(files))
	each(len(dirs), workers, func(n int) { synced[dirs[n]] = writes[dirs[n]].syncDir() })
	for i, w := range writes {
		if files[i].Err == nil {
			files[i].Err = synced[first[w.dir]]
		}
		if w != nil {
			w.close()
		}
	}
}

// each calls do for 0 to n-1, workers at a time.
func each(n, workers int, do func(i int)) {
	if workers <= 1 {
		for i := range n {
			do(i)
		}
		return
	}
	var g errgroup.Group
	g.SetLimit(workers)
	for i := range n {
		g.Go(func() error { do(i); return nil })
	}
	_ = g.Wait()
}

func noFault(string) error { return nil }

// write writes one file.
func write(root *os.Root, name string, data []byte, perm fs.FileMode, private bool, place placeFunc, step func(string) error) error {
	w, err := prepare(root, name, data, perm, private, place, step)
	if err != nil {
		return err
	}
	defer w.close()
	for _, do := range []func() error{w.sync, w.put, w.syncDir} {
		if err := do(); err != nil {
			return err
		}
	}
	return nil
}

// A placeFunc makes the temporary file the file base.
type placeFunc func(root *os.Root, temp, base string) error

// placeOver returns how a file is placed that must hold old, or not exist.
func placeOver(old []byte) placeFunc {
	if old == nil {
		return create
	}
	return func(root *os.Root, temp, base string) error { return swap(root, temp, base, old) }
}

// A pending is a file that is being written. step is called before each step, by its
// name: the seam where tests make the disk fail or the process die.
type pending struct {
	dir        string   // relative to the caller's root
	root       *os.Root // of that folder
	base, temp string
	perm       fs.FileMode
	file       *os.File    // of temp, until it is synced
	mine       fs.FileInfo // of temp then
	place      placeFunc
	step       func(string) error
}

func (w *pending) close() { _ = w.root.Close() }

// prepare writes a temporary file beside the one that is to be replaced. On an error
// it leaves nothing behind.
func prepare(root *os.Root, name string, data []byte, perm fs.FileMode, private bool, place placeFunc, step func(string) error) (*pending, error) {
	dir, base, err := resolve(root, name)
	if err != nil {
		return nil, err
	}
	w := &pending{dir: dir, base: base, temp: tempPrefix + rand.Text(), perm: perm, place: place, step: step}
	if w.root, err = enter(root, dir); err != nil {
		return nil, err
	}
	info, err := w.root.Stat(base)
	switch {
	case err == nil && !info.Mode().IsRegular():
		err = &fs.PathError{Op: "write", Path: name, Err: errors.New("not a regular file")}
	case err == nil && private:
		w.perm &= info.Mode().Perm()
	case err == nil:
		w.perm = info.Mode().Perm()
	case errors.Is(err, fs.ErrNotExist):
		info, err = w.root.Stat(".")
	}
	if err == nil {
		err = w.create(data, info)
	}
	if err != nil {
		w.close()
		return nil, err
	}
	return w, nil
}

// create writes the temporary file, with the owner of like. Only its owner can read
// it: what a killed run leaves must not be readable to more users.
func (w *pending) create(data []byte, like fs.FileInfo) (err error) {
	if err := w.step("create"); err != nil {
		return err
	}
	if w.file, err = w.root.OpenFile(w.temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err != nil {
		return w.named(err)
	}
	if err = w.step("write"); err == nil {
		_, err = w.file.Write(data)
	}
	if err == nil {
		err = w.step("chown")
	}
	if err == nil {
		err = own(w.file, like)
	}
	return w.orDiscard(w.named(err))
}

// sync brings the temporary file to the disk.
func (w *pending) sync() error {
	err := w.step("sync")
	if err == nil {
		err = w.file.Sync()
	}
	if err == nil {
		w.mine, err = w.file.Stat()
	}
	if err == nil {
		err, w.file = w.file.Close(), nil
	}
	return w.orDiscard(w.named(err))
}

// put makes the temporary file the file.
func (w *pending) put() error {
	err := w.step("rename")
	if err == nil {
		err = w.place(w.root, w.temp, w.base)
	}
	if err = w.orDiscard(err); err != nil {
		return err
	}
	if err := w.step("chmod"); err != nil {
		return err
	}
	return widen(w.root, w.base, w.mine, w.perm)
}

// syncDir brings the new name to the disk.
func (w *pending) syncDir() error {
	if err := w.step("sync directory"); err != nil {
		return err
	}
	return syncDir(w.root, ".")
}

// named returns an error about the temporary file as one about the file.
func (w *pending) named(err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return &fs.PathError{Op: "write", Path: path.Join(w.dir, w.base), Err: e.Err}
	}
	return err
}

// orDiscard removes the temporary file after an error.
func (w *pending) orDiscard(err error) error {
	if err == nil {
		return nil
	}
	if w.file != nil {
		err = errors.Join(err, w.file.Close())
	}
	if gone := w.root.Remove(w.temp); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
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
	if hasNoLinks(root, name) {
		return path.Dir(name), path.Base(name), nil
	}
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

// hasNoLinks reports whether resolve would return name as it is: a usual file in
// usual folders.
func hasNoLinks(root *os.Root, name string) bool {
	if !fs.ValidPath(name) || strings.Contains(name, "~") || slices.ContainsFunc(strings.Split(name, "/"), IsGit) {
		return false // with ~ it may be a short name, as Windows has them
	}
	for dir := path.Dir(name); dir != "."; dir = path.Dir(dir) {
		if info, err := root.Lstat(dir); err != nil || !info.IsDir() {
			return false
		}
	}
	info, err := root.Lstat(name)
	return errors.Is(err, fs.ErrNotExist) || err == nil && info.Mode().IsRegular()
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
