package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
)

// What a workspace writes: plans and single files under the clone's lock,
// backups, and what git must ignore.

// Apply writes a plan under the clone's lock, and removes what a run that was
// killed left beside the plan's files, even if nothing is to be written there.
func (w *Workspace) Apply(ctx context.Context, changes []drift.Change) (err error) {
	for i := range changes {
		if c := &changes[i]; c.Write && c.Private && w.inRepo {
			if c.Err = w.checkNested(c.File); c.Err != nil { // this change's failure alone
				c.Action, c.Write = drift.Failed, false
			}
		}
	}
	if !slices.ContainsFunc(changes, func(c drift.Change) bool { return c.Write }) && len(w.leftovers(changes)) == 0 {
		return nil
	}
	unlock, err := w.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for _, name := range w.leftovers(changes) {
		if err := w.root.Remove(name); err != nil {
			return err
		}
	}
	if err := w.ignorePrivate(ctx, changes); err != nil {
		return err
	}
	defer w.options.UI.Progress("writing files")()
	drift.Apply(ctx, w.root, changes, w.keep, w.workers())
	return nil
}

// leftovers lists what killed runs left beside the files of a plan.
func (w *Workspace) leftovers(changes []drift.Change) []string {
	var dirs []string
	for _, c := range changes {
		dirs = append(dirs, path.Dir(c.File))
	}
	return w.leftoversIn(dirs)
}

// leftoversIn lists what killed runs left in some folders. Without a clone no
// lock tells them from the files of a run that is at work: their age does.
func (w *Workspace) leftoversIn(dirs []string) (names []string) {
	var before time.Time
	if !w.inRepo {
		before = time.Now().Add(-time.Minute)
	}
	seen := map[string]bool{}
	for _, dir := range dirs {
		if !seen[dir] {
			seen[dir] = true
			names = append(names, atomicfile.Leftovers(w.root, dir, before)...)
		}
	}
	return names
}

// clean removes what killed runs left where this one can see it at little cost:
// it may hold plaintext. Another run that is at work has the lock. What cannot
// be removed is left to a later run.
func (w *Workspace) clean() {
	names := w.leftoversIn(w.folders())
	if len(names) == 0 {
		return
	}
	if w.inRepo {
		repo, err := w.Git(context.Background())
		if err != nil {
			return
		}
		unlock, ok := repo.TryLock()
		if !ok {
			return
		}
		defer func() { _ = unlock() }()
	}
	for _, name := range names {
		if w.root.Remove(name) == nil {
			w.Debug("removed %s, which a killed run left", name)
		}
	}
}

// folders returns where files are written: this folder, and those of the
// mappings. If there are many of these, only after a run that did not end.
func (w *Workspace) folders() []string {
	const few = 64
	dirs := []string{".", w.Base}
	if here, err := w.Inside("."); err == nil {
		dirs = append(dirs, here)
	}
	_, err := w.root.Lstat(".git/envdrift/lock-holder")
	if len(w.Config.Mappings) > few && err != nil {
		return dirs
	}
	for _, m := range w.Config.Mappings {
		folder := path.Join(w.Base, m.Folder)
		for _, file := range []string{".env.keys", m.EnvFile, m.ActivateTo} {
			dirs = append(dirs, path.Dir(path.Join(folder, file)))
		}
	}
	return dirs
}

// Lock takes the clone's lock. It waits for another run of envdrift at most as
// long as a user would.
func (w *Workspace) Lock(ctx context.Context) (unlock func() error, err error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return w.busy(func() error { return nil }), nil // no clone: each file is atomic on its own
	}
	waited := w.options.UI.Progress("waiting for another envdrift")
	unlock, err = repo.Lock(ctx, fmt.Sprintf("envdrift %s, process %d", w.options.Command, os.Getpid()))
	waited()
	if err != nil {
		return nil, err
	}
	// What a killed run leaves may hold secrets: no "git add -A" takes it.
	if err := repo.Exclude(atomicfile.Pattern); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return w.busy(unlock), nil
}

// busy returns unlock for the time of the work that begins now.
func (w *Workspace) busy(unlock func() error) func() error {
	if w.options.Busy == nil {
		return unlock
	}
	w.options.Busy.Lock()
	return func() error {
		defer w.options.Busy.Unlock()
		return unlock()
	}
}

// keep is a [drift.BackupFunc]: in a clone under its git directory, where nothing
// can be committed, elsewhere beside the file.
func (w *Workspace) keep(file string, old []byte) (string, error) {
	if w.repo != nil {
		return w.repo.Backup(file, old, time.Now())
	}
	name := file + ".backup." + time.Now().UTC().Format("20060102T150405.000000000")
	return name, atomicfile.Write(w.root, name, old, 0o600, true)
}

// WriteFile replaces one file, which must hold old, or not exist if old is nil.
// Otherwise the error is a [*drift.ChangedError].
func (w *Workspace) WriteFile(name string, old, data []byte, perm fs.FileMode) error {
	err := atomicfile.Replace(w.root, name, old, data, perm, false)
	if errors.Is(err, atomicfile.ErrChanged) {
		return &drift.ChangedError{File: name}
	}
	return err
}

// ConvertToUTF8 replaces a file in UTF-16 by the same text in UTF-8.
func (w *Workspace) ConvertToUTF8(name string) (*dotenv.Document, error) {
	old, err := atomicfile.ReadFile(w.Files(), name)
	if err != nil {
		return nil, err
	}
	text, err := dotenv.ToUTF8(old)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	doc, err := mapping.ParseEnvFile(name, text)
	if err != nil {
		return nil, err
	}
	return doc, w.WriteFile(name, old, text, 0o600)
}

// ignorePrivate makes sure that git ignores every private file before anything is
// written, so that no env file is encrypted whose key cannot be kept.
func (w *Workspace) ignorePrivate(ctx context.Context, changes []drift.Change) error {
	var private []string
	for _, c := range changes {
		if c.Write && c.Private {
			private = append(private, c.File)
		}
	}
	return w.Ignore(ctx, private)
}

// appendLines adds lines to a text file in the file's own line ending.
func appendLines(old []byte, lines []string) []byte {
	eol := "\n"
	if strings.Contains(string(old), "\r\n") {
		eol = "\r\n"
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += eol
	}
	return []byte(text + strings.Join(lines, eol) + eol)
}

// AddMapping appends a mapping to the configuration and its file, and returns the
// file's path relative to Top.
func (w *Workspace) AddMapping(ctx context.Context, m config.Mapping) (name string, err error) {
	unlock, err := w.Lock(ctx)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	name = path.Join(w.Base, filepath.Base(w.Config.File))
	data, err := atomicfile.ReadFile(w.Files(), name)
	if err != nil {
		return "", err
	}
	more, err := config.AddMapping(w.Config.File, data, w.options.Overrides, m)
	if err != nil {
		return "", err
	}
	if err := w.WriteFile(name, data, more, 0o644); err != nil {
		return "", err
	}
	if w.Config, err = w.load(w.Config.File); err != nil {
		return "", err
	}
	w.near = byFolder(w.Base, w.Config.Mappings)
	return name, w.Unignore(ctx, []string{path.Join(w.Base, m.Folder, m.EnvFile)})
}
