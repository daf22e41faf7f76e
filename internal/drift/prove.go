package drift

import (
	"errors"
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// A Verdict is the result of [Check] for one version of an env file.
type Verdict struct {
	Checked   bool             // false for the zero Verdict
	Values    int              // encrypted values
	Failures  []dotenv.Failure // those that the keys do not decrypt, in the file's order
	Plain     []string         // names whose values are not encrypted and should be
	Unparsed  []int            // lines that are neither assignments nor comments, and so are readable
	Form      error            // readable text next to the values, as of [dotenv.Document.CheckForm]
	Commented error            // values of the version before that are readable in comments now
	HeaderErr error            // a header that is not a public key
	Unknown   []string         // public keys of the header that none of the keys derives, abbreviated
	Mixed     *MixedError      // if several of the keys are needed to decrypt the file; else nil
	Warnings  []string         // what is unusual about a file that is proven
}

// Check is the proof: it decrypts every value of doc with keys, and discards
// the plaintext. The version before doc, or nil, is used for the warnings and for
// what became a comment.
func Check(doc, before *dotenv.Document, keys ecies.Keys) Verdict {
	v := Verdict{Checked: true}
	for _, e := range doc.Entries() {
		if e.Encrypted() {
			v.Values++
		}
	}
	v.Plain = NewPlaintextError(doc.Plaintext(dotenv.Selection{})).Names
	_, v.HeaderErr = doc.PublicKeys()
	v.Unknown = UnknownKeys(doc, keys)
	v.Unparsed = doc.UnparsedLines()
	v.Form = doc.CheckForm()
	var failed *dotenv.DecryptError
	plain, _, err := doc.Decrypt(keys, dotenv.Selection{})
	if errors.As(err, &failed) {
		v.Failures = failed.Failures
	} else if err == nil && v.Form == nil {
		v.Form = plain.CheckForm() // a value that begins with a PEM block's first line shows only now
	}
	if v.KeyErr() == nil {
		v.Mixed = mixedKeys(doc, keys)
	}
	v.Commented = commentedOut(doc, before, keys)
	if v.Err() == nil {
		v.Warnings = warnings(doc, before)
	}
	return v
}

// Err returns nil if there is at least one value, the keys decrypt every value,
// one key alone does, nothing is plaintext, and the header names no other key.
// Otherwise it returns a [*DriftError], a [*MixedError], a [*PlaintextError], an
// [*UnparsedError], [ErrNoValues], the Form, Commented or the HeaderErr.
func (v Verdict) Err() error {
	if err := v.KeyErr(); err != nil {
		return err
	}
	if len(v.Plain) > 0 {
		return &PlaintextError{Names: v.Plain}
	}
	if len(v.Unparsed) > 0 {
		return &UnparsedError{v.Unparsed}
	}
	if v.Commented != nil {
		return v.Commented
	}
	if v.Values == 0 {
		return ErrNoValues
	}
	return nil
}

// An UnparsedError reports lines that are neither assignments nor comments. They
// are not encrypted, and may have been meant as a secret.
type UnparsedError struct{ Lines []int }

func (e *UnparsedError) Error() string { return unparsed(e.Lines) }

// ErrNoValues reports an env file in which nothing is encrypted, so that there is
// nothing to prove: an empty file, or one that contains something else.
var ErrNoValues = errors.New("holds no encrypted value, so there is nothing to verify")

// ErrNoSelected reports a selection without any of a file's encrypted values.
var ErrNoSelected = errors.New("no encrypted value has a selected name, so there is nothing to verify")

// KeyErr is like Err, for a file whose plaintext is about to be encrypted.
func (v Verdict) KeyErr() error {
	switch {
	case v.Form != nil:
		return v.Form
	case v.HeaderErr != nil:
		return v.HeaderErr
	case len(v.Failures) > 0 || len(v.Unknown) > 0:
		return &DriftError{v}
	case v.Mixed != nil:
		return v.Mixed
	}
	return nil
}

// UnknownKeys returns, abbreviated, the public keys that the document declares
// and none of keys derives.
func UnknownKeys(doc *dotenv.Document, keys ecies.Keys) []string {
	headers, _ := doc.PublicKeys()
	var unknown []string
	for _, h := range headers {
		if keys.Find(h.Key) == nil {
			unknown = append(unknown, h.Key.Short())
		}
	}
	return unknown
}

// SelfCheck checks what can be checked of an encrypted file without any private
// key: that it declares one public key, and that every value is well-formed.
func SelfCheck(doc *dotenv.Document) error {
	headers, err := doc.PublicKeys()
	if err != nil {
		return err
	}
	if len(headers) != 1 {
		return &HeaderError{len(headers)}
	}
	return CheckCiphertexts(doc)
}

// CheckCiphertexts returns a [*dotenv.DecryptError] for the values that no key can
// decrypt, or why the header is no public key.
func CheckCiphertexts(doc *dotenv.Document) error {
	if _, err := doc.PublicKeys(); err != nil {
		return err
	}
	var failures []dotenv.Failure
	for _, e := range doc.Entries() {
		if !e.Encrypted() {
			continue
		}
		if err := malformed(e.Value); err != nil {
			failures = append(failures, dotenv.Failure{Name: e.Name, Line: e.Line, Err: err})
		}
	}
	if len(failures) > 0 {
		return &dotenv.DecryptError{Failures: failures}
	}
	return nil
}

// A HeaderError reports an encrypted file that does not declare exactly one
// public key.
type HeaderError struct{ Keys int }

func (e *HeaderError) Error() string {
	return fmt.Sprintf("encrypted values, but %d public keys in the header; dotenvx writes one", e.Keys)
}

// A DriftError reports that the key in the vault does not decrypt the file.
type DriftError struct{ Verdict Verdict }

func (e *DriftError) Error() string {
	var b strings.Builder
	if n := len(e.Verdict.Failures); n > 0 {
		names := make([]string, n)
		for i, f := range e.Verdict.Failures {
			names[i] = f.Name
		}
		fmt.Fprintf(&b, "the vault's key does not decrypt %d of %d values: %s", n, e.Verdict.Values, List(names))
	}
	if len(e.Verdict.Unknown) > 0 {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "the header names public key %s, which is not the vault's", strings.Join(e.Verdict.Unknown, ", "))
	}
	return b.String()
}

