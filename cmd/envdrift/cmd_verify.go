package main

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
)

func (c *cli) addVerify(app *kingpin.Application) (string, command) {
	var f scopeFlags
	cmd := app.Command("verify", "Prove that the vault's keys decrypt every value of every mapped env file.").HelpLong(`
The check for CI: it reads and writes nothing. What could not be checked counts
as a failure. A range A..B proves every version in its commits, so drift that
came and went is found. In GitHub Actions each failure
is an annotation.

Statuses: 0 all verified · 1 drift, plaintext, or a file that is missing ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift verify --ci --rev origin/main..HEAD`)
	f.add(cmd, "Only these env files; default: those of all mappings.", "What is staged, instead of the working tree.",
		"A commit, or every version in the commits of A..B.")
	c.addFormat(cmd, &f.format)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.verify(ctx, f) }
}

func (c *cli) verify(ctx context.Context, f scopeFlags) error {
	if err := f.enter(c); err != nil {
		return err
	}
	if len(f.files) > 0 && !f.staged && f.rev == "" {
		return c.verifyNamed(ctx, f.files, "")
	}
	files, err := c.work.AllInside(f.files)
	if err != nil {
		return err
	}
	results, err := verify.Run(ctx, c.work, verify.Scope{Files: files, Staged: f.staged, Rev: f.rev})
	c.addResults(ctx, results, f.staged)
	return f.fault(c, err, verify.ErrNoRevision)
}

// verifyNamed verifies named files with the vault's key: the named secret, else
// the one of the file's mapping.
func (c *cli) verifyNamed(ctx context.Context, files []string, secretName string) error {
	results, err := verify.Named(ctx, c.work, files, secretName)
	c.addResults(ctx, results, false)
	return err
}

// addResults adds what was verified to the report. staged says that it is the index.
func (c *cli) addResults(ctx context.Context, results []*verify.File, staged bool) {
	if len(results) == 0 {
		return // an error says why
	}
	verified := 0
	for _, r := range results {
		if r.Verified {
			verified++
		}
		row := c.resultRow(ctx, r, staged)
		if r.At != "" && len(row.Hints) > 0 {
			row.Hints = append(row.Hints, "commit that; "+r.At+" stays in the history: squash the commits, or change these values")
		}
		c.add(row)
	}
	c.report.OnStdout, c.report.Summary = true, fmt.Sprintf("%d of %d verified", verified, len(results))
}

func (c *cli) resultRow(ctx context.Context, r *verify.File, staged bool) report.Row {
	row := report.Row{Status: report.Verified, File: cmp.Or(r.File, r.Folder()), Vault: r.Vault, Err: r.Err, Commit: r.At}
	if r.Mapped {
		row.Secret, row.Environment = r.Mapping.SecretName, r.Mapping.Env()
	}
	var notes []string
	if r.Verdict.Checked {
		notes = append(notes, report.Plural(r.Verdict.Values, "value"))
	}
	notes = append(notes, r.Warnings...)
	if r.Unproven != nil {
		row.Status, notes = report.NotVerified, append(notes, r.Unproven.Error())
	}
	row.Note = strings.Join(notes, "; ")
	if r.Err == nil {
		return row
	}
	row.Status = statusFor(r.Err)
	row.Hints = c.repairSteps(r.Target, r.File, r.Err, staged)
	switch {
	case row.Status != report.Drift:
	case r.At != "" && r.Change.Status == gitops.Added && r.Head == nil:
		row.Hints = c.newFileSteps(c.words([]string{r.File}))
	default: // what is committed cannot be restored from HEAD
		row.Hints = c.fromLastRight(ctx, r, row.Hints)
	}
	return row
}
