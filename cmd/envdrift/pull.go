package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/state"
)

type pullFlags struct {
	force, skipSync bool
}

func (c *cli) addPull(app *kingpin.Application) (string, command) {
	var f pullFlags
	cmd := app.Command("pull", "Bring the keys, then decrypt every mapped env file in place.").HelpLong(`
What a new colleague types first. Values that are in plain text already are left
as they are, so that no edit is lost. A mapping with activate_to gets its
decrypted copy there, which git ignores.

Statuses: 0 all there · 1 a file does not decrypt or could not be written ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift pull --profile local`)
	cmd.Flag("force", "Replace keys that differ, and files in the way of activate_to, without asking.").Short('f').BoolVar(&f.force)
	cmd.Flag("skip-sync", "Use the keys at hand; ask no vault.").BoolVar(&f.skipSync)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.pull(ctx, f) }
}

func (c *cli) pull(ctx context.Context, f pullFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	targets, err := s.mapped()
	if err != nil {
		return err
	}
	keys, synced := make([]keyring.Answer, len(targets)), ""
	if !f.skipSync {
		if keys, err = s.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
		synced = "keys: " + cmp.Or(s.sum, "none") + "; files: "
	}
	var plan []drift.Change
	for i, t := range targets {
		if keys[i].Err == nil { // else sync reported it
			plan = append(plan, s.decryptTarget(t, keys[i], f.skipSync))
		}
	}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	copies, err := s.activate(ctx, plan, f.force)
	if err != nil {
		return err
	}
	for _, ch := range append(plan, copies...) {
		s.addChange(ch)
	}
	s.sum = synced + cmp.Or(countActions(append(plan, copies...)), "none")
	return s.remember(ctx, append(plan, copies...))
}

// errEphemeral reports that a key at hand was asked for where only the vault's
// counts.
var errEphemeral = errors.New("the mapping is ephemeral: its key comes from the vault alone, so --skip-sync cannot decrypt it")

// decryptTarget plans the decryption of one mapping's file.
func (s *session) decryptTarget(t mapping.Target, key keyring.Answer, local bool) drift.Change {
	c := drift.Change{Mapping: t.Mapping, File: cmp.Or(t.File, t.Folder())}
	if missing := (*config.NoEnvFileError)(nil); errors.As(t.Err, &missing) {
		c.Action, c.Note = drift.Skipped, s.told(missing)
		return c
	}
	if t.Err != nil {
		c.Action, c.Err = drift.Failed, t.Err
		return c
	}
	keys, mixed := key.Keys, t.Doc.State() == dotenv.Mixed
	if local && isEncrypted(t.Doc) && t.Mapping.Ephemeral {
		c.Action, c.Err = drift.Failed, errEphemeral
		return c
	}
	if local && isEncrypted(t.Doc) {
		var err error
		if keys, err = s.keysAtHand(t.File, t.Doc); err != nil {
			c.Action, c.Err = drift.Failed, err
			return c
		}
	}
	c = drift.Decrypt(t.File, t.Doc, keys, dotenv.Selection{})
	c.Mapping = t.Mapping
	switch {
	case c.Action == drift.Skipped:
		c.Note = "in plain text already"
		c.New = t.Doc.Bytes()
	case mixed && c.Write:
		c.Note = "values that were in plain text are kept as they are"
	}
	return c
}

// activate plans and writes the copies that activate_to asks for, of the files
// that are decrypted now.
func (s *session) activate(ctx context.Context, pulled []drift.Change, force bool) ([]drift.Change, error) {
	var copies []drift.Change
	for _, p := range pulled {
		if p.Err == nil && p.New != nil && p.Mapping.ActivateTo != "" {
			file := path.Join(s.base, p.Mapping.Folder, p.Mapping.ActivateTo)
			copies = append(copies, drift.Change{Mapping: p.Mapping, File: file, New: p.New, Private: true})
		}
	}
	if len(copies) == 0 {
		return nil, nil
	}
	remembered, err := s.state(ctx)
	if err != nil {
		return nil, err
	}
	for i := range copies {
		if err := s.planCopy(ctx, &copies[i], remembered, force); err != nil {
			copies[i].Action, copies[i].Err, copies[i].Write = drift.Failed, err, false
		}
	}
	return copies, s.apply(ctx, copies)
}

// planCopy decides whether a copy may be written: never over a file of git's,
// nor over one that envdrift did not write, unless force.
func (s *session) planCopy(ctx context.Context, c *drift.Change, remembered state.State, force bool) error {
	repo, err := s.git(ctx)
	if err != nil {
		return err
	}
	if repo != nil {
		tracked, err := repo.Tracked(ctx, []string{c.File})
		if err != nil {
			return err
		}
		if tracked[c.File] {
			return &activateError{c.File, "is tracked by git, and the copy is plaintext", false}
		}
	}
	c.Old, err = atomicfile.ReadFile(s.root.FS(), c.File)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(c.Old, c.New):
		c.Action, c.Note = drift.Unchanged, "activated already"
		return nil
	case remembered.Activated[c.File] != state.Sum(c.Old) && !force:
		return &activateError{c.File, "was not written by envdrift, or was edited since", true}
	default:
		c.Keep = remembered.Activated[c.File] != state.Sum(c.Old)
	}
	c.Action, c.Write = drift.Activated, true
	return nil
}

// An activateError reports what stands in the way of an activated copy.
type activateError struct {
	file, why string
	forceable bool
}

func (e *activateError) Error() string { return fmt.Sprintf("%s %s", e.file, e.why) }

// state loads what this clone remembers.
func (s *session) state(ctx context.Context) (state.State, error) {
	repo, err := s.git(ctx)
	if repo == nil || err != nil {
		return state.State{Activated: map[string]string{}}, err
	}
	dir, err := repo.StateDir()
	if err != nil {
		return state.State{}, err
	}
	return state.Load(dir)
}

// remember notes what was done to each file, for the hooks that run later.
func (s *session) remember(ctx context.Context, done []drift.Change) (err error) {
	repo, err := s.git(ctx)
	if repo == nil || err != nil {
		return err
	}
	dir, err := repo.StateDir()
	if err != nil {
		return err
	}
	unlock, err := s.lock(ctx)
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
	if s.name == "pull" {
		remembered.Profile = s.profile
	}
	return remembered.Save(dir)
}
