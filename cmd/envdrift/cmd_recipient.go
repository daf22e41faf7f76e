package main

import (
	"context"
	"fmt"
	"os"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/age"
)

func (c *cli) addRecipient(app *kingpin.Application, commands map[string]command) {
	cmd := app.Command("recipient", "Show or change who can read the age vault of this repository.")
	show := cmd.Command("show", "Print your recipient, for a teammate to add; creates your identity if you have none.").HelpLong(`
Statuses: 0 printed · 1 could not · 2 wrong usage
Example:  envdrift recipient show`)
	commands[show.FullCommand()] = func(context.Context) error { return c.showRecipient() }

	add := cmd.Command("add", "Give a teammate access to the age vault: add a recipient and re-encrypt every secret.").HelpLong(`
Review and commit what it changes. The recipient can read every secret of the
vault. To remove one, delete the line, re-encrypt, and rotate the keys.

Statuses: 0 added, or already a recipient · 1 could not · 2 wrong usage · 3 the vault
could not be read
Example:  envdrift recipient add age1… --label ben@example.com`)
	recipient := add.Arg("RECIPIENT", "age1…, or an SSH public key in quotes.").Required().String()
	label := add.Flag("label", "Whose it is, as a comment in the file.").PlaceHolder("TEXT").String()
	commands[add.FullCommand()] = func(ctx context.Context) error { return c.newRecipient(ctx, *recipient, *label) }
}

func (c *cli) showRecipient() error {
	file, err := age.IdentityFile(c.getenv)
	if err != nil {
		return err
	}
	recipient, created, err := age.EnsureIdentity(file)
	if err != nil {
		return err
	}
	if created {
		c.say("created %s: whoever has this file can read the vault; keep a copy in a safe place", file)
	}
	if c.json {
		c.report.Data = map[string]string{"recipient": recipient, "identity": file}
		return nil
	}
	_, err = fmt.Fprintln(c.stdout, recipient)
	return err
}

func (c *cli) newRecipient(ctx context.Context, recipient, label string) error {
	if err := c.open(); err != nil {
		return err
	}
	cfg := c.work.Config.Vault
	if cfg.Provider != "age" {
		return &usageError{err: fmt.Errorf("the vault of this configuration is %s, not age", cfg.Provider), command: "recipient add"}
	}
	cfg.Getenv = c.getenv
	store, err := age.Open(ctx, cfg)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.work.Config.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	unlock, err := c.work.Lock(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = unlock() }()
	file := store.RecipientsFile()
	added, err := age.AddRecipient(root, file, recipient, label)
	if err != nil {
		return &usageError{err: err, command: "recipient add"}
	}
	if !added {
		c.add(report.Row{Status: report.Status(drift.Unchanged), File: file, Note: "already a recipient"})
	} else {
		c.add(report.Row{Status: report.Status(drift.Updated), File: file})
	}
	names, err := store.Rewrap(ctx)
	for _, name := range names {
		c.add(report.Row{Status: report.Status(drift.Updated), Secret: name, Vault: store.String(), Note: name + " re-encrypted"})
	}
	return err
}
