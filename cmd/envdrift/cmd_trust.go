package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
)

type trustFlags struct {
	list, revoke bool
	move         string
}

func (c *cli) addTrust(app *kingpin.Application) (string, command) {
	var f trustFlags
	cmd := app.Command("trust", "Allow this repository's vaults to receive your credentials.").HelpLong(`
The configuration is in the repository, so a branch can name another vault. The
vaults that you trust are remembered outside of it; no other vault is contacted.
The first command in a clone trusts the vaults that it names, or asks on a
terminal. A changed vault is asked about on a terminal, else it needs this
command.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration
Example:  envdrift trust --list`)
	cmd.Flag("list", "Print what is trusted, for every repository.").BoolVar(&f.list)
	cmd.Flag("revoke", "Forget this repository.").BoolVar(&f.revoke)
	cmd.Flag("move", "Keep the trust of a clone that was moved from OLD.").PlaceHolder("OLD").StringVar(&f.move)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.trust(ctx, f) }
}

func (c *cli) trust(ctx context.Context, f trustFlags) error {
	if err := exclusive("trust", map[string]bool{"--list": f.list, "--revoke": f.revoke, "--move": f.move != ""}); err != nil {
		return err
	}
	pins, err := trust.At(c.getenv)
	if err != nil {
		return err
	}
	if f.list {
		return c.listTrust(pins)
	}
	if err := c.open(); err != nil {
		return err
	}
	repository, err := c.work.RepositoryID(ctx)
	if err != nil {
		return err
	}
	switch {
	case f.revoke:
		return pins.Revoke(ctx, repository)
	case f.move != "":
		return pins.Move(ctx, f.move, repository)
	}
	endpoints, err := c.work.Endpoints(func(vault.Config) bool { return true })
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		c.add(report.Row{Status: "trusted", Note: string(e)})
	}
	return pins.Pin(ctx, repository, endpoints...)
}

func (c *cli) listTrust(pins trust.Pins) error {
	all, err := pins.All()
	if err != nil {
		return err
	}
	if c.json {
		c.report.Data = all
		return nil
	}
	for _, repository := range slices.Sorted(maps.Keys(all)) {
		for _, e := range all[repository] {
			fmt.Fprintf(c.stdout, "%s  %s\n", report.Clean(repository), report.Clean(string(e)))
		}
	}
	return nil
}
