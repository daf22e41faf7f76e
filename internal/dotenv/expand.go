package dotenv

import (
	"errors"
	"strings"
)

// Errors of an expansion. dotenvx has none of them: it hangs, or runs out of
// memory.
var (
	ErrCycle   = errors.New("refers to itself without end")
	ErrTooLong = errors.New("grows beyond what a variable can hold")
)

// A value may replace each reference that it is written with and this many more
// that those bring in, and grow to the size that Linux allows for a variable.
const (
	maxNested = 1000
	maxGrowth = 128 << 10
)

// names looks up the variables that references name.
type names interface {
	lookup(name string) (value string, set bool)
	// isLiteral reports whether a reference to name ends the expansion: its
	// value was written to be taken as it is.
	isLiteral(name string) bool
}

// expand replaces $NAME, ${NAME}, ${NAME:-word} and the like by what known
// returns, from the left, until none is left: what a replacement brings in is
// expanded again. The rules are those of dotenvx, odd as they are, because its
// users' files depend on them. The value becomes final as soon as the whole of
// it equals the value just referred to. That is what protects a value with a
// "$" that is referred to alone.
func expand(value string, known names) (string, error) {
	left := maxNested + strings.Count(value, "$")
	limit := len(value) + maxGrowth
	for {
		ref, ok := findReference(value)
		if !ok {
			return value, nil
		}
		if left--; left < 0 {
			return "", ErrCycle
		}
		name, replacement := ref.resolve(known)
		if value, ok = substitute(value, ref.text, replacement, limit); !ok {
			return "", ErrTooLong
		}
		if is, set := known.lookup(name); set && value == is || known.isLiteral(name) {
			return value, nil
		}
	}
}

// unescape replaces \$ by $.
func unescape(value string) string { return strings.ReplaceAll(value, `\$`, `$`) }

// A reference is the part of a value that stands for another value.
type reference struct {
	text string // as it is in the text: $NAME or ${…}
	body string // NAME or the text in the braces
}

// findReference returns the leftmost reference that no backslash precedes. The
// braces of a reference contain no braces, so that the inner of two nested ones
// comes first.
func findReference(value string) (reference, bool) {
	for at := 0; ; at++ {
		i := strings.IndexByte(value[at:], '$')
		if i < 0 {
			return reference{}, false
		}
		at += i
		if at > 0 && value[at-1] == '\\' {
			continue
		}
		if ref, ok := readReference(value[at:]); ok {
			return ref, true
		}
	}
}

// readReference parses the reference at the beginning of text, which begins
// with "$".
func readReference(text string) (reference, bool) {
	if strings.HasPrefix(text, "${") {
		end := strings.IndexAny(text[2:], "{}")
		if end <= 0 || text[2+end] == '{' {
			return reference{}, false
		}
		return reference{text[:2+end+1], text[2 : 2+end]}, true
	}
	end := 1
	for end < len(text) && isReferenceByte(text[end], end == 1) {
		end++
	}
	return reference{text[:end], text[1:end]}, end > 1
}

func isReferenceByte(c byte, first bool) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_' || !first && '0' <= c && c <= '9'
}

// resolve returns the name that ref refers to and the text to put in its place.
func (ref reference) resolve(known names) (name, replacement string) {
	name, operator, word := splitOperator(ref.body)
	value, set := known.lookup(name)
	if strings.HasPrefix(operator, ":") {
		set = value != ""
	}
	switch {
	case strings.HasSuffix(operator, "-") && !set:
		return name, word
	case strings.HasSuffix(operator, "+"):
		if !set {
			return name, ""
		}
		return name, word
	}
	return name, value
}

// splitOperator splits NAME:-word and the like at the first operator. Without
// one, all is name: ${X:?e} refers to a variable with the name "X:?e".
func splitOperator(body string) (name, operator, word string) {
	i := strings.IndexAny(body, "+-")
	if i < 0 {
		return body, "", ""
	}
	start := i
	if i > 0 && body[i-1] == ':' {
		start--
	}
	return body[:start], body[start : i+1], body[i+1:]
}

// substitute replaces the first occurrence of ref in value, even one after a
// backslash, as JavaScript's String.replace does. In the replacement $$ means
// $, $& the reference, $` what precedes and $' what follows it. It is not ok if
// the result is longer than limit.
func substitute(value, ref, replacement string, limit int) (result string, ok bool) {
	before, after, _ := strings.Cut(value, ref)
	var b strings.Builder
	b.WriteString(before)
	for b.Len()+len(replacement) <= limit {
		i := strings.IndexByte(replacement, '$')
		if i < 0 || i+1 == len(replacement) {
			break
		}
		b.WriteString(replacement[:i])
		special := replacement[i+1]
		replacement = replacement[i+2:]
		switch special {
		case '$':
			b.WriteByte('$')
		case '&':
			b.WriteString(ref)
		case '`':
			b.WriteString(before)
		case '\'':
			b.WriteString(after)
		default:
			b.WriteByte('$')
			b.WriteByte(special)
		}
	}
	if b.Len()+len(replacement)+len(after) > limit {
		return "", false
	}
	b.WriteString(replacement)
	b.WriteString(after)
	return b.String(), true
}
