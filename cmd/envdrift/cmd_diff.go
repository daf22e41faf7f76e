package main

import (
	"context"
	"io"
	"strconv"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/compare"
	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/secret"
)

type diffFlags struct {
	oneFile
	words          []string
	show, exitCode bool
	yes            bool
}

func (c *cli) addDiff(app *kingpin.Application) (string, command) {
	var f diffFlags
	cmd := app.Command("diff", "Show which variables differ between files, environments or revisions.").HelpLong(`
A and B are each an env file, an environment, a revision, or REVISION:FILE. Without
B it is the working tree's version, and without A HEAD's.
Equal ciphertexts need no key; others are decrypted. Values are not printed without
--show.

  +  added    -  removed    ~  changed    ?  no key decrypts both

Statuses: 0 compared · 1 could not, or with --exit-code there are differences ·
2 wrong usage or configuration
Example:  envdrift diff staging production`)
	cmd.Arg("VERSION", "A, then B.").StringsVar(&f.words)
	f.add(cmd)
	cmd.Flag("show", "Print the values.").BoolVar(&f.show)
	addYes(cmd, &f.yes)
	cmd.Flag("exit-code", "Fail if there are differences.").BoolVar(&f.exitCode)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.diff(ctx, f) }
}

func (c *cli) diff(ctx context.Context, f diffFlags) error {
	if len(f.words) > 2 {
		return c.misuse("more than two versions")
	}
	if err := c.mayShow(f.yes || !f.show); err != nil {
		return err
	}
	coredump.Hide()
	if err := c.openOne(f.oneFile); err != nil {
		return err
	}
	from, to, err := compare.Versions(ctx, c.work, f.words, f.file, f.env)
	if err != nil {
		return err
	}
	list, err := compare.Diff(ctx, from, to)
	if err != nil {
		return err
	}
	if err := c.printDiff(list, f.show); err != nil {
		return err
	}
	if f.exitCode && len(list) > 0 {
		return errReported
	}
	return nil
}

var diffSigns = map[compare.Kind]string{compare.Added: "+", compare.Removed: "-", compare.Changed: "~", compare.Unknown: "?"}

func (c *cli) printDiff(list []compare.Difference, show bool) error {
	type row struct {
		Name string       `json:"name"`
		Kind compare.Kind `json:"kind"`
		Old  *string      `json:"old,omitempty"`
		New  *string      `json:"new,omitempty"`
	}
	rows := []row{}
	var text strings.Builder
	for _, d := range list {
		r := row{Name: d.Name, Kind: d.Kind}
		line := diffSigns[d.Kind] + " " + d.Name
		if show && d.Kind != compare.Added && d.Kind != compare.Unknown {
			r.Old = revealed(d.Old)
			line += "\n    - " + oneLine(d.Old)
		}
		if show && d.Kind != compare.Removed && d.Kind != compare.Unknown {
			r.New = revealed(d.New)
			line += "\n    + " + oneLine(d.New)
		}
		rows = append(rows, r)
		text.WriteString(line + "\n")
	}
	if c.json {
		c.report.Data = rows
		return nil
	}
	_, err := io.WriteString(c.stdout, text.String())
	return err
}

// oneLine returns a value as it is or, if that would change the terminal or the
// lines around it, in quotes.
func oneLine(v secret.Value) string {
	if text := v.Reveal(); report.Clean(text) == text {
		return text
	}
	return strconv.Quote(v.Reveal())
}

func revealed(v secret.Value) *string {
	text := v.Reveal()
	return &text
}
