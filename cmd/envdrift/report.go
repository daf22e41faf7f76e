package main

import (
	"io/fs"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

// add adds a row to the report. Its hints come from its error, unless the
// caller has better ones.
func (c *cli) add(r report.Row) {
	if r.Err != nil {
		r.Error = c.message(r.Err)
		if len(r.Hints) == 0 {
			r.Hints = c.advice(r.Err)
		}
	}
	c.report.Rows = append(c.report.Rows, r)
}

// addChange adds to the report what was done with a file.
func (c *cli) addChange(ch drift.Change) {
	r := report.Row{Status: report.Status(ch.Action), File: ch.File, Names: ch.Names, Note: ch.Note, Err: ch.Err}
	if ch.Backup != "" {
		r.Note = strings.Join(nonEmpty("the old content is kept as "+ch.Backup, ch.Note), "; ")
	}
	if ch.Mapping.SecretName != "" {
		r.Secret, r.Environment = ch.Mapping.SecretName, ch.Mapping.Env()
	}
	c.add(r)
}

// addFailure adds a failed target to the report.
func (c *cli) addFailure(t mapping.Target, file string, err error) {
	c.add(report.Row{Status: report.Status(drift.Failed), File: file, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Err: err})
}

// typed returns a path that the user typed in the form of the report's paths.
func (c *cli) typed(name string) string {
	if file, err := c.work.Inside(name); err == nil {
		return file
	}
	return name
}

// finish prints the report and returns the exit status: that of err, or of the
// most serious row.
func (c *cli) finish(err error) int {
	status := statusOf(err)
	for _, r := range c.report.Rows {
		status = max(status, statusOf(r.Err))
	}
	if isReported(err) {
		return status // standard output was another program's
	}
	c.report.Command, c.report.Status = c.name, status
	if err != nil {
		fault := c.fault(err)
		c.report.Failure = &fault
	}
	if c.printer().Print(c.report) != nil {
		status = max(status, statusFail)
	}
	return status
}

// fault returns the message for an error of the whole command.
func (c *cli) fault(err error) report.Fault {
	return report.Fault{Error: c.message(err), Hints: c.advice(err)}
}

// fail reports an error from before the command could begin.
func (c *cli) fail(err error) int {
	for _, arg := range c.args {
		if arg == "--" {
			break
		}
		if arg == "--json" {
			c.format = report.JSON
		}
	}
	return c.finish(err)
}

func (c *cli) printer() *report.Printer {
	colours := !c.noColor && c.env["TERM"] != "dumb"
	return &report.Printer{
		Stdout: c.stdout, Stderr: c.stderr, Format: c.format,
		Quiet: c.quiet, Verbose: c.verbose,
		Colour: colours && c.stderrTTY, ColourStdout: colours && c.stdoutTTY,
		Annotations: c.env["GITHUB_ACTIONS"] == "true",
		Version:     version(), RelPath: c.relPath,
	}
}

// say prints a line for the user, unless -q.
func (c *cli) say(format string, args ...any) { c.printer().Say(format, args...) }

// relPath returns a path of the repository as the user types it.
func (c *cli) relPath(file string) string {
	if c.work == nil {
		return file
	}
	return c.work.RelPath(file)
}

// message returns err's text with its path relative to the current directory.
// Packages only know paths relative to the top.
func (c *cli) message(err error) string {
	switch e := err.(type) { // the error itself, because its text is complete
	case *fs.PathError:
		return (&fs.PathError{Op: e.Op, Path: c.relPath(e.Path), Err: e.Err}).Error()
	case *config.NoEnvFileError:
		there := *e
		there.Folder = c.relPath(e.Folder)
		return there.Error()
	case *config.AmbiguousError:
		there := *e
		there.Folder = c.relPath(e.Folder)
		return there.Error()
	case *mapping.SharedFileError:
		return (&mapping.SharedFileError{File: c.relPath(e.File), Other: e.Other}).Error()
	case *keyring.NoKeyError:
		there := *e
		there.File = c.relPath(e.File)
		return there.Error()
	case *verify.NotFoundError:
		return (&verify.NotFoundError{File: c.relPath(e.File)}).Error()
	case *keyring.UnmappedError:
		return (&keyring.UnmappedError{File: c.relPath(e.File)}).Error()
	case *workspace.TrackedKeysError:
		return (&workspace.TrackedKeysError{File: c.relPath(e.File)}).Error()
	case *drift.DiffersError:
		there := *e
		there.KeysFile = c.relPath(e.KeysFile)
		return there.Error()
	case *drift.ChangedError:
		return (&drift.ChangedError{File: c.relPath(e.File)}).Error()
	case *workspace.ActivateError:
		there := *e
		there.File = c.relPath(e.File)
		return there.Error()
	}
	return err.Error()
}
