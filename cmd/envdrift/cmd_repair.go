package main

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/report"
)

type repairFlags struct {
	files  []string
	dryRun bool
}

func (c *cli) addRepair(app *kingpin.Application) (string, command) {
	var f repairFlags
	cmd := app.Command("repair", "Repair env files that the vault's key does not decrypt, without losing an edit.").HelpLong(`
Values that were encrypted with another key are re-encrypted for the vault's, if
a local key decrypts them: from the environment, or from a .env.keys. Values that
did not change keep their ciphertext. If no local key fits, the last committed
version is restored. Staged files are repaired in the index, the others in the
working tree; the old version is kept as a backup.

Statuses: 0 repaired, or nothing to repair · 1 a file could not be, or --dry-run
found one · 2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift repair --dry-run`)
	cmd.Arg("FILE", "Only these env files; default: those of all mappings.").StringsVar(&f.files)
	cmd.Flag("dry-run", "Write nothing; say what would be done.").BoolVar(&f.dryRun)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.repair(ctx, f) }
}

// repair repairs what is staged, then what is in the working tree.
func (c *cli) repair(ctx context.Context, f repairFlags) error {
	c.report.OnStdout = f.dryRun
	if err := c.open(); err != nil {
		return err
	}
	only, err := c.work.AllInside(f.files)
	if err != nil {
		return err
	}
	repo, err := c.work.Git(ctx)
	if err != nil {
		return err
	}
	if repo != nil {
		if err := c.repairStaged(ctx, only, f.dryRun); err != nil {
			return err
		}
	}
	if err := c.repairTree(ctx, only, f.dryRun); err != nil {
		return err
	}
	if len(c.report.Rows) == 0 {
		c.report.Summary = "nothing to repair"
	}
	return nil
}

// errWouldRepair reports, under --dry-run, a file that repair would change.
var errWouldRepair = errors.New("the vault's key does not decrypt it; nothing was written")

// repairStaged does on request what the hook does.
func (c *cli) repairStaged(ctx context.Context, only []string, dry bool) error {
	check, err := precommit.Run(ctx, c.work, precommit.Options{ByHand: true, DryRun: dry, Only: func(file string) bool {
		return len(only) == 0 || slices.Contains(only, file)
	}})
	if check == nil {
		return err
	}
	defer func() { _ = check.Close() }()
	for _, f := range check.Files {
		r := f.Repair
		if r == nil || errors.Is(r.Err, precommit.ErrStopped) {
			continue
		}
		row := report.Row{Status: report.Status(r.Action), File: f.Change.Path, Names: r.Names, Err: r.Err}
		switch {
		case r.Err != nil:
		case dry:
			row.Note, row.Err = "would be "+string(r.Action)+" in the index", errWouldRepair
		default:
			row.Note = r.Where() + "; the old version: " + c.underCwd(r.Backup)
		}
		c.add(row)
	}
	return err
}

// repairTree repairs env files of mappings in the working tree: the named ones,
// or all that exist.
func (c *cli) repairTree(ctx context.Context, only []string, dry bool) error {
	targets, failed, err := c.work.Repairable(only)
	if err != nil {
		return err
	}
	for _, t := range failed {
		c.addFailure(t, cmp.Or(t.File, t.Folder()), t.Err)
	}
	changes, err := c.work.PlanRepairs(ctx, targets)
	if err != nil {
		return err
	}
	if !dry {
		if err := c.work.Apply(ctx, changes); err != nil {
			return err
		}
	}
	for _, ch := range changes {
		if dry && ch.Write {
			ch.Note, ch.Err = "would be "+string(ch.Action)+" in the working tree", errWouldRepair
		}
		c.addChange(ch)
	}
	return nil
}
