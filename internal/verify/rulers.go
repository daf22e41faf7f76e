package verify

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

// This file determines which configuration rules a changed file. A commit cannot
// weaken its own check: what rules is the configuration that the commit has and
// the one before it, the stricter of the two.

// isConfig reports whether a file is a configuration by its name.
func isConfig(file string) bool { return slices.Contains(config.FileNames[:], path.Base(file)) }

// isVaultName reports whether a file may be part of a vault in the repository.
func (c *Changes) isVaultName(file string) bool {
	return path.Ext(file) == ".age" || path.Base(file) == path.Base(age.DefaultRecipients) || c.recipients[path.Base(file)]
}

// isSetup reports whether a change may concern files that it does not change.
func (c *Changes) isSetup(ch gitops.Change) bool { return isConfig(ch.Path) || c.isVaultName(ch.Path) }

func hasConflict(data []byte) bool {
	return errors.As(dotenv.Parse(data).Check(), new(*dotenv.ConflictError))
}

// above returns the directories of a file and above it, the nearest first.
func above(file string) (dirs []string) {
	for dir := path.Dir(file); ; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == "." {
			return dirs
		}
	}
}

// configNames lists where configurations can be that rule a changed file.
func (c *Changes) configNames() (files []string) {
	seen := map[string]bool{}
	for _, ch := range c.changes {
		for _, dir := range above(ch.Path) {
			if seen[dir] {
				break // and so are those above it
			}
			seen[dir] = true
			for _, name := range config.FileNames {
				files = append(files, path.Join(dir, name))
			}
		}
	}
	return files
}

// learnAll learns the names that configurations give to env files and keys files.
func (c *Changes) learnAll(files []string, contents [][]byte) {
	for i, data := range contents {
		c.learnFrom(files[i], data)
	}
}

// learnFrom learns from one configuration, if it is one. If it does not parse,
// that is reported with the files that it rules, or, if the commit changes it, by
// [Changes.collectBroken].
func (c *Changes) learnFrom(file string, data []byte) {
	if data == nil {
		return
	}
	if cfg, err := c.parse(file, data); err == nil {
		c.learn(cfg)
	}
}

// A parsed is a configuration, or why there is none.
type parsed struct {
	cfg *config.Config
	err error
}

// parse parses a configuration, once.
func (c *Changes) parse(file string, data []byte) (*config.Config, error) {
	name := filepath.Join(c.work.Top, filepath.FromSlash(file))
	if c.work.Config.IsOf(name, data) {
		return c.work.Config, nil // as nearly always: the working tree has it too
	}
	key := file + "\x00" + string(data)
	p, known := c.parsed[key]
	if !known {
		p.cfg, p.err = config.Parse(name, data, c.work.Overrides())
		c.parsed[key] = p
	}
	return p.cfg, p.err
}

func (c *Changes) learn(cfg *config.Config) {
	c.keysNames = append(c.keysNames, strings.ToLower(cfg.Sync.EnvKeysFilename))
	c.recipients[path.Base(cfg.Vault.Recipients)] = true
	c.onValue = c.onValue || cfg.Hooks.OnValue != config.Off
	for _, named := range cfg.Named {
		c.recipients[path.Base(named.Recipients)] = true
	}
	for _, m := range cfg.Mappings {
		for _, file := range []string{m.EnvFile, m.ActivateTo} {
			if file != "" {
				c.names[path.Base(file)] = true
			}
		}
	}
}

// collectBroken adds a configuration that the commit brings and that does not
// parse: it would rule nothing.
func (c *Changes) collectBroken(f *File) {
	_, err := c.parse(f.File, f.Data)
	if err != nil && !errors.Is(err, config.ErrNoConfig) {
		f.Err = err
		c.Files = append(c.Files, f)
	}
}

// rule finds the mapping of a file, and what the configurations say of it. The
// nearest one above the file that maps it counts, first of those that the commit
// has, then of those before it.
func (c *Changes) rule(f *File) error {
	now, err := c.configs(f.File, c.now, nil)
	if err != nil {
		return err
	}
	before, err := c.configs(f.File, c.before, c.old)
	if err != nil {
		return err
	}
	if f.Workspace, err = c.nearest(now); err != nil {
		return err
	}
	f.hooks = f.Workspace.Config.Hooks
	if len(before) > 0 {
		f.hooks = f.hooks.Stricter(before[0].Config.Hooks)
	}
	for _, w := range before {
		if t, ok := w.Target(f.File); ok && !f.mappedBefore {
			f.mappedBefore, f.plainBefore = true, t.Mapping
		}
	}
	for i, w := range slices.Concat(now, before, c.base) {
		if i >= len(now)+len(before) {
			w = w.WithTree(c.tree)
		}
		if t, ok := w.Target(f.File); ok {
			f.Target, f.Mapped, f.Workspace = t, true, w
			if i >= len(now) {
				f.Warnings = append(f.Warnings, "mapped by the configuration before; the new one maps it no more")
			}
			return nil
		}
	}
	if weaker := f.Workspace.Config.Hooks; f.hooks != weaker {
		f.Warnings = append(f.Warnings, "a commit cannot weaken its own check: [hooks] counts as it was before")
	}
	return nil
}

