package main

import (
	"cmp"
	"context"
	"errors"
	"path"

	"github.com/alecthomas/kingpin/v2"

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
	cmd := app.Command("pull", "Fetch the keys, then decrypt every mapped env file in place.").HelpLong(`
The first command in a new clone. Values that are already plaintext stay as they
are, so no edit is lost. A mapping with activate_to also gets a decrypted copy
there, which git ignores.

Statuses: 0 all decrypted · 1 a file does not decrypt or could not be written ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift pull --profile local`)
	cmd.Flag("force", "Replace keys that differ, and files in the way of activate_to, without asking.").Short('f').BoolVar(&f.force)
	cmd.Flag("skip-sync", "Use local keys; contact no vault.").BoolVar(&f.skipSync)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.pull(ctx, f) }
}

func (c *cli) pull(ctx context.Context, f pullFlags) error {
	c.report.OnStdout = true
	if err := c.open(); err != nil {
		return err
	}
	c.work.GitAhead(ctx)
	if !f.skipSync {
		c.work.OpenAhead(ctx)
	}
	targets, err := c.work.Mapped()
	if err != nil {
		return err
	}
	var keys []keyring.Answer
	synced := ""
	if f.skipSync {
		keys = c.work.Keys(ctx, requestsFor(targets), keyring.LocalOnly)
	} else {
		if keys, err = c.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
		synced = "keys: " + cmp.Or(c.report.Summary, "none") + "; files: "
	}
	var plan []drift.Change
	for i, t := range targets {
		if f.skipSync || keys[i].Err == nil { // else sync reported it
			plan = append(plan, c.decryptTarget(t, keys[i]))
		}
	}
	if err := c.work.Apply(ctx, plan); err != nil {
		return err
	}
	copies, err := c.activate(ctx, plan, f.force)
	if err != nil {
		return err
	}
	for _, ch := range append(plan, copies...) {
		c.addChange(ch)
	}
	c.report.Summary = synced + cmp.Or(drift.CountActions(append(plan, copies...)), "none")
	return c.work.Remember(ctx, append(plan, copies...), func(last *state.State) { last.Profile = c.profile })
}

// requestsFor returns the requests for the keys of targets. One without a file
// needs none.
func requestsFor(targets []mapping.Target) []keyring.Request {
	requests := make([]keyring.Request, len(targets))
	for i, t := range targets {
		if t.Doc == nil {
			t.Doc = dotenv.Parse(nil)
		}
		requests[i].Target = t
	}
	return requests
}

// decryptTarget plans the decryption of one mapping's file.
func (c *cli) decryptTarget(t mapping.Target, key keyring.Answer) drift.Change {
	if ch, done := c.unreadable(t); done {
		return ch
	}
	if key.Err != nil {
		return drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: key.Err}
	}
	mixed := t.Doc.State() == dotenv.Mixed
	ch := drift.Decrypt(t.File, t.Doc, key.Keys, dotenv.Selection{})
	ch.Mapping = t.Mapping
	switch {
	case ch.Action == drift.Skipped:
		ch.Note = "already plaintext"
		ch.New = t.Doc.Bytes()
	case mixed && ch.Write:
		ch.Note = "values that were already plaintext stay as they are"
	}
	return ch
}

// unreadable returns the change for a target without a readable file: a missing
// one is skipped.
func (c *cli) unreadable(t mapping.Target) (ch drift.Change, done bool) {
	ch = drift.Change{Mapping: t.Mapping, File: cmp.Or(t.File, t.Folder())}
	if missing := (*config.NoEnvFileError)(nil); errors.As(t.Err, &missing) {
		ch.Action, ch.Note = drift.Skipped, c.message(missing)
	} else if t.Err != nil {
		ch.Action, ch.Err = drift.Failed, t.Err
	}
	return ch, t.Err != nil
}

// activate plans and writes the copies that activate_to asks for, of the files
// that are now decrypted.
func (c *cli) activate(ctx context.Context, pulled []drift.Change, force bool) ([]drift.Change, error) {
	var copies []drift.Change
	for _, p := range pulled {
		if p.Err == nil && p.New != nil && p.Mapping.ActivateTo != "" {
			file := path.Join(c.work.Base, p.Mapping.Folder, p.Mapping.ActivateTo)
			copies = append(copies, drift.Change{Mapping: p.Mapping, File: file, New: p.New, Private: true})
		}
	}
	if len(copies) == 0 {
		return nil, nil
	}
	remembered, err := c.work.State(ctx)
	if err != nil {
		return nil, err
	}
	for i := range copies {
		if err := c.work.PlanCopy(ctx, &copies[i], remembered, force); err != nil {
			copies[i].Action, copies[i].Err, copies[i].Write = drift.Failed, err, false
		}
	}
	return copies, c.work.Apply(ctx, copies)
}
