package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/postcheckout"
	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

func (c *cli) addHook(app *kingpin.Application, commands map[string]command) {
	hook := app.Command("hook", "Install, remove or run envdrift's git hooks.")
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
	global := func(cmd *kingpin.CmdClause, help string) { cmd.Flag("global", help).BoolVar(&everywhere) }
	global(install, "Install in your global git configuration, for all your clones (git 2.54 and later); without the drivers.")
	commands[install.FullCommand()] = func(ctx context.Context) error {
		if files && everywhere {
			return c.misuse("--files is for one clone, --global for all of them")
		}
		return c.installHooks(ctx, everywhere, files)
	}

	uninstall := hook.Command("uninstall", "Remove envdrift's hooks; those that were there before come back.").HelpLong(`
Statuses: 0 removed, or not installed · 1 could not · 2 wrong usage
Example:  envdrift hook uninstall`)
	global(uninstall, "Remove those in your global git configuration.")
	commands[uninstall.FullCommand()] = func(ctx context.Context) error {
		_, err := c.withHooks(ctx, everywhere, hooks.Uninstall, "", false)
		if !everywhere {
			err = errors.Join(err, c.uninstallDrivers(ctx))
		}
		return err
	}

	status := hook.Command("status", "Report which hooks git really runs.").HelpLong(`
Statuses: 0 all hooks run · 1 one does not · 2 wrong usage
Example:  envdrift hook status`)
	global(status, "Report on those in your global git configuration.")
	commands[status.FullCommand()] = func(ctx context.Context) error {
		c.report.OnStdout = true
		_, err := c.withHooks(ctx, everywhere, inspectHooks, "", true)
		if everywhere {
			c.driversElsewhere()
			return err
		}
		return errors.Join(err, c.showDrivers(ctx))
	}

	run := hook.Command("run", "Run a hook; the installed hooks call this.").HelpLong(`
Statuses: pre-commit and pre-merge-commit 0 proven, 1 to 3 as verify; the others
always 0
Example:  envdrift hook run pre-commit`)
	name := run.Arg("NAME", "The hook: "+strings.Join(hooks.AllNames(), ", ")+".").Required().Enum(hooks.AllNames()...)
	args := run.Arg("ARG", "The arguments that git passed to the hook.").Strings()
	asked := run.Flag("asked", "Standard input holds what git answered to the hook file.").Hidden().Bool()
	run.Flag("everywhere", "The user's global git configuration calls this.").Hidden().BoolVar(&everywhere)
	commands[run.FullCommand()] = func(ctx context.Context) error {
		c.hook = "hook " + *name
		return c.runHook(ctx, *name, *args, *asked, everywhere)
	}
}

