package main

import (
	"context"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
)

type pullFlags struct {
	force, skipSync bool
}

func (c *cli) addPull(app *kingpin.Application) (string, command) {
	var f pullFlags
	cmd := app.Command("pull", "Bring the keys, then decrypt every mapped env file in place.").HelpLong(`
What a new colleague types first. A file that is in plain text already is left
as it is.

Statuses: 0 all there · 1 a file does not decrypt or could not be written ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift pull --profile local`)
	cmd.Flag("force", "Replace keys that differ without asking.").Short('f').BoolVar(&f.force)
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
	keys := make([]drift.VaultKey, len(targets))
	if !f.skipSync {
		if keys, err = s.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
	}
	var changes []drift.Change
	for i, t := range targets {
		if keys[i].Err != nil {
			continue // reported by sync
		}
		changes = append(changes, s.decryptTarget(t, keys[i], f.skipSync))
	}
	if err := s.apply(ctx, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		c.addChange(ch)
	}
	c.sum = ""
	return nil
}

// decryptTarget plans the decryption of one mapping's file.
func (s *session) decryptTarget(t drift.Target, key drift.VaultKey, local bool) drift.Change {
	if t.Err != nil {
		return drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: t.Err}
	}
	keys := key.Keys
	if local {
		keys = s.ring(t.File).Keys()
	}
	change := drift.Decrypt(t.File, t.Doc, keys, dotenv.Selection{})
	change.Mapping = t.Mapping
	return change
}
