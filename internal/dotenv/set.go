package dotenv

import (
	"bytes"
	"errors"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// Set returns the document with another value for name: in place of its last
// assignment, the one that counts, or on a new line, below the last name of the
// same family (DB_HOST, DB_PORT) or at the end. The value is taken literally:
// quotes keep a "$" in it, or in what it is the ciphertext of, from being
// expanded.
//
// The error is an [*EncodingError], a [*QuoteError], or a [*NameError] for a
// new name that is not an identifier.
func (d *Document) Set(name, value string) (*Document, error) {
	return d.set(name, value, ecies.IsEncrypted(value) || strings.Contains(value, "$"), "")
}

// SetSecret is [Document.Set] for a value that is encrypted for pub. A document
// without a header gets one, as of [Document.Encrypt], of which the other errors
// are. A value that no env file can have decrypted, or no program can be given, is a
// [*QuoteError].
func (d *Document) SetSecret(name string, value secret.Value, pub ecies.PublicKey, opt EncryptOptions) (*Document, error) {
	hasHeader, err := d.accepts(pub)
	if err != nil {
		return nil, err
	}
	if err := writable(name, value.Reveal()); err != nil {
		return nil, err
	}
	ciphertext, err := pub.Encrypt([]byte(value.Reveal()))
	if err != nil {
		return nil, err
	}
	out, err := d.set(name, ciphertext, strings.Contains(value.Reveal(), "$"), spelledLike(ciphertext, value.Reveal()))
	if err != nil || hasHeader {
		return out, err
	}
	return out.addHeader(pub, opt)
}

// writable returns why no env file can have a value decrypted.
func writable(name, value string) error {
	if ecies.IsEncrypted(value) {
		return &QuoteError{name, 0, "the value is encrypted already"}
	}
	doc, err := Parse([]byte(`V=""`)).set("V", value, strings.Contains(value, "$"), "")
	if unwritable := (*QuoteError)(nil); errors.As(err, &unwritable) {
		return &QuoteError{name, 0, unwritable.Problem}
	}
	if err == nil && doc.Check() != nil {
		return &QuoteError{name, 0, "the value has lines like those around a merge conflict"}
	}
	return err
}

// set sets the value of name; literal says that a "$" in it is none of an expansion.
// raw is a spelling of the value that is preferred; "" for none.
func (d *Document) set(name, value string, literal bool, raw string) (*Document, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	c := change{value: value, raw: raw, anyQuote: true, literal: literal}
	for c.index = len(d.entries) - 1; c.index >= 0; c.index-- {
		if d.entries[c.index].Name == name {
			return d.rewrite([]change{c})
		}
	}
	if !isIdentifier(name) {
		return nil, &NameError{name, "a variable's name is made of letters, digits and _, and no digit comes first"}
	}
	for _, at := range []int{d.family(name), len(d.entries)} {
		if out := d.insert(at, name); out != nil {
			c.index, c.fresh = at, !ecies.IsEncrypted(value)
			return out.rewrite([]change{c})
		}
	}
	return nil, errReadBack
}

// family returns the index below the last entry whose name begins like name, up to
// its first "_"; the end if there is none.
func (d *Document) family(name string) int {
	prefix, _, ok := strings.Cut(name, "_")
	for i := len(d.entries) - 1; i >= 0 && ok && prefix != ""; i-- {
		if e := d.entries[i]; strings.HasPrefix(e.Name, prefix+"_") && !e.isPublicKey() {
			return i + 1
		}
	}
	return len(d.entries)
}

// insert returns the document with an empty value for name before the entry with
// the index at, on the line below the one before; nil if that would change another
// entry.
func (d *Document) insert(at int, name string) *Document {
	end := len(d.data)
	if at > 0 && at < len(d.entries) {
		end = findLineEnd(d.data, d.entries[at-1].to)
		end += lineEnd(d.data[end:])
	}
	before := d.data[:end]
	if n := end; n > 0 && before[n-1] != '\n' && before[n-1] != '\r' {
		before = append(bytes.Clone(before), d.lineEnding()...)
	}
	out := d.parse(bytes.Join([][]byte{before, []byte(name + `=""` + d.lineEnding()), d.data[end:]}, nil))
	n := len(d.entries)
	if len(out.entries) != n+1 || out.entries[at].Name != name ||
		!sameEntries(out.entries[:at], d.entries[:at]) || !sameEntries(out.entries[at+1:], d.entries[at:]) {
		return nil
	}
	return out
}

// Unset returns the document without the lines that assign name, and how many
// there were. The error is an [*EncodingError].
func (d *Document) Unset(name string) (out *Document, lines int, err error) {
	if err := d.Check(); err != nil {
		return nil, 0, err
	}
	data := d.Bytes()
	var rest []Entry
	for _, e := range slices.Backward(d.entries) {
		if e.Name != name {
			rest = append(rest, e)
			continue
		}
		from := bytes.LastIndexAny(data[:e.start], "\r\n") + 1
		to := findLineEnd(data, e.to)
		data = append(data[:from], data[to+lineEnd(data[to:]):]...)
		lines++
	}
	slices.Reverse(rest)
	if out = d.parse(data); !sameEntries(out.entries, rest) {
		return nil, 0, errReadBack
	}
	return out, lines, nil
}

func isIdentifier(name string) bool {
	for i := range len(name) {
		if c := name[i]; !isNameByte(c) || c == '-' || c == '.' || i == 0 && '0' <= c && c <= '9' {
			return false
		}
	}
	return name != ""
}
