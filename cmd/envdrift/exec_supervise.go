package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/runner"
	"github.com/envdrift/envdrift/runner/terminal"
)

// supervise runs the program as a child, with its output masked or restarted as
// f says, and returns its status.
func (c *cli) supervise(ctx context.Context, f execFlags, env environ.Environ) (int, error) {
	messages := c.printer()
	prepare := preparer(func(env environ.Environ) (runner.Command, error) { return f.command(env), nil })
	if f.mask {
		output, err := terminal.Open(c.stdin, c.stdout, c.stderr)
		if err != nil {
			return statusExec, err
		}
		defer func() {
			output.Close()
			if f.byAgent && output.Masked() {
				c.say("envdrift: a coding agent runs this, so values in the output are %s; --no-mask would show them", runner.Masked)
			}
		}()
		messages.Stderr = output.Messages()
		prepare = func(env environ.Environ) (runner.Command, error) {
			command := f.command(env)
			return command, output.Attach(&command, env.Secrets())
		}
	}
	command, err := prepare(env)
	if err != nil {
		return statusExec, err
	}
	// From here on a signal is for the program, which may take longer than its
	// grace to handle it, or may ignore it.
	if err := c.release(); err != nil {
		return statusExec, err
	}
	if f.watch {
		watch := environ.Watch{Options: f.Options, Running: env, Interval: f.interval}
		return c.restart(ctx, watch, command, prepare, messages)
	}
	return runner.Run(ctx, command)
}

// A preparer makes the command that runs the program in an environment.
type preparer func(environ.Environ) (runner.Command, error)

// restart runs the program, and replaces it when watch finds another environment.
func (c *cli) restart(ctx context.Context, watch environ.Watch, command runner.Command, prepare preparer, messages *report.Printer) (int, error) {
	watching, stop := context.WithCancel(ctx)
	replacements := make(chan runner.Command)
	watch.Failed = func(err error) {
		messages.PrintFault(c.fault(fmt.Errorf("the program keeps running with the values that it has: %w", err)))
	}
	watch.Renew = func(next environ.Environ, names []string) error {
		if len(names) == 0 {
			messages.Detail("no value changed")
			return nil
		}
		messages.Say("%s changed: restarting the program", drift.List(names))
		command, err := prepare(next)
		if err == nil {
			select {
			case replacements <- command:
			case <-watching.Done():
			}
		}
		return err
	}
	var wg sync.WaitGroup
	wg.Go(func() { watch.Run(watching, c.work.Silent()) }) // silent: the terminal is the program's
	defer func() { stop(); wg.Wait() }()
	return runner.Supervise(ctx, command, replacements, runner.Backoff{Min: time.Second, Max: time.Minute})
}
