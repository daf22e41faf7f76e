package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/rotate"
)

type rotateFlags struct {
	files                               []string
	secret, branch                      string
	all, finish, retire, status, forced bool
}

func (c *cli) addRotate(app *kingpin.Application) (string, command) {
	var f rotateFlags
	cmd := app.Command("rotate", "Replace the key that env files are encrypted for; nobody is locked out.").HelpLong(`
In three steps, each of which can be repeated, by anybody, in any clone:

  rotate FILE            stores a new key in the vault beside the old one, and
                         encrypts the files for it; commit and merge them
  rotate FILE --finish   when the default branch has them: the vault's first key
                         is the new one from then on
  rotate FILE --retire   removes the old key from the vault, unless a branch, tag,
                         stash or worktree has a file that is encrypted for it

Without git, --retire keeps the key that the files are encrypted for.

The files of mappings with the same secret go together. --status, or --status FILE,
tells which step is next.

Statuses: 0 done, or nothing to do · 1 could not · 2 wrong usage or configuration ·
3 the vault could not be used
Example:  envdrift rotate .env.production`)
	cmd.Arg("FILE", "Env files.").StringsVar(&f.files)
	cmd.Flag("all", "The files of every mapping.").BoolVar(&f.all)
	cmd.Flag("secret", "The files of the mappings with this secret.").PlaceHolder("NAME").StringVar(&f.secret)
	cmd.Flag("finish", "Make the new key the vault's first one.").BoolVar(&f.finish)
	cmd.Flag("retire", "Remove the old key from the vault.").BoolVar(&f.retire)
	cmd.Flag("status", "Tell how far each rotation is; change nothing.").BoolVar(&f.status)
	cmd.Flag("branch", "The default branch, if it is not that of the remote origin.").PlaceHolder("NAME").StringVar(&f.branch)
	cmd.Flag("force", "Finish before it is merged; retire a key that is still in use.").BoolVar(&f.forced)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.rotate(ctx, f) }
}

func (c *cli) rotate(ctx context.Context, f rotateFlags) error {
	if err := c.exclusive(map[string]bool{"--finish": f.finish, "--retire": f.retire, "--status": f.status}); err != nil {
		return err
	}
	if err := c.exclusive(map[string]bool{"FILE": len(f.files) > 0, "--all": f.all, "--secret": f.secret != ""}); err != nil {
		return err
	}
	if len(f.files) == 0 && f.secret == "" && !f.all && !f.status {
		return c.misuse("name FILE…, --secret NAME or --all")
	}
	if err := c.open(); err != nil {
		return err
	}
	targets, err := c.rotated(f)
	if err != nil {
		return err
	}
	c.report.OnStdout = f.status
	for _, s := range rotate.Secrets(ctx, c.work, targets) {
		if f.retire {
			s.AssumeUsed(f.forced)
		}
		if s.Err == nil {
			s.Err = c.rotateOne(ctx, f, s)
		}
		if s.Err != nil {
			c.addFailure(s.Targets[0], s.Targets[0].File, s.Err)
		}
	}
	return nil
}

// rotated returns the targets that the flags name.
func (c *cli) rotated(f rotateFlags) (targets []mapping.Target, err error) {
	if targets, err = c.work.Mapped(); err != nil || f.all {
		return targets, err
	}
	if f.secret != "" {
		targets = slices.DeleteFunc(c.work.All(), func(t mapping.Target) bool { return t.Mapping.SecretName != f.secret })
		if len(targets) == 0 {
			err = &usageError{err: fmt.Errorf("no mapping has the secret %q", f.secret), instead: c.commandLine("status") + "   lists the secrets of all mappings"}
		}
		return targets, err
	}
	if len(f.files) > 0 {
		targets = nil
	}
	for _, name := range f.files {
		file, err := c.work.Inside(name)
		if err != nil {
			return nil, err
		}
		t, mapped := c.work.Target(file)
		if !mapped {
			return nil, c.notRotated(file)
		}
		targets = append(targets, t)
	}
	return targets, nil
}

// notRotated returns why a file without a mapping has no key to rotate.
func (c *cli) notRotated(file string) error {
	if _, err := mapping.ReadEnvFile(c.work.Files(), file); err != nil {
		return err // such as a name that was mistyped
	}
	name := c.relPath(file)
	return &usageError{err: &keyring.UnmappedError{File: name}, instead: c.commandLine("add "+quote(name)) + "   maps it"}
}

