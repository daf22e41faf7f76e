package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

func (c *cli) addInit(app *kingpin.Application) (string, command) {
	cmd := app.Command("init", "Map every env file found, encrypt it and store its key in the vault.").HelpLong(`
Writes envdrift.toml with a mapping for every env file, and adds .env.keys to
.gitignore. Then it does what add does: it encrypts the files, stores their keys in
the vault, and prints the git commands to type. Files that git ignores, empty ones,
and those of submodules and of other repositories within this one stay as they are.
Outside of a git repository, only the files of this folder are mapped.
For the age vault, the default, which is in the repository, it also creates your
identity, unless you have one, and adds you to the recipients.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration, or envdrift.toml
has mappings · 3 the vault could not be used: the configuration is written
Example:  envdrift init --provider hashicorp --vault-url https://vault.example.com`)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.initialize(ctx) }
}

func (c *cli) initialize(ctx context.Context) error {
	if err := c.open(); err != nil {
		return err
	}
	if len(c.work.Config.Mappings) > 0 {
		return c.goOn(ctx)
	}
	provider := cmp.Or(c.overrides.Provider, c.work.Config.Vault.Provider, "age")
	if provider == "age" { // first: from the configuration on, add goes on
		if err := c.initAge(ctx); err != nil {
			return err
		}
	}
	name, action, found, err := c.work.Init(ctx, provider)
	if err != nil {
		return err
	}
	at := len(c.report.Rows)
	var files, asked, ignored []string
	for _, f := range found {
		switch {
		case f.Err == nil:
			files, asked = append(files, f.File), append(asked, f.File)
			c.add(report.Row{Status: report.Mapped, File: f.File, Secret: f.Mapping.SecretName, Environment: f.Mapping.Env()})
		case errors.Is(f.Err, workspace.ErrIgnored):
			ignored = append(ignored, f.File)
			c.add(report.Row{Status: report.Status(drift.Skipped), File: f.File, Note: "git ignores it, so it is not mapped"})
		case errors.Is(f.Err, drift.ErrNoValues):
			c.add(report.Row{Status: report.Status(drift.Skipped), File: f.File, Note: "it sets no variable yet, so it is not mapped"})
		default:
			asked = append(asked, f.File)
			c.addFailure(mapping.Target{}, f.File, f.Err)
		}
	}
	row := report.Row{Status: report.Status(action), File: name, Note: report.Plural(len(files), "mapping")}
	c.report.Rows = slices.Insert(c.report.Rows, at, row)
	if len(files) == 0 {
		c.sayNothingMapped(ctx, ignored)
	}
	if err := c.open(); err != nil { // with the mappings
		return err
	}
	if err := c.work.TrustNamed(ctx); err != nil {
		return err
	}
	if err := c.adopt(ctx, files); err != nil {
		return err
	}
	if err := c.goOnWith(ctx, files, asked); err != nil {
		return err
	}
	next := c.report.Summary
	err = c.offerHooks(ctx)
	c.report.Summary = next
	return err
}

// goOn says what to type where init was run before.
func (c *cli) goOn(ctx context.Context) error {
	instead := c.commandLine("add FILE") + "   maps one more file"
	files, err := c.work.Unfinished(ctx)
	if err != nil {
		return err
	}
	if len(files) > 0 {
		instead = c.commandLine("add " + c.words(files))
	}
	return &usageError{err: fmt.Errorf("%s exists", c.work.Config.File), instead: instead}
}

func (c *cli) sayNothingMapped(ctx context.Context, ignored []string) {
	if len(ignored) > 0 {
		c.say("Git ignores the env files that there are. To commit them encrypted: %s", c.commandLine("add "+c.words(ignored)))
		return
	}
	where := ""
	if repo, err := c.work.Git(ctx); repo == nil && err == nil {
		where = " in this folder, and without a git repository those below are not searched"
	}
	c.say("There is no env file to map yet%s. When there is one: %s", where, c.commandLine("add FILE"))
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