// CheckWithoutKey returns an error unless, as far as shows without a key, the
// selected values of a file are encrypted, and there is one. The error is the
// form's, a [*PlaintextError], an [*UnparsedError], [ErrNoValues] or
// [ErrNoSelected].
func CheckWithoutKey(doc *dotenv.Document, sel dotenv.Selection) error {
	if err := doc.CheckForm(); err != nil {
		return err
	}
	if plain := doc.Plaintext(sel); len(plain) > 0 {
		return NewPlaintextError(plain)
	}
	if lines := doc.UnparsedLines(); len(lines) > 0 {
		return &UnparsedError{lines}
	}
	switch {
	case doc.HasCiphertext(sel):
		return nil
	case doc.State().HasCiphertext():
		return ErrNoSelected
	}
	return ErrNoValues
}

// CheckEncrypted proves that a file is encrypted for a key.
func CheckEncrypted(doc *dotenv.Document, key keyring.Answer) error {
	if err := CheckWithoutKey(doc, dotenv.Selection{}); err != nil {
		return err
	}
	if key.Err != nil {
		return key.Err
	}
	return Check(doc, nil, key.Keys).Err()
}

// IsDrift reports whether a repair may help against err: a [*DriftError] or a
// [*MixedError].
func IsDrift(err error) bool {
	return errors.As(err, new(*DriftError)) || errors.As(err, new(*MixedError))
}

// A PlaintextError reports values that should be encrypted and are not.
type PlaintextError struct{ Names []string }

// NewPlaintextError names the values of entries, each name once.
func NewPlaintextError(entries []dotenv.Entry) *PlaintextError {
	e, seen := &PlaintextError{}, map[string]bool{}
	for _, entry := range entries {
		if !seen[entry.Name] {
			seen[entry.Name] = true
			e.Names = append(e.Names, entry.Name)
		}
	}
	return e
}

func (e *PlaintextError) Error() string {
	return fmt.Sprintf("not encrypted: %s", List(e.Names))
}

// List joins names for a message, at most five of them.
func List(names []string) string {
	const most = 5
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

// malformed reports whether a ciphertext is damaged, which needs no key.
func malformed(ciphertext string) error {
	if _, _, err := ecies.Keys(nil).Decrypt(ciphertext); !errors.Is(err, ecies.ErrNoKey) {
		return err
	}
	return nil
}

// A WrongKeyError reports a file whose header names none of the vault's keys.
type WrongKeyError struct {
	Target mapping.Target
	File   string   // as the user types it
	Keys   []string // that the header names, abbreviated
}

func (e *WrongKeyError) Error() string {
	return fmt.Sprintf("DRIFT: %s is encrypted for %s, not for the vault's key", e.File, strings.Join(e.Keys, ", "))
}
