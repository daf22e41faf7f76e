package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/report"
)

func (c *cli) addKeys(app *kingpin.Application, commands map[string]command) {
	var files []string
	var everywhere bool
	cmd := app.Command("keys", "Show or forget the keys that sync and pull keep outside of files.")
	list := cmd.Command("list", "Print which keys envdrift keeps in the operating system's store, and until when.").HelpLong(`
Keys are there if your own ~/.config/envdrift/config.toml says so:

  [keys]
  store = "store"     file: .env.keys · store: the system's store · none: nowhere
  ttl = "8h"          for how long; without it, until they are forgotten

The keys themselves are not printed.

Statuses: 0 printed · 1 could not · 2 wrong usage
Example:  envdrift keys list`)
	commands[list.FullCommand()] = func(ctx context.Context) error { return c.listKeys(ctx) }
	forget := cmd.Command("forget", "Remove keys from the operating system's store.").HelpLong(`
Without FILE, those of the env files here and below; of a folder, those below it. The vault keeps its keys.

Statuses: 0 forgotten, or there were none · 1 could not · 2 wrong usage
Example:  envdrift keys forget --all`)
	forget.Arg("FILE", "Env files, or folders, whose keys are forgotten.").StringsVar(&files)
	forget.Flag("all", "All keys that envdrift keeps there.").BoolVar(&everywhere)
	commands[forget.FullCommand()] = func(ctx context.Context) error {
		if err := c.exclusive(map[string]bool{"--all": everywhere, "FILE": len(files) > 0}); err != nil {
			return err
		}
		return c.forgetKeys(ctx, files, everywhere)
	}
}

func (c *cli) listKeys(ctx context.Context) error {
	store := keystore.Open(c.getenv)
	defer store.Close()
	entries, err := store.List(ctx)
	c.report.OnStdout = true
	for _, e := range entries {
		until := "until it is forgotten"
		if !e.Until.IsZero() {
			until = "until " + e.Until.Local().Format(time.DateTime)
		}
		for _, file := range e.Files {
			c.add(report.Row{Status: report.Status(drift.Stored), What: file, Vault: e.Vault, Note: "public key " + e.Short() + ", in the " + e.Store + " " + until})
		}
	}
	if len(entries) == 0 && err == nil {
		c.say("no keys are kept in the operating system's store")
	}
	return err
}

func (c *cli) forgetKeys(ctx context.Context, files []string, everywhere bool) error {
	store := keystore.Open(c.getenv)
	defer store.Close()
	entries, err := store.List(ctx) // what could not be forgotten does not keep the others
	if len(files) == 0 {
		files = []string{"."}
	}
	for i, file := range files {
		files[i] = c.realPath(file)
	}
	c.report.OnStdout = true
	forgotten := 0
	for _, e := range entries {
		asked := func(file string) bool {
			return slices.ContainsFunc(files, func(name string) bool {
				below, err := filepath.Rel(name, file)
				return err == nil && filepath.IsLocal(below)
			})
		}
		if !everywhere && !slices.ContainsFunc(e.Files, asked) {
			continue
		}
		row := report.Row{Status: report.Forgotten, Note: "public key " + e.Short() + ", from the " + e.Store}
		if row.Err = store.Forget(ctx, e); row.Err != nil {
			row.Status = report.Problem
		}
		forgotten++
		for _, row.What = range e.Files { // also those of other clones
			c.add(row)
		}
	}
	if forgotten == 0 && err == nil {
		c.say("none of these keys is kept in the operating system's store")
	}
	return err
}

// realPath returns the absolute path of a folder, or of a file in one, without links to it.
func (c *cli) realPath(name string) string {
	if !filepath.IsAbs(name) {
		name = filepath.Join(c.dir, name)
	}
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		if dir, err := filepath.EvalSymlinks(name); err == nil {
			return dir
		}
	}
	if dir, err := filepath.EvalSymlinks(filepath.Dir(name)); err == nil {
		name = filepath.Join(dir, filepath.Base(name))
	}
	return name
}
