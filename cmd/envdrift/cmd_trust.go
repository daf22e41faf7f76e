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
	cmd := app.Command("trust", "Allow this repository's vaults to receive your credentials, and agree to its public keys.").HelpLong(`
A branch can name another vault, or encrypt a file for another key. The vaults
that you trust, and the vault and key of each env file, are remembered outside of
the repository; no other is used. The first command in a clone trusts what it
finds, or asks on a terminal. A change is asked about there, else it needs this
command. A CI job trusts what its environment names: see docs/team.md.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration
Example:  envdrift trust --list`)
	cmd.Flag("list", "Print what is trusted, for every repository.").BoolVar(&f.list)
	cmd.Flag("revoke", "Forget this repository.").BoolVar(&f.revoke)
	cmd.Flag("move", "Keep the trust of a clone that was moved from OLD.").PlaceHolder("OLD").StringVar(&f.move)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.trust(ctx, f) }
}

func (c *cli) trust(ctx context.Context, f trustFlags) error {
	if err := c.exclusive(map[string]bool{"--list": f.list, "--revoke": f.revoke, "--move": f.move != ""}); err != nil {
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
	if err == nil {
		err = pins.Pin(ctx, repository, endpoints...)
	}
	if err != nil {
		return err
	}
	files, err := c.work.TrustKeys(ctx)
	for _, e := range endpoints {
		c.add(report.Row{Status: report.Trusted, Note: string(e)})
	}
	for _, file := range slices.Sorted(maps.Keys(files)) {
		c.add(report.Row{Status: report.Trusted, File: file, Note: files[file].String()})
	}
	return err
}

func (c *cli) listTrust(pins trust.Pins) error {
	lines, data, err := pins.List()
	if c.json {
		c.report.Data = data
		return err
	}
	for _, line := range lines {
		fmt.Fprintln(c.stdout, report.Clean(line))
	}
	return err
}
