package main

import (
	"errors"
	"strings"

	"github.com/alecthomas/kingpin/v2"
)

// scopeFlags are the flags of verify and scan.
type scopeFlags struct {
	files  []string
	staged bool
	rev    string
	hasRev bool
	format string
}

// add adds all but the format, with the help for each.
func (f *scopeFlags) add(cmd *kingpin.CmdClause, files, staged, rev string) {
	cmd.Arg("FILE", files).StringsVar(&f.files)
	cmd.Flag("staged", staged).BoolVar(&f.staged)
	cmd.Flag("rev", rev).PlaceHolder("REV").IsSetByUser(&f.hasRev).StringVar(&f.rev)
}

// enter checks the flags and opens the workspace.
func (f *scopeFlags) enter(c *cli) error {
	if err := c.chooseFormat(f.format); err != nil {
		return err
	}
	if err := c.exclusive(map[string]bool{"--staged": f.staged, "--rev": f.hasRev}); err != nil {
		return err
	}
	if f.hasRev && strings.TrimSpace(f.rev) == "" {
		return c.misuse("--rev is empty: name a commit, or a range A..B")
	}
	return c.open()
}

// fault returns err, which is wrong usage if a revision is missing in --rev.
func (f *scopeFlags) fault(c *cli, err, missing error) error {
	if errors.Is(err, missing) {
		return c.misuse("--rev %q: %w", f.rev, err)
	}
	return err
}