// rotateOne makes the step that was asked for with one secret, and reports it.
func (c *cli) rotateOne(ctx context.Context, f rotateFlags, s *rotate.Secret) error {
	var changes []drift.Change
	var carriers []rotate.Carrier
	var err error
	before := s.Keys.Reveal()
	stored := ""
	switch {
	case f.status:
		return c.rotationStatus(ctx, s)
	case f.finish:
		stored = "the new key first, then the old one"
		changes, err = s.Finish(ctx, f.branch, f.forced)
	case f.retire:
		stored = "the new key alone"
		carriers, err = s.Retire(ctx, f.forced)
	default:
		stored = "a new key after the old one"
		changes, err = s.Rotate(ctx)
	}
	r := c.secretRow(report.Status(drift.Unchanged), s, stepNotes[s.Step])
	if s.Keys.Reveal() != before {
		r.Status, r.Note = report.Pushed, stored+", read back"
	} else if len(carriers) > 0 {
		err = &rotate.InUseError{Carriers: carriers}
	}
	if r.Status == report.Pushed || err == nil && len(changes) == 0 {
		c.add(r)
	}
	failed := false
	for _, ch := range changes {
		c.addChange(ch)
		failed = failed || ch.Err != nil
	}
	if err != nil || failed {
		return err
	}
	for _, carrier := range carriers {
		c.add(report.Row{Status: report.NotVerified, File: carrier.File, Note: "no longer decrypts: " + carrier.Where})
	}
	last := &c.report.Rows[len(c.report.Rows)-1]
	last.Hints, err = c.nextStep(ctx, s)
	return err
}

// rotationStatus reports how far a rotation is.
func (c *cli) rotationStatus(ctx context.Context, s *rotate.Secret) (err error) {
	r := c.secretRow(report.Status(s.Step), s, stepNotes[s.Step])
	if s.Step == rotate.Finished {
		carriers, err := s.Carriers(ctx)
		if err != nil {
			return err
		}
		if len(carriers) > 0 {
			r.Note += ", and needed by " + (&rotate.InUseError{Carriers: carriers}).List()
		}
	}
	r.Hints, err = c.nextStep(ctx, s)
	c.add(r)
	return err
}

func (c *cli) secretRow(status report.Status, s *rotate.Secret, note string) report.Row {
	return report.Row{Status: status, Secret: s.Name(), Environment: s.Targets[0].Mapping.Env(), Vault: s.Vault, Note: note}
}

// stepNotes say what each step means.
var stepNotes = map[rotate.Step]string{
	rotate.Settled:   "the vault has one key, and the files here are encrypted for it",
	rotate.Begun:     "the vault has a newer key, and not all files here are encrypted for it",
	rotate.Encrypted: "the files here are encrypted for the new key; the vault's first key is the old one",
	rotate.Finished:  "the vault's first key is the new one; the old one is still there",
}

// nextStep returns what to type next.
func (c *cli) nextStep(ctx context.Context, s *rotate.Secret) (lines []string, err error) {
	this := "rotate --secret " + quote(s.Name())
	if s.Step == rotate.Begun {
		return []string{c.commandLine(this)}, nil
	}
	files, err := s.Uncommitted(ctx)
	if err != nil {
		return nil, err
	}
	if len(files) > 0 {
		lines = append(lines, "next: "+c.gitLine(files))
	}
	switch s.Step {
	case rotate.Encrypted:
		lines = append(lines, "when the default branch has it: "+c.commandLine(this+" --finish"))
	case rotate.Finished:
		lines = append(lines, "when nothing needs the old key any more: "+c.commandLine(this+" --retire"))
	}
	return lines, nil
}

var rotateAdvice = []adviser{
	about(func(c *cli, e *rotate.NotYetError) []string {
		line := "rotate --secret " + quote(e.Secret)
		if len(e.Files) == 0 {
			line += " --finish"
		}
		return []string{c.commandLine(line)}
	}),
	about(func(_ *cli, e *rotate.NotMergedError) []string {
		return []string{"merge the commit of the rotation into " + e.Branch + " and git fetch, then the same command again; --branch NAME if that is not the default branch"}
	}),
	always[*rotate.InUseError](hint("merge the default branch into these or delete them, then the same command again; with --force they no longer decrypt")),
	about(func(c *cli, e *rotate.StaleVaultError) []string {
		if e.File != "" {
			return []string{c.gitLine([]string{e.File}) + "   then the same command again"}
		}
		return []string{"git merge " + quote(e.Branch) + "   then the same command again"}
	}),
	is(rotate.ErrShallow, hint("git fetch --unshallow   gets it")),
	is(rotate.ErrNoHistory, hint("commit the files first; or, to keep the one key that the files here are encrypted for: the same command with --retire (and --force if it is the vault's first one)")),
	is(rotate.ErrNotFetched, hint("commit the files and git fetch; if no commit has the other key, --retire --force keeps the one that the files here are encrypted for")),
	is(rotate.ErrNoBranch, hint("name it: --branch NAME")),
}
