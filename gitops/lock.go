package gitops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// StateDir returns the directory in the common directory where envdrift keeps
// what belongs to this clone. It creates the directory, accessible to its owner
// only.
func (r *Repo) StateDir() (string, error) {
	dir := filepath.Join(r.CommonDir, "envdrift")
	return dir, atomicfile.MkdirAll(dir, 0o700)
}

// lockWait bounds [Repo.Lock] if the context has no earlier deadline.
const lockWait = 30 * time.Second

// Lock waits until no other envdrift process changes this clone, from any of
// its worktrees, and keeps others out until unlock is called. If that takes too
// long, the error is [ErrLocked] and includes the who that the holder of the
// lock passed. A lock ends with the process that holds it.
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
	return r.locked(lock, holder, who)
}

// TryLock is like Lock, but does not wait.
func (r *Repo) TryLock() (unlock func() error, ok bool) {
	dir, err := r.StateDir()
	if err != nil {
		return nil, false
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	if ok, err := lock.TryLock(); !ok || err != nil {
		_ = lock.Close()
		return nil, false
	}
	unlock, err = r.locked(lock, filepath.Join(dir, "lock-holder"), "an envdrift that cleans up")
	return unlock, err == nil
}

// locked notes who has the lock, and removes the backups that a killed run did
// not complete.
func (r *Repo) locked(lock *flock.Flock, holder, who string) (unlock func() error, err error) {
	backups := filepath.Join(filepath.Dir(holder), "backup")
	entries, _ := os.ReadDir(backups)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), unfinishedPrefix) {
			_ = os.Remove(filepath.Join(backups, e.Name()))
		}
	}
	// In a file of its own: on Windows no other process can read a locked
	// file.
	err = errors.Join(err, os.WriteFile(holder, []byte(who), 0o600), atomicfile.Adopt(lock.Path()))
	if err == nil {
		err = atomicfile.Adopt(holder)
	}
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() error { return errors.Join(os.Remove(holder), lock.Close()) }, nil
}
