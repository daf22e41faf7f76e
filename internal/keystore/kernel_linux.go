package keystore

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envdrift/envdrift/internal/secret"
)

// kernel is the user's keyring of the Linux kernel, for machines without a desktop. It is
// in memory alone, for every process of the user, and forgets by itself. See keyrings(7).
type kernel struct{}

// A workday is how long a key is kept for which no time is set: nothing else would
// remove it before the next start of the machine.
const workday = 8 * time.Hour

func (kernel) name() string         { return "kernel's keyring" }
func (kernel) limit() time.Duration { return workday }
func (kernel) close()               {}

// enter makes the keys of the user's keyring readable and calls use on the same thread,
// whose credentials have them then. The link is to the process's own keyring, which ends
// with it.
func (kernel) enter(use func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, err := unix.KeyctlInt(unix.KEYCTL_LINK, unix.KEY_SPEC_USER_KEYRING, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0); err != nil {
		return ErrUnavailable // by a container's filter, or a kernel without keyrings
	}
	return plain(use())
}

// plain says what the kernel's errors mean here.
func plain(err error) error {
	switch {
	case errors.Is(err, unix.ENOKEY), errors.Is(err, unix.EKEYEXPIRED), errors.Is(err, unix.EKEYREVOKED):
		return errAbsent
	case errors.Is(err, unix.EDQUOT):
		return ErrFull
	case err == nil:
		return nil
	}
	return fmt.Errorf("failed: %w", err)
}

// made is true: no other program names its keys so.
func (kernel) made(context.Context, string) bool { return true }

func (k kernel) ready(context.Context) error { return k.enter(func() error { return nil }) }

// description names a key; other users can see it in /proc/keys.
func description(public string) string { return "envdrift:" + public }

func find(public string) (int, error) {
	return unix.KeyctlSearch(unix.KEY_SPEC_USER_KEYRING, "user", description(public), 0)
}

func (k kernel) get(_ context.Context, public string) (value secret.Value, err error) {
	err = k.enter(func() error {
		_, value, err = read(public)
		return err
	})
	return value, err
}

func read(public string) (id int, value secret.Value, err error) {
	if id, err = find(public); err != nil {
		return 0, value, err
	}
	buf := make([]byte, os.Getpagesize())
	n, err := unix.KeyctlBuffer(unix.KEYCTL_READ, id, buf, 0)
	if err == nil {
		value = secret.New(string(buf[:min(n, len(buf))]))
	}
	clear(buf)
	return id, value, err
}

// setLimit begins the time of a key again; 0 seconds would be no limit. The kernel takes 32
// bits of their number.
func setLimit(id int, ttl time.Duration) error {
	seconds := min((ttl-1)/time.Second+1, math.MaxInt32)
	_, err := unix.KeyctlInt(unix.KEYCTL_SET_TIMEOUT, id, int(seconds), 0, 0)
	return err
}

// put adds the key to the process's own keyring, and to the user's when it has its time
// limit: a kill in between leaves none without one. A link takes the place of the key
// that was there. The same key only gets another limit: the keyring may be full.
func (k kernel) put(_ context.Context, public string, key secret.Value, ttl time.Duration) error {
	payload := []byte(key.Reveal())
	defer clear(payload)
	return k.enter(func() error {
		if id, was, err := read(public); err == nil && was.Equal(key) && setLimit(id, ttl) == nil {
			return nil
		}
		id, err := unix.AddKey("user", description(public), payload, unix.KEY_SPEC_PROCESS_KEYRING)
		if err != nil {
			return err
		}
		defer func() { _, _ = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_PROCESS_KEYRING, 0, 0) }()
		if err := setLimit(id, ttl); err != nil {
			return err
		}
		_, err = unix.KeyctlInt(unix.KEYCTL_LINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
		return err
	})
}

func (k kernel) remove(_ context.Context, public string) error {
	return k.enter(func() error {
		id, err := find(public)
		if err != nil {
			return err
		}
		_, err = unix.KeyctlInt(unix.KEYCTL_UNLINK, id, unix.KEY_SPEC_USER_KEYRING, 0, 0)
		return err
	})
}
