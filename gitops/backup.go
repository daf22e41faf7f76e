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

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// Backup saves data, a version of path, in the state directory and returns the
// file's name. It overwrites no earlier backup.
func (r *Repo) Backup(path string, data []byte, now time.Time) (string, error) {
	dir, err := r.StateDir()
	if err != nil {
		return "", err
	}
	dir = filepath.Join(dir, "backup")
	if err := atomicfile.MkdirAll(dir, 0o700); err != nil {
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

// backupName returns a file name for path that is legal on every system.
func backupName(path string) string {
	const longest = 180 // of 255 in most file systems
	name := url.QueryEscape(path)
	if len(name) > longest {
		name = fmt.Sprintf("%x-%s", sha256.Sum256([]byte(path)), name[len(name)-longest/2:])
	}
	return name
}

// unfinishedPrefix begins the names of backups that are being written.
const unfinishedPrefix = ".unfinished-"

// writeNew creates a file completely or not at all: an incomplete backup would
// look like a good one.
func writeNew(name string, data []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), unfinishedPrefix+"*") // of mode 0600
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
		err = atomicfile.Adopt(f.Name())
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	// A link, unlike a rename, replaces nothing. Not all file systems have
	// links.
	if err = os.Link(f.Name(), name); err == nil || errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := os.Lstat(name); err == nil {
		return fs.ErrExist
	}
	return os.Rename(f.Name(), name)
}
