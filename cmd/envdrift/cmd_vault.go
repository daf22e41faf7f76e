package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
	"github.com/envdrift/envdrift/vault/conformance"
	"github.com/envdrift/envdrift/vault/helper"
)

type vaultFlags struct {
	name, path, secret string
	env                []string
	settings           map[string]string
	force              bool
}

func (c *cli) addVault(app *kingpin.Application, commands map[string]command) {
	f := vaultFlags{settings: map[string]string{}}
	cmd := app.Command("vault", "Register programs of yours as vaults, for provider = \"exec:NAME\".")
	add := cmd.Command("add", "Register a program: envdrift may start it where a configuration names exec:NAME.").HelpLong(`
A repository can name it, but cannot choose the program's path or arguments. Only you
and root may be able to write it. Of the variables with credentials it gets those that
begin with its name, such as BW_SESSION for bw, and those of --env, which no other
program gets. The names aws, azure, gcp and hashicorp are for envdrift's own programs
for these vaults, if they are not beside envdrift.

Statuses: 0 registered · 1 could not · 2 wrong usage
Example:  envdrift vault add pass ~/bin/envdrift-pass`)
	add.Arg("NAME", "What configurations call it.").Required().StringVar(&f.name)
	add.Arg("PATH", "The program.").Required().StringVar(&f.path)
	add.Flag("env", "A variable with a credential for this program alone; may be repeated.").PlaceHolder("NAME").StringsVar(&f.env)
	add.Flag("force", "Replace another program of that name.").BoolVar(&f.force)
	commands[add.FullCommand()] = func(ctx context.Context) error { return c.vaultAdd(ctx, f) }

	list := cmd.Command("list", "Print the registered programs.").HelpLong(`
Statuses: 0 printed · 1 one of them would not be started · 2 wrong usage
Example:  envdrift vault list`)
	commands[list.FullCommand()] = func(context.Context) error { return c.vaultList() }

	remove := cmd.Command("remove", "Forget a program.").HelpLong(`
Statuses: 0 forgotten · 1 there was none · 2 wrong usage
Example:  envdrift vault remove pass`)
	remove.Arg("NAME", "Its name.").Required().StringVar(&f.name)
	commands[remove.FullCommand()] = func(ctx context.Context) error { return c.vaultRemove(ctx, f.name) }

	test := cmd.Command("test", "Test a registered program with its vault.").HelpLong(`
Stores secrets under new names and deletes them, if the program can delete. A program
that only reads is tested without what stores, and needs --secret.

Statuses: 0 passed · 1 a test failed · 2 wrong usage · 3 the vault could not be used
Example:  envdrift vault test pass`)
	test.Arg("NAME", "Its name.").Required().StringVar(&f.name)
	test.Flag("secret", "A secret that is in the vault, to read.").PlaceHolder("NAME").StringVar(&f.secret)
	test.Flag("set", "A setting, as in the table settings of a configuration; may be repeated.").PlaceHolder("KEY=VALUE").StringMapVar(&f.settings)
	commands[test.FullCommand()] = func(ctx context.Context) error { return c.vaultTest(ctx, f) }
}

func (c *cli) vaultAdd(ctx context.Context, f vaultFlags) error {
	program, err := helper.Register(ctx, f.name, f.path, f.env, f.force)
	if err != nil {
		return err
	}
	c.add(report.Row{Status: report.Trusted, What: f.name, Note: program.Path, Hints: []string{"envdrift vault test " + f.name}})
	return nil
}

func (c *cli) vaultList() error {
	programs, err := registeredPrograms()
	if err != nil {
		return err
	}
	c.report.OnStdout = true
	for _, name := range slices.Sorted(maps.Keys(programs)) {
		r := report.Row{Status: report.Trusted, What: name, Note: programs[name].Path, Names: programs[name].Env}
		if r.Err = helper.Check(programs[name].Path); r.Err != nil {
			r.Status = report.Problem
		}
		c.add(r)
	}
	return nil
}

func registeredPrograms() (map[string]trust.Program, error) {
	file, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		return nil, err
	}
	return file.All()
}

func (c *cli) vaultRemove(ctx context.Context, name string) error {
	file, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		return err
	}
	if _, ok, err := helper.Registered(name); err != nil {
		return err
	} else if !ok {
		return fmt.Errorf("no program is registered as %s", name)
	}
	return file.Remove(ctx, name)
}

func (c *cli) vaultTest(ctx context.Context, f vaultFlags) error {
	cfg := vault.Config{Provider: "exec:" + f.name, Dir: c.dir, Getenv: c.getenv, Notice: func(text string) { c.say("%s", text) }}
	helper.SetSettings(&cfg, f.settings)
	store, err := all.Open(ctx, cfg)
	if err != nil {
		return err
	}
	trial := conformance.NewTrial(store, f.secret)
	c.say("%s: the secrets of this test begin with %s", store, trial.Prefix)
	c.report.OnStdout = true
	read := false
	for r := range trial.Results(ctx) {
		read = read || r.Without == "" && (r.Test == "Existing" || r.Test == "PutGet")
		row := report.Row{Status: report.OK, What: r.Test, Note: r.What}
		switch {
		case r.Without != "":
			row.Status, row.Note = report.NotTested, r.Without
		case len(r.Failures) > 0:
			row.Status, row.Err = report.Problem, errors.New(r.What+": "+strings.Join(r.Failures, "; "))
		}
		c.add(row)
	}
	if left := trial.CleanUp(ctx); len(left) > 0 {
		c.say("perhaps still in the vault, to be deleted there: %s", strings.Join(left, " "))
	}
	if !read && ctx.Err() == nil {
		return &usageError{err: errors.New("no secret was read: the program stores none, and none was named"), command: "vault test", instead: "envdrift vault test " + f.name + " --secret NAME"}
	}
	return nil
}
