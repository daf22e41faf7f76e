package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/workspace"
)

// addGit adds what git starts: docs/git.md says how.
func (c *cli) addGit(app *kingpin.Application, commands map[string]command) {
	git := app.Command("git", "Merge or show a file for git, which calls this; hook install sets it up.").Hidden()
	merge := git.Command("merge", "Merge a file of which git has three versions.").HelpLong(`
Git passes the arguments of a merge driver: %O %A %B %L %P, and %S %X %Y if it has
them. Only the second file is written.

Statuses: 0 merged · 1 merged with conflicts · 2 not merged, and nothing written`)
	kind := merge.Arg("KIND", "env, recipients or vault.").Required().Enum(string(content.EnvFile), string(content.Recipients), string(content.VaultFile))
	words := merge.Arg("ARG", "What git passes.").Required().Strings()
	commands[merge.FullCommand()] = func(ctx context.Context) error {
		return c.mergeForGit(ctx, content.Kind(*kind), *words)
	}
	textconv := git.Command("textconv", "Print an env file with a tag for each value.").HelpLong(`
Equal values of one key have equal tags, from which nothing can be guessed. Values
are printed only with your own setting, git config envdrift.diff values, and not to
a coding agent.

Statuses: always 0
Example:  envdrift git textconv .env.production`)
	file := textconv.Arg("FILE", "What git passes.").Required().String()
	commands[textconv.FullCommand()] = func(ctx context.Context) error { return c.textconv(ctx, *file) }
}

// opener opens the workspace for a file that git passes. It asks nothing and trusts
// nothing new.
func (c *cli) opener() content.Opener {
	o := c.workspaceOptions()
	o.UI, o.Consent = nil, workspace.Never
	return content.OpenAt(o)
}

// mergeForGit merges a file. Where it cannot, the command that git runs does what
// git would without envdrift.
func (c *cli) mergeForGit(ctx context.Context, kind content.Kind, words []string) error {
	failed := func(err error) error { return &exitError{err, statusUsage} }
	m, err := content.ParseMerge(kind, words)
	if err != nil {
		return failed(err)
	}
	result, err := m.Run(ctx, c.opener())
	if errors.As(err, new(*dotenv.ConflictError)) { // git rerere merges conflicts, by their lines
		return failed(errReported)
	}
	if err != nil {
		return failed(fmt.Errorf("%s is merged by lines: %w", m.Path, err))
	}
	if len(result.Conflicts) == 0 {
		return nil
	}
	if m.IsVirtual() { // git merges once more
		return &exitError{errReported, statusFail}
	}
	for _, conflict := range result.Conflicts {
		c.say("envdrift: %s", strings.Join(nonEmpty(m.Path, conflict.Name, c.message(conflict.Err)), ": "))
	}
	for _, hint := range c.mergeHints(m, result) {
		c.say("envdrift: hint: %s", hint)
	}
	return &exitError{errReported, statusFail}
}

// mergeHints returns the commands that end a conflict. They are typed at the top.
func (c *cli) mergeHints(m content.Merge, result content.Result) (hints []string) {
	file := quote(m.Path)
	if m.Kind == content.VaultFile {
		for _, conflict := range result.Conflicts {
			hints = append(hints, c.advice(conflict.Err)...)
		}
		if len(hints) == 0 {
			hints = []string{"envdrift recipient sync && git add " + file}
		}
		return hints
	}
	for _, conflict := range result.Conflicts {
		if content.NeedsKey(conflict.Err) {
			return []string{"get the key (envdrift sync), or agree to it (envdrift trust), then: envdrift resolve " + file}
		}
	}
	return []string{"envdrift resolve " + file + " --ours (or --theirs) takes a side for these variables alone"}
}

// textconv prints what git shows of an env file. It never fails once there is
// something to print: git would show no diff at all.
func (c *cli) textconv(ctx context.Context, file string) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return &exitError{err, statusUsage}
	}
	if _, inHook := c.env["GIT_INDEX_FILE"]; inHook {
		// Hook managers keep what "git diff" prints as a patch, and apply it.
		_, err = c.stdout.Write(data)
		return err
	}
	values := c.mayShow(false) == nil && content.ShowsValues(ctx, c.dir, c.env)
	_, err = c.stdout.Write(content.Textconv(ctx, c.opener(), file, data, values))
	return err
}

