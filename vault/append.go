package vault

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
)

// A Log is the versions of one secret, for one Put, in a vault that adds a
// version whatever the newest one is.
type Log interface {
	// Newest returns the newest version, or none if Get returns no text.
	Newest(ctx context.Context) (Secret, error)

	// Unsettled returns how long the newest version, as Newest has just returned
	// it, may still be one whose writer is about to withdraw it.
	Unsettled() time.Duration

	// Add stores value as the newest version.
	Add(ctx context.Context, value secret.Value) (version string, err error)

	// Added returns what was added since the last call of Newest or Added, up
	// to and with version, which Add has returned. All callers see the same
	// order, in which no version ever comes before one that was returned. A
	// vault that cannot tell returns version alone. If version is "", Added
	// returns all.
	Added(ctx context.Context, version string) ([]Secret, error)

	// PutBack returns the command that stores a version again as the newest.
	PutBack(version string) (command string)

	// Fail makes err, of another method or of kind [Problem], the error of Put.
	Fail(err error) *Error
}

const (
	pause    = 250 * time.Millisecond // between two looks
	pauses   = 4                      // that nothing must change in
	patience = 20                     // pauses that another writer gets
	giveUp   = time.Minute            // after the write
)

// Append is the Put of a vault that cannot compare while it writes. It compares
// before and after: of several versions that were added to base at once, the
// first is the one that counts, and every other writer stores the first one's
// text again and returns ErrConflict.
//
// Until then, readers see a text that is about to be withdrawn. A Put that finds
// such a text as its base waits, as long as Unsettled says. The first writer waits
// too, and returns ErrConflict if its text is not the newest afterwards: another
// writer may have been killed before it stored that again.
func Append(ctx context.Context, log Log, value secret.Value, base string) (version string, err error) {
	err = compare(ctx, log, base)
	if wait := log.Unsettled(); err == nil && base != "" && wait > 0 {
		if err = sleep(ctx, wait); err == nil {
			err = compare(ctx, log, base)
		}
	}
	if err != nil {
		return "", log.Fail(err)
	}
	version, err = log.Add(ctx, value)
	stored := time.Now()

	// To be interrupted now would leave another user's key replaced.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), giveUp)
	defer cancel()
	added, err := addedBy(ctx, log, version, value, err)
	if err != nil {
		return "", err
	}
	version = added[len(added)-1].Version
	first := added[0]
	if first.Version == version {
		if version, err = confirm(ctx, log, Secret{Version: version, Value: value}, stored, base); err != nil {
			return "", log.Fail(err)
		}
		return version, nil
	}
	if err := yield(ctx, log, value, first.Value); err != nil {
		failed := log.Fail(err)
		failed.Detail = fmt.Sprintf("version %s has replaced version %s, which another user or process stored at the same time, and version %[2]s could not be put back: %s",
			version, first.Version, failed.Detail)
		failed.Remedy = log.PutBack(first.Version)
		return "", failed
	}
	return "", log.Fail(Stale("newest", first.Version, base))
}

func compare(ctx context.Context, log Log, base string) error {
	newest, err := log.Newest(ctx)
	if err == nil && newest.Version != base {
		err = Stale("newest", newest.Version, base)
	}
	return err
}

// addedBy returns what was added up to the version that Add returned, or failed
// to return: it may be there although the response was lost.
func addedBy(ctx context.Context, log Log, version string, value secret.Value, addErr error) ([]Secret, error) {
	var failed *Error
	if addErr != nil {
		failed = log.Fail(addErr)
		if !errors.Is(failed, ErrUnavailable) && !errors.Is(failed, context.Canceled) {
			return nil, failed
		}
	}
	added, err := again(ctx, func() ([]Secret, error) { return log.Added(ctx, version) })
	switch {
	case failed != nil:
		for len(added) > 0 && added[len(added)-1].Value.Reveal() != value.Reveal() {
			added = added[:len(added)-1]
		}
		if err != nil || len(added) == 0 {
			return nil, failed
		}
	case err != nil:
		failed = log.Fail(err)
		failed.Detail = fmt.Sprintf("version %s is stored, but whether it has replaced another user's is not known: %s", version, failed.Detail)
		return nil, failed
	}
	return added, nil
}

// confirm returns the newest version if it has the text of mine, which was the
// first and was stored at that time, or soon has it again; else a conflict. A vault
// that still returns base tells nothing: the caller reads back.
func confirm(ctx context.Context, log Log, mine Secret, stored time.Time, base string) (version string, err error) {
	err = sleep(ctx, time.Until(stored.Add(pauses*pause)))
	for looks := 0; err == nil; looks++ {
		var newest Secret
		newest, err = again(ctx, func() (Secret, error) { return log.Newest(ctx) })
		switch {
		case err != nil:
		case newest.Version == base:
			return mine.Version, nil
		case newest.Value.Reveal() == mine.Value.Reveal():
			return newest.Version, nil
		case looks == patience:
			return "", Stale("newest", newest.Version, base)
		default:
			err = sleep(ctx, pause)
		}
	}
	return "", err
}

// yield stores the text theirs again, as long as mine, which lost against it, is
// the newest. If mine has been replaced by another one, that is for its writer
// to look at. What was added in the meantime counts more than theirs: it may
// have been added to theirs, in order. If it has lost itself, its writer, who
// does the same as this one, replaces it again.
func yield(ctx context.Context, log Log, mine, theirs secret.Value) error {
	if mine.Reveal() == theirs.Reveal() {
		return nil
	}
	replaced := false // mine, as far as is known
	for quiet := 0; quiet < pauses; quiet++ {
		newest, err := again(ctx, func() (Secret, error) { return log.Newest(ctx) })
		if err != nil && replaced {
			return nil
		}
		if err != nil {
			return err
		}
		back := []Secret{{Value: theirs}}
		for newest.Value.Reveal() == mine.Reveal() && len(back) > 0 {
			quiet = -1
			text := back[len(back)-1].Value
			back, err = again(ctx, func() ([]Secret, error) { return store(ctx, log, text) })
			if err != nil {
				return err
			}
			back = slices.DeleteFunc(back, func(s Secret) bool {
				return slices.Contains([]string{mine.Reveal(), theirs.Reveal(), text.Reveal()}, s.Value.Reveal())
			})
		}
		replaced = true
		if err := sleep(ctx, pause); err != nil {
			return nil
		}
	}
	return nil
}

// store adds a version and returns those of others that it has replaced.
func store(ctx context.Context, log Log, value secret.Value) ([]Secret, error) {
	version, err := log.Add(ctx, value)
	if err != nil {
		return nil, err
	}
	added, err := log.Added(ctx, version)
	return slices.DeleteFunc(added, func(s Secret) bool { return s.Version == version }), err
}

// again does what may fail for a moment up to three times.
func again[T any](ctx context.Context, do func() (T, error)) (T, error) {
	for i := 0; ; i++ {
		v, err := do()
		if err == nil || i == 2 || sleep(ctx, pause) != nil {
			return v, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
