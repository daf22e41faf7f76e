package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"golang.org/x/term"

	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/secret"
)

func (c *cli) addSet(app *kingpin.Application) (string, command) {
	var f oneFile
	var name, format string
	var generate bool
	cmd := app.Command("set", "Give a variable a value, encrypted; nothing else in the file changes.").HelpLong(`
Asks for the value, which is not shown, or reads it from standard input, without the
last line end. It is encrypted for the public key that the file declares, so no
private key is needed. A new variable goes below those whose names begin alike, or
to the end.

--generate sets a random value: ` + edit.Formats + `

Statuses: 0 set, or the same already · 1 could not · 2 wrong usage or configuration ·
3 the vault could not be used
Example:  envdrift set API_TOKEN --env production`)
	cmd.Arg("NAME", "The variable.").Required().StringVar(&name)
	f.add(cmd)
	cmd.Flag("generate", "Set a random value; by default 32 letters and digits.").PlaceHolder("[FORMAT]").IsSetByUser(&generate).StringVar(&format)
	return cmd.FullCommand(), func(ctx context.Context) error {
		return c.changeOne(ctx, f, func() (drift.Change, error) {
			name, value, err := c.newValue(name, format, generate)
			if err != nil {
				return drift.Change{}, err
			}
			t, err := edit.Target(c.work, f.file, f.env)
			if err != nil {
				return drift.Change{}, err
			}
			return edit.Set(ctx, c.work, t, name, value)
		})
	}
}

func (c *cli) addUnset(app *kingpin.Application) (string, command) {
	var f oneFile
	var name string
	cmd := app.Command("unset", "Remove a variable from an env file.").HelpLong(`
Needs no key. Comments stay.

Statuses: 0 removed · 1 it is not there, or could not · 2 wrong usage or configuration
Example:  envdrift unset OLD_TOKEN --env production`)
	cmd.Arg("NAME", "The variable.").Required().StringVar(&name)
	f.add(cmd)
	return cmd.FullCommand(), func(ctx context.Context) error {
		return c.changeOne(ctx, f, func() (drift.Change, error) {
			t, err := edit.Target(c.work, f.file, f.env)
			if err != nil {
				return drift.Change{}, err
			}
			return edit.Unset(c.work, t, name)
		})
	}
}

// changeOne applies the change that plan returns.
func (c *cli) changeOne(ctx context.Context, f oneFile, plan func() (drift.Change, error)) error {
	coredump.Hide()
	if err := c.openOne(f); err != nil {
		return err
	}
	ch, err := plan()
	if err != nil {
		return err
	}
	changes := []drift.Change{ch}
	if err := c.work.Apply(ctx, changes); err != nil {
		return err
	}
	c.addChange(changes[0])
	return nil
}

// newValue returns the variable that the user typed and its value: a random one, the
// one typed with it, the one typed at the prompt or what standard input holds.
func (c *cli) newValue(word, format string, generate bool) (name string, value secret.Value, err error) {
	name, typed, isPair := strings.Cut(word, "=")
	switch {
	case generate && isPair:
		return "", value, c.misuse("--generate and a value exclude each other")
	case generate:
		if value, err = edit.Generate(format); err != nil {
			err = c.misuse("%w", err)
		}
		return name, value, err
	case isPair:
		c.say("the value is in your shell's history now; %s asks for it", c.commandLine("set "+quote(name)))
		return name, secret.New(typed), nil
	case c.canAsk():
		fmt.Fprintf(c.stderr, "%s: ", report.Clean(name))
		typed, err := term.ReadPassword(int(c.stdin.Fd()))
		fmt.Fprintln(c.stderr)
		return name, secret.New(string(typed)), err
	case c.tty:
		return "", value, c.misuse("no value: pass it on standard input")
	}
	const longest = 1 << 20
	data, err := io.ReadAll(io.LimitReader(c.stdin, longest+1))
	if err == nil && len(data) > longest {
		err = errors.New("the value is longer than 1 MiB")
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	if err == nil && text == "" {
		err = c.misuse("no value on standard input; %s= sets an empty one", name)
	}
	return name, secret.New(text), err
}
