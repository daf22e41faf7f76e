package dotenv

import (
	"iter"
	"slices"
	"strings"
	"unicode"
)

// A value has many spellings that this grammar reads alike, and few that every other
// loader of env files does. docs/loaders.md has what they make of a spelling; the
// choices here follow from that. None of them takes a value from a loader that read
// it in the quotes that somebody typed.

// spellings yields ways to write a value, the best first. The caller must find out
// which of them read back. Line ends become eol.
//
// What somebody typed is what their own loader reads, so the entry's quotes come
// first, unless the value holds them: hardly any loader reads 'it's' or "say "hi"".
func spellings(e Entry, c change, eol string) iter.Seq[string] {
	own := byte(bare)
	if e.quoted {
		own = e.Quote
	}
	quotes := append([]byte{own}, others(c.value)...)
	if q, ok := better(c.value, own, c.fresh); ok {
		quotes = slices.Insert(quotes, 0, q)
	}
	return func(yield func(string) bool) {
		if c.raw != "" && !yield(c.raw) {
			return
		}
		for _, q := range quotes {
			if !yield(quote(q, c.value, eol)) {
				return
			}
		}
		// On one line, where a quote inside does not end it: a value
		// that begins with a quote and contains a CR reads back from
		// nothing else.
		if !yield(`"` + strings.NewReplacer("\r", `\r`, "\n", `\n`).Replace(c.value) + `"`) {
			return
		}
		// dotenvx unescapes this only since 2.12.
		yield(quote('\'', strings.ReplaceAll(c.value, `'`, `\'`), eol))
	}
}

const bare = 0 // no quotes

// better returns the quotes in which more loaders read a value than in own. Those of
// a fresh entry nobody chose.
func better(value string, own byte, fresh bool) (quote byte, ok bool) {
	double, single := strings.Contains(value, `"`), strings.Contains(value, `'`)
	switch {
	case fresh && isPlain(value):
		return bare, true // which docker needs
	case fresh && strings.HasSuffix(value, `\`) && isLine(value) && escapes.Replace(value) == value:
		return bare, true // a closing quote would be escaped, and the lines below lost
	case fresh && !single && strings.ContainsAny(value, "\"\\`"):
		return '\'', true // a shell would run what is between backticks in double quotes
	case own == bare || !holdsRaw(value, own), isWrapped(value, own), own == '`' && strings.Contains(value, "$"):
		return 0, false
	case double && single:
		return bare, isLine(value) && (own != '\'' || !strings.Contains(value, `\`))
	case double:
		return '\'', true
	}
	return '"', own != '\'' || !strings.Contains(value, `\`)
}

// spelledLike returns a ciphertext in the quotes that its new value should be in once
// it is decrypted; "" if those are like any other's.
func spelledLike(ciphertext, value string) string {
	q, ok := better(value, '"', true)
	if !ok || isPlain(value) {
		return ""
	}
	return quote(q, ciphertext, "")
}

// holdsRaw reports whether quote is in value without a backslash before it.
func holdsRaw(value string, quote byte) bool {
	for i := range len(value) {
		if value[i] == quote && (i == 0 || value[i-1] != '\\') {
			return true
		}
	}
	return false
}

// isWrapped reports whether value itself has quotes around it, of which django-environ
// takes two pairs off.
func isWrapped(value string, quote byte) bool {
	return quote == '"' && len(value) > 1 && value[0] == quote && value[len(value)-1] == quote
}

// isPlain reports whether no loader finds anything special in value.
func isPlain(value string) bool {
	return value != "" && !strings.HasPrefix(value, "=") && !strings.ContainsFunc(value, func(r rune) bool {
		return !(unicode.IsLetter(r) || '0' <= r && r <= '9' || strings.ContainsRune("_./:@%+,=-", r))
	})
}

// isLine reports whether value is text that needs no quotes to be one value: on one
// line, without blanks around it, a quote in front or a comment.
func isLine(value string) bool {
	return value != "" && value == strings.TrimSpace(value) && !strings.ContainsAny(value, "\n\r#") && !isQuote(value[0])
}

// others returns all quotes, first those that are not in value.
func others(value string) []byte {
	rank := func(quote byte) int {
		switch {
		case quote == bare:
			return 1
		case strings.IndexByte(value, quote) >= 0:
			return 2
		}
		return 0
	}
	quotes := []byte{'"', '\'', '`', bare}
	slices.SortStableFunc(quotes, func(a, b byte) int { return rank(a) - rank(b) })
	return quotes
}

// quote returns value in quotes. Only double quotes can contain a CR, as \r;
// unescaped it would read as a line end, or become part of one. Line ends are escaped
// with it, as some loaders accept escapes or several lines, not both.
func quote(q byte, value, eol string) string {
	if q == '"' && strings.Contains(value, "\r") {
		value, eol = strings.ReplaceAll(value, "\r", `\r`), `\n`
	}
	value = strings.ReplaceAll(value, "\n", eol)
	if q == bare {
		return value
	}
	return string(q) + value + string(q)
}
