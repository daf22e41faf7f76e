package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/compare"
	"github.com/envdrift/envdrift/internal/report"
)

func (c *cli) addCheck(app *kingpin.Application) (string, command) {
	var format string
	cmd := app.Command("check", "Compare the names in the env files of each folder, without any key.").HelpLong(`
Names are compared with those of .env.example or a similar template in the same
folder or, if there is none, with each other: what is missing, what the template
lacks, and what is empty. [check] in the configuration limits the names and says
which are optional. Of lines in plain text that a program of the repository reads
otherwise than dotenvx, it warns.

Statuses: 0 all alike · 1 they are not · 2 wrong usage or configuration
Example:  envdrift check --format junit`)
	c.addFormat(cmd, &format)
	return cmd.FullCommand(), func(context.Context) error { return c.check(format) }
}

func (c *cli) check(format string) error {
	if err := c.chooseFormat(format); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	results, err := compare.Names(c.work)
	alike, compared := 0, 0
	for _, r := range results {
		row := report.Row{Status: report.OK, File: r.File, Err: r.Err, Note: "compared with " + r.Reference}
		if r.Reference != "" || r.Err != nil {
			compared++
		}
		switch {
		case r.Err == nil && r.Reference == "":
			row.Status, row.Note = report.NotCompared, "no other env file and no template such as .env.example in its folder"
		case r.Err == nil:
			alike++
		case len(r.Missing) > 0:
			row.Status, row.Hints = report.Problem, []string{c.commandLine("set " + quote(r.Missing[0]) + " -f " + quote(c.relPath(r.File)))}
		default:
			row.Status = report.Problem
		}
		c.add(row)
	}
	if err == nil || len(results) > 0 {
		err = errors.Join(err, c.warnOfMisreads())
	}
	if len(results) > 0 {
		c.report.OnStdout, c.report.Summary = true, fmt.Sprintf("%d of %s complete", alike, report.Plural(compared, "env file"))
	}
	return err
}

// warnOfMisreads reports lines that a program reads otherwise than dotenvx.
func (c *cli) warnOfMisreads() error {
	misreads, _, err := compare.Misreads(c.work)
	for _, m := range misreads {
		c.add(report.Row{Status: report.Warning, File: m.File, Note: m.String(), Names: []string{m.Name}})
	}
	if len(misreads) > 0 {
		c.say("exec passes values on without a file; docs/loaders.md says how each program reads them")
	}
	return err
}

// addFormat adds the flag for the format of a report on standard output.
func (c *cli) addFormat(cmd *kingpin.CmdClause, format *string) {
	cmd.Flag("format", "The format of the report on standard output: "+strings.Join(report.Formats(), ", ")+".").Default(report.Text.Name).EnumVar(format, report.Formats()...)
}

// chooseFormat sets the format of the report, which --json has set if it is given.
func (c *cli) chooseFormat(name string) (err error) {
	if err = c.exclusive(map[string]bool{"--json": c.json, "--format": name != report.Text.Name && name != report.JSON.Name}); err == nil && !c.json {
		c.format, err = report.FormatNamed(name)
	}
	return err
}
