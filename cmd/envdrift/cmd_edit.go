package main

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/coredump"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/edit"
)

func (c *cli) addEdit(app *kingpin.Application) (string, command) {
	var f oneFile
	var named string
	var yes bool
	cmd := app.Command("edit", "Edit the decrypted text of an env file in your editor; the file stays encrypted.").HelpLong(`
Opens $VISUAL or $EDITOR on the decrypted text, in a private folder that is in memory
where the system has one, and encrypts what you changed: other values keep their
ciphertext. A text that does not parse is opened again. If the editor fails, or
envdrift is killed, nothing is changed and nothing is left.

Statuses: 0 edited, or left as it was · 1 could not · 2 wrong usage or configuration ·
3 the vault could not be used
Example:  envdrift edit --env production`)
	cmd.Arg("FILE", "The env file; default: the one that exec reads here.").StringVar(&named)
	f.add(cmd)
	addYes(cmd, &yes)
	return cmd.FullCommand(), func(ctx context.Context) error {
		if named != "" && f.file != "" {
			return c.misuse("FILE and --file exclude each other")
		}
		if err := c.mayShow(yes); err != nil {
			return err
		}
		f.file = cmp.Or(f.file, named)
		return c.changeOne(ctx, f, func() (drift.Change, error) {
			t, err := edit.Target(c.work, f.file, f.env)
			if err != nil {
				return drift.Change{}, err
			}
			return edit.Edit(ctx, c.work, t, c.editor())
		})
	}
}

// addYes adds the flag of the commands that show values to everyone but coding agents.
func addYes(cmd *kingpin.CmdClause, yes *bool) {
	cmd.Flag("yes", "Show values even to a coding agent.").BoolVar(yes)
}

func (c *cli) editor() edit.Editor {
	return edit.Editor{
		Open:    c.openEditor,
		Again:   c.editAgain(),
		Changed: func() { c.say("the file was changed meanwhile: the text now has both versions") },
		OnDisk:  func(folder string) { c.say("the decrypted text is below %s until you close the editor", folder) },
	}
}

// openEditor runs the user's editor on a file.
func (c *cli) openEditor(ctx context.Context, file string) error {
	coredump.Hide()
	editor := cmp.Or(c.env["VISUAL"], c.env["EDITOR"], map[bool]string{true: "notepad", false: "vi"}[runtime.GOOS == "windows"])
	if err := c.release(); err != nil { // a signal that came is not swallowed
		return err
	}
	// The keys that interrupt are the editor's.
	typed := make(chan os.Signal, 1)
	signal.Notify(typed, os.Interrupt, syscall.SIGQUIT)
	defer signal.Stop(typed)
	cmd := exec.CommandContext(ctx, "sh", "-c", editor+` "$@"`, editor, file)
	if runtime.GOOS == "windows" {
		cmd = exec.CommandContext(ctx, editor, file)
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = c.stdin, c.stdout, c.stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("the editor %q failed, so nothing is changed: %w", editor, err)
	}
	return nil
}

// editAgain shows what is wrong with a text, and reports whether the user will
// correct it. Without a user the editor is a program, which may once.
func (c *cli) editAgain() func(context.Context, error) bool {
	times := 0
	return func(ctx context.Context, problem error) bool {
		c.say("%s", c.message(problem))
		times++
		return c.canAsk() && !c.ask(ctx, "Give up, and lose the edit?") || !c.canAsk() && times == 1
	}
}
