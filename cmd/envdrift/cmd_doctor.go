package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/compare"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/vault/age"
)

func (c *cli) addDoctor(app *kingpin.Application) (string, command) {
	fix := false
	cmd := app.Command("doctor", "Find problems of this machine and this clone, and the commands that fix them.").HelpLong(`
Contacts no vault (status and verify do), but looks at the age identity. With
--fix it does what can do no harm: it corrects file modes and .gitignore, and
replaces the hooks of another version.

Statuses: 0 no problem · 1 a problem · 2 wrong usage · 3 no usable identity
Example:  envdrift doctor --fix`)
	cmd.Flag("fix", "Fix what can be fixed without harm.").BoolVar(&fix)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.doctor(ctx, fix) }
}

// A diagnosis is one thing that doctor checked.
type diagnosis struct {
	what   string
	err    error
	hints  []string
	mend   func() error // nil if there is nothing to do, or only the user can do it
	detail string
	warn   bool // of detail, which is no problem yet
}

func (c *cli) doctor(ctx context.Context, fix bool) error {
	c.report.OnStdout = true
	if err := c.open(); err != nil {
		c.add(report.Row{Status: report.Problem, What: "configuration", Err: err})
		return nil
	}
	var found []diagnosis
	for _, examine := range []func(context.Context) []diagnosis{
		c.examineConfig, c.examineGit, c.examineHooks, c.examineDrivers, c.examineKeys, c.examineStore, c.examineFiles, c.examineLoaders, c.examineTrust, c.examineAgent, c.examineAudit,
	} {
		found = append(found, examine(ctx)...)
	}
	for _, d := range found {
		r := report.Row{Status: report.OK, What: d.what, Note: d.detail}
		if d.warn {
			r.Status, r.Hints = report.Warning, d.hints
		}
		if d.err != nil {
			r.Status, r.Err, r.Hints = report.Problem, d.err, d.hints
		}
		if fix && d.mend != nil {
			if d.err != nil {
				r.Note = d.err.Error()
			}
			if r.Status, r.Err = report.Fixed, d.mend(); r.Err != nil {
				r.Status = report.Problem
			} else {
				r.Hints = nil
			}
		}
		c.add(r)
	}
	return nil
}

func (c *cli) examineConfig(ctx context.Context) []diagnosis {
	if c.work.Config.File == "" {
		return []diagnosis{{what: "configuration", err: config.ErrNoConfig}}
	}
	d := diagnosis{what: "configuration", detail: fmt.Sprintf("%s, %s", c.work.Config.File, report.Plural(len(c.work.Config.Mappings), "mapping"))}
	if len(c.work.Config.Foreign) > 0 {
		d.detail += "; sections of the earlier tool, not used here: " + strings.Join(c.work.Config.Foreign, ", ")
	}
	found := []diagnosis{d}
	for _, t := range c.work.All() {
		if t.Err != nil {
			found = append(found, diagnosis{what: t.Mapping.SecretName, err: t.Err})
		}
		if err := c.work.CheckVault(ctx, t); err != nil {
			found = append(found, diagnosis{what: t.Mapping.SecretName, err: err})
		}
	}
	return append(found, c.examineReaders(ctx)...)
}

// examineLoaders says which programs read the env files, and whether as dotenvx does.
func (c *cli) examineLoaders(context.Context) []diagnosis {
	misreads, loaders, err := compare.Misreads(c.work)
	if err != nil || len(loaders) == 0 {
		return nil // no mapping, which is reported elsewhere
	}
	var names []string
	for _, l := range loaders {
		names = append(names, l.Loader+" ("+l.File+")")
	}
	d := diagnosis{what: "loaders", detail: strings.Join(names, ", ")}
	if len(misreads) > 0 {
		d.warn, d.detail = true, d.detail+": "+report.Plural(len(misreads), "line")+" read otherwise than by dotenvx"
		d.hints = []string{c.commandLine("check") + "   names them"}
	}
	return []diagnosis{d}
}

