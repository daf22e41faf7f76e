package main

import (
	"context"
	"errors"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/runner"
)

type execFlags struct {
	environFlags
	mask     bool
	masking  bool // the user said whether to mask
	byAgent  bool // a coding agent is why the output is masked
	watch    bool
	interval time.Duration
	argv     []string
}

func (c *cli) addExec(app *kingpin.Application) (string, command) {
	var f execFlags
	cmd := app.Command("exec", "Run a program with the decrypted values in its environment.").HelpLong(`
Nothing is written. The program replaces envdrift; with --mask or --watch, and on
Windows, envdrift stays as its parent. If a coding agent runs it, --mask is the
default, and --no-mask turns it off. The values come from the -f files, else
from the mappings of the service that this directory is in, else from .env. The
environment wins over the files, unless --override. The program sees neither
private keys nor vault tokens.

Statuses: the program's own · 125 envdrift failed before it started · 126 it
could not be invoked · 127 it was not found
Example:  envdrift exec -f .env.production -- npm start`)
	f.environFlags.add(cmd)
	cmd.Flag("mask", "Replace the files' values in what the program prints.").IsSetByUser(&f.masking).BoolVar(&f.mask)
	cmd.Flag("watch", "Restart the program when the values change: a file was edited, or the vault has another key.").BoolVar(&f.watch)
	cmd.Flag("interval", "With --watch: how often the vault is asked.").Default("60s").DurationVar(&f.interval)
	cmd.Arg("CMD", "The program and its arguments, after --.").Required().StringsVar(&f.argv)
	return cmd.FullCommand(), func(ctx context.Context) error {
		if err := f.check(); err != nil {
			return c.misuse("%w", err)
		}
		return c.exec(ctx, f)
	}
}

func (f *execFlags) check() error {
	if f.interval < time.Second {
		return errors.New("--interval is at least 1s")
	}
	return f.environFlags.check()
}

// exec returns an *exitError. On Unix it usually does not return.
func (c *cli) exec(ctx context.Context, f execFlags) error {
	show := coredump.Hide()
	if err := c.open(); err != nil {
		return &exitError{err, statusExec}
	}
	if !f.masking {
		found, err := c.agent()
		if err != nil {
			return &exitError{err, statusExec}
		}
		f.byAgent = found.Name != ""
		f.mask = f.byAgent
	}
	env, err := environ.Build(ctx, c.work, f.Options)
	if err != nil {
		return &exitError{err, statusExec}
	}
	show()
	status := statusExec
	if f.mask || f.watch || runtime.GOOS == "windows" {
		status, err = c.supervise(ctx, f, env)
	} else if err = errors.Join(c.work.Close(), c.release()); err == nil { // a signal that came is not swallowed
		err = runner.Exec(f.command(env))
	}
	if start := (*runner.StartError)(nil); errors.As(err, &start) {
		status = start.Status
	}
	if err != nil {
		return &exitError{err, status}
	}
	return &exitError{errReported, status} // standard output was the program's
}

func (f execFlags) command(env environ.Environ) runner.Command {
	return runner.Command{Args: f.argv, Env: env.All}
}

// openStoreAhead begins to connect to the operating system's store of keys, unless there
// are keys that are nearer.
func (s *system) openStoreAhead(ctx context.Context) {
	if _, err := os.Lstat(".env.keys"); err == nil {
		return
	}
	for name := range s.env {
		if strings.HasPrefix(name, dotenv.PrivatePrefix) {
			return
		}
	}
	s.store = keystore.Open(s.getenv)
	s.store.Ahead(ctx)
}
