// Package report prints what a command did: rows of text for a user, or one of
// the formats that other programs read. It does not decide what a row says; the
// words are the command's.
package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/secret"
)

// A Status is the first column of a row: what became of a file, or what it is.
// The actions of a plan are statuses as well.
type Status string

// The statuses of checks.
const (
	Verified    Status = "verified"
	NotVerified Status = "not verified" // and not expected to be
	NotCompared Status = "not compared" // there is nothing to compare with
	NotChecked  Status = "not checked"  // an error
	NotTested   Status = "not tested"   // and need not be
	Drift       Status = "drift"
	Plaintext   Status = "plaintext"
	PrivateKey  Status = "private key"
	FoundValue  Status = "value" // of an env file, in another file
	Conflict    Status = "merge conflict"
	Warning     Status = "warning" // not a failure
	OK          Status = "ok"
	Problem     Status = "problem"
)

// The statuses of commands that change something beside env files.
const (
	Mapped    Status = "mapped"
	Pushed    Status = "pushed"
	Trusted   Status = "trusted"
	Fixed     Status = "fixed"
	Forgotten Status = "forgotten"
)

// ToDo is the status of what a person is to do.
const ToDo Status = "to do"

// A Row is what a command reports of one file, mapping or thing.
type Row struct {
	Status      Status   `json:"status"`
	File        string   `json:"file,omitempty"` // relative to the top
	Line        int      `json:"line,omitempty"` // in File; 0 if it is about all of it
	What        string   `json:"what,omitempty"` // where it is no file: a hook, a setting
	Secret      string   `json:"secret,omitempty"`
	Environment string   `json:"environment,omitempty"`
	Vault       string   `json:"vault,omitempty"`
	Commit      string   `json:"commit,omitempty"` // that has this version of File
	Names       []string `json:"names,omitempty"`
	Note        string   `json:"note,omitempty"`
	Error       string   `json:"error,omitempty"`
	Hints       []string `json:"hints,omitempty"`

	Err error `json:"-"` // why the row is a failure; nil if it is none
}

// A Report is the outcome of a command.
type Report struct {
	Command string
	Status  int // the exit status
	Rows    []Row
	Summary string
	Data    any    // what JSON adds
	Failure *Fault // of the command as a whole; nil for none

	// OnStdout sends rows and summary to standard output: they are what the
	// command was run for. Otherwise they are progress.
	OnStdout bool
}

// Failed reports whether a row is a failure.
func (r *Report) Failed() bool {
	for _, row := range r.Rows {
		if row.Err != nil {
			return true
		}
	}
	return false
}

// A Fault is an error and what helps, in words.
type Fault struct {
	Error string
	Hints []string
}

// A Printer prints reports.
type Printer struct {
	Stdout, Stderr io.Writer
	Format         Format // of Stdout
	Quiet          bool   // failures only
	Verbose        bool
	Colour         bool                // Stderr is a terminal that shows colours
	ColourStdout   bool                // so is Stdout
	Annotations    bool                // the streams are the log of a GitHub Actions job
	Version        string              // of envdrift
	RelPath        func(string) string // a path as the user types it
}

// Print prints a report: in the format that was asked for on standard output,
// and, unless that is JSON, as text on the stream that is left for it.
func (p *Printer) Print(r Report) error {
	r.redact()
	var err error
	to, colour := p.Stderr, p.Colour
	if p.Format.write != nil {
		err = p.Format.write(p.Stdout, p, r)
	} else if r.OnStdout {
		to, colour = p.Stdout, p.ColourStdout
	}
	if p.Format.Alone {
		return err
	}
	var text strings.Builder
	if p.Annotations && !p.Format.shown {
		annotate(&text, r.Rows)
	}
	p.printRows(&text, r.Rows, colour)
	if r.Summary != "" && !p.Quiet {
		fmt.Fprintln(&text, Clean(r.Summary))
	}
	_, textErr := io.WriteString(to, text.String())
	if r.Failure != nil {
		p.PrintFault(*r.Failure)
	}
	return errors.Join(err, textErr)
}

