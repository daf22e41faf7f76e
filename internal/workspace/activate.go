package workspace

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/state"
)

// PlanCopies plans the copies that activate_to asks for, of the files that are now
// decrypted.
func (w *Workspace) PlanCopies(ctx context.Context, pulled []drift.Change, force bool) (copies []drift.Change, err error) {
	for _, p := range pulled {
		if file := w.CopyOf(mapping.Target{Mapping: p.Mapping}); p.Err == nil && p.New != nil && file != "" {
			copies = append(copies, drift.Change{Mapping: p.Mapping, File: file, New: p.New, Private: true})
		}
	}
	if len(copies) == 0 {
		return nil, nil
	}
	remembered, err := w.State(ctx)
	if err != nil {
		return nil, err
	}
	for i := range copies {
		if err := w.PlanCopy(ctx, &copies[i], remembered, force); err != nil {
			copies[i].Action, copies[i].Err, copies[i].Write = drift.Failed, err, false
		}
	}
	return copies, nil
}

// PlanCopy decides whether a copy may be written: never over a file of git's,
// nor over one that envdrift did not write, unless force. A copy for a loader is
// written for that.
func (w *Workspace) PlanCopy(ctx context.Context, c *drift.Change, remembered state.State, force bool) (err error) {
	if l, ok := loader.Find(c.Mapping.Loader); ok {
		if c.New, err = w.ForLoader(l, c.File, c.New); err != nil {
			return err
		}
	}
	repo, err := w.Git(ctx)
	if err != nil {
		return err
	}
	if repo != nil {
		tracked, err := repo.Tracked(ctx, []string{c.File})
		if err != nil {
			return err
		}
		if tracked[c.File] {
			return &ActivateError{c.File, "is tracked by git, and the copy is plaintext", false}
		}
	}
	c.Old, err = atomicfile.ReadFile(w.Files(), c.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(c.Old, c.New):
		c.Action, c.Note = drift.Unchanged, "already activated"
		return nil
	case remembered.Activated[c.File] != state.Sum(c.Old) && !force:
		return &ActivateError{c.File, "was not written by envdrift, or was edited since", true}
	default:
		c.Keep = remembered.Activated[c.File] != state.Sum(c.Old)
	}
	c.Action, c.Write = drift.Activated, true
	return nil
}

// An ActivateError reports what stands in the way of an activated copy.
type ActivateError struct {
	File, Why string
	Forceable bool
}

func (e *ActivateError) Error() string { return fmt.Sprintf("%s %s", e.File, e.Why) }

// State loads what this clone remembers.
func (w *Workspace) State(ctx context.Context) (state.State, error) {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return state.State{Activated: map[string]string{}}, err
	}
	dir, err := repo.StateDir()
	if err != nil {
		return state.State{}, err
	}
	return state.Load(dir)
}

// Remember notes what was done to each file, for the hooks that run later, and
// what also sets; that may be nil.
func (w *Workspace) Remember(ctx context.Context, done []drift.Change, also func(*state.State)) (err error) {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	dir, err := repo.StateDir()
	if err != nil {
		return err
	}
	unlock, err := w.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	remembered, err := state.Load(dir)
	if err != nil {
		return err
	}
	for _, c := range done {
		switch {
		case c.Err != nil:
		case c.Action == drift.Decrypted || c.Action == drift.Skipped:
			remembered.Files[c.File] = state.Pulled
		case c.Action == drift.Encrypted:
			remembered.Files[c.File] = state.Locked
		case c.Action == drift.Activated:
			remembered.Activated[c.File] = state.Sum(c.New)
		}
	}
	if also != nil {
		also(&remembered)
	}
	return remembered.Save(dir)
}

// IsCopy reports whether a mapping writes its decrypted copy to file.
func (w *Workspace) IsCopy(file string) bool {
	return slices.ContainsFunc(w.Config.Mappings, func(m config.Mapping) bool {
		return w.CopyOf(mapping.Target{Mapping: m}) == file
	})
}

// CopyOf is the path of a target's decrypted copy for programs, or "".
func (w *Workspace) CopyOf(t mapping.Target) string {
	if t.Mapping.ActivateTo == "" {
		return ""
	}
	return path.Join(w.Base, t.Mapping.Folder, t.Mapping.ActivateTo)
}
