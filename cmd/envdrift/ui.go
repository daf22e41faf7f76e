package main

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/runner/terminal"
	"github.com/envdrift/envdrift/vault/all"
)

// open opens the workspace of the run.
func (c *cli) open() (err error) {
	c.work, err = workspace.Open(c.workspaceOptions())
	return err
}

func (c *cli) workspaceOptions() workspace.Options {
	o := workspace.Options{
		Dir: c.dir, ConfigFile: c.configFile, Profile: c.profile, Command: cmp.Or(c.hook, c.name),
		Overrides: c.overrides, Env: c.env, OpenVault: all.Open, UI: screen{c, c.printer()}, Busy: &c.busy, Store: c.store,
	}
	switch {
	case c.ci:
		o.Consent = workspace.CI
	case c.tty && c.format.Name != report.JSON.Name:
		o.Consent = workspace.Ask
	}
	return o
}

// canAsk reports whether the user can be asked a question that is not about
// trust.
func (c *cli) canAsk() bool { return c.tty && !c.ci && !c.format.Alone }

// agent returns the coding agent that runs this command and may not read values:
// the zero Agent if there is none, or if the user allows it.
func (c *cli) agent() (agent.Agent, error) {
	found := agent.Detect(c.getenv)
	if found.Name == "" {
		return found, nil
	}
	if user, err := config.LoadUser(c.getenv); err != nil || user.AllowAgents {
		return agent.Agent{}, err
	}
	return found, nil
}

// mayShow returns an [*agent.Error] if a command would show values to a coding agent,
// unless the user said yes.
func (c *cli) mayShow(yes bool) error {
	if yes {
		return nil
	}
	found, err := c.agent()
	if err == nil && found.Name != "" {
		err = &agent.Error{Agent: found}
	}
	return err
}

// mayPrint is mayShow for what is printed and is not for a terminal either.
func (c *cli) mayPrint(yes bool) error {
	if err := c.mayShow(yes); err != nil {
		return err
	}
	if terminal.IsTerminal(c.stdout) && !yes {
		return c.misuse("this would show secrets on the terminal: redirect the output, or pass --yes")
	}
	return nil
}

// A screen is the user at the terminal. It is a [workspace.UI].
type screen struct {
	c *cli
	*report.Printer
}

func (s screen) Notice(format string, args ...any) { s.Say(format, args...) }
func (s screen) Debug(format string, args ...any) {
	if s.c.details != nil {
		*s.c.details = append(*s.c.details, fmt.Sprintf(format, args...))
		return
	}
	s.Detail(format, args...)
}
func (s screen) Confirm(ctx context.Context, question ...string) bool {
	return s.c.ask(ctx, question...)
}

// ask asks the user at the terminal a question of some lines. Anything but yes is no, also an
// interrupt, which ctx then reports.
func (c *cli) ask(ctx context.Context, question ...string) bool {
	if ctx.Err() != nil {
		return false
	}
	for i, line := range question { // what a repository says does not look like a line of ours
		question[i] = report.Clean(secret.Redact(line))
	}
	fmt.Fprintf(c.stderr, "%s [y/N] ", strings.Join(question, "\n"))
	answered := make(chan string, 1)
	go func() {
		answer, err := bufio.NewReader(c.stdin).ReadString('\n')
		if err != nil {
			answer = ""
		}
		answered <- strings.ToLower(strings.TrimSpace(answer))
	}()
	select {
	case answer := <-answered:
		return answer == "y" || answer == "yes"
	case <-ctx.Done():
		fmt.Fprintln(c.stderr)
		return false
	}
}
