package main

import (
	"context"
	"io"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/envdrift/envdrift/internal/edit"
)

func (c *cli) addLs(app *kingpin.Application) (string, command) {
	var f oneFile
	cmd := app.Command("ls", "List the variables of an env file, without any key.").HelpLong(`
Prints one name a line, and what is not encrypted: plaintext, or empty.

Statuses: 0 listed · 1 could not · 2 wrong usage or configuration
Example:  envdrift ls --env production`)
	f.add(cmd)
	return cmd.FullCommand(), func(context.Context) error {
		if err := c.openOne(f); err != nil {
			return err
		}
		t, err := edit.Target(c.work, f.file, f.env)
		if err != nil {
			return err
		}
		list := edit.List(t.Doc)
		if c.json {
			c.report.Data = list
			return nil
		}
		var text strings.Builder
		for _, v := range list {
			text.WriteString(v.Name)
			if v.State != "encrypted" {
				text.WriteString("  " + v.State)
			}
			text.WriteByte('\n')
		}
		_, err = io.WriteString(c.stdout, text.String())
		return err
	}
}
