package loader

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A dialect says how a loader reads the text behind "NAME=", up to the end of the
// assignment. It is not ok if the loader refuses the text, goes on behind it, or
// expands something in it, or if the model does not know: that is always allowed.
type dialect func(raw string) (value string, ok bool)

// A syntax is a dialect of quotes and escapes; most loaders have one.
type syntax struct {
	double, single, backtick *quoting // nil for those that are no quotes
	bare                     bareness
	cr                       bool // a CR is a character like any other
}

// A quoting is what a pair of quotes means.
type quoting struct {
	escapes string   // characters that a backslash before them stands for; n r t … for control characters
	other   fallback // any other backslash
	dollar  bool     // a $ without a backslash is, or may be, a reference
	special string   // further characters that must have a backslash
	lines   bool     // the text may have several lines
	joins   bool     // a backslash before a line end takes it away
	closes  bool     // a backslash before the closing quote does not escape it
}

// A fallback is what a backslash means that belongs to no escape.
type fallback int

const (
	keep   fallback = iota // itself
	pair                   // itself, together with the character behind it
	drop                   // nothing
	refuse                 // an error, or the model does not know
)

// A bareness is what text without quotes means.
type bareness struct {
	hash   hash
	forbid string // characters that mean something in it
	blanks bool   // it may have blanks inside
}

// A hash is where a # begins a comment.
type hash int

const (
	anywhere hash = iota
	behindBlank
	nowhere
)

// read is the [dialect] of s.
func (s syntax) read(raw string) (string, bool) {
	if !utf8.ValidString(raw) || strings.ContainsAny(raw, "\x00\u2028\u2029\ufeff\u0085") || !s.cr && strings.Contains(raw, "\r") {
		return "", false
	}
	if raw == "" {
		return "", true
	}
	if isQuote(raw[0]) {
		q := map[byte]*quoting{'"': s.double, '\'': s.single, '`': s.backtick}[raw[0]]
		last := len(raw) - 1
		if q == nil || last == 0 || raw[last] != raw[0] {
			return "", false
		}
		return q.read(raw[1:last], raw[0])
	}
	return s.bare.read(raw)
}

func isQuote(c byte) bool { return c == '"' || c == '\'' || c == '`' }

// read returns the value of the text between two quotes.
func (q quoting) read(text string, quote byte) (string, bool) {
	if !q.lines && strings.Contains(text, "\n") {
		return "", false
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && i+1 == len(text):
			if !q.closes {
				return "", false
			}
			b.WriteByte(c)
		case c == '\\' && strings.IndexByte(q.escapes, text[i+1]) >= 0:
			i++
			b.WriteByte(escaped(text[i]))
		case c == '\\':
			next := text[i+1]
			if q.other == refuse || q.joins && next == '\n' || next == quote && q.other != drop {
				return "", false
			}
			if q.other != drop {
				b.WriteByte(c)
			}
			if q.other != keep {
				i++
				b.WriteByte(next)
			}
		case c == quote, c == '$' && q.dollar, strings.IndexByte(q.special, c) >= 0:
			return "", false
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), true
}

// escaped returns what a backslash and c stand for.
func escaped(c byte) byte {
	if i := strings.IndexByte("abfnrtv", c); i >= 0 {
		return "\a\b\f\n\r\t\v"[i]
	}
	return c
}

// read returns the value of text without quotes.
func (s bareness) read(text string) (string, bool) {
	if strings.Contains(text, "\n") {
		return "", false
	}
	if i := strings.IndexByte(text, '#'); i >= 0 && s.hash != nowhere {
		glued := i == 0 || text[i-1] != ' ' && text[i-1] != '\t'
		switch {
		case s.hash == behindBlank && (i == 0 || glued && strings.Contains(text[i:], " #") || strings.Contains(text, "\t#")):
			return "", false
		case s.hash == behindBlank && glued:
		default:
			text = text[:i]
			text = strings.TrimRight(text, " ")
		}
	}
	if strings.ContainsAny(text, s.forbid) || !s.blanks && strings.ContainsFunc(text, unicode.IsSpace) ||
		strings.TrimFunc(text, isBlank) != text {
		return "", false
	}
	return text, true
}

// isBlank reports what one loader or another trims.
func isBlank(r rune) bool { return unicode.IsSpace(r) || r < ' ' || r == 0x7f }

// escapedDollars is the dialect of a loader that expands the value that another
// dialect reads: each $ must have a backslash, which it takes off.
func escapedDollars(read dialect) dialect {
	return func(raw string) (string, bool) {
		text, ok := read(raw)
		if !ok {
			return "", false
		}
		value := strings.ReplaceAll(text, `\$`, "")
		return strings.ReplaceAll(text, `\$`, "$"), !strings.Contains(value, "$")
	}
}
