package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/report"
)

type logFlags struct {
	since   time.Duration
	newest  int
	command string
	agent   bool
}

func (c *cli) addLog(app *kingpin.Application) (string, command) {
	var f logFlags
	cmd := app.Command("log", "Print the audit log: which keys were used, by which commands.").HelpLong(`
The log is written if your own configuration has enabled = true in [audit]. A line is
one use of a key for one env file; the newest is the last. It holds no values, keys or
arguments.

Statuses: 0 printed · 1 the log is off, or could not be read · 2 wrong usage or
configuration
Example:  envdrift log --since 24h --agent`)
	cmd.Flag("since", "Only of the last DURATION, such as 24h.").PlaceHolder("DURATION").DurationVar(&f.since)
	cmd.Flag("newest", "Only the newest N.").Short('n').PlaceHolder("N").IntVar(&f.newest)
	cmd.Flag("command", "Only of commands that begin with these words.").PlaceHolder("WORDS").StringVar(&f.command)
	cmd.Flag("agent", "Only what coding agents ran.").BoolVar(&f.agent)
	return cmd.FullCommand(), func(context.Context) error { return c.log(f) }
}

// errLogOff reports that nothing is logged, and nothing was.
var errLogOff = errors.New("there is no audit log: uses of keys are not logged")

func (c *cli) log(f logFlags) error {
	if f.since < 0 || f.newest < 0 {
		return c.misuse("--since and --newest are not negative")
	}
	user, err := config.LoadUser(c.getenv)
	if err != nil {
		return err
	}
	file, err := audit.File(c.getenv)
	if err != nil {
		return err
	}
	uses, damaged, err := audit.Read(file)
	switch {
	case err != nil:
		return err
	case len(uses)+len(damaged) == 0 && !user.Audit:
		return errLogOff
	case !user.Audit:
		c.say("envdrift: the log is off now; %s", c.logHint())
	}
	for _, d := range damaged {
		c.say("envdrift: %v", d)
	}
	uses = slices.DeleteFunc(uses, func(u audit.Use) bool { return !f.wants(u) })
	if f.newest > 0 {
		uses = uses[max(0, len(uses)-f.newest):]
	}
	if c.json {
		c.report.Data = append([]audit.Use{}, uses...)
		return nil
	}
	return c.printUses(uses)
}

func (c *cli) logHint() string {
	return "enabled = true in [audit] of " + c.userFile() + "   turns it on"
}

func (f logFlags) wants(u audit.Use) bool {
	return (f.since == 0 || time.Since(u.Time) <= f.since) && (!f.agent || u.Agent != "") &&
		(f.command == "" || strings.HasPrefix(u.Command+" ", f.command+" "))
}

func (c *cli) printUses(uses []audit.Use) error {
	table := tabwriter.NewWriter(c.stdout, 0, 0, 2, ' ', 0)
	for _, u := range uses {
		from := string(u.Source)
		if u.Vault != "" {
			from = u.Vault
		}
		cells := []string{u.Time.Local().Format(time.DateTime), u.Command, u.Outcome, u.Repository, u.File, from, u.Key, u.Agent}
		for i, cell := range cells {
			if cells[i] = report.Clean(cell); cell == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(table, strings.Join(cells, "\t"))
	}
	return table.Flush()
}
