package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
)

type lockFlags struct {
	check, verifyVault, syncKeys, force bool
}

func (c *cli) addLock(app *kingpin.Application) (string, command) {
	var f lockFlags
	cmd := app.Command("lock", "Encrypt every mapped env file, ready to commit.").HelpLong(`
The reverse of pull: only what was edited gets a new ciphertext, so that a diff
shows just that. A new key pair is never made here; that is encrypt's.

Statuses: 0 all encrypted · 1 a file could not be, or --check found plaintext,
or --verify-vault drift · 2 wrong usage or configuration · 3 a vault could not
be used
Example:  envdrift lock --verify-vault`)
	cmd.Flag("check", "Write nothing; status 1 if a file is not encrypted.").BoolVar(&f.check)
	cmd.Flag("verify-vault", "First prove that the vault's keys are those of the files; encrypt nothing if one is not.").BoolVar(&f.verifyVault)
	cmd.Flag("sync-keys", "First bring the vault's keys, as sync; implies --verify-vault.").BoolVar(&f.syncKeys)
	cmd.Flag("force", "With --sync-keys: replace keys that differ without asking.").Short('f').BoolVar(&f.force)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.lockAll(ctx, f) }
}

func (c *cli) lockAll(ctx context.Context, f lockFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	targets, err := s.mapped()
	if err != nil {
		return err
	}
	if f.syncKeys && !f.check {
		if _, err := s.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
	}
	if f.verifyVault || f.syncKeys {
		if s.gate(ctx, targets); s.failed() {
			s.sum = "nothing was encrypted"
			return nil
		}
	}
	plan := make([]drift.Change, len(targets))
	for i, t := range targets {
		plan[i] = s.lockTarget(ctx, t)
	}
	if f.check {
		return s.reportCheck(plan)
	}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	for _, ch := range plan {
		s.addChange(ch)
	}
	s.sum = countActions(plan)
	return s.remember(ctx, plan)
}

// gate proves for each file that what it is encrypted for, or will be, is the
// vault's key. Only failures are reported.
func (s *session) gate(ctx context.Context, targets []drift.Target) {
	keys := s.fetch(ctx, targets)
	for i, t := range targets {
		err := keys[i].Err
		if err == nil && t.Doc != nil {
			proof := drift.Prove(t.Doc, keys[i].Keys)
			proof.Plain = nil // that is what lock is about to mend
			err = proof.Err()
		}
		if err != nil {
			s.add(row{Status: problem(err), File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), err: err})
		}
	}
}

// failed reports whether the report holds a failure so far.
func (c *cli) failed() bool {
	for _, r := range c.rows {
		if r.err != nil {
			return true
		}
	}
	return false
}

// lockTarget plans the encryption of one mapping's file.
func (s *session) lockTarget(ctx context.Context, t drift.Target) drift.Change {
	c := drift.Change{Mapping: t.Mapping, File: t.File}
	if missing := (*config.NoEnvFileError)(nil); errors.As(t.Err, &missing) {
		c.File, c.Action, c.Note = t.Mapping.Folder, drift.Skipped, missing.Error()
		return c
	}
	if t.Err != nil {
		c.Action, c.Err = drift.Failed, t.Err
		return c
	}
	if state := t.Doc.State(); state == dotenv.Encrypted || state == dotenv.Empty {
		c.Action, c.Note = drift.Unchanged, "encrypted already"
		return c
	}
	key, err := s.knownKey(ctx, t.File, t.Doc)
	if err == nil && len(key.keys) == 0 {
		// Without the private key no value can be compared with HEAD's.
		key.keys = s.fetch(ctx, []drift.Target{t})[0].Keys
	}
	if err == nil {
		c, err = s.encryptWith(ctx, t.File, t.Doc, key, dotenv.Selection{})
		c.Mapping = t.Mapping
	}
	if err != nil {
		c.Action, c.Err = drift.Failed, err
	}
	return c
}

// reportCheck reports a plan that is not carried out.
func (s *session) reportCheck(plan []drift.Change) error {
	pending := 0
	for _, ch := range plan {
		if ch.Err != nil {
			pending++
		}
		if ch.Write {
			pending++
			ch.Action, ch.Err = "plaintext", &drift.PlaintextError{Names: ch.Names}
			ch.Names = nil
		}
		s.addChange(ch)
	}
	s.sum = fmt.Sprintf("%d of %s encrypted", len(plan)-pending, plural(len(plan), "file"))
	return nil
}
