package main

import (
	"context"
	"errors"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/workspace"
)

func (c *cli) addAdd(app *kingpin.Application) (string, command) {
	var files []string
	cmd := app.Command("add", "Map new env files, encrypt them and store their keys in the vault.").HelpLong(`
Appends a mapping to the configuration for each file that has none, encrypts the
file, stores its private key in the vault unless that has it, and prints the git
commands to type. What is done already stays, so it can be run again.

Statuses: 0 added, or already mapped · 1 could not · 2 wrong usage or
configuration · 3 the vault could not be used
Example:  envdrift add services/api/.env.staging`)
	cmd.Arg("FILE", "Env files.").Required().StringsVar(&files)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.addFiles(ctx, files) }
}

func (c *cli) addFiles(ctx context.Context, names []string) error {
	if err := c.open(); err != nil {
		return err
	}
	if c.work.Config.File == "" {
		return config.ErrNoConfig
	}
	var files, asked []string
	for _, name := range names {
		file, err := c.work.Inside(name)
		if err == nil {
			asked = append(asked, file)
			err = c.addMapping(ctx, file)
		}
		if err != nil {
			c.addFailure(mapping.Target{}, c.typed(name), err)
			continue
		}
		files = append(files, file)
	}
	if err := c.adopt(ctx, files); err != nil {
		return err
	}
	return c.goOnWith(ctx, files, asked)
}

// addMapping appends a mapping for a file to the configuration, unless it has one.
func (c *cli) addMapping(ctx context.Context, file string) error {
	m, in, err := c.work.MapFile(ctx, file)
	if err != nil {
		return err
	}
	r := report.Row{Status: report.Mapped, File: file, Secret: m.SecretName, Environment: m.Env(), Note: "in " + c.relPath(in)}
	if in == "" {
		r.Status, r.Note = report.Status(drift.Unchanged), "already mapped"
	}
	c.add(r)
	return nil
}

// adopt encrypts mapped files and stores their keys in the vault.
func (c *cli) adopt(ctx context.Context, files []string) error {
	keysFile := c.work.InRepository(c.work.Config.Sync.EnvKeysFilename)
	if err := c.work.Ignore(ctx, []string{keysFile}); err != nil {
		c.addFailure(mapping.Target{}, keysFile, err)
	}
	for _, a := range c.work.Adopt(ctx, files) {
		reported := false
		for _, ch := range a.Changes {
			c.addChange(ch)
			reported = ch.Err != nil
		}
		if a.Err == nil {
			c.addPushed(a.File, a.Target, a.Key, a.Vault, a.Stored, a.Version)
			continue
		}
		row := report.Row{Status: report.Status(drift.Failed), File: a.File, Secret: a.Target.Mapping.SecretName, Environment: a.Target.Mapping.Env(), Err: a.Err}
		name := quote(c.relPath(a.File))
		switch {
		case drift.IsDrift(a.Err):
			row.Status, row.Hints = report.Drift, c.newFileSteps(name)[:1]
		case errors.As(a.Err, new(*workspace.PushMismatchError)):
			row.Hints = c.newFileSteps(name)[:1]
		case errors.As(a.Err, new(*workspace.OverwriteError)):
			row.Hints = []string{
				c.commandLine("repair "+name) + "   encrypts the file for the vault's key",
				"or, if that is wrong: " + c.storeLine(row.Secret) + " --force   replaces it",
			}
		}
		if !reported {
			c.add(row)
		}
	}
	return c.refreshDrivers(ctx)
}

// goOnWith says what to type to commit files, or to go on with those that were asked
// for.
func (c *cli) goOnWith(ctx context.Context, files, asked []string) error {
	repo, err := c.work.Git(ctx)
	if err != nil {
		return err
	}
	again := c.commandLine("add " + c.words(asked))
	switch {
	case c.report.Failed():
		c.report.Summary = "next: repair what failed, then " + again
		return nil
	case repo == nil && len(asked) > 0:
		c.report.Summary = "next: git init && " + again
		return nil
	}
	var others []string
	err = c.inspectDrivers(ctx, func(s content.State, _ report.Row) {
		if s.Shared {
			others = append(others, ".gitattributes")
		}
	})
	if err != nil {
		return err
	}
	paths, err := c.work.ToCommit(ctx, files, others...)
	if len(paths) > 0 {
		c.report.Summary = "next: " + c.gitLine(paths)
	}
	return err
}
