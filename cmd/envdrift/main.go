// Envdrift proves that every encrypted env file of a repository decrypts with
// the key in the team's vault, repairs those that do not, and runs programs with the
// decrypted values.
//
// A command parses its flags, makes one call and puts what comes back into a
// report. It is in a file of its own, cmd_*.go. What the commands share: cli.go and
// flags_*.go, the flags; ui.go, the workspace and the user at the terminal; report*.go,
// hints*.go, advice.go and commandlines.go, the words; exitstatus.go, the statuses.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/cmdline"
	"github.com/envdrift/envdrift/internal/interrupt"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/helper"
)

// A system is the environment in which the program runs.
type system struct {
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	tty    bool // there is a user to ask: stdin and stderr are a terminal
	env    map[string]string

	stdoutTTY, stderrTTY bool

	store *keystore.Keys // the operating system's; nil before it is opened

	// release gives signals their usual effect again, and returns an error if
	// one came before.
	release func() error
}

func main() { os.Exit(start(hostSystem(), os.Args[1:])) }

// start runs the program until its end, or until a signal asks for it.
func start(sys *system, args []string) int {
	kingpin.EnableFileExpansion = false // @scope/package is an argument, not a file of arguments
	ctx, release := interrupt.Context(context.Background())
	sys.release = release
	defer helper.Reap()
	return run(ctx, sys, args)
}

// run runs the program. It returns the exit status.
func run(ctx context.Context, sys *system, args []string) int {
	c := &cli{system: sys, args: args}
	word := soleCommand(args)
	if word == "exec" {
		sys.openStoreAhead(ctx)
	}
	do, err := c.parse(word)
	if err != nil && word != "" { // once more, with all commands for the error to name
		c = &cli{system: sys, args: args}
		do, err = c.parse("")
	}
	if err != nil {
		return c.fail(err)
	}
	if err := c.enter(); err != nil {
		return c.fail(c.misuse("%w", err))
	}
	err = c.await(ctx, do)
	if cause := (*interrupt.Error)(nil); errors.As(context.Cause(ctx), &cause) && c.wasCut(err) {
		c.say("interrupted; each file has its old content or its new content, nothing in between")
		return cause.Status()
	}
	return c.finish(err)
}

// parse returns the command that the arguments ask for, by the part of the command
// line that begins with word.
func (c *cli) parse(word string) (command, error) {
	app, commands := c.application(word)
	args, err := cmdline.Normalize(app.Model(), c.args)
	if err != nil {
		return nil, &usageError{err: err, command: c.command(c.args)}
	}
	if c.name, err = app.Parse(args); err != nil {
		return nil, &usageError{err: cmdline.Redact(err, args), command: c.command(args), instead: c.instead(args), suggestion: c.suggestion(args)}
	}
	return commands[c.name], nil
}

// await runs a command to its end, or until shortly after an interrupt: what
// computes does not look at ctx, and no write is cut.
func (c *cli) await(ctx context.Context, do command) error {
	const grace = 50 * time.Millisecond // for a command that looks at ctx
	done, cut := make(chan error, 1), make(chan struct{})
	go func() { done <- do(ctx) }()
	context.AfterFunc(ctx, func() {
		time.Sleep(grace)
		c.busy.Lock()
		time.Sleep(grace) // to report what it wrote
		close(cut)
	})
	select {
	case err := <-done:
		return err
	case <-cut:
		return context.Cause(ctx)
	}
}

// wasCut reports whether the interrupt kept the command from completing, or
// from one of its files.
func (c *cli) wasCut(err error) bool {
	return errors.Is(err, context.Canceled) ||
		slices.ContainsFunc(c.report.Rows, func(r report.Row) bool { return errors.Is(r.Err, context.Canceled) })
}

// A usageError is a command line that does not parse.
type usageError struct {
	err        error
	command    string // whose help says more
	instead    string // what replaces a word of the earlier envdrift
	suggestion string // what may have been meant
}

func (e *usageError) Error() string { return e.err.Error() }

// misuse returns a [usageError] of the command that runs.
func (c *cli) misuse(format string, args ...any) error {
	return &usageError{err: fmt.Errorf(format, args...), command: c.name}
}

// exclusive returns an error if more than one of the flags is set.
func (c *cli) exclusive(flags map[string]bool) error {
	maps.DeleteFunc(flags, func(_ string, given bool) bool { return !given })
	if len(flags) < 2 {
		return nil
	}
	return c.misuse("%s exclude each other", strings.Join(slices.Sorted(maps.Keys(flags)), " and "))
}

// command returns the command that the arguments of a faulty line name, for the
// hint.
func (c *cli) command(args []string) string {
	for _, a := range args {
		if c.app.GetCommand(a) != nil {
			return a
		}
	}
	return ""
}
