package main

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/report"
)

func (c *cli) addHook(app *kingpin.Application, commands map[string]command) {
	hook := app.Command("hook", "Install, remove or run envdrift's git hooks.")
	c.addHookInstall(hook, commands)
	c.addHookUninstall(hook, commands)
	c.addHookStatus(hook, commands)
	c.addHookRun(hook, commands)
}

func (c *cli) addHookInstall(hook *kingpin.CmdClause, commands map[string]command) {
	install := hook.Command("install", "Install envdrift's hooks in this clone; other hooks keep running.").HelpLong(`
Git 2.54 and later run hooks from the clone's configuration: no file is changed. For
an older git, and with --files, hook files are written: those that are there keep
running, nothing is overwritten, and one that git tracks gets a few lines, which let
commits pass where envdrift is not installed. A hook that runs envdrift already is
left alone. The vaults that the configuration names become trusted, because hooks
never ask. In a clone git also gets drivers that merge encrypted files by variables
and show tags in diffs.

Some programs run hook files alone: JGit (Eclipse), GitPython, Dulwich, and those
that bring an older git. If one of them commits here, use --files.

Statuses: 0 git runs all hooks · 1 it does not run one · 2 wrong usage
Example:  envdrift hook install`)
	files, everywhere := false, false
	install.Flag("files", "Write hook files, also later on, until hook uninstall.").BoolVar(&files)
	install.Flag("shared", "Name the files of the drivers in .gitattributes, to commit, not in this clone alone.").BoolVar(&c.shared)
	install.Flag("global", "Install in your global git configuration, for all your clones (git 2.54 and later); without the drivers.").BoolVar(&everywhere)
	commands[install.FullCommand()] = func(ctx context.Context) error {
		if files && everywhere {
			return c.misuse("--files is for one clone, --global for all of them")
		}
		return c.installHooks(ctx, everywhere, files)
	}
}

func (c *cli) addHookUninstall(hook *kingpin.CmdClause, commands map[string]command) {
	everywhere := false
	uninstall := hook.Command("uninstall", "Remove envdrift's hooks; those that were there before come back.").HelpLong(`
Statuses: 0 removed, or not installed · 1 could not · 2 wrong usage
Example:  envdrift hook uninstall`)
	uninstall.Flag("global", "Remove those in your global git configuration.").BoolVar(&everywhere)
	commands[uninstall.FullCommand()] = func(ctx context.Context) error {
		_, err := c.withHooks(ctx, everywhere, hooks.Uninstall, "", false)
		if !everywhere {
			err = errors.Join(err, c.uninstallDrivers(ctx))
		}
		return err
	}
}

func (c *cli) addHookStatus(hook *kingpin.CmdClause, commands map[string]command) {
	everywhere := false
	status := hook.Command("status", "Report which hooks git really runs.").HelpLong(`
Statuses: 0 all hooks run · 1 one does not · 2 wrong usage
Example:  envdrift hook status`)
	status.Flag("global", "Report on those in your global git configuration.").BoolVar(&everywhere)
	commands[status.FullCommand()] = func(ctx context.Context) error {
		c.report.OnStdout = true
		inspect := func(_ context.Context, l hooks.Location) ([]hooks.Hook, error) { return hooks.Inspect(l) }
		_, err := c.withHooks(ctx, everywhere, inspect, "", true)
		if everywhere {
			c.driversElsewhere()
			return err
		}
		return errors.Join(err, c.showDrivers(ctx))
	}
}

func (c *cli) addHookRun(hook *kingpin.CmdClause, commands map[string]command) {
	run := hook.Command("run", "Run a hook; the installed hooks call this.").HelpLong(`
Statuses: pre-commit and pre-merge-commit 0 proven, 1 to 3 as verify; the others
always 0
Example:  envdrift hook run pre-commit`)
	name := run.Arg("NAME", "The hook: "+strings.Join(hooks.AllNames(), ", ")+".").Required().Enum(hooks.AllNames()...)
	args := run.Arg("ARG", "The arguments that git passed to the hook.").Strings()
	asked := run.Flag("asked", "Standard input holds what git answered to the hook file.").Hidden().Bool()
	everywhere := run.Flag("everywhere", "The user's global git configuration calls this.").Hidden().Bool()
	commands[run.FullCommand()] = func(ctx context.Context) error {
		c.hook = "hook " + *name
		return c.runHook(ctx, *name, *args, *asked, *everywhere)
	}
}

