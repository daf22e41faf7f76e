package drift

import (
	"errors"
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// A Proof says what a set of keys makes of an env document.
type Proof struct {
	Values   int              // encrypted values
	Failures []dotenv.Failure // those that the keys do not decrypt, in the file's order
	Plain    []string         // names whose values are not encrypted and should be
	Header   []dotenv.Header  // the public keys that the file declares
	HeaderOf error            // a header that is no public key
	Strange  []string         // declared public keys that none of the keys derives, in short
}

// Prove decrypts every value of doc with keys and forgets the plaintext.
func Prove(doc *dotenv.Document, keys ecies.Keys) Proof {
	var p Proof
	for _, e := range doc.Entries() {
		if e.Encrypted() {
			p.Values++
		}
	}
	p.Plain = NewPlaintextError(doc.Plaintext(dotenv.Selection{})).Names
	p.Header, p.HeaderOf = doc.PublicKeys()
	p.Strange = StrangeHeaders(doc, keys)
	var failed *dotenv.DecryptError
	if _, _, err := doc.Decrypt(keys, dotenv.Selection{}); errors.As(err, &failed) {
		p.Failures = failed.Failures
	}
	return p
}

// StrangeHeaders gives, in short, the public keys that the document declares
// and none of keys derives.
func StrangeHeaders(doc *dotenv.Document, keys ecies.Keys) []string {
	headers, _ := doc.PublicKeys()
	var strange []string
	for _, h := range headers {
		if keys.Find(h.Key) == nil {
			strange = append(strange, h.Key.Short())
		}
	}
	return strange
}

// SelfCheck is what can be told of an encrypted file without any private key:
// it declares one public key, and every value is well formed.
func SelfCheck(doc *dotenv.Document) error {
	headers, err := doc.PublicKeys()
	if err != nil {
		return err
	}
	if len(headers) != 1 {
		return &HeaderError{len(headers)}
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

// A HeaderError reports an encrypted file that does not declare one public key.
type HeaderError struct{ Keys int }

func (e *HeaderError) Error() string {
	return fmt.Sprintf("encrypted values, but %d public keys in the header; dotenvx writes one", e.Keys)
}

// Err is nil if the keys decrypt every value, none is left in plain text, and
// the header names no other key. Otherwise it is a [*DriftError] or a
// [*PlaintextError].
func (p Proof) Err() error {
	switch {
	case p.HeaderOf != nil:
		return p.HeaderOf
	case len(p.Failures) > 0 || len(p.Strange) > 0:
		return &DriftError{p}
	case len(p.Plain) > 0:
		return &PlaintextError{Names: p.Plain}
	}
	return nil
}

// A DriftError reports that the key in the vault does not decrypt the file.
type DriftError struct{ Proof Proof }

func (e *DriftError) Error() string {
	var b strings.Builder
	if n := len(e.Proof.Failures); n > 0 {
		names := make([]string, n)
		for i, f := range e.Proof.Failures {
			names[i] = f.Name
		}
		fmt.Fprintf(&b, "the vault's key does not decrypt %d of %d values: %s", n, e.Proof.Values, List(names))
	}
	if len(e.Proof.Strange) > 0 {
		if b.Len() > 0 {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "the header names public key %s, which is not the vault's", strings.Join(e.Proof.Strange, ", "))
	}
	return b.String()
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

// malformed tells whether a ciphertext is damaged, which needs no key.
func malformed(ciphertext string) error {
	if _, _, err := ecies.Keys(nil).Decrypt(ciphertext); !errors.Is(err, ecies.ErrNoKey) {
		return err
	}
	return nil
}
