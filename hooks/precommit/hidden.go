package precommit

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
)

// Hook managers put the edits that are not staged away while the hooks run, and
// bring them back afterwards.
//
// The pre-commit framework, prek and lefthook apply a patch to the working tree.
// If a hook changed that too, the manager undoes the change or loses the edits. A
// change of the index alone stays, and so do the edits.
//
// If one of its tasks fails, lint-staged goes back to a stash, and undoes whatever
// the task changed. Hooks that call "git stash --keep-index" and "git stash pop"
// undo it too, or get a conflict.

// ErrUndone reports a repair that would not last, wherever it was written.
var ErrUndone = errors.New("whoever runs this hook made a stash of what is staged, as lint-staged does, and undoes a repair")

// lasting returns those of todo whose repair lasts, and decides which of them it
// is for the index alone. "git commit -p" and the like work on an index that git
// drops when the hook fails: a repair lasts only if the working tree takes it.
func (c *Check) lasting(ctx context.Context, todo []*StagedFile) (lasting []*StagedFile, err error) {
	temporary := c.repo.IndexIsTemporary()
	var edited map[string]bool
	if temporary {
		var paths []string
		for _, f := range todo {
			paths = append(paths, f.Change.Path)
		}
		if edited, err = c.repo.Unstaged(ctx, paths); err != nil {
			return nil, err
		}
	}
	hidden, undone := c.putAway(ctx)
	for _, f := range todo {
		f.hidden = slices.ContainsFunc(hidden, func(start string) bool { return strings.HasPrefix(string(f.Change.OID), start) })
		switch {
		case undone:
			f.Repair.Err = ErrUndone
		case temporary && (f.hidden || edited[f.Change.Path]):
			f.Repair.Err = ErrEdited
		default:
			lasting = append(lasting, f)
		}
	}
	return lasting, nil
}

// putAway returns the versions of files, abbreviated, from which the edits start
// that a manager put away, and reports whether a hook's repair would be undone.
// The patch that an earlier run left starts from a version that is not staged any
// more.
func (c *Check) putAway(ctx context.Context) (hidden []string, undone bool) {
	if c.options.ByHand {
		return nil, false
	}
	if c.Framework() {
		hidden = append(preimages(c.cache("pre-commit", "PRE_COMMIT_HOME", "XDG_CACHE_HOME"), "patch*"),
			preimages(filepath.Join(c.cache("prek", "PREK_HOME", "XDG_CACHE_HOME", "LocalAppData"), "patches"), "*.patch")...)
	}
	if lefthook := preimages(filepath.Join(c.repo.CommonDir, "info"), "lefthook-unstaged*.patch"); lefthook != nil {
		return append(hidden, lefthook...), false // it makes a stash too, but does not go back to it
	}
	return hidden, c.repo.StashHasIndex(ctx)
}

// cache returns the directory in which a manager keeps its files: in own, in one of
// bases or in the user's ~/.cache. All but the last are variables.
func (c *Check) cache(manager, own string, bases ...string) string {
	if dir := c.w.Getenv(own); dir != "" {
		return dir
	}
	for _, base := range bases {
		if dir := c.w.Getenv(base); dir != "" {
			return filepath.Join(dir, manager)
		}
	}
	return filepath.Join(cmp.Or(c.w.Getenv("HOME"), c.w.Getenv("USERPROFILE")), ".cache", manager)
}

// preimage is the line of a patch with the versions of a file. The lines of the
// file itself begin with another character.
var preimage = lazy.Regexp(`(?m)^index ([0-9a-f]{4,})\.\.`)

// preimages returns the versions of files from which the newest patches in dir
// start. There may be a great many: the pre-commit framework removes none.
func preimages(dir, pattern string) (oids []string) {
	const newest = 16 // of as many runs at the same time
	var patches []fs.FileInfo
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if ok, _ := path.Match(pattern, e.Name()); !ok {
			continue
		}
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			patches = append(patches, info)
		}
	}
	slices.SortFunc(patches, func(a, b fs.FileInfo) int { return b.ModTime().Compare(a.ModTime()) })
	for _, p := range patches[:min(newest, len(patches))] {
		text, _ := os.ReadFile(filepath.Join(dir, p.Name()))
		for _, m := range preimage().FindAllSubmatch(text, -1) {
			oids = append(oids, string(m[1]))
		}
	}
	return oids
}
