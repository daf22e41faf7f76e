package verify

import (
	"context"
	"path"
	"slices"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Dropped is an env file and a mapping of which a commit drops one.
type Dropped struct {
	File   string
	Mapped bool // the mapping stays, and the file is gone
}

// Dropped returns the env files whose mapping the commit drops, and the mapped ones
// that it removes or renames. Neither is wrong, but later checks are others. What
// cannot be read is an error of [Staged] or of the file that it rules.
func (c *Changes) Dropped(ctx context.Context) (list []Dropped) {
	for _, ch := range c.changes {
		removed := ch.Status == gitops.Deleted && len(c.deleted) > 0 && c.concernsName(path.Base(ch.Path))
		if !removed && (!isConfig(ch.Path) || c.old[ch.Path] == nil) {
			continue
		}
		if c.tree == nil && c.open(ctx) != nil {
			return nil
		}
		switch {
		case !removed:
			list = append(list, c.unmapped(ch.Path)...)
		case c.mapsMissing(ch.Path):
			list = append(list, Dropped{ch.Path, true})
		}
	}
	return list
}

// mapsMissing reports whether a mapping names a file that the tree has not.
func (c *Changes) mapsMissing(file string) bool {
	now, _ := c.configs(file, c.now, nil)
	return slices.ContainsFunc(now, func(w *workspace.Workspace) bool {
		return slices.ContainsFunc(c.Targets(w), func(t mapping.Target) bool {
			m := t.Mapping
			return t.Doc == nil && path.Join(w.Base, m.Folder) == path.Dir(file) && (m.EnvFile == "" || m.EnvFile == path.Base(file))
		})
	})
}

// unmapped returns the files of the tree that a configuration mapped before the
// commit, and none maps now.
func (c *Changes) unmapped(config string) (list []Dropped) {
	before, _ := c.configs(config, c.before, c.old)
	if len(before) == 0 {
		return nil
	}
	for _, t := range c.Targets(before[0]) {
		now, err := c.configs(t.File, c.now, nil)
		mapped := slices.ContainsFunc(now, func(w *workspace.Workspace) bool {
			_, ok := w.Target(t.File)
			return ok
		})
		if t.Doc != nil && err == nil && !mapped {
			list = append(list, Dropped{File: t.File})
		}
	}
	return list
}
