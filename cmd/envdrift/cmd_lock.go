package main

import (
	"cmp"
	"context"
	"fmt"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
)

type lockFlags struct {
	check, verifyVault, syncKeys, force bool
}

func (c *cli) addLock(app *kingpin.Application) (string, command) {
	var f lockFlags
	cmd := app.Command("lock", "Encrypt every mapped env file, ready to commit.").HelpLong(`
The reverse of pull: only values that were edited get a new ciphertext, so a diff
shows just those. lock never creates a key pair; encrypt does.

Statuses: 0 all encrypted · 1 a file could not be, or --check found plaintext,
or --verify-vault drift · 2 wrong usage or configuration · 3 a vault could not
be used
Example:  envdrift lock --verify-vault`)
	cmd.Flag("check", "Write nothing; prove that each file is there and encrypted.").BoolVar(&f.check)
	cmd.Flag("verify-vault", "First prove that the vault's keys are those of the files; if one is not, encrypt nothing.").BoolVar(&f.verifyVault)
	cmd.Flag("sync-keys", "Run sync first; implies --verify-vault.").BoolVar(&f.syncKeys)
	cmd.Flag("force", "With --sync-keys: replace keys that differ without asking.").Short('f').BoolVar(&f.force)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.lockAll(ctx, f) }
}

func (c *cli) lockAll(ctx context.Context, f lockFlags) error {
	c.report.OnStdout = true
	if err := c.open(); err != nil {
		return err
	}
	targets, err := c.work.Mapped()
	if err != nil {
		return err
	}
	if f.check {
		return c.lockCheck(ctx, targets, f.verifyVault || f.syncKeys)
	}
	if f.syncKeys {
		if _, err := c.sync(ctx, targets, syncFlags{force: f.force}); err != nil {
			return err
		}
	}
	if f.verifyVault || f.syncKeys {
		if c.verifyBeforeLock(ctx, targets); c.report.Failed() {
			c.report.Summary = "nothing was encrypted"
			return nil
		}
	}
	plan, err := c.work.PlanLock(ctx, targets)
	if err != nil {
		return err
	}
	if err := c.work.Apply(ctx, plan); err != nil {
		return err
	}
	for _, ch := range plan {
		c.addChange(ch)
	}
	c.report.Summary = drift.CountActions(plan)
	return c.work.Remember(ctx, plan, nil)
}

// verifyBeforeLock checks for each file that what it is encrypted for, or will
// be, is the vault's key. It reports only failures.
func (c *cli) verifyBeforeLock(ctx context.Context, targets []mapping.Target) {
	keys := c.work.Fetch(ctx, targets)
	for i, t := range targets {
		err := keys[i].Err
		if err == nil && t.Doc != nil {
			err = c.work.RecordProof(t, keys[i].Keys, drift.Check(t.Doc, nil, keys[i].Keys).KeyErr())
		}
		if err != nil {
			c.add(report.Row{Status: statusFor(err), File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Err: err})
		}
	}
}

// lockCheck proves that each file is encrypted, with a local key that its header
// names, else with the vault's; with vaultOnly always with the vault's.
func (c *cli) lockCheck(ctx context.Context, targets []mapping.Target, vaultOnly bool) error {
	policy := keyring.Auto
	if vaultOnly {
		policy = keyring.VaultOnly
	}
	encrypted := 0
	for i, key := range c.work.KeysOf(ctx, targets, policy) {
		t := targets[i]
		row := report.Row{
			Status: report.Status(drift.Encrypted), File: cmp.Or(t.File, t.Folder()), Vault: key.Vault,
			Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Err: t.Err,
		}
		if t.Err == nil {
			row.Err = drift.CheckEncrypted(t.Doc, key)
		}
		if row.Err == nil {
			encrypted++
		} else if row.Status = statusFor(row.Err); row.Status != report.Plaintext { // lock helps against that
			row.Hints = c.repairSteps(t, t.File, row.Err, false)
			if row.Status == report.Drift {
				row.Hints = c.fromLastRight(ctx, &verify.File{Target: t, Keys: key.Keys}, row.Hints)
			}
		}
		c.add(row)
	}
	c.report.Summary = fmt.Sprintf("%d of %s encrypted", encrypted, report.Plural(len(targets), "file"))
	return ctx.Err()
}
