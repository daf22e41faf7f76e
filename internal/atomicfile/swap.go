package atomicfile

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"time"
)

// create gives the file temp the name base, which must be free. A link, unlike
// a rename, replaces nothing, but not all file systems have links.
func create(root *os.Root, temp, base string) error {
	err := root.Link(temp, base)
	if err == nil {
		return root.Remove(temp)
	}
	if _, taken := root.Lstat(base); taken == nil {
		return ErrChanged
	}
	return root.Rename(temp, base)
}

// swap replaces base, which must hold old, by temp. It compares twice. The first
// time is for all systems. Then the two exchange their names, so that what was
// replaced last can still be looked at: if it is not old, it gets its name back.
func swap(root *os.Root, temp, base string, old []byte) error {
	placed, err := root.Lstat(temp)
	if err != nil {
		return err
	}
	if !holds(root, base, old) {
		return ErrChanged
	}
	err = exchange(root, temp, base)
	switch {
	case errors.Is(err, errors.ErrUnsupported):
		return root.Rename(temp, base)
	case errors.Is(err, fs.ErrNotExist):
		return ErrChanged
	case err != nil:
		return err
	}
	if closed(root, temp) && holds(root, temp, old) {
		return root.Remove(temp)
	}
	return putBack(root, temp, base, placed)
}

// putBack exchanges the names again, until what comes out is what was placed
// last: anything else is a save that is newer still.
func putBack(root *os.Root, temp, base string, placed fs.FileInfo) error {
	for {
		saved, err := root.Lstat(temp)
		if err != nil {
			return err
		}
		err = exchange(root, temp, base)
		if errors.Is(err, fs.ErrNotExist) {
			err = root.Rename(temp, base)
			return errors.Join(ErrChanged, err)
		}
		if err != nil {
			// Under the temporary name, the next run would remove it.
			return errors.Join(ErrChanged, err, root.Rename(temp, base+".saved"))
		}
		out, err := root.Lstat(temp)
		if err != nil {
			return err
		}
		if os.SameFile(out, placed) {
			return ErrChanged
		}
		placed = saved
	}
}

// Exchange exchanges the names of two files in root in one step. It returns
// [errors.ErrUnsupported] where the system or the file system cannot.
func Exchange(root *os.Root, a, b string) error { return exchange(root, a, b) }

// holds reports whether name is a regular file with the content data.
func holds(root *os.Root, name string, data []byte) bool {
	info, err := root.Lstat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() != int64(len(data)) {
		return false
	}
	now, err := ReadFile(root.FS(), name)
	return err == nil && bytes.Equal(now, data)
}

// writerWait bounds how long closed waits. An editor's save takes milliseconds.
const writerWait = 200 * time.Millisecond

// closed waits until no program has the file open for writing, and reports
// whether that is so: an editor that saves in place opens the file first and
// writes to it afterwards, whatever its name is by then. Where the system cannot
// tell, nobody is assumed to.
func closed(root *os.Root, name string) bool {
	f, err := root.Open(name)
	if err != nil {
		return true // holds decides
	}
	defer func() { _ = f.Close() }()
	for end := time.Now().Add(writerWait); beingWritten(f); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			return false
		}
	}
	return true
}
