// Package dotenv reads and changes env files in the format of dotenvx, whose
// values are encrypted one by one, and the .env.keys files beside them. It
// works on bytes, not files: other packages find, read and write them.
//
// A [Document] keeps the bytes that it was parsed from. A change replaces the
// values concerned and nothing else: comments, blank lines, line ends, quotes,
// order and whatever the grammar does not understand stay as they are. Every
// change is parsed again before it is returned. A value that would not read
// back as it should is an error, and the caller keeps what it had.
//
// [Entry.Value] is a value as the grammar defines it: ciphertext, or plaintext
// with its ${…} unexpanded. [Evaluate] returns the values that a program is to
// see.
package dotenv

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/ecies"
)

// A Document is a parsed env file. It is immutable: methods that change it
// return another one. It may be used by several goroutines at once.
type Document struct {
	data    []byte
	text    []byte // data, or its decoded text if it is UTF-16
	entries []Entry
	plain   func(name string) bool // of [Document.Keeping]; nil for no names
	public  *publicKeys            // shared by copies
}

// An Entry is one assignment of a document.
type Entry struct {
	Name  string
	Value string // without quotes and unescaped
	Quote byte   // ', " or `: the first character of the value in the file; 0 if it is not a quote
	Line  int    // of the name, from 1

	assignment
	quoted bool // Quote is closed at the value's end, too
}

// Parse parses data, whatever it contains: what is not an assignment is kept as
// it is. See [Document.Check] for data that commands should not change.
func Parse(data []byte) *Document { return parse(slices.Clone(data)) }

// parse is [Parse] for data that nobody else has.
func parse(data []byte) *Document {
	d := &Document{data: data, text: data, public: &publicKeys{}}
	if isUTF16(data) && byteOrder(data) == binary.LittleEndian { // dotenvx reads no other
		d.text = decodeUTF16(data)
	}
	text := string(d.text) // of which names and values are parts
	lines := lineCounter{text: d.text, line: 1}
	for at := skipBlanks(d.text, 0); at < len(d.text); at = skipBlanks(d.text, at) {
		a, ok := readAssignment(d.text, at)
		if !ok {
			at = findLineEnd(d.text, at)
			continue
		}
		e := Entry{Name: text[a.name:a.stop], Line: lines.at(a.name), assignment: a}
		e.Value, e.Quote, e.quoted = clean(text[a.from:a.to])
		d.entries = append(d.entries, e)
		at = a.end
	}
	return d
}

// Keeping returns the document with names that are to stay plaintext: they are not
// encrypted, and count like comments. Those of other calls no longer do. The documents
// that are made from it keep them too. Names that end in _PLAIN always stay plaintext.
func (d *Document) Keeping(plain func(name string) bool) *Document {
	other := *d
	other.plain = plain
	return &other
}

// StaysPlain reports whether the value of name is to stay plaintext.
func (d *Document) StaysPlain(name string) bool {
	return strings.HasSuffix(name, "_PLAIN") || d.plain != nil && d.plain(name)
}

// KeepsPlain reports whether a value of the document is to stay plaintext, other than
// by its name's end.
func (d *Document) KeepsPlain() bool {
	return d.plain != nil && slices.ContainsFunc(d.entries, func(e Entry) bool { return d.plain(e.Name) })
}

// parse parses data that was made from the document and that nobody else has.
func (d *Document) parse(data []byte) *Document {
	out := parse(data)
	out.plain = d.plain
	return out
}

// Bytes returns a copy of the document's bytes.
func (d *Document) Bytes() []byte { return slices.Clone(d.data) }

// Entries returns the assignments in the order of the file, each occurrence of
// a name. The caller must not change the slice.
func (d *Document) Entries() []Entry { return slices.Clip(d.entries) }

// Line returns the parts of an assignment as they are in the file: up to its
// separator, with it; the value with its quotes; and what is behind, a comment.
func (d *Document) Line(e Entry) (head, raw, tail string) {
	return string(d.text[e.start:e.value]), string(d.text[e.from:e.to]), string(d.text[e.to:e.end])
}

// Get returns the last assignment of name, the one that counts.
func (d *Document) Get(name string) (Entry, bool) {
	for _, e := range slices.Backward(d.entries) {
		if e.Name == name {
			return e, true
		}
	}
	return Entry{}, false
}

