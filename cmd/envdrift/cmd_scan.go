package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/scan"
)

type scanFlags struct {
	scopeFlags
	strict bool
}

func (c *cli) addScan(app *kingpin.Application) (string, command) {
	var f scanFlags
	cmd := app.Command("scan", "Search files for the values of your env files, and for their private keys.").HelpLong(`
Decrypts with the keys at hand, asks no vault and uses no network: it says how many
names it could not check. Finds values of 8 characters or more as they are, and in
base64, hexadecimal, URLs, JSON and XML (docs/scan.md). Without arguments it searches
what git tracks in the working tree. It prints names and places, never a value. A
line with the comment ` + scan.Allow + ` is allowed to have one.

Statuses: 0 nothing found · 1 found, or nothing could be checked; with --strict also
if a name could not be checked · 2 wrong usage or configuration
Example:  envdrift scan --strict --rev origin/main..HEAD`)
	f.add(cmd, "Only these files, and those below these folders.", "What the next commit adds.", "All of a commit, or what the commits of A..B add.")
	cmd.Flag("strict", "A name that could not be checked is a failure.").BoolVar(&f.strict)
	c.addFormat(cmd, &f.format)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.scan(ctx, f) }
}

func (c *cli) scan(ctx context.Context, f scanFlags) error {
	var details []string
	c.details = &details
	if err := f.enter(c); err != nil {
		return err
	}
	files, err := c.work.AllInside(f.files)
	if err != nil {
		return err
	}
	result, err := scan.Search(ctx, c.work, scan.Scope{Files: files, Staged: f.staged, Rev: f.rev})
	if result == nil {
		return f.fault(c, err, scan.ErrNoRevision)
	}
	for _, line := range details {
		if !result.Shows(line) {
			c.printer().Detail("%s", line)
		}
	}
	c.report.OnStdout, c.report.Data = true, result
	c.addPlaces(result, config.Block, 20)
	c.addUnchecked(result, func(u scan.Unchecked) bool { return f.strict || u.Names == 0 })
	for _, file := range result.Pulled {
		c.add(report.Row{Status: report.Warning, File: file, Note: "is in plaintext now: " + c.commandLine("lock") + " before you commit it"})
	}
	if err == nil {
		c.report.Summary = scanSummary(result)
	}
	return err
}

// scanSummary says what was found, and how much was searched for.
func scanSummary(r *scan.Result) string {
	found := "nothing found"
	if n := len(r.Findings); n > 0 {
		found = report.Plural(n, "place") + " found"
	}
	parts := []string{fmt.Sprintf("%s: %s searched for in %s", found, report.Plural(r.Values, "value"), report.Plural(r.Contents, "file"))}
	if r.Commits > 0 {
		parts[0] += " of " + report.Plural(r.Commits, "commit")
	}
	for _, count := range []struct {
		n          int
		noun, what string
	}{
		{r.Unknown(), "name", "not checked"}, {r.Short, "value", "too short"}, {r.Common, "value", "too common"},
		{r.Allowed, "place", "allowed"}, {r.Skipped, "submodule", "not searched"},
	} {
		if count.n > 0 {
			parts = append(parts, report.Plural(count.n, count.noun)+" "+count.what)
		}
	}
	return strings.Join(parts, "; ")
}

// addPlaces adds a row for each place that has a value, up to some: as a failure, or as
// a warning.
func (c *cli) addPlaces(r *scan.Result, policy string, most int) {
	for i, f := range r.Findings {
		row := report.Row{Status: report.FoundValue, File: f.File, Line: f.Line, Commit: f.Commit, Err: &placeError{f}}
		if f.Kind == scan.Message { // no file, whatever the current folder is
			row.What, row.File = f.File, ""
		}
		last := i == len(r.Findings)-1
		if i == most && !last && !c.verbose && !c.json {
			row.What, row.File, row.Line, row.Commit = "and more", "", 0, ""
			row.Err, last = fmt.Errorf("%s more, which -v shows", report.Plural(len(r.Findings)-most, "place")), true
		}
		if last {
			row.Hints = []string{"take it out, and change the value where it is issued if others may have seen it; if it is no secret: plain = [\"NAME\"] in the mapping, or the comment " + scan.Allow + " in the line"}
		}
		if policy == config.Warn {
			row.Status, row.Note, row.Err = report.Warning, row.Err.Error(), nil
		}
		c.add(row)
		if last {
			return
		}
	}
}

