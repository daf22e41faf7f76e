// Package userstate keeps what envdrift remembers for a user outside of every repository:
// JSON files that only the user can write, changed by one process at a time.
package userstate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// File returns the path of a file in the user's state directory: $XDG_STATE_HOME/envdrift,
// else ~/.local/state/envdrift, on Windows %LocalAppData%\envdrift.
func File(getenv func(string) string, name string) (string, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "envdrift", name), nil
	}
	if dir := getenv("LocalAppData"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "envdrift", name), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("neither XDG_STATE_HOME nor HOME names a directory for what envdrift remembers")
	}
	return filepath.Join(home, ".local", "state", "envdrift", name), nil
}

// A FileError reports a file of the state directory that is not used as it is.
type FileError struct{ File, Why, Remedy string }

func (e *FileError) Error() string { return e.File + " " + e.Why }

// Damaged returns the error of a file that is not understood.
func Damaged(file, why string) error {
	return &FileError{file, "is damaged: " + why, "look what it holds; if you can do without it: rm " + quote(file)}
}

// quote quotes a word for a shell.
func quote(word string) string { return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'" }

// Regular returns an error if something other than a regular file is in its place: to open a
// pipe waits, and a link leads out of the folder that is the user's alone.
func Regular(file string) error {
	info, err := os.Lstat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return &FileError{file, "is " + atomicfile.ErrNotRegular.Error(), "look what it is; if you can do without it: mv " + quote(file) + " " + quote(file+".old")}
	}
	return nil
}

// ReadFile returns what a file holds, which must be a regular one.
func ReadFile(file string) ([]byte, error) {
	if err := Regular(file); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
}

// Read decodes a file, which need not exist.
func Read(file string, into any) error {
	if err := Regular(file); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return &FileError{file, "can be written by other users", "look what it holds; if that is right: chmod 600 " + quote(file)}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(data, into); err != nil {
		return Damaged(file, err.Error())
	}
	if string(bytes.TrimSpace(data)) == "null" { // which is in no map
		return Damaged(file, "it holds no JSON object")
	}
	return nil
}

// patience is how long the lock of a file is waited for.
const patience = 5 * time.Second

// ErrBusy reports a file that another process kept locked for longer than a change takes.
var ErrBusy = fmt.Errorf("another process has kept it locked for %v", patience)

// Locked calls do while no other process has the lock of file, whose folder exists.
func Locked(ctx context.Context, file string, do func() error) error {
	limited, cancel := context.WithTimeoutCause(ctx, patience, ErrBusy)
	defer cancel()
	lock := flock.New(file + ".lock")
	if err := Regular(lock.Path()); err != nil {
		return err
	}
	if _, err := lock.TryLockContext(limited, 20*time.Millisecond); err != nil {
		if limited.Err() != nil {
			err = context.Cause(limited)
		}
		return &fs.PathError{Op: "lock", Path: lock.Path(), Err: err}
	}
	defer func() { _ = lock.Close() }()
	return do()
}

// Change rewrites a file with what altered returns, one process at a time.
func Change(ctx context.Context, file string, altered func() (any, error)) error {
	dir := filepath.Dir(file)
	if err := atomicfile.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return Locked(ctx, file, func() error {
		c, err := altered()
		if err != nil {
			return err
		}
		data, err := json.MarshalIndent(c, "", "  ")
		if err != nil {
			return err
		}
		root, err := os.OpenRoot(dir)
		if err != nil {
			return err
		}
		err = atomicfile.Write(root, filepath.Base(file), append(data, '\n'), 0o600, true)
		if p := (*fs.PathError)(nil); errors.As(err, &p) { // of a name within the folder
			err = &fs.PathError{Op: "write", Path: file, Err: p.Err}
		}
		return errors.Join(err, root.Close())
	})
}
