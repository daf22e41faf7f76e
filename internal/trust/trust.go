// Package trust records, outside of every repository, to which vaults the
// configuration of a repository may send the user's credentials.
//
// The configuration is in the tree, so anyone who can push a branch can name
// another vault. A [Pins] file in the user's state directory records what the
// user agreed to. Everything else is a change that the user must approve.
package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"github.com/gofrs/flock"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// A Pins file contains the endpoints that the user agreed to, by repository.
type Pins struct{ file string }

// At returns the file in the user's state directory: $XDG_STATE_HOME/envdrift,
// else ~/.local/state/envdrift, on Windows %LocalAppData%\envdrift.
func At(getenv func(string) string) (Pins, error) {
	if dir := getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return Pins{filepath.Join(dir, "envdrift", "trust.json")}, nil
	}
	if dir := getenv("LocalAppData"); filepath.IsAbs(dir) {
		return Pins{filepath.Join(dir, "envdrift", "trust.json")}, nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return Pins{}, errors.New("neither XDG_STATE_HOME nor HOME names a directory for what envdrift remembers")
	}
	return Pins{filepath.Join(home, ".local", "state", "envdrift", "trust.json")}, nil
}

// content is the content of the file: repositories by the path of the directory
// that all worktrees of a clone share.
type content struct {
	Repositories map[string][]Endpoint `json:"repositories"`
}

// Of returns the pins of a repository, sorted; none if it was never used.
func (p Pins) Of(repository string) ([]Endpoint, error) {
	c, err := p.read()
	return c.Repositories[repository], err
}

// All returns the pins of every repository.
func (p Pins) All() (map[string][]Endpoint, error) {
	c, err := p.read()
	return c.Repositories, err
}

// Pin adds endpoints to those of a repository.
func (p Pins) Pin(ctx context.Context, repository string, endpoints ...Endpoint) error {
	return p.change(ctx, func(c content) {
		pinned := append(c.Repositories[repository], endpoints...)
		slices.Sort(pinned)
		c.Repositories[repository] = slices.Compact(pinned)
	})
}

// Revoke removes the pins of a repository.
func (p Pins) Revoke(ctx context.Context, repository string) error {
	return p.change(ctx, func(c content) { delete(c.Repositories, repository) })
}

// Move moves the pins of one repository to another.
func (p Pins) Move(ctx context.Context, from, to string) error {
	return p.change(ctx, func(c content) {
		c.Repositories[to] = append(c.Repositories[to], c.Repositories[from]...)
		delete(c.Repositories, from)
	})
}

// errWritable reports a pins file in which another user could agree instead of
// this one.
var errWritable = errors.New("can be written by other users; look what it holds, then chmod 600")

func (p Pins) read() (content, error) {
	c := content{Repositories: map[string][]Endpoint{}}
	info, err := os.Stat(p.file)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o022 != 0 {
		return c, &fs.PathError{Op: "read", Path: p.file, Err: errWritable}
	}
	data, err := os.ReadFile(p.file)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, fmt.Errorf("%s: %w", p.file, err)
	}
	if c.Repositories == nil {
		c.Repositories = map[string][]Endpoint{}
	}
	return c, nil
}

// change rewrites the file, one process at a time.
func (p Pins) change(ctx context.Context, alter func(content)) error {
	dir := filepath.Dir(p.file)
	if err := atomicfile.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	lock := flock.New(p.file + ".lock")
	if _, err := lock.TryLockContext(ctx, 20*time.Millisecond); err != nil {
		return fmt.Errorf("lock %s: %w", p.file, err)
	}
	defer func() { _ = lock.Close() }()
	c, err := p.read()
	if err != nil {
		return err
	}
	alter(c)
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.Write(root, filepath.Base(p.file), append(data, '\n'), 0o600, true), root.Close())
}
