package dotenv

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// The grammar is anchored to lines but not made of lines: blanks between the
// parts of an assignment may contain line ends, and a value may be on the line
// below its name. The functions here work on positions in the text as it is,
// with CRLF and lone CR as further forms of a line end. They look at each byte
// a bounded number of times, so that any file is read in linear time.

// An assignment has the positions of the parts of NAME=VALUE in the text.
type assignment struct {
	start      int // of the word export, if there is one, else of the name
	name, stop int // the name is text[name:stop]
	value      int // where the value begins: right after the separator
	from, to   int // the value without the blanks around it, with its quotes
	end        int // of the line that the assignment ends on, before the line end
}

// readAssignment parses the assignment that begins at the non-blank at. The
// word export is a name itself if no other name follows it.
func readAssignment(text []byte, at int) (assignment, bool) {
	const export = "export"
	if bytes.HasPrefix(text[at:], []byte(export)) {
		name := skipBlanks(text, at+len(export))
		if name > at+len(export) {
			if a, ok := readPair(text, name); ok {
				a.start = at
				return a, true
			}
		}
	}
	return readPair(text, at)
}

func readPair(text []byte, name int) (a assignment, ok bool) {
	a.start, a.name, a.stop = name, name, name
	for a.stop < len(text) && isNameByte(text[a.stop]) {
		a.stop++
	}
	if a.stop == a.name {
		return a, false
	}
	if a.value, ok = readSeparator(text, a.stop); !ok {
		return a, false
	}
	a.from, a.to, a.end = readValue(text, a.value)
	return a, true
}

// readSeparator returns where the value begins: after a "=", which blanks may
// precede, or after a ":" and one blank.
func readSeparator(text []byte, at int) (value int, ok bool) {
	if i := skipBlanks(text, at); i < len(text) && text[i] == '=' {
		return i + 1, true
	}
	if at == len(text) || text[at] != ':' {
		return 0, false
	}
	n := max(lineEnd(text[at+1:]), blank(text[at+1:]))
	return at + 1 + n, n > 0
}

// readValue returns the bounds of the value that begins at at, and the end of
// its assignment. A quoted string may be on a later line. Everything else,
// including a string whose closing quote is missing or followed by more text,
// extends to the next "#" or line end.
func readValue(text []byte, at int) (from, to, end int) {
	if from = skipBlanks(text, at); from < len(text) && isQuote(text[from]) {
		if to, end, ok := readQuoted(text, from); ok {
			return from, to, end
		}
	}
	to = at
	for to < len(text) && text[to] != '#' && text[to] != '\n' && text[to] != '\r' {
		to++
	}
	end, _ = readTail(text, to)
	trimmed := bytes.TrimLeftFunc(text[at:to], isBlank)
	if len(trimmed) == 0 {
		return at, at, end
	}
	from = to - len(trimmed)
	return from, from + len(bytes.TrimRightFunc(trimmed, isBlank)), end
}

// readQuoted returns the end of the string that opens at open. A quote after a
// backslash closes it only if the first other quote does not, the last such
// quote first.
func readQuoted(text []byte, open int) (to, end int, ok bool) {
	quote := text[open]
	last := open + 1
	for ; last < len(text); last++ {
		i := bytes.IndexByte(text[last:], quote)
		if i < 0 {
			last = len(text)
			break
		}
		if last += i; last-1 == open || text[last-1] != '\\' {
			break
		}
	}
	if last < len(text) {
		if end, ok := readTail(text, last+1); ok {
			return last + 1, end, true
		}
	}
	for {
		i := bytes.LastIndexByte(text[open+1:min(last, len(text))], quote)
		if i < 0 {
			return 0, 0, false
		}
		last = open + 1 + i
		if end, ok := readTail(text, last+1); ok {
			return last + 1, end, true
		}
	}
}

// readTail returns the end of an assignment whose value ends at at: blanks, a
// comment, a line end. Blanks may contain line ends. If no comment follows
// them, the assignment ends at the last one.
func readTail(text []byte, at int) (end int, ok bool) {
	end = -1
	for at < len(text) {
		n := lineEnd(text[at:])
		if n > 0 {
			end = at
		} else if n = blank(text[at:]); n == 0 {
			break
		}
		at += n
	}
	switch {
	case at == len(text):
		return at, true
	case text[at] == '#':
		return findLineEnd(text, at), true
	}
	return end, end >= 0
}

// clean returns the value of raw: line ends are LF, a pair of quotes around it
// is removed, and escapes are replaced. There are few of those: \n, \r and \t
// in double quotes, \' in single quotes. The quote is the first character even
// if no other matches it.
func clean(raw string) (value string, quote byte, quoted bool) {
	value = raw
	if strings.Contains(value, "\r") {
		value = newlines.Replace(value)
	}
	if !utf8.ValidString(value) {
		value = string([]rune(value)) // one U+FFFD for each byte
	}
	if value == "" || !isQuote(value[0]) {
		return value, 0, false
	}
	quote = value[0]
	if n := len(value); n >= 2 && value[n-1] == quote {
		value, quoted = value[1:n-1], true
	}
	switch {
	case !strings.Contains(value, `\`):
	case quote == '"':
		value = escapes.Replace(value)
	case quote == '\'':
		value = strings.ReplaceAll(value, `\'`, `'`)
	}
	return value, quote, quoted
}

var (
	newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n")
	escapes  = strings.NewReplacer(`\n`, "\n", `\r`, "\r", `\t`, "\t")
)

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

func isNameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '_' || c == '.' || c == '-'
}

// skipBlanks returns the position of the first non-blank from at on.
func skipBlanks(text []byte, at int) int {
	for at < len(text) {
		n := blank(text[at:])
		if n == 0 {
			break
		}
		at += n
	}
	return at
}

// blank returns the length of the blank at the beginning of b, or 0.
func blank(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] < utf8.RuneSelf:
		if isBlank(rune(b[0])) {
			return 1
		}
		return 0
	}
	if r, n := utf8.DecodeRune(b); isBlank(r) {
		return n
	}
	return 0
}

// isBlank follows JavaScript, which counts the byte order mark as white space
// and U+0085 not; unicode.IsSpace has it the other way round.
func isBlank(r rune) bool {
	switch {
	case r == ' ', '\t' <= r && r <= '\r':
		return true
	case r < 0xA0:
		return false
	case 0x2000 <= r && r <= 0x200A:
		return true
	}
	switch r {
	case 0xA0, 0x1680, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000, 0xFEFF:
		return true
	}
	return false
}

// lineEnd returns the length of the line end at the beginning of b, or 0.
func lineEnd(b []byte) int {
	switch {
	case len(b) == 0:
		return 0
	case b[0] == '\n':
		return 1
	case b[0] == '\r':
		if len(b) > 1 && b[1] == '\n' {
			return 2
		}
		return 1
	case len(b) > 2 && b[0] == 0xE2 && b[1] == 0x80 && (b[2] == 0xA8 || b[2] == 0xA9):
		return 3 // U+2028, U+2029
	}
	return 0
}

// findLineEnd returns the position of the first line end from at on, or the
// end of the text.
func findLineEnd(text []byte, at int) int {
	for at < len(text) && lineEnd(text[at:]) == 0 {
		at++
	}
	return at
}
