package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/leak"
	"github.com/envdrift/envdrift/internal/report"
)

func (c *cli) addLeak(app *kingpin.Application) (string, command) {
	format := ""
	cmd := app.Command("leak", "Find private keys and plaintext values in git's whole history, and list what to replace.").HelpLong(`
Searches every file and message that branches, tags, remote-tracking branches,
stashes, notes and reflogs lead to. It changes nothing and prints no value: the
result is a list to work through (docs/key-leak.md). "Pushed" is what a
remote-tracking branch has; a push that this clone does not know is not seen.

Statuses: 0 nothing found · 1 found, or not all could be searched · 2 wrong usage or
configuration · 3 a vault could not be used
Example:  envdrift leak --format markdown > leak.md`)
	c.addFormat(cmd, &format)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.leak(ctx, format) }
}

func (c *cli) leak(ctx context.Context, format string) error {
	if err := c.chooseFormat(format); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	c.report.OnStdout = true
	result, err := leak.Search(ctx, c.work)
	if result == nil {
		return err
	}
	c.report.Data = result
	for _, f := range result.Findings {
		c.add(c.findingRow(f))
	}
	for _, gap := range result.Gaps {
		c.add(report.Row{Status: report.NotChecked, File: gap.File, Err: gap.Err})
	}
	c.addRemedies(result)
	found := "nothing found"
	if n := len(result.Findings); n > 0 {
		found = report.Plural(n, "leak")
	}
	c.report.Summary = fmt.Sprintf("%s in %s, %s of files", found, report.Plural(result.Commits, "commit"), report.Plural(result.Contents, "version"))
	return err
}

// findingRow says what a file gives away, and where.
func (c *cli) findingRow(f leak.Finding) report.Row {
	short := func(commit leak.Commit) string { return string(commit.ID[:min(12, len(commit.ID))]) }
	row := report.Row{Status: report.PrivateKey, File: f.File, Names: f.Names, Commit: short(f.Commits[0])}
	if f.File == leak.Message { // no file, whatever the current folder is
		row.What, row.File = f.File, ""
	}
	var parts []string
	list := func(what string, files []string) {
		if len(files) > 0 {
			parts = append(parts, what+" "+strings.Join(files, ", "))
		}
	}
	switch f.Kind {
	case leak.PrivateKey:
		list("the present key of", c.relPaths(f.KeyOf))
		list("the key of other versions of", c.relPaths(f.OnceKeyOf))
		list("an identity that reads", f.Vaults)
		if parts == nil {
			parts = []string{"of no env file and no vault that are known here"}
		}
	case leak.Plaintext:
		row.Status = report.Plaintext
		parts = []string{fmt.Sprintf("%s, %d of them as now", report.Plural(len(f.Names), "value"), f.Present)}
		if f.Unknown > 0 {
			parts[0] += fmt.Sprintf(", %d may be", f.Unknown)
		}
	case leak.Value:
		row.Status = report.Plaintext
		parts = []string{report.Plural(len(f.Names), "present value") + " of env files"}
	}
	switch {
	case f.Pushed:
		parts = append(parts, "pushed")
	case f.Aside:
		parts = append(parts, "on no branch or tag: a stash, a note or a reflog has it")
	default:
		parts = append(parts, "on no remote-tracking branch")
		row.Hints = append(row.Hints, "if it was never pushed: drop or edit the commit before you push, and replace nothing")
	}
	if more := len(f.Commits) - 1; more > 0 {
		row.Note = fmt.Sprintf("and in %s up to %s;", report.Plural(more, "later commit"), short(f.Commits[more]))
	}
	row.Err = errors.New(strings.Join(parts, "; "))
	switch {
	case f.InHead && f.Kind == leak.Value:
		row.Hints = append(row.Hints, "HEAD still has it: take it out of "+c.relPath(f.File))
	case f.InHead:
		row.Hints = append(row.Hints, c.commandLine("verify --rev HEAD")+"   HEAD still has it; this says how to take it out")
	}
	return row
}

// addRemedies adds what is to be done, in the order of docs/key-leak.md.
func (c *cli) addRemedies(result *leak.Result) {
	do := func(what, command, why string) {
		c.add(report.Row{Status: report.ToDo, What: what, Note: command + "   " + why})
	}
	for _, r := range result.Removals {
		do("recipient", c.commandIn(r.Base, "recipient remove "+quote(r.Recipient)+vaultFlag(r.Vault)), "whose it is makes a new identity first: envdrift recipient show")
	}
	for _, step := range []struct {
		what, flag, why string
		files           []string
	}{
		{"key", "", "a new key, so that new values are safe", result.Rotate},
		{"old key", " --retire", "it is still there beside the present one", result.Retire},
	} {
		byBase := map[string]string{}
		for _, file := range step.files {
			base := result.Bases[file]
			byBase[base] += " " + quote(c.fileIn(base, file))
		}
		for _, base := range slices.Sorted(maps.Keys(byBase)) {
			do(step.what, c.commandIn(base, "rotate"+byBase[base]+step.flag), step.why)
		}
	}
	for _, k := range result.Known {
		note := map[leak.State]string{
			leak.Same:    "change it where it is issued: what was found is, or decrypts, the present value",
			leak.Unknown: "change it where it is issued, unless that was done: the present value cannot be read here",
			leak.Other:   "it has another value now: see that the old one is revoked",
			leak.Absent:  "no env file has it any more: see that the old value is revoked",
		}[k.State]
		if !k.Pushed {
			note += " (on no remote-tracking branch)"
		}
		c.add(report.Row{Status: report.ToDo, What: k.Name, Note: "(" + c.relPath(k.File) + ")  " + note})
	}
}

func (c *cli) relPaths(files []string) []string {
	names := make([]string, len(files))
	for i, file := range files {
		names[i] = c.relPath(file)
	}
	return names
}