func inspectHooks(_ context.Context, l hooks.Location) ([]hooks.Hook, error) { return hooks.Inspect(l) }

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
	if h.Runs() && done != "" {
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

// hookNote says how git runs a hook and, if wanted, all that git runs with it.
func (c *cli) hookNote(h hooks.Hook, all bool) string {
	var notes []string
	if h.Manager != hooks.NoManager {
		notes = append(notes, "with "+h.Manager.String())
	}
	switch {
	case h.Own != "":
		notes = append(notes, "by "+c.underCwd(h.Own))
	case h.Scope == "global":
		notes = append(notes, "by your global git configuration")
	case h.Scope != "":
		notes = append(notes, "by git's configuration")
	}
	if all && len(h.Order) > 0 {
		var order []string
		for _, one := range h.Order {
			order = append(order, c.underCwd(one))
		}
		notes = append(notes, "git runs "+strings.Join(order, ", then "))
	}
	if h.Twice {
		notes = append(notes, "TWICE: "+c.commandLine("hook uninstall")+" removes what hook install wrote")
	}
	if h.Tracked && h.Runs() {
		notes = append(notes, "in "+c.underCwd(h.File)+", which lets commits pass where envdrift is not installed: git tracks it")
	}
	if h.Ignored {
		notes = append(notes, "git's configuration has it, which git ignores before 2.54")
	}
	return strings.Join(notes, "; ")
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

// hookRemedy returns what to type so that git runs a hook.
func (c *cli) hookRemedy(h hooks.Hook) string {
	switch {
	case h.Problem == hooks.TurnedOff:
		return "git config --show-origin --get-regexp '^hook\\..*\\.enabled$'   shows where that is set; unset it there"
	case h.File == "", h.Scope == "global" && h.State == hooks.Outdated:
		return c.commandLine("hook install --global")
	case h.Eased:
	case h.Problem == hooks.NoStub:
		return "set up the hook manager in this working tree, for example with npm install or lefthook install"
	case h.Problem == hooks.NoLefthook:
		return "install lefthook, for example with npm install"
	case h.Problem == hooks.NoExecMount:
		return "mount it without noexec, or update git to 2.54 or later, which needs no hook file; then envdrift hook install"
	case h.Problem == hooks.CarriageReturn && (h.Own != "" || h.Tracked):
		return "give " + quote(c.underCwd(h.File)) + " line ends of LF; *.sh text eol=lf in .gitattributes keeps them"
	case h.Problem == hooks.NotExecutable && (h.Own != "" || h.Tracked):
		return "chmod +x " + quote(c.underCwd(h.File))
	case h.Problem == hooks.HooksOff:
		return hooksOffRemedy
	}
	return c.commandLine("hook install")
}

const hooksOffRemedy = "git config --show-origin core.hooksPath   shows where that is set; unset it there, then envdrift hook install"

// hookAdvice is on hooks that install left unchanged, and how they can call envdrift.
var hookAdvice = []adviser{
	about(func(c *cli, e *hooks.ForeignError) []string {
		switch e.Manager {
		case hooks.LegacyEnvdrift:
			return []string{"remove the lines of the earlier envdrift from it, or move it away, then " + c.commandLine("hook install")}
		case hooks.Lefthook:
			return []string{fmt.Sprintf("add a job for %s there that runs: envdrift hook run %[1]s {0}", e.Name)}
		}
		return []string{fmt.Sprintf("add to that hook: envdrift hook run %s, with the arguments that it is given", e.Name)}
	}),
	about(func(c *cli, _ *hooks.SharedError) []string {
		return []string{
			"to check the commits of all of them, add this to each hook there, with the hook's own name: envdrift hook run pre-commit, with the arguments that it is given",
			`or use separate hooks for this clone: git config core.hooksPath "$(git rev-parse --path-format=absolute --git-common-dir)/hooks" && ` + c.commandLine("hook install"),
		}
	}),
	about(func(c *cli, e *hooks.SimpleGitHooksError) []string {
		var lines []string
		for _, name := range e.Names {
			lines = append(lines, fmt.Sprintf(`"%s": "envdrift hook run %[1]s \"$@\""`, name))
		}
		return []string{
			`add to "simple-git-hooks" in ` + quote(c.underCwd(e.File)) + ", with && before what is there: " + strings.Join(lines, ", "),
			"then: npx simple-git-hooks",
		}
	}),
	always[*hooks.OldGitError](hint("%s, in each clone; or update git", "hook install")),
	is(hooks.ErrHooksOff, hint(hooksOffRemedy)),
}

// offerHooks asks whether git should check every commit, or says how it would. Where
// it does already, the drivers follow: they had no file to name before.
func (c *cli) offerHooks(ctx context.Context) error {
	repo, err := c.work.Git(ctx)
	if err != nil || repo == nil {
		return err
	}
	if location, err := locateHooks(ctx, repo); err == nil {
		found, err := hooks.Inspect(location)
		if err == nil && !slices.ContainsFunc(found, func(h hooks.Hook) bool { return !h.Runs() }) {
			return c.installDrivers(ctx)
		}
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

// runHook runs a hook for git. It never asks a question.
func (c *cli) runHook(ctx context.Context, name string, args []string, asked, everywhere bool) error {
	event, err := hooks.EventNamed(name)
	if err != nil {
		return c.misuse("%w", err)
	}
	o := c.workspaceOptions()
	if o.Consent != workspace.CI {
		o.Consent = workspace.Never
	}
	if asked {
		o.Git = event.Prefetched(c.stdin, args)
	}
	switch {
	case everywhere && c.runsBesides(ctx, o, name):
		return nil
	case event.Updates != nil:
		return c.checkPush(ctx, o, event, args, everywhere)
	case event.Stops:
		return c.preCommit(ctx, o, event)
	}
	c.follow(ctx, o, event, args)
	return nil
}

// runsBesides reports whether this clone lets git run envdrift by itself: the hook
// in the user's global configuration leaves it to that. In doubt it runs.
func (c *cli) runsBesides(ctx context.Context, o workspace.Options, name string) bool {
	o.Git = maps.Clone(o.Git) // a Repo takes its answers out
	work, err := workspace.Open(o)
	if err != nil {
		return false
	}
	repo, err := work.Git(ctx)
	if err != nil || repo == nil {
		return false
	}
	runs, err := hooks.RunsBesides(ctx, repo, name)
	return runs && err == nil
}

// preCommit checks what is staged, which git is about to commit.
func (c *cli) preCommit(ctx context.Context, o workspace.Options, event hooks.Event) (err error) {
	// git runs a hook at the top, but the user is in another directory.
	o.Cwd = filepath.Join(c.dir, filepath.FromSlash(c.env["GIT_PREFIX"]))
	if c.work, err = workspace.Open(o); err != nil {
		return err
	}
	if precommit.AfterTheFact(c.getenv) {
		return nil
	}
	if from, to := c.env["PRE_COMMIT_FROM_REF"], c.env["PRE_COMMIT_TO_REF"]; c.env["PRE_COMMIT"] == "1" && from != "" && to != "" {
		return c.verifyUnderFramework(ctx, verify.Scope{Rev: from + ".." + to})
	}
	check, err := precommit.Run(ctx, c.work, precommit.Options{})
	if check != nil && len(check.Files) == 0 && err == nil && check.Framework() && check.NothingStaged(ctx) {
		return c.verifyUnderFramework(ctx, verify.Scope{Staged: true}) // pre-commit run --all-files
	}
	if check == nil {
		return err
	}
	defer func() { _ = check.Close() }()
	values := check.Values(ctx)
	c.reportStaged(ctx, check, event, stopsFor(values))
	c.reportValues(values)
	return err
}

// checkPush checks the commits that a push is about to bring.
func (c *cli) checkPush(ctx context.Context, o workspace.Options, event hooks.Event, args []string, everywhere bool) error {
	refs, err := event.Updates(args, c.stdin)
	if err != nil {
		return err
	}
	push := verify.Push{Refs: refs, Received: event.Receives, Anywhere: everywhere}
	if o.Bare = event.Receives; o.Bare {
		o.Consent = workspace.CI
	} else if len(args) == 2 && args[0] != args[1] {
		push.Remote = args[0]
	}
	open := func() (*gitops.Repo, error) {
		if o.Bare {
			o.Dir = c.absolute(c.env["GIT_DIR"])
		}
		if c.work, err = workspace.Open(o); err != nil {
			return nil, err
		}
		return c.work.Git(ctx)
	}
	repo, err := open()
	// A push from a bare repository, from within .git or with --work-tree from elsewhere.
	if repo == nil && (err == nil || errors.Is(err, gitops.ErrNoWorkingTree) || errors.Is(err, gitops.ErrNotRepository) || errors.As(err, new(*workspace.OutsideError))) {
		o.Bare = true
		_, err = open()
	}
	if err != nil {
		return err
	}
	files, err := verify.Pushed(ctx, c.work, push)
	c.reportPush(ctx, files, event)
	return err
}

// absolute returns a path that is relative to the directory in which envdrift runs.
func (c *cli) absolute(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.dir, path)
}

// verifyUnderFramework proves what the pre-commit framework was asked to look at
// where that is not what is staged.
func (c *cli) verifyUnderFramework(ctx context.Context, s verify.Scope) error {
	if len(c.work.Config.Mappings) == 0 && s.Staged {
		return nil // envdrift is not set up here
	}
	results, err := verify.Run(ctx, c.work, s)
	c.addResults(ctx, results, s.Staged)
	return err
}

// follow does the work that is due after git changed the working tree. It never
// fails: git has switched already, and a status other than 0 would stop a
// bisect. It prints one line.
func (c *cli) follow(ctx context.Context, o workspace.Options, event hooks.Event, args []string) {
	if !postcheckout.HasWork(event, args, c.getenv) {
		return
	}
	o.UI = nil
	update, err := c.update(ctx, o, event, args)
	line := ""
	if err != nil {
		line = event.Name + ": " + strings.ReplaceAll(err.Error(), "\n", "; ")
	} else {
		line = c.updateLine(update)
	}
	if line != "" {
		fmt.Fprintln(c.stderr, report.Clean("envdrift: "+line))
	}
}

func (c *cli) update(ctx context.Context, o workspace.Options, event hooks.Event, args []string) (_ *postcheckout.Update, err error) {
	if c.work, err = workspace.Open(o); err != nil {
		return nil, err
	}
	return postcheckout.Run(ctx, c.work, event, args)
}
