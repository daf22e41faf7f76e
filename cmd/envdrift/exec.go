package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/runner"
)

// statusExec says, as env(1) does, that we failed before the child started.
const statusExec = 125

type execFlags struct {
	files    []string
	env      string
	keys     string
	override bool
	keepEnv  bool
	argv     []string
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
	cmd.Flag("file", "Env file; repeatable, the first to set a name wins.").Short('f').PlaceHolder("FILE").StringsVar(&f.files)
	cmd.Flag("env", "The mappings of this environment only.").PlaceHolder("NAME").StringVar(&f.env)
	cmd.Flag("keys", "auto: a key at hand that proves itself, else the vault's; vault; local.").Default("auto").EnumVar(&f.keys, "auto", "vault", "local")
	cmd.Flag("override", "The files win over the environment, later ones over earlier.").BoolVar(&f.override)
	cmd.Flag("overload", "The same as --override.").Hidden().BoolVar(&f.override)
	cmd.Flag("keep-env", "Leave vault credentials such as VAULT_TOKEN in the environment.").BoolVar(&f.keepEnv)
	cmd.Arg("CMD", "The program and its arguments, after --.").Required().StringsVar(&f.argv)
	return cmd.FullCommand(), func(ctx context.Context) error {
		err := c.exec(ctx, f)
		if start := (*runner.StartError)(nil); errors.As(err, &start) {
			return &exitError{err, start.Status}
		}
		return &exitError{err, statusExec}
	}
}

// An exitError carries an exit status of its own.
type exitError struct {
	err    error
	status int
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exec returns only if the program could not be started.
func (c *cli) exec(ctx context.Context, f execFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	sources, err := s.sources(ctx, f)
	if err != nil {
		return err
	}
	values, err := dotenv.Evaluate(sources, s.env, dotenv.EvalOptions{Override: f.override})
	if err != nil {
		return err
	}
	env := runner.FromList(s.environ())
	for _, v := range values {
		if v.File != "" && reserved(v.Name) {
			return &reservedError{v}
		}
		env.Set(v.Name, v.Value.Reveal())
	}
	for _, name := range env.Names() {
		if withheld(name, f.keepEnv) {
			env.Delete(name)
		}
	}
	return runner.Exec(runner.Command{Args: f.argv, Env: env})
}

// withheld reports whether a variable is for envdrift alone.
func withheld(name string, keep bool) bool {
	if strings.HasPrefix(name, "DOTENV_PRIVATE_KEY") || name == "ENVDRIFT_AGE_KEY" {
		return true
	}
	credentials := []string{"VAULT_TOKEN", "VAULT_SECRET_ID", "VAULT_JWT"}
	return !keep && slices.Contains(credentials, name)
}

// reserved reports whether a name makes programs load code: an env file, which
// anybody with the public key can write, may not set it.
func reserved(name string) bool {
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "NODE_OPTIONS", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME",
		"PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS", "PATH", "IFS",
	}, name)
}

// A reservedError reports a variable that would make the child load code.
type reservedError struct{ variable dotenv.Variable }

func (e *reservedError) Error() string {
	return fmt.Sprintf("%s:%d: %s would make programs load code of the file's author", e.variable.File, e.variable.Line, e.variable.Name)
}
