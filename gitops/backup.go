package gitops

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"
)

// Backup keeps data, a version of path, in the state directory and returns the
// file's name. No earlier backup is overwritten.
func (r *Repo) Backup(path string, data []byte, now time.Time) (string, error) {
	dir, err := r.StateDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "backup")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", err
	}
	base := filepath.Join(dir, now.UTC().Format("20060102T150405Z-")+backupName(path))
	name := base
	for i := 1; ; i++ {
		err := writeNew(name, data)
		if !errors.Is(err, fs.ErrExist) {
			return name, err
		}
		name = fmt.Sprintf("%s.%d", base, i)
	}
}

// backupName makes one file name of a path, legal on every system.
func backupName(path string) string {
	const longest = 180 // of 255 in most file systems
	name := url.QueryEscape(path)
	if len(name) > longest {
		name = fmt.Sprintf("%x-%s", sha256.Sum256([]byte(path)), name[len(name)-longest/2:])
	}
	return name
}

// writeNew creates a file, whole or not at all: half a backup would pass for
// one.
func writeNew(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".unfinished-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if gone := os.Remove(f.Name()); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, replaces nothing; not all file systems have it.
	if err = os.Link(f.Name(), name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(name); err == nil {
		return fs.ErrExist
	}
	return os.Rename(f.Name(), name)
}
