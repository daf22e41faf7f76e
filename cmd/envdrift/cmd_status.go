package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/status"
)

func (c *cli) addStatus(app *kingpin.Application) (string, command) {
	offline := false
	cmd := app.Command("status", "Show the state of each mapping (file, key, vault) and of the hooks.").HelpLong(`
A file in plain text, as after pull, is a problem: git must not get it so. Hooks
that are not installed are named, and are no problem; an installed one that git
does not run is.

Statuses: 0 no problem · 1 a problem · 2 wrong usage or configuration ·
3 a vault could not be used
Example:  envdrift status --offline`)
	cmd.Flag("offline", "Ask no vault.").BoolVar(&offline)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.status(ctx, offline) }
}

func (c *cli) status(ctx context.Context, offline bool) error {
	if err := c.open(); err != nil {
		return err
	}
	list, err := status.Of(ctx, c.work, offline)
	if err != nil {
		return err
	}
	c.report.OnStdout = true
	if c.json {
		c.report.Data = list
	}
	for _, m := range list {
		row := report.Row{
			Status: report.Status(m.State), File: m.File, Secret: m.Secret, Environment: m.Environment, Err: m.Err,
			Note: strings.Join(nonEmpty(m.Changed, "key "+m.Key, "vault: "+m.Vault), "; "),
		}
		if errors.Is(m.Err, status.ErrOtherKey) {
			row.Hints = []string{c.commandLine("sync")}
		} else if drift.IsDrift(m.Err) {
			row.Hints = []string{c.commandLine("verify "+c.words([]string{m.File})) + "   prints the steps"}
		}
		c.add(row)
	}
	return errors.Join(c.hooksInShort(ctx), c.driversInShort(ctx))
}

// hooksInShort says in one line which hooks are not installed, and adds a row for
// each that is and that git does not run.
func (c *cli) hooksInShort(ctx context.Context) error {
	repo, err := c.work.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	_, found, err := inspectHooks(ctx, repo)
	if err != nil {
		return err
	}
	var missing []string
	c.report.Summary = "hooks: all run"
	for _, h := range found {
		switch {
		case h.Runs():
		case h.State == hooks.Shadowed:
			c.report.Summary = "hooks: not all run"
			c.addHookRow("hook ", h, "", true)
		default:
			missing = append(missing, h.Name)
		}
	}
	if len(missing) > 0 {
		c.report.Summary = fmt.Sprintf("hooks: %s not installed (%s)", strings.Join(missing, ", "), c.commandLine("hook install"))
	}
	return nil
}

func nonEmpty(words ...string) []string {
	var list []string
	for _, w := range words {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}
