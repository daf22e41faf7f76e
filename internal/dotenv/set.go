package dotenv

import (
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
)

// Set returns the document with another value for name: in place of its last
// assignment, the one that counts, or at the end. The value is taken literally:
// quotes keep a "$" in it, or in what it is the ciphertext of, from being
// expanded.
//
// The error is an [*EncodingError], a [*QuoteError], or a [*NameError] for a
// new name that is not an identifier.
func (d *Document) Set(name, value string) (*Document, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	literal := ecies.IsEncrypted(value) || strings.Contains(value, "$")
	for i := len(d.entries) - 1; i >= 0; i-- {
		if d.entries[i].Name == name {
			return d.rewrite([]change{{index: i, value: value, anyQuote: true, literal: literal}})
		}
	}
	if !isIdentifier(name) {
		return nil, &NameError{name, "a variable's name is made of letters, digits and _, and no digit comes first"}
	}
	data := d.Bytes()
	if n := len(data); n > 0 && data[n-1] != '\n' && data[n-1] != '\r' {
		data = append(data, d.lineEnding()...)
	}
	out := Parse(append(data, name+"=''"+d.lineEnding()...))
	n := len(d.entries)
	if len(out.entries) != n+1 || !sameEntries(out.entries[:n], d.entries) || out.entries[n].Name != name {
		return nil, errReadBack
	}
	return out.rewrite([]change{{index: n, value: value, anyQuote: true, literal: literal}})
}

func isIdentifier(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isNameByte(c) || c == '-' || c == '.' || i == 0 && '0' <= c && c <= '9' {
			return false
		}
	}
	return name != ""
}