// hookLocation locates the hooks of the repository, or those everywhere.
func (c *cli) hookLocation(ctx context.Context, everywhere bool) (hooks.Location, error) {
	if err := c.open(); err != nil {
		return hooks.Location{}, err
	}
	if everywhere {
		self, err := hooks.Program("")
		if err != nil {
			return hooks.Location{}, err
		}
		config, err := c.work.GitConfig()
		if err != nil {
			return hooks.Location{}, err
		}
		return hooks.Everywhere(ctx, config, self)
	}
	repo, err := c.work.Git(ctx)
	if err != nil {
		return hooks.Location{}, err
	}
	if repo == nil {
		return hooks.Location{}, gitops.ErrNotRepository
	}
	return locateHooks(ctx, repo)
}

// inspectHooks finds the hooks of repo.
func inspectHooks(ctx context.Context, repo *gitops.Repo) (hooks.Location, []hooks.Hook, error) {
	location, err := locateHooks(ctx, repo)
	if err != nil {
		return location, nil, err
	}
	found, err := hooks.Inspect(location)
	return location, found, err
}

// locateHooks locates the hooks of repo, which call this program.
func locateHooks(ctx context.Context, repo *gitops.Repo) (hooks.Location, error) {
	self, err := hooks.Program(repo.Top)
	if err != nil {
		return hooks.Location{}, err
	}
	return hooks.Locate(ctx, repo, self)
}

func (c *cli) installHooks(ctx context.Context, everywhere, files bool) error {
	install := func(ctx context.Context, l hooks.Location) ([]hooks.Hook, error) {
		l.Files = l.Files || files
		return hooks.Install(ctx, l)
	}
	found, err := c.withHooks(ctx, everywhere, install, "installed", true)
	if slices.ContainsFunc(found, func(h hooks.Hook) bool { return h.Scope != "" }) {
		c.report.Summary = "envdrift: JGit, GitPython and a git before 2.54 do not run these; if you commit with one: " + c.commandLine("hook install --files")
	}
	if everywhere {
		if err == nil {
			c.driversElsewhere()
		}
		return err
	}
	if err = errors.Join(err, c.installDrivers(ctx)); err != nil {
		return err
	}
	return c.work.TrustAll(ctx)
}

// withHooks does something with the hooks and adds a row for each: with the status
// done if git runs it. If wanted, one that git does not run is a failure.
func (c *cli) withHooks(ctx context.Context, everywhere bool, do func(context.Context, hooks.Location) ([]hooks.Hook, error), done report.Status, wanted bool) ([]hooks.Hook, error) {
	location, err := c.hookLocation(ctx, everywhere)
	if err != nil {
		return nil, err
	}
	found, err := do(ctx, location)
	for _, h := range found {
		c.addHookRow("", h, done, wanted)
	}
	return found, err
}

// addHookRow adds a row for one hook, of which kind the user may not know. What
// helps several is said once.
func (c *cli) addHookRow(kind string, h hooks.Hook, done report.Status, wanted bool) {
	r := report.Row{Status: report.Status(h.State.String()), What: kind + h.Name, Note: c.hookNote(h, wanted && done == "")}
	var hints []string
	if h.Runs() && done != "" && h.State != hooks.Outdated { // which it is if it could not be replaced
		r.Status = done
	} else if !h.Runs() && wanted {
		r.Err = &hookError{h}
		hints = []string{c.hookRemedy(h)}
	}
	for _, warning := range h.Warnings {
		hints = append(hints, string(warning))
	}
	for _, hint := range hints {
		if !slices.ContainsFunc(c.report.Rows, func(other report.Row) bool { return slices.Contains(other.Hints, hint) }) {
			r.Hints = append(r.Hints, hint)
		}
	}
	c.add(r)
}

// offerHooks asks whether git should check every commit, or says how it would. Where
// it does already, the drivers follow: they had no file to name before.
func (c *cli) offerHooks(ctx context.Context) error {
	repo, err := c.work.Git(ctx)
	if err != nil || repo == nil {
		return err
	}
	_, found, err := inspectHooks(ctx, repo)
	if err == nil && !slices.ContainsFunc(found, func(h hooks.Hook) bool { return !h.Runs() }) {
		return c.installDrivers(ctx)
	}
	if !c.canAsk() {
		c.say("To let git check every commit: %s", c.commandLine("hook install"))
		return nil
	}
	if !c.ask(ctx, "Let git check every commit (envdrift hook install)?") {
		return ctx.Err()
	}
	err = c.installHooks(ctx, false, false)
	if c.report.Summary != "" {
		c.say("%s", c.report.Summary)
	}
	return err
}
