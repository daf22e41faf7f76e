package userstate_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/userstate"
	"github.com/gofrs/flock"
)

// The error names the file as the user can find it.
func TestChangeNamesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "keys.json")
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	err := userstate.Change(t.Context(), file, func() (any, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Change of a folder = %v; want an error with %s", err, file)
	}
}

// A lock that another process keeps is not mistaken for a vault that does not answer.
func TestBusy(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "keys.json")
	lock := flock.New(file + ".lock")
	if err := lock.Lock(); err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	err := userstate.Locked(t.Context(), file, func() error { return nil })
	if !errors.Is(err, userstate.ErrBusy) || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), lock.Path()) {
		t.Errorf("Locked = %v; want %v and the lock's name", err, userstate.ErrBusy)
	}
}
