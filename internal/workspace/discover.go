package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
)

// ConfigName is the file that [Workspace.Init] writes.
const ConfigName = "envdrift.toml"

// A Found is an env file of the working tree, and the mapping for it or why it gets
// none: [ErrIgnored], [drift.ErrNoValues], or that of reading it.
type Found struct {
	File    string
	Mapping config.Mapping
	Err     error
}

// ErrIgnored reports an env file that git ignores, so that it stays on this machine.
var ErrIgnored = errors.New("git ignores it")

// Init writes a configuration for the provider with a mapping for each env file, or
// appends these to one that has none. It returns the file's name, and what was done
// with it.
func (w *Workspace) Init(ctx context.Context, provider string) (name string, action drift.Action, found []Found, err error) {
	if found, err = w.Discover(ctx); err != nil {
		return "", drift.Failed, nil, err
	}
	if w.Config.File == "" {
		var mappings []config.Mapping
		for _, f := range found {
			if f.Err == nil {
				mappings = append(mappings, f.Mapping)
			}
		}
		data := config.Template(provider, w.options.Overrides, mappings)
		return ConfigName, drift.Created, found, w.WriteFile(ConfigName, nil, data, 0o644)
	}
	name, action = path.Join(w.Base, filepath.Base(w.Config.File)), drift.Unchanged
	for _, f := range found {
		if f.Err != nil {
			continue
		}
		f.Mapping.Folder = cmp.Or(strings.TrimPrefix(strings.TrimPrefix(f.Mapping.Folder, w.Base), "/"), ".")
		if _, err = w.AddMapping(ctx, f.Mapping); err != nil {
			return name, drift.Failed, nil, err
		}
		action = drift.Updated
	}
	return name, action, found, nil
}

// Discover finds the env files of the working tree that the configuration can map.
// Without git nothing says what belongs to the project, and in a home folder there are
// many: then only those beside the configuration count.
func (w *Workspace) Discover(ctx context.Context) (found []Found, err error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	files, skip := mapping.DiscoverIn(w.Files(), w.Base), map[string]bool{}
	if repo != nil {
		if files, err = mapping.Discover(w.Files()); err != nil {
			return nil, err
		}
		if skip, err = repo.Ignored(ctx, files); err != nil {
			return nil, err
		}
	}
	proposed := slices.Clone(w.Config.Mappings)
	for _, file := range files {
		if w.Base != "." && !strings.HasPrefix(file, w.Base+"/") {
			continue
		}
		f := Found{File: file, Mapping: mapping.Propose(filepath.Base(w.Top), file, proposed)}
		if doc, err := mapping.ReadEnvFile(w.Files(), file); skip[file] {
			f.Err = ErrIgnored
		} else if err != nil {
			f.Err = err
		} else if err := checkValues(doc); errors.Is(err, drift.ErrNoValues) {
			f.Err = err
		}
		if f.Err == nil {
			proposed = append(proposed, f.Mapping)
		}
		found = append(found, f)
	}
	return found, nil
}

// Unfinished returns the env files that init, or add, has still to bring into the
// repository: those without a mapping or, until the configuration is in git, all.
func (w *Workspace) Unfinished(ctx context.Context) (files []string, err error) {
	found, err := w.Discover(ctx)
	repo, gitErr := w.Git(ctx)
	if err = cmp.Or(err, gitErr); err != nil {
		return nil, err
	}
	name := path.Join(w.Base, filepath.Base(w.Config.File))
	tracked := map[string]bool{}
	if repo != nil {
		if tracked, err = repo.Tracked(ctx, []string{name}); err != nil {
			return nil, err
		}
	}
	for _, f := range found {
		if _, mapped := w.Target(f.File); f.Err == nil && !(mapped && tracked[name]) {
			files = append(files, f.File)
		}
	}
	return files, nil
}

// A NestedError reports a file in a submodule, or in another repository within this
// one: what git ignores there is not up to this repository.
type NestedError struct{ File, Repository string }

func (e *NestedError) Error() string {
	return fmt.Sprintf("%s is in the repository %s: map it there", e.File, e.Repository)
}

// checkNested returns a [*NestedError] for a file in another repository.
func (w *Workspace) checkNested(file string) error {
	for dir := path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if _, err := fs.Lstat(w.Files(), path.Join(dir, ".git")); err == nil {
			return &NestedError{file, dir}
		}
	}
	return nil
}

// Similar returns the env file whose path a path that is not there may be a
// misspelling of, or "": one that is mapped or in the same folder. More is not searched,
// since that may be a home folder.
func (w *Workspace) Similar(file string) string {
	files := mapping.DiscoverIn(w.Files(), path.Dir(file))
	for _, t := range mapping.Resolve(w.Files(), w.Base, w.Config, w.Config.Mappings) {
		if t.File != "" && t.File != file {
			files = append(files, t.File)
		}
	}
	return config.Nearest(file, files)
}

// OfSecret returns a target with the secret, without its file: of several files
// with one key, any will do. A nil workspace has none.
func (w *Workspace) OfSecret(secret string) (t mapping.Target, ok bool) {
	if w == nil {
		return t, false
	}
	for _, t.Mapping = range w.Config.Mappings {
		if t.Mapping.SecretName == secret {
			return t, true
		}
	}
	return mapping.Target{}, false
}
