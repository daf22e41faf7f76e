package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

type syncFlags struct {
	verify, force, checkDecryption bool
}

func (c *cli) addSync(app *kingpin.Application) (string, command) {
	var f syncFlags
	cmd := app.Command("sync", "Fetch the vault's keys into .env.keys, next to each mapped env file.").HelpLong(`
A key that differs from the vault's is replaced with --force, or after a
question on a terminal; the old file is kept as a backup. Ephemeral mappings
are fetched and not written.

Statuses: 0 up to date · 1 a key differs, or a check or a write failed · 2 wrong
usage or configuration · 3 a vault could not be used
Example:  envdrift sync --check-decryption --ci`)
	cmd.Flag("verify", "Write nothing; status 1 if something would change.").BoolVar(&f.verify)
	cmd.Flag("force", "Replace keys that differ without asking.").Short('f').BoolVar(&f.force)
	cmd.Flag("check-decryption", "Prove that each key decrypts its env file.").BoolVar(&f.checkDecryption)
	return cmd.FullCommand(), func(ctx context.Context) error {
		if err := c.open(); err != nil {
			return err
		}
		c.work.OpenAhead(ctx)
		targets, err := c.work.Mapped()
		if err != nil {
			return err
		}
		c.report.OnStdout = true
		_, err = c.sync(ctx, targets, f)
		return err
	}
}

// errOutOfStep reports, under --verify, a key that sync would write.
var errOutOfStep = errors.New("differs from the vault")

// sync writes the keys of the targets to their keys files and reports each
// mapping. It returns the keys for further use.
func (c *cli) sync(ctx context.Context, targets []mapping.Target, f syncFlags) ([]keyring.Answer, error) {
	keys := c.work.Fetch(ctx, targets)
	changes, err := c.work.PlanKeys(ctx, targets, keys, c.mayReplace(ctx, f))
	if err := cmp.Or(err, ctx.Err()); err != nil {
		return nil, err
	}
	if !f.verify {
		err := c.work.Apply(ctx, changes)
		if err := cmp.Or(err, c.work.KeepKeys(ctx, changes, keys)); err != nil {
			return nil, err
		}
	}
	for i := range changes {
		ch := &changes[i]
		if f.verify && (ch.Action == drift.Created || ch.Action == drift.Updated || ch.Action == drift.Stored) {
			ch.Note, ch.Err = "would be "+string(ch.Action), errOutOfStep
		}
		c.checkKey(ch, targets[i], keys[i], f.checkDecryption)
		c.addChange(*ch)
	}
	c.report.Summary = drift.CountActions(changes)
	return keys, nil
}

// mayReplace reports whether a key that differs may be replaced.
func (c *cli) mayReplace(ctx context.Context, f syncFlags) func(*drift.DiffersError) bool {
	return func(e *drift.DiffersError) bool {
		switch {
		case f.verify:
			return false
		case f.force:
			return true
		case !c.canAsk():
			return false
		}
		return c.ask(ctx, c.message(e)+". Replace it?")
	}
}

// checkKey adds to a change whether the key fits the env file: with
// --check-decryption it decrypts every value, else the header names it.
func (c *cli) checkKey(ch *drift.Change, t mapping.Target, key keyring.Answer, check bool) {
	switch {
	case ch.Err != nil:
		return
	case check && t.Err != nil:
		ch.Action, ch.Err = drift.Failed, t.Err
		return
	case t.Doc == nil:
		return
	}
	if check {
		verdict := drift.Check(t.Doc, nil, key.Keys)
		if err := c.work.RecordProof(t, key.Keys, verdict.Err()); err != nil {
			ch.Action, ch.Err = drift.Failed, fmt.Errorf("%s: %w", c.relPath(t.File), err)
			return
		}
		ch.Note = strings.TrimPrefix(ch.Note+fmt.Sprintf("; decrypts all %d values", verdict.Values), "; ")
		return
	}
	if unknown := drift.UnknownKeys(t.Doc, key.Keys); len(unknown) > 0 {
		if ch.Action == drift.Unchanged {
			ch.Action = drift.Failed // nothing about it is as it should be
		}
		ch.Err = &drift.WrongKeyError{Target: t, File: c.relPath(t.File), Keys: unknown}
	}
}
