package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
)

// A ConflictError reports conflict markers: the file holds two versions, and the
// grammar would read whichever comes last.
type ConflictError struct{ Line int } // of the first marker

func (e *ConflictError) Error() string {
	return fmt.Sprintf("line %d: merge conflict: resolve it, then git add the file", e.Line)
}

// conflict returns the line of the first conflict marker, or 0. Git's attribute
// conflict-marker-size makes markers of any length; a marker may lack its label.
func conflict(text []byte) (line int) {
	if !bytes.Contains(text, []byte("<")) && !bytes.Contains(text, []byte(">>>>>>>")) {
		return 0
	}
	number, begin, length, middle := 0, 0, 0, false
	for raw := range bytes.Lines(bytes.ReplaceAll(text, []byte("\r"), []byte("\n"))) {
		number++
		c, n := marker(bytes.TrimRight(raw, "\n"))
		switch {
		case n >= 7 && (c == '<' || c == '>'):
			return number // one of git's own length needs no other
		case c == '<':
			begin, length, middle = number, n, false
		case c == '=' && n == length:
			middle = true
		case c == '>' && n == length && middle:
			return begin
		}
	}
	return 0
}

// marker returns which conflict marker a line is and how long; no line of an
// assignment is one.
func marker(line []byte) (c byte, length int) {
	if len(line) == 0 || !strings.ContainsRune("<=>", rune(line[0])) {
		return 0, 0
	}
	c = line[0]
	for length < len(line) && line[length] == c {
		length++
	}
	if length < len(line) && line[length] != ' ' {
		return 0, 0
	}
	return c, length
}

// A FormError reports text of an env file that is readable although it looks as
// if it were part of an encrypted value, or that would be once the file is
// encrypted. It does not hold the text.
type FormError struct {
	Name    string // of the variable
	Line    int
	Problem string
}

func (e *FormError) Error() string { return fmt.Sprintf("line %d: %s: %s", e.Line, e.Name, e.Problem) }

// CheckForm reports what the values of a file cannot account for, as joined
// [*FormError]s:
//
//   - text behind a ciphertext on its line: dotenvx ignores what follows the
//     base64, so the value decrypts all the same
//   - a # right behind an unquoted value: the grammar takes it for a comment,
//     most loaders for a part of the value
//   - a value that begins on its line and goes on below without quotes, as of a
//     PEM block or of JSON: the lines below are no part of it
//
// Only the canonical form of a ciphertext is one.
func (d *Document) CheckForm() error {
	var errs []error
	for i, e := range d.entries {
		switch {
		case e.isPublicKey():
		case e.Encrypted() && !ecies.IsCanonical(e.Value) && ecies.IsWellFormed(e.Value):
			errs = append(errs, &FormError{e.Name, e.Line, "text follows the encrypted value and is not encrypted: put it on a line of its own"})
		case d.hasGluedComment(e):
			errs = append(errs, &FormError{e.Name, e.Line, "a # follows the value directly: put quotes around the value, or a blank before the #"})
		}
		if last := d.goesOn(i); last > 0 {
			errs = append(errs, &FormError{e.Name, e.Line, fmt.Sprintf("the value goes on to line %d, but without quotes only its first line is the value: put quotes around all of it", last)})
			return errors.Join(errs...) // what follows may be part of it
		}
	}
	return errors.Join(errs...)
}

// hasGluedComment reports whether a # stands right behind the value.
func (d *Document) hasGluedComment(e Entry) bool {
	return !e.quoted && e.to < len(d.text) && d.text[e.to] == '#'
}

// goesOn returns the last line that seems to belong to the value of entry i but
// is outside of it, or 0.
func (d *Document) goesOn(i int) (last int) {
	e := d.entries[i]
	if e.quoted {
		return 0
	}
	ends := endOf(e.Value, e.Quote)
	if ends == nil {
		return 0
	}
	lines := lineCounter{text: d.text, line: 1}
	next := skipBlanks(d.text, e.end)
	if next == len(d.text) || d.isEntry(i+1, next) && !isBody(d.text[next:findLineEnd(d.text, next)]) {
		return 0 // another variable follows: the value was all on its line
	}
	for at := next; at < len(d.text); at = skipBlanks(d.text, at) {
		stop := findLineEnd(d.text, at)
		last = lines.at(at)
		if ends(string(d.text[at:stop])) {
			break
		}
		at = stop
	}
	return last
}

// isEntry reports whether entry i begins at at.
func (d *Document) isEntry(i, at int) bool { return i < len(d.entries) && d.entries[i].start == at }

// endOf returns what finds the last line of a value that does not end on its
// first; nil for a value that does.
func endOf(value string, quote byte) func(line string) bool {
	const begin, end = "-----BEGIN ", "-----END "
	switch {
	case strings.Contains(value, begin) && !strings.Contains(value, end):
		return func(line string) bool { return strings.Contains(line, end) }
	case quote != 0: // not closed
		return func(line string) bool { return strings.IndexByte(line, quote) >= 0 }
	case value != "" && (value[0] == '{' || value[0] == '['):
		depth := nesting(value)
		if depth <= 0 {
			return nil
		}
		return func(line string) bool { depth += nesting(line); return depth <= 0 }
	}
	return nil
}

func nesting(s string) int {
	return strings.Count(s, "{") + strings.Count(s, "[") - strings.Count(s, "}") - strings.Count(s, "]")
}

// isBody reports whether a line that reads as an assignment is base64 that ends
// in its padding, as the last line of a PEM block does.
func isBody(line []byte) bool {
	name := bytes.TrimRight(line, "= \t")
	return len(name) < len(line) && len(name) > 0 && !slices.ContainsFunc(name, func(c byte) bool {
		return !(isNameByte(c) && c != '.' && c != '-' && c != '_' || c == '+' || c == '/')
	})
}
