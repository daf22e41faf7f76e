// Package audit keeps a log of the uses of keys, for a user who wants one. A line is
// one use, as JSON. It holds names and public keys, and no value, private key or
// argument of a command.
package audit

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
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/userstate"
)

// A Use is one use of the keys for an env file.
type Use struct {
	Time       time.Time `json:"time"`
	Command    string    `json:"command"`          // its words, without arguments
	Repository string    `json:"repository"`       // absolute path of its top
	File       string    `json:"file,omitempty"`   // the env file, relative to it
	Secret     string    `json:"secret,omitempty"` // the key's name in the vault
	Source     Source    `json:"source,omitempty"` // "" if there was no key
	Vault      string    `json:"vault,omitempty"`
	Key        string    `json:"key,omitempty"`   // the public key, in short
	Agent      string    `json:"agent,omitempty"` // the coding agent that ran the command
	Outcome    string    `json:"outcome"`
}

// A Source is where a key came from.
type Source string

// The sources.
const (
	Environment Source = "environment"
	KeysFile    Source = "keys file"
	Worktree    Source = "worktree" // the keys file of another working tree
	Store       Source = "store"    // the operating system's
	Vault       Source = "vault"
)

// OK is the outcome of a use that succeeded. Others are short words for what went
// wrong.
const OK = "ok"

// Max is the size in bytes at which a log becomes the older one, and a new one begins.
const Max = 1 << 20

// An Error reports a log that cannot be written.
type Error struct {
	File string
	Err  error
}

func (e *Error) Error() string {
	reason := e.Err
	if p := (*fs.PathError)(nil); errors.As(e.Err, &p) && p.Path == e.File {
		reason = p.Err
	}
	if f := (*userstate.FileError)(nil); errors.As(e.Err, &f) && f.File == e.File {
		reason = errors.New("it " + f.Why)
	}
	return fmt.Sprintf("the audit log %s cannot be written, so no key is used: %v", e.File, reason)
}

func (e *Error) Unwrap() error { return e.Err }

// File returns the path of the user's log.
func File(getenv func(string) string) (string, error) { return userstate.File(getenv, "audit.jsonl") }

// older returns the path of the log before this one.
func older(file string) string { return file + ".1" }

// writing spares the goroutines of a process the wait for their own lock.
var writing sync.Mutex

// Append adds uses to a log, all or none of them. An error is an [*Error].
func Append(file string, uses []Use) error {
	var lines bytes.Buffer
	for _, u := range uses {
		line, err := json.Marshal(u)
		if err != nil {
			return &Error{file, err}
		}
		lines.Write(append(line, '\n'))
	}
	writing.Lock()
	defer writing.Unlock()
	err := atomicfile.MkdirAll(filepath.Dir(file), 0o700)
	if err == nil {
		err = userstate.Locked(context.Background(), file, func() error { return add(file, lines.Bytes()) })
	}
	if err != nil {
		return &Error{file, err}
	}
	return nil
}

// add adds lines to a log, of which this process has the lock.
func add(file string, lines []byte) (err error) {
	if err := userstate.Regular(file); err != nil {
		return err
	}
	info, err := os.Lstat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case info.Size() > 0 && info.Size()+int64(len(lines)) > Max:
		if err := os.Rename(file, older(file)); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if info, err = f.Stat(); err != nil {
		return err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		if err := f.Chmod(0o600); err != nil {
			return err
		}
	}
	if size := info.Size(); size > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, size-1); err != nil {
			return err
		}
		if last[0] != '\n' { // the disk was full, or the machine stopped
			lines = append([]byte("\n"), lines...)
		}
	}
	if _, err = f.Write(lines); err != nil {
		err = errors.Join(err, f.Truncate(info.Size())) // a use that is not allowed is not logged
	}
	return err
}

func isAbsent(file string) bool {
	_, err := os.Lstat(file)
	return errors.Is(err, fs.ErrNotExist)
}

// A DamagedError reports a line that is no use, and is left out.
type DamagedError struct {
	File string
	Line int
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("%s:%d: is damaged, and left out", e.File, e.Line)
}

// Read returns the uses in a log and the one before it, oldest first, and what is
// damaged there. A log that does not exist is empty.
func Read(file string) (uses []Use, damaged []*DamagedError, err error) {
	if isAbsent(file) && isAbsent(older(file)) { // and maybe there is no folder for a lock
		return nil, nil, nil
	}
	err = userstate.Locked(context.Background(), file, func() error {
		for _, name := range []string{older(file), file} {
			data, err := userstate.ReadFile(name)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			for i, line := range bytes.Split(bytes.TrimSuffix(data, []byte("\n")), []byte("\n")) {
				var u Use
				switch err := json.Unmarshal(line, &u); {
				case len(line) == 0:
				case err != nil || u.Time.IsZero() || u.Outcome == "":
					damaged = append(damaged, &DamagedError{name, i + 1})
				default:
					uses = append(uses, u)
				}
			}
		}
		return nil
	})
	return uses, damaged, err
}