// examineReaders looks for secrets of age vaults, mapped or not, that are encrypted for
// others than the recipients.
func (c *cli) examineReaders(ctx context.Context) (found []diagnosis) {
	if !c.work.UsesAge() {
		return nil
	}
	lists, _ := c.work.ReadersOf(ctx, "") // what cannot be read fails where it is needed
	for _, l := range lists {
		for _, a := range l.Secrets {
			if text := a.String(); text != "" {
				found = append(found, diagnosis{
					what: l.Vault + " " + a.Secret, err: fmt.Errorf("%w: %s", age.ErrRecipients, text),
					hints: []string{c.commandLine("recipient sync" + vaultFlag(l.Name))},
				})
			}
		}
	}
	return found
}

func (c *cli) examineGit(ctx context.Context) []diagnosis {
	repo, err := c.work.Git(ctx)
	switch {
	case err != nil:
		return []diagnosis{{what: "git", err: err}}
	case repo == nil:
		return []diagnosis{{what: "git", err: gitops.ErrNotRepository, hints: []string{"git init"}}}
	case !repo.HasGit():
		return []diagnosis{{what: "git", err: gitops.ErrNoGit}}
	}
	return []diagnosis{{what: "git", detail: repo.Top}}
}

func (c *cli) examineHooks(ctx context.Context) []diagnosis {
	repo, _ := c.work.Git(ctx) // examineGit reports why there is none
	if repo == nil || !repo.HasGit() {
		return nil
	}
	location, found, err := inspectHooks(ctx, repo)
	if err != nil {
		return []diagnosis{{what: "hooks", err: err}}
	}
	var list []diagnosis
	for _, h := range found {
		d := diagnosis{what: "hook " + h.Name, detail: strings.Join(nonEmpty(h.State.String(), c.hookNote(h, true)), " ")}
		if !h.Runs() {
			d.err, d.hints = &hookError{h}, []string{c.hookRemedy(h)}
		} else if h.State == hooks.Outdated {
			d.warn, d.detail, d.hints = true, d.detail+"; it works, but this version writes another", []string{c.hookRemedy(h)}
			if !h.Tracked && h.Scope != "global" { // else others use it too
				d.mend = func() error { return hooks.Refresh(ctx, location, h.Name) }
			}
		}
		list = append(list, d)
		for _, warning := range h.Warnings {
			if w := (diagnosis{what: "hooks", detail: string(warning)}); !slices.ContainsFunc(list, func(d diagnosis) bool { return d.detail == w.detail }) {
				list = append(list, w)
			}
		}
	}
	for _, tree := range location.BrokenWorktrees {
		list = append(list, diagnosis{what: tree, err: errBlind, hints: []string{"set up the hook manager there, or make core.hooksPath absolute"}})
	}
	return append(list, c.examineSubmodules(ctx, repo)...)
}

// examineSubmodules looks for a submodule that uses envdrift and has no hooks: those
// of this repository do not run for commits in there.
func (c *cli) examineSubmodules(ctx context.Context, repo *gitops.Repo) (list []diagnosis) {
	tops, err := repo.Submodules(ctx)
	if err != nil {
		return []diagnosis{{what: "submodules", err: err}}
	}
	for _, top := range tops {
		if file, err := config.Find(top, top); file == "" || err != nil {
			continue
		}
		path := c.underCwd(top)
		d := diagnosis{what: "hooks in " + path}
		var found []hooks.Hook
		sub, err := c.work.GitIn(ctx, top)
		if err == nil {
			_, found, err = inspectHooks(ctx, sub)
		}
		if at := slices.IndexFunc(found, func(h hooks.Hook) bool { return !h.Runs() }); at >= 0 {
			d.err, d.hints = fmt.Errorf("%s: %w", found[at].Name, &hookError{found[at]}), []string{"envdrift -C " + quote(path) + " hook install"}
		}
		if err != nil {
			d.err = err
		}
		list = append(list, d)
	}
	return list
}

var (
	errBlind   = errors.New("git finds no hooks in this working tree: core.hooksPath is relative and does not exist there")
	errTracked = errors.New("private keys are tracked by git, so every clone has them")
	errOpen    = errors.New("private keys are readable by other users of this machine")
	errHidden  = errors.New("git ignores it, so nobody else gets it")
	errShown   = errors.New("git does not ignore it: git add would add the private keys")
)

