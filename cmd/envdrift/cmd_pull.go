package main

import (
	"cmp"
	"context"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
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
		keys = c.work.KeysOf(ctx, targets, keyring.LocalOnly)
	} else {
		if keys, err = c.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
		synced = "keys: " + cmp.Or(c.report.Summary, "none") + "; files: "
	}
	var plan []drift.Change
	for i, t := range targets {
		if f.skipSync || keys[i].Err == nil { // else sync reported it
			plan = append(plan, c.work.PlanDecryption(t, keys[i]))
		}
	}
	if err := c.work.Apply(ctx, plan); err != nil {
		return err
	}
	copies, err := c.work.PlanCopies(ctx, plan, f.force)
	if err != nil {
		return err
	}
	if err := c.work.Apply(ctx, copies); err != nil {
		return err
	}
	done := append(plan, copies...)
	for _, ch := range done {
		c.addChange(ch)
	}
	c.report.Summary = synced + cmp.Or(drift.CountActions(done), "none")
	return c.work.Remember(ctx, done, func(last *state.State) { last.Profile = c.profile })
}
