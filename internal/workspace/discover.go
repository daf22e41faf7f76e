package workspace

import (
	"cmp"
	"context"
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

// Init writes a configuration for the provider with the mappings of Propose, or
// appends these to one that has none. It returns the file's name, and what was done
// with it.
func (w *Workspace) Init(ctx context.Context, provider string) (name string, action drift.Action, mappings []config.Mapping, ignored []string, err error) {
	if mappings, ignored, err = w.Propose(ctx); err != nil {
		return "", drift.Failed, nil, nil, err
	}
	if w.Config.File == "" {
		data := config.Template(provider, w.options.Overrides, mappings)
		return ConfigName, drift.Created, mappings, ignored, w.WriteFile(ConfigName, nil, data, 0o644)
	}
	name, action = path.Join(w.Base, filepath.Base(w.Config.File)), drift.Unchanged
	mappings = slices.DeleteFunc(mappings, func(m config.Mapping) bool {
		return w.Base != "." && m.Folder != w.Base && !strings.HasPrefix(m.Folder, w.Base+"/")
	})
	for _, m := range mappings {
		m.Folder = cmp.Or(strings.TrimPrefix(strings.TrimPrefix(m.Folder, w.Base), "/"), ".")
		if _, err = w.AddMapping(ctx, m); err != nil {
			return name, drift.Failed, nil, nil, err
		}
		action = drift.Updated
	}
	return name, action, mappings, ignored, nil
}

// Propose returns a mapping for every env file of the working tree. Those that git
// ignores stay on this machine: they are returned, and not mapped.
func (w *Workspace) Propose(ctx context.Context) (mappings []config.Mapping, ignored []string, err error) {
	files, err := mapping.Discover(w.Files())
	if err != nil {
		return nil, nil, err
	}
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, nil, err
	}
	skip := map[string]bool{}
	if repo != nil {
		if skip, err = repo.Ignored(ctx, files); err != nil {
			return nil, nil, err
		}
	}
	for _, file := range files {
		if skip[file] {
			ignored = append(ignored, file)
			continue
		}
		mappings = append(mappings, mapping.Propose(filepath.Base(w.Top), file))
	}
	return mappings, ignored, nil
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

// UserName returns a label for the user.
func (w *Workspace) UserName() string {
	for _, name := range []string{"GIT_AUTHOR_EMAIL", "EMAIL", "USER", "USERNAME"} {
		if v := w.Getenv(name); v != "" {
			return v
		}
	}
	return "somebody"
}

// Similar returns the env file whose path a path that is not there may be a
// misspelling of, or "".
func (w *Workspace) Similar(file string) string {
	files, _ := mapping.Discover(w.Files())
	return config.Nearest(file, files)
}

// OldSecret returns the line that shows how to bring back what a secret held
// before. target is one that the secret belongs to.
func (w *Workspace) OldSecret(ctx context.Context, t mapping.Target) string {
	if file := w.VaultFile(ctx, t); file != "" {
		return "git log --oneline -- " + w.RelPath(file) + "   finds the secret before; git restore --source=COMMIT -- " + w.RelPath(file) + " brings it back"
	}
	return "the vault's versions of " + t.Mapping.SecretName + " show what it held before: make that one the newest again"
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
