package gitops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// StateDir returns the directory in the common directory where envdrift keeps
// what belongs to this clone. It creates the directory, accessible to its owner
// only.
func (r *Repo) StateDir() (string, error) {
	dir := filepath.Join(r.CommonDir, "envdrift")
	return dir, os.MkdirAll(dir, 0o700)
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
	// In a file of its own: on Windows no other process can read a locked
	// file.
	if err := os.WriteFile(holder, []byte(who), 0o600); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return func() error { return errors.Join(os.Remove(holder), lock.Close()) }, nil
}