// A placeError says whose value is in a place.
type placeError struct{ scan.Finding }

func (e *placeError) Error() string {
	var names []string
	for _, owner := range e.Values {
		if owner.File == "" {
			names = append(names, "the private key "+owner.Name)
		} else if e.Kind != scan.Plaintext {
			names = append(names, "the value of "+owner.Name+" of "+owner.File)
		} else {
			names = append(names, owner.Name)
		}
	}
	switch e.Kind {
	case scan.FileName:
		return "its name has " + report.JoinFirst(names)
	case scan.Plaintext:
		return "has values of its own in plaintext: " + drift.List(names)
	}
	text := "has " + report.JoinFirst(names)
	if e.Form != scan.AsIs {
		text += ", " + string(e.Form)
	}
	return text
}

// addUnchecked says what is not known to be absent, and for which of it that is a
// failure.
func (c *cli) addUnchecked(r *scan.Result, fails func(scan.Unchecked) bool) {
	for _, u := range r.Unchecked {
		why, noKey := u.Err.Error(), (*keyring.NoKeyError)(nil)
		switch {
		case errors.As(u.Err, &noKey):
			why = "no key at hand"
			for _, err := range noKey.Invalid {
				if text := c.message(err); !r.Shows(text) {
					why += "; " + text
				}
			}
		case errors.Is(u.Err, keyring.ErrEphemeral):
			why = "the key comes from the vault alone, which scan does not ask"
		}
		note := why
		if u.Names > 0 {
			note = report.Plural(u.Names, "name") + ": " + why
		}
		row := report.Row{Status: report.NotChecked, File: u.File, Note: note}
		if u.File == "" {
			row.What = "contents"
		}
		if noKey != nil && noKey.Mapped {
			row.Hints = []string{c.commandLine("sync") + "   fetches the key"}
		} else if noKey != nil {
			row.Hints = c.advice(u.Err)
		}
		if fails(u) {
			row.Note, row.Err = "", errors.New(note)
		}
		c.add(row)
	}
}

// reportValues reports the values of env files that are about to be committed.
func (c *cli) reportValues(values *precommit.Values) {
	if values == nil {
		return
	}
	blocks := values.Policy == config.Block
	if values.Err != nil {
		row := report.Row{Status: report.NotChecked, What: "values", Note: "not all that is staged was searched for values of env files: " + c.message(values.Err)}
		if stopsFor(values) != "" {
			row.Err, row.Note = errors.New(row.Note), ""
		}
		c.add(row)
	}
	c.addPlaces(values.Result, values.Policy, most)
	if values.Err == nil || errors.Is(values.Err, scan.ErrNoKeys) {
		c.addUnchecked(values.Result, func(u scan.Unchecked) bool { return blocks && isContents(u) })
	}
}

// isContents reports whether contents of the commit could not be searched. That another
// file cannot be read is no fault of the commit.
func isContents(u scan.Unchecked) bool { return u.File == "" }

// stopsFor says for which values of env files a commit is stopped; "" is none.
func stopsFor(values *precommit.Values) string {
	if values == nil || values.Policy != config.Block {
		return ""
	}
	if n := len(values.Result.Findings); n > 0 {
		return report.Plural(n, "place") + " with a value of an env file"
	}
	known := values.Err == nil || errors.Is(values.Err, scan.ErrNoKeys) || errors.Is(values.Err, scan.ErrNoValues)
	if !known || slices.ContainsFunc(values.Result.Unchecked, isContents) {
		return "not all was searched for values of env files"
	}
	return ""
}
