package main

import (
	"cmp"
	"context"
	"fmt"
	"path"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/age"
)

func (c *cli) addInit(app *kingpin.Application) (string, command) {
	cmd := app.Command("init", "Write envdrift.toml with a mapping for every env file found.").HelpLong(`
Files that git ignores, and those of submodules and of other repositories within
this one, are not mapped. Adds .env.keys to .gitignore. For the age vault, the default, which is in the
repository, it also creates your identity, unless you have one, and adds you to
the recipients. Nothing is overwritten.

Statuses: 0 written · 1 could not · 2 wrong usage, or envdrift.toml has mappings
Example:  envdrift init --provider hashicorp --vault-url https://vault.example.com`)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.initialize(ctx) }
}

func (c *cli) initialize(ctx context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	if len(c.work.Config.Mappings) > 0 {
		return &usageError{err: fmt.Errorf("%s exists", c.work.Config.File), instead: c.commandLine("add FILE") + "   maps one more file"}
	}
	provider := cmp.Or(c.overrides.Provider, c.work.Config.Vault.Provider, "age")
	name, action, mappings, ignored, err := c.work.Init(ctx, provider)
	if err != nil {
		return err
	}
	c.add(report.Row{Status: report.Status(action), File: name, Note: report.Plural(len(mappings), "mapping")})
	for _, m := range mappings {
		c.add(report.Row{Status: "mapped", File: path.Join(m.Folder, m.EnvFile), Secret: m.SecretName, Environment: m.Env()})
	}
	for _, file := range ignored {
		c.add(report.Row{Status: report.Status(drift.Skipped), File: file, Note: "git ignores it, so it is not mapped"})
	}
	if len(mappings) == 0 {
		c.say("There is no env file to map yet. When there is one: %s", c.commandLine("add FILE"))
	}
	if provider == "age" {
		if err := c.initAge(ctx); err != nil {
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

// initAge adds the user to the recipients, with an identity that may be new.
func (c *cli) initAge(ctx context.Context) error {
	identity, created, added, err := c.work.JoinAgeVault(ctx)
	if created {
		c.add(report.Row{Status: report.Status(drift.Created), File: identity, Note: "your identity: whoever has this file can read the vault; keep a copy in a safe place"})
	}
	if added {
		c.add(report.Row{Status: report.Status(drift.Created), File: age.DefaultRecipients, Note: "colleagues who may read the vault; commit it"})
	}
	return err
}