// examineKeys checks the existing keys files.
func (c *cli) examineKeys(ctx context.Context) []diagnosis {
	files := c.work.KeysFiles()
	repo, _ := c.work.Git(ctx) // examineGit reports why there is none
	if repo == nil || !repo.HasGit() || len(files) == 0 {
		return nil
	}
	tracked, err := repo.Tracked(ctx, files)
	if err != nil {
		return []diagnosis{{what: "keys files", err: err}}
	}
	ignored, err := repo.Ignored(ctx, files)
	if err != nil {
		return []diagnosis{{what: "keys files", err: err}}
	}
	var list []diagnosis
	for _, file := range files {
		d := diagnosis{what: c.relPath(file)}
		info, err := fs.Stat(c.work.Files(), file)
		switch {
		case err != nil:
			d.err = err
		case tracked[file]:
			d.err, d.hints = errTracked, []string{c.git("rm --cached "+c.words([]string{file})) + "; then make new keys: what was committed is known"}
		case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
			d.err, d.hints = errOpen, []string{"chmod 600 " + quote(c.relPath(file))}
			d.mend = func() error { return os.Chmod(filepath.Join(c.work.Top, filepath.FromSlash(file)), 0o600) }
		case !ignored[file]:
			d.err, d.hints = errShown, []string{c.commandLine("doctor --fix")}
			d.mend = func() error { return c.work.Ignore(ctx, []string{file}) }
		}
		list = append(list, d)
	}
	return list
}

// examineStore checks that the store is there in which the user wants keys.
func (c *cli) examineStore(ctx context.Context) []diagnosis {
	user, err := c.work.User()
	switch {
	case err != nil:
		return []diagnosis{{what: config.UserFile(c.getenv), err: err}}
	case user.Store != config.StoreOS:
		return nil
	}
	name, err := c.work.Store().Place(ctx)
	if err != nil {
		return []diagnosis{{what: "keys.store", err: err, hints: c.otherStore()}}
	}
	return []diagnosis{{what: "keys in the " + name}}
}

// examineFiles looks for files that git ignores and others need, and for plaintext
// that encryption did not take out of git's history.
func (c *cli) examineFiles(ctx context.Context) (list []diagnosis) {
	targets := c.work.All()
	hidden, err := c.work.Hidden(ctx, targets)
	if errors.Is(err, gitops.ErrNoGit) {
		return nil // examineGit reports it
	}
	if err != nil {
		return []diagnosis{{what: "ignored files", err: err}}
	}
	for _, file := range hidden {
		list = append(list, diagnosis{
			what: c.relPath(file), err: errHidden, hints: []string{c.commandLine("doctor --fix")},
			mend: func() error { return c.work.Unignore(ctx, []string{file}) },
		})
	}
	for _, t := range targets {
		if since, err := c.work.PlainSince(ctx, t.File); err == nil && since != "" && t.File != "" {
			list = append(list, diagnosis{what: c.relPath(t.File), detail: "in plaintext in git's history since " + since + ": see that its values were changed"})
		}
	}
	return list
}

// examineAgent says whether a coding agent runs this, which is no problem.
func (c *cli) examineAgent(context.Context) []diagnosis {
	found := agent.Detect(c.getenv)
	if found.Name == "" {
		return nil
	}
	d := diagnosis{what: "coding agent", detail: found.Name + ", as " + found.Variable + " is set: it is not shown values without --yes"}
	if user, err := c.work.User(); err == nil && user.AllowAgents {
		d.detail = found.Name + ", as " + found.Variable + " is set: you allow it to read values"
	}
	return []diagnosis{d}
}

// examineAudit says whether uses of keys are logged, and whether they can be.
func (c *cli) examineAudit(context.Context) []diagnosis {
	user, err := c.work.User()
	if err != nil || !user.Audit { // examineStore reports the error
		return nil
	}
	file, err := audit.File(c.getenv)
	if err == nil {
		err = audit.Append(file, nil)
	}
	return []diagnosis{{what: "audit log", detail: file, err: err, hints: c.advice(err)}}
}

// examineTrust reports which vaults hooks may not contact yet.
func (c *cli) examineTrust(ctx context.Context) (list []diagnosis) {
	for endpoint, err := range c.work.Trusted(ctx) {
		list = append(list, diagnosis{what: "trust", detail: string(endpoint), err: err})
	}
	return list
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
