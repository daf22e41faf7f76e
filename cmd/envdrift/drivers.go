package main

import (
	"context"
	"strings"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/report"
)

// How git merges and shows encrypted files, for the commands that set it up or report it.

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