func (c *Changes) nearest(now []*workspace.Workspace) (*workspace.Workspace, error) {
	if len(now) > 0 {
		return now[0], nil
	}
	return c.work.Without(c.tree)
}

// configs returns the configurations above a file, the nearest first: those of
// the tree, with the versions in old instead of the tree's. One in old that does
// not parse does not count.
func (c *Changes) configs(file string, known map[string]*workspace.Workspace, old map[string][]byte) ([]*workspace.Workspace, error) {
	var list []*workspace.Workspace
	for _, dir := range above(file) {
		w, done := known[dir]
		if !done {
			var err error
			if w, err = c.configIn(dir, old); err != nil {
				return nil, err
			}
			known[dir] = w
		}
		if w != nil {
			list = append(list, w)
		}
	}
	return list, nil
}

// configIn returns the configuration in a directory, or nil.
func (c *Changes) configIn(dir string, old map[string][]byte) (*workspace.Workspace, error) {
	for _, name := range config.FileNames {
		file := path.Join(dir, name)
		text, was := old[file]
		if !was {
			var err error
			if text, err = atomicfile.ReadFile(c.tree, file); errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, err
			}
		} else if text == nil {
			continue
		}
		cfg, err := c.parse(file, text)
		if err == nil {
			return c.work.RuledBy(c.tree, file, cfg), nil
		}
		if !was && !errors.Is(err, config.ErrNoConfig) {
			return nil, err
		}
	}
	return nil, nil
}

// collectAffected adds the mapped files that the commit does not change, but
// whose mapping or whose vault's file it does: they are proven again.
func (c *Changes) collectAffected(ctx context.Context) error {
	there := map[string]bool{}
	for _, f := range c.Files {
		there[f.File] = true
	}
	for _, ch := range c.changes {
		if !c.isSetup(ch) {
			continue
		}
		now, err := c.configs(ch.Path, c.now, nil)
		if err != nil {
			if isConfig(ch.Path) {
				continue // reported by collectBroken
			}
			return err
		}
		if isConfig(ch.Path) {
			now = now[:min(1, len(now))] // those above it are not changed
		}
		for _, w := range now {
			for _, t := range c.Targets(w) {
				entry, exists := c.tree.File(t.File)
				if !exists || there[t.File] || !c.affects(ctx, ch, w, t) {
					continue
				}
				there[t.File] = true
				if err := c.addUnchanged(ctx, entry); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// Targets returns the targets of all mappings of a configuration that rules one of
// the files. They are resolved once.
func (c *Changes) Targets(w *workspace.Workspace) []mapping.Target {
	targets, known := c.targets[w]
	if !known {
		targets = w.All()
		c.targets[w] = targets
	}
	return targets
}

// affects reports whether a change of a configuration or of a vault changes what
// decides on a target.
func (c *Changes) affects(ctx context.Context, ch gitops.Change, w *workspace.Workspace, t mapping.Target) bool {
	if !isConfig(ch.Path) {
		file, recipients := w.VaultFiles(ctx, t)
		return ch.Path == file || ch.Path == recipients
	}
	before, err := c.configs(t.File, c.before, c.old)
	if err != nil {
		return true
	}
	for _, w2 := range before {
		if was, ok := w2.Target(t.File); ok {
			return w2.KeyID(ctx, was) != w.KeyID(ctx, t)
		}
	}
	return true
}

func (c *Changes) addUnchanged(ctx context.Context, entry gitops.File) error {
	contents, err := c.objects.Objects(ctx, []string{object(entry.Mode, entry.OID)}, workspace.MaxFile)
	if err != nil {
		return err
	}
	f := c.file(gitops.Change{Path: entry.Path, Mode: entry.Mode, OID: entry.OID, OldMode: entry.Mode, OldOID: entry.OID})
	f.Data, f.old = contents[0], contents[0]
	c.Files = append(c.Files, f)
	return nil
}
