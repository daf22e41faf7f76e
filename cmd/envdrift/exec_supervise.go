package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/environ"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/runner"
	"github.com/envdrift/envdrift/runner/terminal"
)

// supervise runs the program as a child, with its output masked or restarted as
// f says, and returns its status.
func (c *cli) supervise(ctx context.Context, f execFlags, env environ.Environ) (int, error) {
	messages := c.printer()
	prepare := func(env environ.Environ) (runner.Command, error) { return f.command(env), nil }
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
	if !f.watch {
		return runner.Run(ctx, command)
	}
	watching, stop := context.WithCancel(ctx)
	replacements := make(chan runner.Command)
	w := &watcher{work: c.work.Silent(), flags: f, running: env, messages: messages, fault: c.fault}
	w.replace = func(env environ.Environ) error {
		next, err := prepare(env)
		if err != nil {
			return err
		}
		select {
		case replacements <- next:
		case <-watching.Done():
		}
		return nil
	}
	var wg sync.WaitGroup
	wg.Go(func() { w.watch(watching) })
	defer func() { stop(); wg.Wait() }()
	return runner.Supervise(ctx, command, replacements, runner.Backoff{Min: time.Second, Max: time.Minute})
}

// A watcher replaces a program if the environment from the files or the vault
// changes.
type watcher struct {
	work     *workspace.Workspace // silent: the terminal is the program's
	flags    execFlags
	running  environ.Environ // of the program
	replace  func(environ.Environ) error
	messages *report.Printer
	fault    func(error) report.Fault
}

// watch looks for another environment until ctx ends. While there is none,
// because a value does not decrypt or the vault is unreachable, it leaves the
// program running.
func (w *watcher) watch(ctx context.Context) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen, read [sha256.Size]byte
	var asked time.Time
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := environ.Fingerprint(ctx, w.work, w.flags.Options); now != seen {
			seen = now // and wait for one second without a change
			continue
		}
		if seen == read && time.Since(asked) < w.flags.interval {
			continue
		}
		read, asked = seen, time.Now()
		env, err := environ.Build(ctx, w.work, w.flags.Options)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = w.renew(env)
		}
		text := fmt.Sprint(err)
		if err != nil && text != told {
			w.messages.PrintFault(w.fault(fmt.Errorf("the program keeps running with the values that it has: %w", err)))
		}
		told = text
	}
}

// renew replaces the program if env differs from its environment.
func (w *watcher) renew(env environ.Environ) error {
	names := w.running.Changed(env)
	if len(names) == 0 {
		w.messages.Detail("no value changed")
		return nil
	}
	w.messages.Say("%s changed: restarting the program", drift.List(names))
	if err := w.replace(env); err != nil {
		return err
	}
	w.running = env
	return nil
}
