// Package trust records, outside of every repository, to which vaults the
// configuration of a repository may send the user's credentials, and which vault
// and public key each env file had when the user last agreed.
//
// The configuration, the env files and an age vault are in the tree, so anyone
// who can push a branch can name another vault or encrypt for another key. A
// [Pins] file in the user's state directory records what the user agreed to.
// Everything else is a change that the user must approve.
package trust

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
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
	Repositories map[string][]Endpoint           `json:"repositories"`
	EnvFiles     map[string]map[string]Agreement `json:"env_files,omitempty"` // by repository and path
}

// An Agreement is what the user agreed to for one env file. What is empty was not
// agreed to yet.
type Agreement struct {
	Vault string   `json:"vault,omitempty"`       // as of [Place]
	Keys  []string `json:"public_keys,omitempty"` // in hex, sorted
}

// String describes an agreement in short.
func (a Agreement) String() string {
	keys := make([]string, len(a.Keys))
	for i, k := range a.Keys {
		keys[i] = k[:min(8, len(k))] + "…"
	}
	if len(keys) == 0 {
		keys = []string{"that of the next use"}
	}
	return a.Vault + ", public key " + strings.Join(keys, ", ")
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

// List returns everything that was agreed to: a line for each, and as data.
func (p Pins) List() (lines []string, data any, err error) {
	c, err := p.read()
	for _, repository := range slices.Sorted(maps.Keys(c.Repositories)) {
		for _, e := range c.Repositories[repository] {
			lines = append(lines, repository+"  "+string(e))
		}
	}
	for _, repository := range slices.Sorted(maps.Keys(c.EnvFiles)) {
		for _, file := range slices.Sorted(maps.Keys(c.EnvFiles[repository])) {
			lines = append(lines, repository+"  "+file+": "+c.EnvFiles[repository][file].String())
		}
	}
	return lines, c, err
}

// Pin adds endpoints to those of a repository.
func (p Pins) Pin(ctx context.Context, repository string, endpoints ...Endpoint) error {
	return p.change(ctx, func(c content) {
		pinned := append(c.Repositories[repository], endpoints...)
		slices.Sort(pinned)
		c.Repositories[repository] = slices.Compact(pinned)
	})
}

// Agreements returns what was agreed to for the env files of each repository.
func (p Pins) Agreements() (map[string]map[string]Agreement, error) {
	c, err := p.read()
	return c.EnvFiles, err
}

// Agree replaces what was agreed to for some env files of a repository.
func (p Pins) Agree(ctx context.Context, repository string, files map[string]Agreement) error {
	return p.change(ctx, func(c content) {
		if c.EnvFiles[repository] == nil {
			c.EnvFiles[repository] = map[string]Agreement{}
		}
		maps.Copy(c.EnvFiles[repository], files)
	})
}

// Revoke removes the pins of a repository.
func (p Pins) Revoke(ctx context.Context, repository string) error {
	return p.change(ctx, func(c content) {
		delete(c.Repositories, repository)
		delete(c.EnvFiles, repository)
	})
}

// Move moves the pins of one repository to another.
func (p Pins) Move(ctx context.Context, from, to string) error {
	return p.change(ctx, func(c content) {
		c.Repositories[to] = append(c.Repositories[to], c.Repositories[from]...)
		delete(c.Repositories, from)
		if files, ok := c.EnvFiles[from]; ok {
			c.EnvFiles[to] = files
			delete(c.EnvFiles, from)
		}
	})
}

// errWritable reports a pins file in which another user could agree instead of
// this one.
var errWritable = errors.New("can be written by other users; look what it holds, then chmod 600")

func (p Pins) read() (content, error) {
	c := content{Repositories: map[string][]Endpoint{}, EnvFiles: map[string]map[string]Agreement{}}
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
	if c.EnvFiles == nil {
		c.EnvFiles = map[string]map[string]Agreement{}
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
