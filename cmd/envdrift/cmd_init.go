package main

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/age"
)

const configName = "envdrift.toml"

func (c *cli) addInit(app *kingpin.Application) (string, command) {
	cmd := app.Command("init", "Write envdrift.toml with a mapping for every env file found.").HelpLong(`
Adds .env.keys to .gitignore. For the age vault, the default, which is in the
repository, it also creates your identity, unless you have one, and adds you to
the recipients. Nothing is overwritten.

Statuses: 0 written · 1 could not · 2 wrong usage, or envdrift.toml is there
Example:  envdrift init --provider hashicorp --vault-url https://vault.example.com`)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.initialize(ctx) }
}

func (c *cli) initialize(ctx context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	if c.work.Config.File != "" {
		return &usageError{err: fmt.Errorf("%s exists", c.work.Config.File), command: "verify"}
	}
	provider := c.overrides.Provider
	if provider == "" {
		provider = "age"
	}
	files, err := mapping.Discover(c.work.Files())
	if err != nil {
		return err
	}
	mappings := make([]config.Mapping, len(files))
	for i, file := range files {
		mappings[i] = mapping.Propose(filepath.Base(c.work.Top), file)
	}
	if err := c.work.WriteFile(configName, config.Template(provider, c.overrides, mappings), 0o644); err != nil {
		return err
	}
	c.add(report.Row{Status: report.Status(drift.Created), File: configName, Note: report.Plural(len(mappings), "mapping")})
	for _, m := range mappings {
		c.add(report.Row{Status: "mapped", File: path.Join(m.Folder, m.EnvFile), Secret: m.SecretName, Environment: m.Env()})
	}
	if provider == "age" {
		if err := c.initAge(); err != nil {
			return err
		}
	}
	repo, err := c.work.Git(ctx)
	if err != nil || repo == nil {
		return err
	}
	if err := c.work.Ignore(ctx, []string{c.work.Config.Sync.EnvKeysFilename}); err != nil {
		return err
	}
	return c.offerHooks(ctx)
}

// initAge creates the user's identity and adds it to the recipients.
func (c *cli) initAge() error {
	identity, err := age.IdentityFile(c.getenv)
	if err != nil {
		return err
	}
	recipient, created, err := age.EnsureIdentity(identity)
	if err != nil {
		return err
	}
	if created {
		c.add(report.Row{Status: report.Status(drift.Created), File: identity, Note: "your identity: whoever has this file can read the vault; keep a copy in a safe place"})
	}
	added, err := age.AddRecipient(c.work.Root(), age.DefaultRecipients, recipient, c.userName())
	if err != nil {
		return err
	}
	if added {
		c.add(report.Row{Status: report.Status(drift.Created), File: age.DefaultRecipients, Note: "colleagues who may read the vault; commit it"})
	}
	return nil
}

// userName returns a label for the user's recipient.
func (c *cli) userName() string {
	for _, name := range []string{"GIT_AUTHOR_EMAIL", "EMAIL", "USER", "USERNAME"} {
		if v := c.env[name]; v != "" {
			return v
		}
	}
	return "somebody"
}
