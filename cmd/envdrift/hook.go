package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

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
	commands[install.FullCommand()] = c.installHooks

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
	site, err := locateHooks(ctx, repo)
	return s, site, err
}

// locateHooks finds the hooks of repo, as they call this very program.
func locateHooks(ctx context.Context, repo *gitops.Repo) (hooks.Site, error) {
	self, err := os.Executable()
	if err != nil {
		return hooks.Site{}, err
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	return hooks.Locate(ctx, repo, self)
}

func (c *cli) installHooks(ctx context.Context) error {
	if err := c.changeHooks(ctx, hooks.Install); err != nil {
		return err
	}
	return c.trustAll(ctx)
}

func (c *cli) changeHooks(ctx context.Context, change func(hooks.Site) ([]hooks.Hook, error)) error {
	s, site, err := c.site(ctx)
	if err != nil {
		return err
	}
	found, err := change(site)
	for _, h := range found {
		s.add(hookRow(h, done(h)))
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
	told := ""
	for _, h := range found {
		r := hookRow(h, h.State.String())
		if !h.Runs() {
			r.err = &hookError{h}
			if remedy := s.hookRemedy(h); remedy != told {
				r.Hints, told = []string{remedy}, remedy // once for all hooks
			}
		}
		s.add(r)
	}
	return err
}

// hookRow tells of one hook.
func hookRow(h hooks.Hook, status string) row {
	var notes []string
	if h.Manager != hooks.Nobody {
		notes = append(notes, "beside "+h.Manager.String())
	}
	if h.Configured {
		notes = append(notes, "git 2.54 and later run it by their configuration, too")
	}
	return row{Status: status, What: h.Name, Note: strings.Join(notes, "; ")}
}

// A hookError reports a hook that git will not run.
type hookError struct{ hook hooks.Hook }

func (e *hookError) Error() string {
	switch {
	case e.hook.Problem != "":
		return fmt.Sprintf("git does not run it: %s", e.hook.Problem)
	case e.hook.State == hooks.Foreign:
		return "this hook runs without envdrift"
	}
	return "not installed"
}

// hookRemedy is what to type so that git runs a hook.
func (c *cli) hookRemedy(h hooks.Hook) string {
	switch h.Problem {
	case hooks.NoStub:
		return "set the hook manager up in this working tree, as with npm install or lefthook install"
	case hooks.HooksOff:
		return hooksOffRemedy
	}
	return c.self("hook install")
}

const hooksOffRemedy = "git config --show-origin core.hooksPath   tells where that is set; unset it there, then envdrift hook install"

// hookAdvice tells how a hook that install left alone comes to call us.
func (c *cli) hookAdvice(err error) []string {
	if e := (*hooks.ForeignError)(nil); errors.As(err, &e) {
		switch e.Manager {
		case hooks.Earlier:
			return []string{"take the lines of the earlier envdrift out of it, or move it away, then " + c.self("hook install")}
		case hooks.Lefthook:
			return []string{fmt.Sprintf("add a job for %s there that runs: envdrift hook run %[1]s {0}", e.Name)}
		}
		return []string{fmt.Sprintf("add to that hook: envdrift hook run %s, with the arguments that it is given", e.Name)}
	}
	if e := (*hooks.SharedError)(nil); errors.As(err, &e) {
		return []string{
			"to check the commits of them all, add to the hooks there, each with its name: envdrift hook run pre-commit, with the arguments that it is given",
			`or give this clone hooks of its own: git config core.hooksPath "$(git rev-parse --path-format=absolute --git-common-dir)/hooks" && ` + c.self("hook install"),
		}
	}
	if errors.Is(err, hooks.ErrHooksOff) {
		return []string{hooksOffRemedy}
	}
	return nil
}

// offerHooks asks whether git is to check every commit, or says how it would.
func (c *cli) offerHooks(ctx context.Context) error {
	if !c.tty || c.json || c.ci {
		c.sum = "envdrift: next: " + c.self("encrypt FILE") + "; " + c.self("hook install") + " lets git check every commit"
		return nil
	}
	if !c.ask(ctx, "Let git check every commit (envdrift hook install)?") {
		return ctx.Err()
	}
	return c.installHooks(ctx)
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
