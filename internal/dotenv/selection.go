package dotenv

import (
	"fmt"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// A Selection limits a change to the names that match one of the patterns in
// Only, if there are any, and none in Except. The zero Selection selects all
// names.
//
// Patterns are those of dotenvx's --key and --exclude-key: *, ?, [a-z] and
// {a,b}, and a leading ! for all names but those that match. Case matters. A
// leading dot matches only if the pattern has it.
type Selection struct {
	Only, Except []string
}

// A PatternError reports a malformed pattern.
type PatternError struct{ Pattern string }

func (e *PatternError) Error() string { return fmt.Sprintf("malformed pattern %q", e.Pattern) }

// Check returns a [*PatternError] for the first malformed pattern.
func (s Selection) Check() error {
	for _, patterns := range [][]string{s.Only, s.Except} {
		for _, p := range patterns {
			if glob := strings.TrimPrefix(p, "!"); glob == "" || !doublestar.ValidatePattern(glob) {
				return &PatternError{p}
			}
		}
	}
	return nil
}

// Has reports whether name is selected. A malformed pattern matches nothing.
func (s Selection) Has(name string) bool {
	return (len(s.Only) == 0 || matchAny(s.Only, name)) && !matchAny(s.Except, name)
}

func matchAny(patterns []string, name string) bool {
	for _, p := range patterns {
		glob, not := strings.CutPrefix(p, "!")
		ok, err := doublestar.Match(glob, name)
		if strings.HasPrefix(name, ".") && !strings.HasPrefix(glob, ".") {
			ok = false
		}
		if err == nil && ok != not {
			return true
		}
	}
	return false
}

// Plaintext returns the selected entries that [Document.Encrypt] would encrypt:
// all that are not encrypted, including empty ones, except public keys and
// names that stay plaintext.
func (d *Document) Plaintext(sel Selection) []Entry {
	var plain []Entry
	for _, i := range d.plaintext(sel) {
		plain = append(plain, d.entries[i])
	}
	return plain
}

func (d *Document) plaintext(sel Selection) (indexes []int) {
	for i, e := range d.entries {
		if !e.Encrypted() && !e.isPublicKey() && !d.StaysPlain(e.Name) && sel.Has(e.Name) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// HasCiphertext reports whether a selected value is encrypted.
func (d *Document) HasCiphertext(sel Selection) bool { return len(d.encrypted(sel)) > 0 }

func (d *Document) encrypted(sel Selection) (indexes []int) {
	for i, e := range d.entries {
		if e.Encrypted() && !e.isPublicKey() && sel.Has(e.Name) {
			indexes = append(indexes, i)
		}
	}
	return indexes
}

// A State says whether a document's values are encrypted. Public keys and
// plaintext that is to stay plaintext do not count.
type State int

// The states of a document.
const (
	Empty     State = iota // no value that is or would be encrypted
	Plain                  // all values are plaintext
	Encrypted              // all values are encrypted
	Mixed
)

// HasCiphertext reports whether at least one value is encrypted.
func (s State) HasCiphertext() bool { return s == Encrypted || s == Mixed }

// State returns the document's state. A file that is all [Encrypted] has
// nothing that [Document.Encrypt] would change.
func (d *Document) State() State {
	plain, encrypted := len(d.plaintext(Selection{})), len(d.encrypted(Selection{}))
	switch {
	case plain == 0 && encrypted == 0:
		return Empty
	case encrypted == 0:
		return Plain
	case plain == 0:
		return Encrypted
	}
	return Mixed
}

// SplitPatterns separates patterns at their commas, except those within braces.
func SplitPatterns(lists []string) (patterns []string) {
	for _, list := range lists {
		depth := 0
		patterns = append(patterns, strings.FieldsFunc(list, func(r rune) bool {
			switch r {
			case '{':
				depth++
			case '}':
				depth--
			}
			return r == ',' && depth == 0
		})...)
	}
	return patterns
}
