package main

import (
	"context"
	"fmt"

	"github.com/alecthomas/kingpin/v2"
	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/edit"
)

func (c *cli) addGet(app *kingpin.Application) (string, command) {
	var f oneFile
	var name, keys string
	var yes bool
	cmd := app.Command("get", "Print the decrypted value of one variable.").HelpLong(`
The value is what exec would pass to a program, with a line end. It is not printed to
a terminal or a coding agent without --yes.

Statuses: 0 printed · 1 it is not there, or could not · 2 wrong usage or
configuration · 3 the vault could not be used
Example:  envdrift get DATABASE_URL --env staging | pbcopy`)
	cmd.Arg("NAME", "The variable.").Required().StringVar(&name)
	f.add(cmd)
	addKeysFlag(cmd, &keys)
	cmd.Flag("yes", "Print a secret even to a terminal or a coding agent.").Short('y').BoolVar(&yes)
	return cmd.FullCommand(), func(ctx context.Context) error {
		coredump.Hide()
		if err := c.mayPrint(yes); err != nil {
			return err
		}
		if err := c.openOne(f); err != nil {
			return err
		}
		t, err := edit.Target(c.work, f.file, f.env)
		if err != nil {
			return err
		}
		value, err := edit.Get(ctx, c.work, t, name, policies[keys])
		if err != nil {
			return err
		}
		if c.json {
			c.report.Data = map[string]string{name: value.Reveal()}
			return nil
		}
		_, err = fmt.Fprintln(c.stdout, value.Reveal())
		return err
	}
}