// withDrivers calls do with the set-up of git's drivers, if there is a git and, if
// mapped is set, a mapping.
func (c *cli) withDrivers(ctx context.Context, mapped bool, do func(content.Setup) error) error {
	if c.work == nil || mapped && len(c.work.Config.Mappings) == 0 {
		return nil
	}
	repo, err := c.work.Git(ctx)
	if repo == nil || err != nil || !repo.HasGit() {
		return err
	}
	self, err := hooks.Program(repo.Top)
	if err != nil {
		return err
	}
	return do(content.Setup{Workspace: c.work, Repo: repo, Self: self, Shared: c.shared})
}

func (c *cli) installDrivers(ctx context.Context) error {
	return c.withDrivers(ctx, true, func(s content.Setup) error {
		state, err := s.Install(ctx)
		if err == nil {
			c.add(c.driversRow(state))
		}
		return err
	})
}

// refreshDrivers names new files for the drivers where these are installed.
func (c *cli) refreshDrivers(ctx context.Context) error {
	return c.withDrivers(ctx, true, func(s content.Setup) error { return s.Refresh(ctx) })
}

// uninstallDrivers needs no mapping: the last one may be gone.
func (c *cli) uninstallDrivers(ctx context.Context) error {
	return c.withDrivers(ctx, false, func(s content.Setup) error { return s.Uninstall(ctx) })
}

func (c *cli) showDrivers(ctx context.Context) error {
	return c.inspectDrivers(ctx, func(_ content.State, row report.Row) { c.add(row) })
}

// inspectDrivers calls show with how far git's drivers are set up.
func (c *cli) inspectDrivers(ctx context.Context, show func(content.State, report.Row)) error {
	return c.withDrivers(ctx, true, func(s content.Setup) error {
		state, err := s.Inspect(ctx)
		if err == nil {
			show(state, c.driversRow(state))
		}
		return err
	})
}

// driversInShort adds to the summary how far git's drivers are set up.
func (c *cli) driversInShort(ctx context.Context) error {
	return c.inspectDrivers(ctx, func(_ content.State, row report.Row) {
		text := strings.Join(nonEmpty(string(row.Status), row.Note), ", ")
		if len(row.Hints) > 0 {
			text += " (" + row.Hints[0] + ")"
		}
		c.report.Summary = strings.Join(nonEmpty(c.report.Summary, row.What+": "+text), "; ")
	})
}

const driversName = "merge and diff drivers"

// driversElsewhere says that the drivers are not part of what is installed for all
// clones: attributes for all of them would concern files that envdrift does not know.
func (c *cli) driversElsewhere() {
	c.add(report.Row{
		Status: report.Status(content.Absent), What: driversName,
		Note: "they name the files of a clone, so --global does not set them up", Hints: []string{"in each clone: " + c.commandLine("hook install")},
	})
}

// driversRow reports how git merges and shows encrypted files.
func (c *cli) driversRow(s content.State) report.Row {
	row := report.Row{Status: report.Status(s.Condition()), What: driversName}
	place := ".git/info/attributes"
	if s.Shared {
		place = ".gitattributes"
	}
	install := []string{c.commandLine("hook install")}
	switch s.Condition() {
	case content.Absent:
		row.Note, row.Hints = "git merges encrypted files by lines", install
	case content.Installed:
		row.Note = "named in " + place
		if s.Shared {
			row.Note += ": commit it"
		}
	case content.Incomplete:
		row.Hints = install
		switch {
		case !s.Named:
			row.Note = "in git's configuration, but no attribute names a file: git merges by lines"
		case len(s.Set) == 0:
			row.Note = "named in " + place + ", but this clone has no such drivers: git merges by lines"
		default:
			row.Note = "git's configuration lacks " + strings.Join(s.Lacking, ", ")
		}
	case content.Outdated:
		row.Note, row.Hints = "set up by another version, or for an envdrift that is gone", install
		if len(s.Missing) > 0 {
			row.Note = "git merges by lines, because no attribute names them: " + report.JoinFirst(s.Missing)
		}
	case content.Foreign:
		row.Note = "set otherwise by you: " + strings.Join(s.Own, ", ")
	}
	if s.Caches {
		row.Note = "diff.envdrift.cachetextconv makes git store what diffs show"
		row.Hints = []string{"git config --unset diff.envdrift.cachetextconv && git update-ref -d refs/notes/textconv/envdrift"}
	}
	return row
}

