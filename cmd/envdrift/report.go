package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/fatih/color"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
)

// A row is what a command tells of one file or mapping.
type row struct {
	Status      string   `json:"status"`
	File        string   `json:"file,omitempty"`
	What        string   `json:"what,omitempty"` // where it is no file: a hook, a setting
	Secret      string   `json:"secret,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Vault       string   `json:"vault,omitempty"`
	Names       []string `json:"names,omitempty"`
	Note        string   `json:"note,omitempty"`
	Error       string   `json:"error,omitempty"`
	Hints       []string `json:"hints,omitempty"`

	err error // decides the exit status
}

// add puts a row into the report. Its hints come from its error, unless the
// caller knows better ones.
func (c *cli) add(r row) {
	if r.err != nil {
		r.Error = c.told(r.err)
		if len(r.Hints) == 0 {
			r.Hints = c.advice(r.err)
		}
	}
	c.rows = append(c.rows, r)
	c.annotate(r)
}

// addChange puts what was done with a file into the report.
func (c *cli) addChange(ch drift.Change) {
	r := row{Status: string(ch.Action), File: ch.File, Names: ch.Names, Note: ch.Note, err: ch.Err}
	if ch.Mapping.SecretName != "" {
		r.Secret, r.Environment = ch.Mapping.SecretName, ch.Mapping.Env()
	}
	c.add(r)
}

// A document is what --json prints.
type document struct {
	Command string   `json:"command"`
	OK      bool     `json:"ok"`
	Status  int      `json:"status"`
	Summary string   `json:"summary,omitempty"`
	Error   string   `json:"error,omitempty"`
	Hints   []string `json:"hints,omitempty"`
	Rows    []row    `json:"rows"`
	Data    any      `json:"data,omitempty"`
}

// finish prints the report and returns the exit status: that of err, or of the
// gravest row.
func (c *cli) finish(err error) int {
	status := statusOf(err)
	for _, r := range c.rows {
		status = max(status, statusOf(r.err))
	}
	if c.json {
		d := document{Command: c.name, OK: status == 0, Status: status, Summary: c.sum, Rows: c.rows, Data: c.data}
		if d.Rows == nil {
			d.Rows = []row{}
		}
		if err != nil {
			d.Error, d.Hints = err.Error(), c.advice(err)
		}
		return c.printJSON(d, status)
	}
	if done, err := c.printFormat(); done && err != nil {
		status = max(status, statusFail)
	}
	c.printRows()
	if c.sum != "" {
		c.say("%s", c.sum)
	}
	c.printError(err)
	return status
}

// fail reports an error that came before the command could begin.
func (c *cli) fail(err error) int {
	for _, arg := range c.args {
		if arg == "--" {
			break
		}
		c.json = c.json || arg == "--json"
	}
	return c.finish(err)
}

func (c *cli) printJSON(d document, status int) int {
	enc := json.NewEncoder(c.stdout)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(d); err != nil {
		return max(status, statusFail)
	}
	return status
}

// printRows aligns status and file; the rest of a row follows, its error and
// hints below. With -q only the failed ones are shown.
func (c *cli) printRows() {
	var status, file int
	for _, r := range c.rows {
		status, file = max(status, len(r.Status)), max(file, len([]rune(c.subject(r))))
	}
	for _, r := range c.rows {
		if c.quiet && r.err == nil {
			continue
		}
		line := fmt.Sprintf("%s  %-*s  %s", c.paint(r.err, r.Status, status), file, c.subject(r), r.detail())
		fmt.Fprintln(c.stderr, strings.TrimRight(line, " "))
		if r.err != nil {
			fmt.Fprintf(c.stderr, "%*s  %s\n", status, "", clean(r.Error))
		}
		for _, hint := range r.Hints {
			fmt.Fprintf(c.stderr, "%*s  → %s\n", status, "", clean(hint))
		}
	}
}

// subject is what a row is about, as a person types it.
func (c *cli) subject(r row) string {
	if r.What != "" {
		return clean(r.What)
	}
	return clean(c.shown(r.File))
}

func (r row) detail() string {
	var parts []string
	if r.Secret != "" {
		parts = append(parts, fmt.Sprintf("(%s, %s)", r.Secret, r.Environment))
	}
	if len(r.Names) > 0 {
		parts = append(parts, drift.List(r.Names))
	}
	if r.Note != "" {
		parts = append(parts, r.Note)
	}
	return clean(strings.Join(parts, "  "))
}

// paint pads s to width and colours it by whether err is nil.
func (c *cli) paint(err error, s string, width int) string {
	padded := fmt.Sprintf("%-*s", width, s)
	if !c.coloured() {
		return padded
	}
	shade := color.New(color.FgGreen)
	if err != nil {
		shade = color.New(color.FgRed)
	}
	shade.EnableColor() // the library looks at stdout; we print to stderr
	return shade.Sprint(padded)
}

func (c *cli) coloured() bool { return c.colour && !c.noColor && c.env["TERM"] != "dumb" }

// printError tells an error of the whole command.
func (c *cli) printError(err error) {
	if err == nil || isReported(err) {
		return
	}
	for _, line := range strings.Split(c.told(err), "\n") {
		fmt.Fprintln(c.stderr, "envdrift: error: "+clean(line))
	}
	for _, hint := range c.advice(err) {
		fmt.Fprintln(c.stderr, "envdrift: hint: "+clean(hint))
	}
}

// say prints a line for a person, unless -q.
func (c *cli) say(format string, args ...any) {
	if !c.quiet && !c.json {
		fmt.Fprintln(c.stderr, clean(fmt.Sprintf(format, args...)))
	}
}

// detail prints a line that -v asks for.
func (c *cli) detail(format string, args ...any) {
	if c.verbose {
		c.say(format, args...)
	}
}

// shown gives a path of the repository as a person standing in c.dir types it.
func (c *cli) shown(file string) string {
	if c.session == nil || file == "" || filepath.IsAbs(file) {
		return file
	}
	rel, err := filepath.Rel(c.dir, filepath.Join(c.top, filepath.FromSlash(file)))
	if err != nil {
		return file
	}
	return rel
}

// told gives an error's text with its path as a person standing in c.dir types
// it: packages know paths from the root only.
func (c *cli) told(err error) string {
	switch e := err.(type) { // the error itself, for its text is the whole
	case *fs.PathError:
		return (&fs.PathError{Op: e.Op, Path: c.shown(e.Path), Err: e.Err}).Error()
	case *config.NoEnvFileError:
		there := *e
		there.Folder = c.shown(e.Folder)
		return there.Error()
	case *config.AmbiguousError:
		there := *e
		there.Folder = c.shown(e.Folder)
		return there.Error()
	case *mapping.SharedFileError:
		return (&mapping.SharedFileError{File: c.shown(e.File), Other: e.Other}).Error()
	case *drift.DiffersError:
		there := *e
		there.KeysFile = c.shown(e.KeysFile)
		return there.Error()
	case *drift.ChangedError:
		return (&drift.ChangedError{File: c.shown(e.File)}).Error()
	case *activateError:
		return (&activateError{c.shown(e.file), e.why, e.forceable}).Error()
	}
	return err.Error()
}

// clean makes control characters of file names and of what servers answer
// harmless to a terminal.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}
