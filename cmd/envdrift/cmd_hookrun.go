package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/postcheckout"
	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

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
