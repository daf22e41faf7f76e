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
	"maps"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/userstate"
)

// A Pins file contains the endpoints that the user agreed to, by repository.
type Pins struct{ file string }

// At returns the file in the user's state directory, by [userstate.File].
func At(getenv func(string) string) (Pins, error) {
	file, err := userstate.File(getenv, "trust.json")
	return Pins{file}, err
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

func (p Pins) read() (content, error) {
	c := content{Repositories: map[string][]Endpoint{}, EnvFiles: map[string]map[string]Agreement{}}
	err := userstate.Read(p.file, &c)
	if c.Repositories == nil {
		c.Repositories = map[string][]Endpoint{}
	}
	if c.EnvFiles == nil {
		c.EnvFiles = map[string]map[string]Agreement{}
	}
	return c, err
}

func (p Pins) change(ctx context.Context, alter func(content)) error {
	return userstate.Change(ctx, p.file, func() (any, error) {
		c, err := p.read()
		if err == nil {
			alter(c)
		}
		return c, err
	})
}
