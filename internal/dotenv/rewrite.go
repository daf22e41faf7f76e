package dotenv

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// A change sets an entry to another value.
type change struct {
	index int    // of the entry
	value string // as the grammar is to read it
	raw   string // preferred spelling, with quotes; "" for none

	// anyQuote reports that single quotes, which prevent expansion, make no
	// difference: there is no "$" in the value, nor in what it encrypts.
	// Otherwise single quotes are kept or avoided as before.
	anyQuote bool
	// literal reports that the value must be in single quotes.
	literal bool
	// fresh reports that the entry is new, so that nobody chose its quotes.
	fresh bool
}

// A QuoteError reports a value that cannot be written so that it reads back as
// it is. It does not contain the value.
type QuoteError struct {
	Name    string
	Line    int // 0 if the value is in no file yet
	Problem string
}

func (e *QuoteError) Error() string {
	if e.Line == 0 {
		return e.Name + ": " + e.Problem
	}
	return fmt.Sprintf("line %d: %s: %s", e.Line, e.Name, e.Problem)
}

// rewrite returns the document with other values. changes are in the order of
// the entries. The error joins a [*QuoteError] for each value that has no
// spelling.
//
// Which spelling of a value reads back depends on what follows: a backslash at
// its end turns the closing quote into text if there is another quote further
// down. So the text is built from its end, and each spelling is parsed before
// the final text that follows it.
func (d *Document) rewrite(changes []change) (*Document, error) {
	if len(changes) == 0 {
		return d, nil
	}
	w := writer{buf: make([]byte, d.sizeWith(changes))}
	w.at = len(w.buf)
	var errs []error
	rest := len(d.data)
	for _, c := range slices.Backward(changes) {
		e := d.entries[c.index]
		w.prepend(d.data[e.to:rest])
		if err := w.prependValue(d, e, c); err != nil {
			errs = append(errs, err)
		}
		rest = e.from
	}
	if errs != nil {
		slices.Reverse(errs)
		return nil, errors.Join(errs...)
	}
	w.prepend(d.data[:rest])
	out := d.parse(w.buf[w.at:])
	want := slices.Clone(d.entries)
	for _, c := range changes {
		want[c.index].Value = c.value
	}
	if !sameEntries(out.entries, want) {
		return nil, errReadBack
	}
	return out, nil
}

// errReadBack would be a bug in this package, found before it does harm.
var errReadBack = errors.New("the changed file would not read back as it should; it was left alone")

func sameEntries(a, b []Entry) bool {
	return slices.EqualFunc(a, b, func(a, b Entry) bool { return a.Name == b.Name && a.Value == b.Value })
}

// sizeWith returns at least the size of the document with the changes: a
// spelling takes at most two bytes for one, and its quotes.
func (d *Document) sizeWith(changes []change) int {
	size := len(d.data)
	for _, c := range changes {
		size += max(2*len(c.value)+2, len(c.raw))
	}
	return size
}

// A writer is a text that is built from its end.
type writer struct {
	buf []byte
	at  int
}

func (w *writer) prepend(b []byte) {
	w.at -= len(b)
	copy(w.buf[w.at:], b)
}

func (w *writer) prependString(s string) {
	w.at -= len(s)
	copy(w.buf[w.at:], s)
}

// prependValue writes the first spelling of the value that reads back.
func (w *writer) prependValue(d *Document, e Entry, c change) error {
	if strings.IndexByte(c.value, 0) >= 0 || !utf8.ValidString(c.value) {
		return &QuoteError{e.Name, e.Line, "the value holds bytes that are no text"}
	}
	eol := lineEnding(d.data[e.end:])
	if e.end == len(d.data) {
		eol = d.lineEnding()
	}
	behind := w.at
	for spelling := range spellings(e, c, eol) {
		w.at = behind
		w.prependString(spelling)
		w.prepend(d.data[e.value:e.from]) // blanks, perhaps line ends
		start := w.at
		w.at += e.from - e.value
		from, to, end := readValue(w.buf, start)
		value, quote, _ := clean(string(w.buf[from:to]))
		if value == c.value && end-behind == e.end-e.to && c.allows(e.Quote, quote) {
			return nil
		}
	}
	w.at = behind
	return &QuoteError{e.Name, e.Line, "no quotes can hold the value so that it reads back the same"}
}

// allows reports whether the value may be in the quote to, given that the entry
// has the quote from.
func (c change) allows(from, to byte) bool {
	if c.literal {
		return to == '\''
	}
	return c.anyQuote || (from == '\'') == (to == '\'')
}