// Encrypted reports whether the value is ciphertext.
func (e Entry) Encrypted() bool { return ecies.IsEncrypted(e.Value) }

// Format prints name and line, whatever the verb, because the value may be
// secret.
func (e Entry) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "%s (line %d)", e.Name, e.Line) }

// MarshalText returns what Format prints, for JSON and the like.
func (e Entry) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", e), nil }

// Format prints the number of entries, whatever the verb.
func (d *Document) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "dotenv.Document(%d entries)", len(d.entries))
}

// An EncodingError reports bytes that are not allowed in an env file.
type EncodingError struct {
	Line    int
	Problem string
}

func (e *EncodingError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Problem) }

// Check returns an [*EncodingError] if the document is not UTF-8 text, [ErrUTF16]
// among them, or a [*ConflictError] if it contains conflict markers. NUL is not
// allowed either: no environment can contain it, and UTF-16 without a byte order
// mark is full of it. Methods that change a document refuse such bytes.
func (d *Document) Check() error {
	if line := conflict(d.text); line > 0 {
		return &ConflictError{line}
	}
	if isUTF16(d.data) {
		return ErrUTF16
	}
	bad, problem := invalid(d.data), "is not UTF-8"
	if nul := bytes.IndexByte(d.data, 0); nul >= 0 && (bad < 0 || nul < bad) {
		bad, problem = nul, "holds a NUL byte"
	}
	if bad < 0 {
		return nil
	}
	lines := lineCounter{text: d.data, line: 1}
	return &EncodingError{lines.at(bad), problem}
}

// UnparsedLines returns the numbers of the lines that are neither blank nor a
// comment nor part of an assignment. Such a line may be meant as a variable, so
// it may contain a secret that is not noticed.
func (d *Document) UnparsedLines() []int {
	var unparsed []int
	for line, text := range d.otherLines() {
		if text[0] != '#' {
			unparsed = append(unparsed, line)
		}
	}
	return slices.Compact(unparsed)
}

// CommentedOut returns the assignments of the form NAME=value that are comments on
// lines of their own. Their values are not encrypted.
func (d *Document) CommentedOut() []Entry {
	var out []Entry
	for line, text := range d.otherLines() {
		if text[0] != '#' {
			continue
		}
		text = bytes.TrimLeft(text, "# \t")
		a, ok := readAssignment(text, 0)
		if !ok || bytes.IndexByte(text[a.stop:a.value], '=') < 0 {
			continue // NAME: value is more often prose
		}
		e := Entry{Name: string(text[a.name:a.stop]), Line: line}
		e.Value, e.Quote, e.quoted = clean(string(text[a.from:a.to]))
		out = append(out, e)
	}
	return out
}

// otherLines yields the number and the text of each line that is neither blank nor
// part of an assignment.
func (d *Document) otherLines() iter.Seq2[int, []byte] {
	return func(yield func(int, []byte) bool) {
		lines := lineCounter{text: d.text, line: 1}
		rest := d.entries
		for at := skipBlanks(d.text, 0); at < len(d.text); at = skipBlanks(d.text, at) {
			if len(rest) > 0 && rest[0].start == at {
				at, rest = rest[0].end, rest[1:]
				continue
			}
			end := findLineEnd(d.text, at)
			if !yield(lines.at(at), d.text[at:end]) {
				return
			}
			at = end
		}
	}
}

// lineCounter returns the line numbers of ascending positions.
type lineCounter struct {
	text      []byte
	pos, line int
}

func (l *lineCounter) at(pos int) int {
	if pos > l.pos {
		part := l.text[l.pos:pos]
		l.line += bytes.Count(part, []byte("\n")) + bytes.Count(part, []byte("\r"))
		l.line -= bytes.Count(l.text[l.pos:min(pos+1, len(l.text))], []byte("\r\n"))
		l.pos = pos
	}
	return l.line
}

// invalid returns the position of the first byte that is not UTF-8, or -1.
func invalid(data []byte) int {
	if utf8.Valid(data) {
		return -1
	}
	for i := 0; ; {
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			return i
		}
		i += n
	}
}