// examineDrivers reports drivers that are half set up. Without any, git does as it
// always did, which is no problem.
func (c *cli) examineDrivers(ctx context.Context) (list []diagnosis) {
	err := c.inspectDrivers(ctx, func(s content.State, row report.Row) {
		d := diagnosis{what: row.What, detail: strings.Join(nonEmpty(string(row.Status), row.Note), ", "), hints: row.Hints}
		switch {
		case s.Condition() == content.Absent && !s.Caches:
			d.detail += " (" + row.Hints[0] + ")"
		case len(row.Hints) > 0:
			d.err, d.detail = errors.New(d.detail), ""
		}
		if s.Condition() == content.Outdated && !s.Shared { // what is shared is the team's
			d.mend = func() error {
				return c.withDrivers(ctx, true, func(s content.Setup) error {
					_, err := s.Install(ctx)
					return err
				})
			}
		}
		list = append(list, d)
	})
	if _, noGit := c.work.Git(ctx); err != nil && noGit == nil { // which examineGit reports
		list = append(list, diagnosis{what: driversName, err: err})
	}
	return list
}

type resolveFlags struct {
	file               string
	ours, theirs, edit bool
	yes                bool
}

func (c *cli) addResolve(app *kingpin.Application) (string, command) {
	var f resolveFlags
	cmd := app.Command("resolve", "End the conflict of a merge in an env file.").HelpLong(`
Merges the file again with the keys that are local now. For variables that both
sides changed, a flag says whose value counts; everything else, also what you
edited in the file, stays. Values are encrypted for the key in the file's header.
The file is staged. As it was, with both sides, it is kept as a backup.

In a rebase "ours" is the branch that yours is rebased onto, as git calls it.

Statuses: 0 resolved · 1 still in conflict, or not in conflict · 2 wrong usage
Example:  envdrift resolve .env.production --theirs`)
	cmd.Arg("FILE", "The env file.").Required().StringVar(&f.file)
	cmd.Flag("ours", "Take our side.").BoolVar(&f.ours)
	cmd.Flag("theirs", "Take their side.").BoolVar(&f.theirs)
	cmd.Flag("edit", "Edit both sides, decrypted, as the command edit does.").BoolVar(&f.edit)
	addYes(cmd, &f.yes)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.resolve(ctx, f) }
}

func (c *cli) resolve(ctx context.Context, f resolveFlags) error {
	if err := c.exclusive(map[string]bool{"--ours": f.ours, "--theirs": f.theirs, "--edit": f.edit}); err != nil {
		return err
	}
	if err := c.mayShow(f.yes || !f.edit); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	file, err := c.work.Inside(f.file)
	if err != nil {
		return err
	}
	side, from := content.Neither, ""
	switch {
	case f.ours:
		side, from = content.Ours, "ours"
	case f.theirs:
		side, from = content.Theirs, "theirs"
	case f.edit:
		side = content.Edited
	}
	done, err := content.Resolve(ctx, c.work, file, side, func(t mapping.Target, text []byte, check func(*dotenv.Document) error) (*dotenv.Document, error) {
		return edit.Text(ctx, c.work, t, text, c.editor(), check)
	})
	row := report.Row{Status: "resolved", File: file, Names: done.Names, Err: err}
	notes := []string{"", "staged", ""}
	if len(done.Names) > 0 {
		notes[0] = "taken from " + from
	}
	if done.Backup != "" {
		notes[2] = "the file with both sides: " + c.underCwd(done.Backup)
	}
	if row.Note = strings.Join(nonEmpty(notes...), "; "); err != nil {
		row.Status, row.Note, row.Hints = report.Conflict, notes[2], c.resolveHints(f, file, err)
	}
	c.add(row)
	return nil
}

// resolveHints returns the commands that end a conflict which resolve did not.
func (c *cli) resolveHints(f resolveFlags, file string, err error) []string {
	if deleted := (*content.DeletedError)(nil); errors.As(err, &deleted) {
		keep := map[content.Side]string{content.Ours: " --ours", content.Theirs: " --theirs"}[deleted.Kept]
		return []string{c.commandLine("resolve "+quote(f.file)+keep) + " keeps it; git rm " + quote(f.file) + " deletes it"}
	}
	if unresolved := (*content.UnresolvedError)(nil); errors.As(err, &unresolved) {
		return c.mergeHints(content.Merge{Kind: content.EnvFile, Path: c.relPath(file)}, content.Result{Conflicts: unresolved.Conflicts})
	}
	if errors.Is(err, content.ErrEdited) { // maybe by values in plaintext
		return []string{c.commandLine("encrypt "+quote(f.file)) + " && git add " + quote(f.file)}
	}
	if errors.Is(err, content.ErrAgeVault) {
		return []string{c.commandLine("recipient sync") + " && git add " + quote(c.relPath(file))}
	}
	return nil
}
