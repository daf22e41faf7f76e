package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"strings"

	"github.com/alecthomas/kingpin/v2"

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
file and, if that creates a key pair, stores the private key in the vault.

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
	var files []string
	for _, name := range names {
		file, err := c.work.Inside(name)
		if err == nil {
			err = c.addMapping(ctx, file)
		}
		if err != nil {
			c.addFailure(mapping.Target{}, c.typed(name), err)
			continue
		}
		files = append(files, file)
	}
	if err := c.open(); err != nil { // with the new mappings
		return err
	}
	for _, file := range files {
		if err := c.encryptAndPush(ctx, file); err != nil {
			c.addFailure(mapping.Target{}, file, err)
		}
	}
	if err := c.refreshDrivers(ctx); err != nil {
		return err
	}
	if !c.report.Failed() {
		c.report.Summary = "next: git add " + strings.Join(c.toCommit(files), " ") + " && git commit"
	}
	return nil
}

// addMapping appends a mapping for a file to the configuration, unless it has one.
func (c *cli) addMapping(ctx context.Context, file string) error {
	if _, err := mapping.ReadEnvFile(c.work.Files(), file); err != nil {
		return err
	}
	if config.IsCompanion(path.Base(file)) {
		return &companionError{c.relPath(file)}
	}
	if t, mapped := c.work.Target(file); mapped {
		c.add(report.Row{Status: report.Status(drift.Unchanged), File: file, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Note: "already mapped"})
		return nil
	}
	m := mapping.Propose(filepath.Base(c.work.Top), file)
	folder, err := filepath.Rel(filepath.FromSlash(c.work.Base), filepath.FromSlash(m.Folder))
	if err != nil || !filepath.IsLocal(folder) {
		return fmt.Errorf("%s can only map files next to it or below", c.work.Config.File)
	}
	m.Folder = filepath.ToSlash(folder)
	name, err := c.work.AddMapping(ctx, m)
	if err != nil {
		return err
	}
	c.add(report.Row{Status: report.Mapped, File: file, Secret: m.SecretName, Environment: m.Env(), Note: "in " + c.relPath(name)})
	return nil
}

// encryptAndPush encrypts a mapped file and stores its local key in the vault, if
// there is a local key and the vault has none.
func (c *cli) encryptAndPush(ctx context.Context, file string) error {
	if err := c.encryptFile(ctx, file, encryptFlags{stored: true}); err != nil {
		return err
	}
	t, mapped := c.work.Target(file)
	if !mapped || t.Err != nil {
		return t.Err
	}
	p, err := c.work.PreparePush(ctx, t.Folder(), t, workspace.PushOptions{})
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the vault had the key
	}
	if err != nil {
		return err
	}
	return c.push(ctx, p, c.work.FetchToCheck(ctx, []mapping.Target{t})[0], false)
}

// toCommit lists what belongs to the commit of added files.
func (c *cli) toCommit(files []string) (words []string) {
	for _, file := range files {
		words = append(words, quote(c.relPath(file)))
	}
	words = append(words, quote(c.relPath(path.Join(c.work.Base, filepath.Base(c.work.Config.File)))))
	for _, extra := range []string{".gitignore", ".envdrift"} {
		if _, err := fs.Stat(c.work.Files(), extra); err == nil {
			words = append(words, quote(c.relPath(extra)))
		}
	}
	return words
}
