package main

import (
	"context"
	"errors"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/runner"
)

// statusExec says, as env(1) does, that we failed before the child started.
const statusExec = 125

type execFlags struct {
	environFlags
	argv []string
}

func (c *cli) addExec(app *kingpin.Application) (string, command) {
	var f execFlags
	cmd := app.Command("exec", "Run a program with the decrypted values in its environment.").HelpLong(`
Nothing is written and nothing of envdrift stays: the program takes its place.
The values come from the -f files, else from the mappings of the service that
this directory lies in, else from .env. What the environment has already wins,
unless --override. The program sees neither private keys nor vault tokens.

Statuses: the program's own · 125 envdrift failed before it started · 126 it
could not be invoked · 127 it was not found
Example:  envdrift exec -f .env.production -- npm start`)
	f.environFlags.add(cmd)
	cmd.Arg("CMD", "The program and its arguments, after --.").Required().StringsVar(&f.argv)
	return cmd.FullCommand(), func(ctx context.Context) error {
		if err := f.check(); err != nil {
			return &usageError{err: err, command: c.name}
		}
		return c.exec(ctx, f)
	}
}

// An exitError carries an exit status of its own.
type exitError struct {
	err    error
	status int
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exec returns only if the program could not be started, with an *exitError.
func (c *cli) exec(ctx context.Context, f execFlags) error {
	s, err := c.open()
	if err != nil {
		return &exitError{err, statusExec}
	}
	env, err := s.environment(ctx, f.environFlags)
	if err != nil {
		return &exitError{err, statusExec}
	}
	err = runner.Exec(runner.Command{Args: f.argv, Env: env.all})
	if start := (*runner.StartError)(nil); errors.As(err, &start) {
		return &exitError{err, start.Status}
	}
	return &exitError{err, statusExec}
}