// redact is the last line of defence, for all formats: it removes what has the
// form of a secret from the texts that may quote what others wrote.
func (r *Report) redact() {
	r.Rows = slices.Clone(r.Rows)
	for i := range r.Rows {
		row := &r.Rows[i]
		row.Note, row.Error, row.Hints = secret.Redact(row.Note), secret.Redact(row.Error), redactAll(row.Hints)
	}
	if r.Failure != nil {
		r.Failure = &Fault{secret.Redact(r.Failure.Error), redactAll(r.Failure.Hints)}
	}
}

func redactAll(texts []string) []string {
	texts = slices.Clone(texts)
	for i, text := range texts {
		texts[i] = secret.Redact(text)
	}
	return texts
}

// PrintFault prints an error and what helps.
func (p *Printer) PrintFault(f Fault) {
	for _, line := range strings.Split(f.Error, "\n") {
		fmt.Fprintln(p.Stderr, "envdrift: error: "+Clean(line))
	}
	for _, hint := range f.Hints {
		fmt.Fprintln(p.Stderr, "envdrift: hint: "+Clean(hint))
	}
}

// Say prints a line for the user, unless Quiet.
func (p *Printer) Say(format string, args ...any) {
	if !p.Quiet && !p.Format.Alone {
		fmt.Fprintln(p.Stderr, Clean(secret.Redact(fmt.Sprintf(format, args...))))
	}
}

// Detail prints a line that Verbose asks for.
func (p *Printer) Detail(format string, args ...any) {
	if p.Verbose {
		p.Say(format, args...)
	}
}

// printRows aligns status and file. The rest of a row follows, its error and
// hints below.
func (p *Printer) printRows(to io.Writer, rows []Row, colour bool) {
	var status, file int
	for _, r := range rows {
		status, file = max(status, len(r.Status)), max(file, len([]rune(p.subject(r))))
	}
	for _, r := range rows {
		if p.Quiet && r.Err == nil {
			continue
		}
		line := fmt.Sprintf("%s  %-*s  %s", paint(r, status, colour), file, p.subject(r), r.detail())
		fmt.Fprintln(to, strings.TrimRight(line, " "))
		if r.Err != nil {
			fmt.Fprintf(to, "%*s  %s\n", status, "", Clean(r.Error))
		}
		for _, hint := range r.Hints {
			fmt.Fprintf(to, "%*s  → %s\n", status, "", Clean(hint))
		}
	}
}

// subject is what a row is about, as the user types it.
func (p *Printer) subject(r Row) string {
	if r.What != "" {
		return Clean(r.What)
	}
	if name := Clean(p.RelPath(r.File)); r.Line == 0 {
		return name
	} else {
		return fmt.Sprintf("%s:%d", name, r.Line)
	}
}

// problem is why the row is a failure, for a format that shows no other column.
func (r Row) problem() string {
	text := r.Error
	if r.Line > 0 {
		text = fmt.Sprintf("line %d: %s", r.Line, text)
	}
	if r.Commit != "" {
		text = "at " + r.Commit + ": " + text
	}
	return text
}

func (r Row) detail() string {
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
	if r.Commit != "" {
		parts = append(parts, "at "+r.Commit)
	}
	return Clean(strings.Join(parts, "  "))
}

func paint(r Row, width int, colour bool) string {
	padded := fmt.Sprintf("%-*s", width, r.Status)
	if !colour {
		return padded
	}
	shade := color.New(color.FgGreen)
	if r.Err != nil {
		shade = color.New(color.FgRed)
	}
	shade.EnableColor() // the library decides by stdout alone
	return shade.Sprint(padded)
}

// Clean makes control characters of file names and of what servers answer
// harmless to a terminal.
func Clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '�'
		}
		return r
	}, s)
}

// Plural returns n and the noun in the number that fits.
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// JoinFirst joins the first of parts, to fit on a line.
func JoinFirst(parts []string) string {
	const most = 3
	if more := len(parts) - most; more > 0 {
		return fmt.Sprintf("%s and %d more", strings.Join(parts[:most], ", "), more)
	}
	return strings.Join(parts, ", ")
}
