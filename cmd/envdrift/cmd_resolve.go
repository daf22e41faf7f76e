package main

import (
	"context"
	"errors"
	"strings"

	"github.com/alecthomas/kingpin/v2"
	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
)

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
