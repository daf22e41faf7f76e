package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/dotenv"
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
