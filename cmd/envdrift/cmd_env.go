package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
)

type envFlags struct {
	environFlags
	format string
	loader string
	list   bool
	yes    bool
}

func (c *cli) addEnv(app *kingpin.Application) (string, command) {
	var f envFlags
	cmd := app.Command("env", "Print the decrypted values, for programs that exec cannot run.").HelpLong(`
Uses the same files, keys and values as exec, and prints only the names that the
files set. A value that the format cannot hold is an error; nothing is printed.

  shell   for eval in a POSIX shell     dotenv  as an env file
  json    one object                    docker  for docker run --env-file
  github  masks on standard output, values into the file $GITHUB_ENV

With --for the output is an env file for one program that reads env files, such as
docker or node: see --list-loaders, and docs/loaders.md.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration · 3 the vault
could not be used
Example:  eval "$(envdrift env -f .env.production)"`)
	f.environFlags.add(cmd)
	cmd.Flag("format", "shell, dotenv, json, docker or github.").Default("shell").EnumVar(&f.format, "shell", "dotenv", "json", "docker", "github")
	addFor(cmd, "Write an env file that this loader reads.", &f.loader)
	cmd.Flag("list-loaders", "List the loaders that --for knows; nothing else.").BoolVar(&f.list)
	cmd.Flag("yes", "Print secrets even to a terminal or a coding agent.").Short('y').BoolVar(&f.yes)
	return cmd.FullCommand(), func(ctx context.Context) error {
		err := f.check()
		switch {
		case err != nil:
		case f.list:
			return c.listLoaders()
		case !isLoader(f.loader):
			err = loaderError(f.loader)
		case f.loader != "" && (c.json || f.format != "shell"):
			err = errors.New("--for decides about the format: leave out --json and --format")
		case c.json && f.format != "shell":
			err = errors.New("--json and --format exclude each other")
		}
		if err != nil {
			return c.misuse("%w", err)
		}
		if err := c.mayPrint(f.yes); err != nil {
			return err
		}
		return c.printEnv(ctx, f)
	}
}

func (c *cli) printEnv(ctx context.Context, f envFlags) error {
	coredump.Hide()
	if err := c.open(); err != nil {
		return err
	}
	env, err := environ.Build(ctx, c.work, f.Options)
	if err != nil {
		return err
	}
	var out []byte
	switch l, ok := loader.Find(f.loader); {
	case ok:
		out, err = workspace.Lines(l, env.Given)
	case c.json:
		c.report.Data, err = environ.Object(env.Given)
		return err
	case f.format == "github":
		return c.exportGitHub(env)
	default:
		out, err = environ.Format(f.format, env.Given)
	}
	if err == nil {
		_, err = c.stdout.Write(out)
	}
	return err
}

func addFor(cmd *kingpin.CmdClause, help string, name *string) {
	cmd.Flag("for", help).PlaceHolder("LOADER").HintAction(loader.Names).StringVar(name)
}

func isLoader(name string) bool {
	_, ok := loader.Find(name)
	return ok || name == ""
}

func loaderError(name string) error {
	return fmt.Errorf("--for: %q is none of %s", name, strings.Join(loader.Names(), ", "))
}

// listLoaders prints what --for knows.
func (c *cli) listLoaders() error {
	var out bytes.Buffer
	for _, l := range loader.All() {
		fmt.Fprintf(&out, "%-14s %s\n", l.Name, l.What)
	}
	_, err := c.stdout.Write(out.Bytes())
	return err
}

// exportGitHub passes the values to the later steps of a GitHub job, after
// making the job's log mask them.
func (c *cli) exportGitHub(env environ.Environ) error {
	if c.env["GITHUB_ENV"] == "" {
		return c.misuse("GITHUB_ENV is not set: this is no step of a GitHub job")
	}
	masks, lines, err := env.ForGitHub("envdrift_" + rand.Text())
	if err != nil {
		return err
	}
	if _, err := c.stdout.Write(masks); err != nil {
		return err
	}
	return appendFile("GITHUB_ENV", c.env["GITHUB_ENV"], lines)
}

func appendFile(setting, name string, data []byte) (err error) {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return secret.HidePath(setting, name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = f.Write(data)
	return err
}
