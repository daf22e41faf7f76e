package dotenv

import (
	"errors"
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// A Failure is a value that could not be decrypted.
type Failure struct {
	Name string
	Line int
	Err  error // ErrNested or an error of [ecies.Keys.Decrypt]
}

// A DecryptError reports the values that could not be decrypted, in the order
// of the file.
type DecryptError struct{ Failures []Failure }

func (e *DecryptError) Error() string {
	f := e.Failures[0]
	text := fmt.Sprintf("line %d: %s: %v", f.Line, f.Name, f.Err)
	if more := len(e.Failures) - 1; more > 0 {
		text += fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// Unwrap returns the reasons.
func (e *DecryptError) Unwrap() []error {
	errs := make([]error, len(e.Failures))
	for i, f := range e.Failures {
		errs[i] = f.Err
	}
	return errs
}

// Decrypt returns the document with the selected encrypted values decrypted,
// and their names, each once. It expands nothing and changes nothing else.
//
// A value is written in the quotes of its ciphertext if it reads back from
// there, else in others. What decides whether a value is expanded is preserved:
// a value that contains a "$" moves neither into single quotes nor out of them.
// So both the document and its evaluation have the same values as before.
//
// All values are decrypted or none. The error is an [*EncodingError], a
// [*PatternError], a [*DecryptError], or joins a [*QuoteError] for each value
// that cannot be in an env file.
func (d *Document) Decrypt(keys ecies.Keys, sel Selection) (*Document, []string, error) {
	if err := errors.Join(d.Check(), sel.Check()); err != nil {
		return nil, nil, err
	}
	todo := d.encrypted(sel)
	plaintexts, err := d.decryptAll(keys, todo)
	if err != nil {
		return nil, nil, err
	}
	changes := make([]change, len(todo))
	for n, i := range todo {
		value := plaintexts[n].Reveal()
		changes[n] = change{index: i, value: value, anyQuote: !strings.Contains(value, "$")}
	}
	out, err := d.rewrite(changes)
	return out, d.names(todo), err
}

// A Revealed is an entry with its plaintext.
type Revealed struct {
	Name      string
	Line      int
	Plaintext secret.Value
	Encrypted bool
}

// Reveal returns all entries with their plaintext, in the order of the file. If
// the error, a [*DecryptError], is not nil, there are no entries.
func (d *Document) Reveal(keys ecies.Keys) ([]Revealed, error) {
	var todo []int
	all := make([]Revealed, len(d.entries))
	for i, e := range d.entries {
		all[i] = Revealed{e.Name, e.Line, secret.New(e.Value), e.Encrypted()}
		if e.Encrypted() {
			todo = append(todo, i)
		}
	}
	plaintexts, err := d.decryptAll(keys, todo)
	if err != nil {
		return nil, err
	}
	for n, i := range todo {
		all[i].Plaintext = plaintexts[n]
	}
	return all, nil
}

func (d *Document) decryptAll(keys ecies.Keys, todo []int) ([]secret.Value, error) {
	ciphertexts := make([]string, len(todo))
	for n, i := range todo {
		ciphertexts[n] = d.entries[i].Value
	}
	plaintexts := make([]secret.Value, len(todo))
	var failures []Failure
	for n, r := range keys.DecryptAll(ciphertexts) {
		e := d.entries[todo[n]]
		if r.Err == nil && ecies.IsEncrypted(r.Plaintext.Reveal()) {
			r.Err = ErrNested
		}
		if r.Err != nil {
			failures = append(failures, Failure{e.Name, e.Line, r.Err})
		}
		plaintexts[n] = r.Plaintext
	}
	if failures != nil {
		return nil, &DecryptError{failures}
	}
	return plaintexts, nil
}
