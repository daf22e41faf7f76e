package dotenv

import (
	"errors"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// EncryptOptions selects what [Document.Encrypt] encrypts and what it writes
// besides the values.
type EncryptOptions struct {
	Selection Selection

	// Header, File and KeysFile are for the header of a document that has
	// none: the name of its variable, the file's name, and the path from
	// there to the keys file if that is not the .env.keys beside it.
	Header, File, KeysFile string

	// Previous is the previous version of the document, and PreviousKeys
	// decrypt it. A value whose plaintext is the same as there keeps its
	// ciphertext, so that a diff shows what changed. Previous may be nil.
	Previous     *Document
	PreviousKeys ecies.Keys
}

// Encrypt returns the document with the plaintext of the selected entries
// encrypted for pub, and their names, each once. Every occurrence of a name is
// encrypted. If there is nothing to encrypt, it returns the document as it is,
// without a header.
//
// The ciphertext is in the quotes of the plaintext, as with dotenvx, since
// these decide whether the decrypted value is expanded.
//
// The error is an [*EncodingError], a [*PatternError], or a [*HeaderError] if
// the document declares a public key that is invalid or is not pub.
func (d *Document) Encrypt(pub ecies.PublicKey, opt EncryptOptions) (*Document, []string, error) {
	todo := d.toEncrypt(opt)
	hasHeader, err := d.accepts(pub)
	if err := errors.Join(d.Check(), opt.Selection.Check(), err); err != nil || len(todo) == 0 {
		return d, nil, err
	}
	changes, err := d.ciphertexts(todo, pub, opt)
	if err != nil {
		return nil, nil, err
	}
	out, err := d.rewrite(changes)
	if err != nil {
		return nil, nil, err
	}
	if left := out.toEncrypt(opt); len(left) > 0 {
		return nil, nil, errReadBack
	}
	if !hasHeader {
		if out, err = out.addHeader(pub, opt); err != nil {
			return nil, nil, err
		}
	}
	return out, d.names(todo), nil
}

// toEncrypt returns the entries that [Document.Encrypt] encrypts: also, if nothing
// in the document is encrypted, those that were encrypted in the previous version,
// although they are to stay plaintext. A decrypted file says nothing about what its
// author wants in plaintext.
func (d *Document) toEncrypt(opt EncryptOptions) []int {
	if opt.Previous == nil || d.plain == nil || len(d.encrypted(Selection{})) > 0 {
		return d.plaintext(opt.Selection)
	}
	all := *d
	all.plain = func(name string) bool {
		e, _ := opt.Previous.Get(name)
		return d.plain(name) && !e.Encrypted()
	}
	return all.plaintext(opt.Selection)
}

// accepts reports whether the document has a header. A header without pub is an
// error.
func (d *Document) accepts(pub ecies.PublicKey) (hasHeader bool, err error) {
	headers, err := d.PublicKeys()
	if err != nil || len(headers) == 0 {
		return false, err
	}
	for _, h := range headers {
		if h.Key == pub {
			return true, nil
		}
	}
	return true, &HeaderError{headers[0].Name, headers[0].Line, ErrOtherKey}
}

// ciphertexts returns the changes that encrypt the entries todo.
func (d *Document) ciphertexts(todo []int, pub ecies.PublicKey, opt EncryptOptions) ([]change, error) {
	kept := opt.kept(pub)
	count := map[string]int{}
	occurrences := make([]occurrence, len(d.entries))
	for i, e := range d.entries {
		occurrences[i] = occurrence{e.Name, count[e.Name]}
		count[e.Name]++
	}
	changes := make([]change, len(todo))
	var fresh []int // of changes
	var plaintexts [][]byte
	for n, i := range todo {
		e := d.entries[i]
		changes[n] = change{index: i, anyQuote: !strings.Contains(e.Value, "$")}
		if k, ok := kept[occurrences[i]]; ok && k.plaintext.Equal(secret.New(e.Value)) {
			changes[n].value, changes[n].raw = k.Value, k.raw
			continue
		}
		fresh = append(fresh, n)
		plaintexts = append(plaintexts, []byte(e.Value))
	}
	values, err := pub.EncryptAll(plaintexts)
	if err != nil {
		return nil, err
	}
	for k, n := range fresh {
		changes[n].value = values[k]
	}
	return changes, nil
}

// An occurrence is one of several assignments of a name.
type occurrence struct {
	name string
	n    int
}

// A keptValue is an encrypted value of the previous document.
type keptValue struct {
	Entry
	raw       string // as it is there, with its quotes
	plaintext secret.Value
}

// kept returns the values of the previous document that are encrypted for pub.
func (opt EncryptOptions) kept(pub ecies.PublicKey) map[occurrence]keptValue {
	if opt.Previous == nil || opt.Previous.Check() != nil {
		return nil
	}
	var values []string
	var where []occurrence
	kept := map[occurrence]keptValue{}
	count := map[string]int{}
	for _, e := range opt.Previous.entries {
		at := occurrence{e.Name, count[e.Name]}
		count[e.Name]++
		if e.Encrypted() {
			values, where = append(values, e.Value), append(where, at)
			kept[at] = keptValue{Entry: e, raw: string(opt.Previous.data[e.from:e.to])}
		}
	}
	for i, r := range opt.PreviousKeys.DecryptAll(values) {
		if r.Err != nil || r.Used != pub {
			delete(kept, where[i])
			continue
		}
		k := kept[where[i]]
		k.plaintext = r.Plaintext
		kept[where[i]] = k
	}
	return kept
}

// EndLine returns the document with a line end at its end: what is appended to a
// ciphertext without one would pass for a part of it.
func (d *Document) EndLine() *Document {
	if len(d.data) == 0 || lineEnd(d.data[len(d.data)-1:]) > 0 {
		return d
	}
	return d.parse(append(d.Bytes(), d.lineEnding()...))
}

// names returns the names of entries, each once.
func (d *Document) names(indexes []int) []string {
	var names []string
	seen := map[string]bool{}
	for _, i := range indexes {
		if name := d.entries[i].Name; !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	return names
}
