package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
)

func (c *cli) addHook(app *kingpin.Application, commands map[string]command) {
	hook := app.Command("hook", "Put envdrift behind git's hooks, take it away, or be one.")
	install := hook.Command("install", "Install the hooks of this clone, beside those of others.").HelpLong(`
A hook that somebody else put there keeps running; nothing is overwritten. It
also trusts the vaults that the configuration names: hooks never ask.

Statuses: 0 installed · 1 could not · 2 wrong usage
Example:  envdrift hook install`)
	commands[install.FullCommand()] = func(ctx context.Context) error {
		if err := c.changeHooks(ctx, hooks.Install); err != nil {
			return err
		}
		return c.trustAll(ctx)
	}

	uninstall := hook.Command("uninstall", "Take the hooks away; what was there before comes back.").HelpLong(`
Statuses: 0 taken away, or not there · 1 could not · 2 wrong usage
Example:  envdrift hook uninstall`)
	commands[uninstall.FullCommand()] = func(ctx context.Context) error { return c.changeHooks(ctx, hooks.Uninstall) }

	status := hook.Command("status", "Tell which hooks git will really run.").HelpLong(`
Statuses: 0 all hooks run · 1 one does not · 2 wrong usage
Example:  envdrift hook status`)
	commands[status.FullCommand()] = c.hookStatus

	run := hook.Command("run", "What the installed hooks call.").HelpLong(`
Statuses: pre-commit 0 proven, 1 to 3 as verify; the others always 0
Example:  envdrift hook run pre-commit`)
	name := run.Arg("NAME", "The hook: pre-commit, post-checkout, post-merge or post-rewrite.").Required().Enum(hooks.Names()...)
	args := run.Arg("ARG", "What git gave to the hook.").Strings()
	asked := run.Flag("asked", "Standard input holds what git answered to the hook file.").Hidden().Bool()
	commands[run.FullCommand()] = func(ctx context.Context) error { return c.runHook(ctx, *name, *args, *asked) }
}

// site opens the session and finds the hooks of its repository.
func (c *cli) site(ctx context.Context) (*session, hooks.Site, error) {
	s, err := c.open()
	if err != nil {
		return nil, hooks.Site{}, err
	}
	repo, err := s.git(ctx)
	if err != nil {
		return nil, hooks.Site{}, err
	}
	if repo == nil {
		return nil, hooks.Site{}, gitops.ErrNotRepository
	}
	self, err := os.Executable()
	if err != nil {
		return nil, hooks.Site{}, err
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	site, err := hooks.Locate(ctx, repo, self)
	return s, site, err
}

func (c *cli) changeHooks(ctx context.Context, change func(hooks.Site) ([]hooks.Hook, error)) error {
	s, site, err := c.site(ctx)
	if err != nil {
		return err
	}
	found, err := change(site)
	for _, h := range found {
		s.addHookRow(h, done(h), nil)
	}
	return err
}

// done is what a change left of a hook, in the word a person asked for.
func done(h hooks.Hook) string {
	if h.Runs() {
		return "installed"
	}
	return h.State.String()
}

func (c *cli) hookStatus(ctx context.Context) error {
	s, site, err := c.site(ctx)
	if err != nil {
		return err
	}
	found, err := hooks.Inspect(site)
	for _, h := range found {
		var problem error
		if !h.Runs() {
			problem = &hookError{h}
		}
		s.addHookRow(h, h.State.String(), problem)
	}
	return err
}

// addHookRow tells of one hook; its file is shown as git would name it.
func (s *session) addHookRow(h hooks.Hook, status string, err error) {
	r := row{Status: status, File: h.Name, err: err}
	if h.Manager != hooks.Nobody {
		r.Note = "beside " + h.Manager.String()
	}
	s.add(r)
}

// A hookError reports a hook that git will not run.
type hookError struct{ hook hooks.Hook }

func (e *hookError) Error() string {
	if e.hook.Problem != "" {
		return fmt.Sprintf("git does not run it: %s", e.hook.Problem)
	}
	return "envdrift is not behind this hook"
}

// runHook is what git runs. Nothing of it may ask a question.
func (c *cli) runHook(ctx context.Context, name string, args []string, asked bool) error {
	c.hook, c.tty = true, false
	if asked {
		c.readAnswers(name, args)
	}
	if name == "pre-commit" {
		return c.preCommit(ctx)
	}
	c.afterCheckout(ctx, name, args)
	return nil
}

// readAnswers takes what the hook file asked git for while we started. What
// cannot be read is asked again.
func (c *cli) readAnswers(name string, args []string) {
	printed, err := io.ReadAll(c.stdin)
	switch {
	case err != nil:
	case name == "pre-commit":
		c.answers = gitops.StagedAnswers(printed)
	case name == "post-checkout" && len(args) >= 2:
		c.answers = gitops.ChangedAnswers(printed, gitops.OID(args[0]), gitops.OID(args[1]))
	}
}
