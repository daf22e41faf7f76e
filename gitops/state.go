package gitops

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// StateDir returns the directory in the common directory where envdrift keeps
// what belongs to this clone. It exists afterwards, for its owner only.
func (r *Repo) StateDir() (string, error) {
	dir := filepath.Join(r.CommonDir, "envdrift")
	return dir, os.MkdirAll(dir, 0o700)
}

// Exclude makes git ignore pattern in every working tree of this clone, and
// only in this clone.
func (r *Repo) Exclude(pattern string) (err error) {
	dir := filepath.Join(r.CommonDir, "info")
	data, err := os.ReadFile(filepath.Join(dir, "exclude"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == pattern {
			return nil
		}
	}
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return atomicfile.Write(root, "exclude", append(data, pattern+"\n"...), 0o644, false)
}

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

// lockWait bounds [Repo.Lock] where the context has no earlier deadline.
const lockWait = 30 * time.Second

// Lock waits until no other envdrift changes this clone, whichever of its
// working trees it is in, and keeps others out until unlock is called. The
// error is [ErrLocked] if that takes too long, and says who holds the lock: what
// that one gave for who. A lock ends with the process that holds it.
func (r *Repo) Lock(ctx context.Context, who string) (unlock func() error, err error) {
	dir, err := r.StateDir()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, ErrLocked)
	defer cancel()
	lock, holder := flock.New(filepath.Join(dir, "lock")), filepath.Join(dir, "lock-holder")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			by, _ := os.ReadFile(holder) // it may just have ended
			err = fmt.Errorf("%w: %s", ErrLocked, cmp.Or(string(by), "it does not say which"))
		}
		return nil, errors.Join(err, lock.Close())
	}
	// Beside the lock: on Windows nobody else can read a file that is locked.
	if err := os.WriteFile(holder, []byte(who), 0o600); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() error { return errors.Join(os.Remove(holder), lock.Close()) }, nil
}
