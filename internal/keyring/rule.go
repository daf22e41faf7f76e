package keyring

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

// This file is the rule which key serves an env file; docs/keys.md tells it to
// users. It is pure: where the vault must be asked it says so, and the caller
// asks for all of its files at once.

// A Policy says where keys may come from.
type Policy int

const (
	// Auto takes a local key that the file's header names, else the vault's.
	Auto Policy = iota
	// VaultOnly takes the vault's key.
	VaultOnly
	// LocalOnly takes local keys and asks no vault.
	LocalOnly
)

// A Request asks for the keys of one version of an env file.
type Request struct {
	mapping.Target                  // without a Mapping if none names the file
	Head           *dotenv.Document // HEAD's version, or nil
}

// Mapped reports whether a mapping names the file, so that a vault can be asked.
func (q Request) Mapped() bool { return q.Mapping.SecretName != "" }

// ForDecryption returns the local keys that decrypt q's file, or that the vault
// is to be asked for them. A file without ciphertext needs no keys. The error is
// an [*UnmappedError], [ErrEphemeral] or a [*NoKeyError].
func (r *Ring) ForDecryption(q Request, p Policy) (keys ecies.Keys, askVault bool, err error) {
	switch {
	case !q.Doc.State().HasCiphertext():
		return nil, false, nil
	case q.Mapping.Ephemeral && p == LocalOnly:
		return nil, false, ErrEphemeral
	case p == VaultOnly && !q.Mapped():
		return nil, false, &UnmappedError{q.File}
	case p == VaultOnly, q.Mapping.Ephemeral:
		return nil, true, nil
	}
	if keys = r.Declared(q.Doc); len(keys) > 0 {
		return r.withLists(keys), false, nil
	}
	if p == Auto && q.Mapped() {
		return nil, true, nil
	}
	headers, _ := q.Doc.PublicKeys()
	if keys = r.Keys(); len(keys) > 0 && len(headers) == 0 {
		return keys, false, nil
	}
	return nil, false, r.noKey(q)
}

// ForProgram is [Ring.ForDecryption] for the environment of a program. Like
// dotenvx it also tries keys of the environment that the header does not name,
// and has keys for a file without ciphertext: variables of the process may be
// encrypted.
func (r *Ring) ForProgram(q Request, p Policy) (keys ecies.Keys, askVault bool, err error) {
	if !q.Doc.State().HasCiphertext() {
		return r.For(q.Doc), false, nil
	}
	if q.Mapping.Ephemeral {
		p = VaultOnly
	}
	keys, askVault, err = r.ForDecryption(q, p)
	if p == VaultOnly || askVault {
		return nil, askVault, err
	}
	if offered := r.For(q.Doc); len(r.Declared(q.Doc)) > 0 || decrypts(q.Doc, offered) {
		return offered, false, nil
	}
	return keys, false, err
}

func decrypts(doc *dotenv.Document, keys ecies.Keys) bool {
	_, _, err := doc.Decrypt(keys, dotenv.Selection{})
	return err == nil
}

// ForProof returns the local keys that prove a version without the vault: they
// derive the public key that HEAD's version declares, and so do the version's
// own header and that of theirs, which a merge brings; theirs may be nil. There
// are none where another public key has come: the vault decides about that one.
func (r *Ring) ForProof(q Request, theirs *dotenv.Document) ecies.Keys {
	if q.Head == nil || q.Mapping.Ephemeral {
		return nil
	}
	keys := r.Declared(q.Head)
	for _, doc := range []*dotenv.Document{q.Doc, theirs} {
		if doc != nil && !derivesAll(keys, doc) {
			return nil
		}
	}
	return keys
}

// derivesAll reports whether keys derive every public key that doc declares.
func derivesAll(keys ecies.Keys, doc *dotenv.Document) bool {
	headers, _ := doc.PublicKeys()
	for _, h := range headers {
		if keys.Find(h.Key) == nil {
			return false
		}
	}
	return true
}

// A Pair is the key pair that an env file is encrypted for.
type Pair struct {
	Public    ecies.PublicKey
	Header    string     // name of the public key's variable
	Private   string     // name of the private key's variable
	Keys      ecies.Keys // private keys for it, to compare values with HEAD's; may be empty
	Declared  bool       // a header names it: that of the file, or of HEAD's version
	FromFile  bool       // it comes from the keys file beside the env file
	Generated bool       // it is new, and stored nowhere yet
}

// ForEncryption returns the pair that q's file is encrypted for: the one that its
// header declares, else the header of HEAD's version, else the vault's, else the
// one in the keys file beside it. So no edit makes drift. The vault's answer is
// nil as long as it was not asked; askVault says that the answer is needed. A
// mapping that nobody stored a key for is answered by [vault.ErrNotFound]. Where
// no key is known anywhere the error is an [*UnknownKeyError], and the pair has
// its names alone.
func (r *Ring) ForEncryption(q Request, answer *Answer) (p Pair, askVault bool, err error) {
	base := path.Base(q.File)
	if p.Header, p.Private, err = dotenv.KeyNames(base); err != nil {
		return p, false, err
	}
	headers, err := q.Doc.PublicKeys()
	if err != nil {
		return p, false, err
	}
	declaring := q.Doc
	if len(headers) == 0 && q.Head != nil {
		declaring = q.Head
		headers, _ = q.Head.PublicKeys() // a damaged one is no reason not to encrypt
	}
	if len(headers) > 0 {
		p.Public, p.Header, p.Declared = headers[0].Key, headers[0].Name, true
		p.Private = dotenv.PrivateName(p.Header)
		if !q.Mapping.Ephemeral {
			p.Keys = r.Declared(declaring)
		}
		return p, false, nil
	}
	if answer == nil && q.Mapped() {
		return p, true, nil
	}
	if answer != nil && answer.Err == nil {
		p.Keys, p.Public = answer.Keys, answer.Keys[0].PublicKey()
		return p, false, nil
	}
	if answer != nil && !errors.Is(answer.Err, vault.ErrNotFound) {
		return p, false, answer.Err
	}
	// Not one from the current directory: under the same name that may be the
	// key of another service.
	beside := r.Beside(path.Dir(q.File))
	if named := beside.Named(p.Private); len(named) > 0 {
		first := slices.IndexFunc(beside.Held, func(held LocalKey) bool { return held.Name == p.Private })
		p.Keys, p.Public, p.FromFile = named, named[0].PublicKey(), beside.Held[first].Origin != environment
		return p, false, nil
	}
	return p, false, &UnknownKeyError{q.File}
}

// Beside returns the keys of the environment and of the keys file in folder.
func (r *Ring) Beside(folder string) *Ring {
	beside := &Ring{public: r.public}
	for _, held := range r.Held {
		if held.Origin == environment || held.Origin != Store && path.Dir(held.Origin) == folder {
			beside.Held = append(beside.Held, held)
		}
	}
	return beside
}

// Generate fills in a new key pair.
func (p *Pair) Generate() error {
	key, err := ecies.GenerateKey()
	if err != nil {
		return err
	}
	p.Keys, p.Public, p.Generated = ecies.Keys{key}, key.PublicKey(), true
	return nil
}

// ErrEphemeral reports that a local key was asked for where the vault's alone
// counts.
var ErrEphemeral = errors.New("the mapping is ephemeral: its key comes from the vault alone, so --skip-sync cannot decrypt it")

// An UnmappedError reports a file whose secret in a vault is not known.
type UnmappedError struct{ File string }

func (e *UnmappedError) Error() string {
	return e.File + ": no mapping names this file, so the secret that belongs to it is not known"
}

// An UnknownKeyError reports a file for which no key is known anywhere.
type UnknownKeyError struct{ File string }

func (e *UnknownKeyError) Error() string {
	return "no key is known for it: not in its header, nor in HEAD's version, nor in the vault, the environment or .env.keys"
}

// A NoKeyError reports an encrypted file that no local key fits.
type NoKeyError struct {
	File    string
	Mapped  bool       // a mapping names it, and its vault was not to be asked
	Names   []string   // of the variables that would hold the key
	Public  []string   // what the file is encrypted for, in short
	Held    []LocalKey // the local keys that there are
	Invalid []error    // what looked like a key and is none
}

func (r *Ring) noKey(q Request) *NoKeyError {
	e := &NoKeyError{File: q.File, Mapped: q.Mapped(), Held: r.Held, Invalid: r.Invalid}
	headers, _ := q.Doc.PublicKeys()
	for _, h := range headers {
		e.Names = append(e.Names, dotenv.PrivateName(h.Name))
		e.Public = append(e.Public, h.Key.Short())
	}
	if len(headers) == 0 {
		if _, private, err := dotenv.KeyNames(path.Base(q.File)); err == nil {
			e.Names = append(e.Names, private)
		}
	}
	return e
}

func (e *NoKeyError) Error() string {
	vaults := "no mapping names the file"
	if e.Mapped {
		vaults = "the vault was not asked"
	}
	text := fmt.Sprintf("%s: no private key: %s is neither in the environment nor in .env.keys, and %s",
		e.File, strings.Join(e.Names, " or "), vaults)
	switch {
	case len(e.Held) > 0 && len(e.Public) > 0:
		text = fmt.Sprintf("%s: no private key for %s; the local keys are", e.File, strings.Join(e.Public, ", "))
		for i, held := range e.Held {
			text += fmt.Sprintf("%s %s for %s", strings.Repeat(",", min(i, 1)), held.Name, held.Key.PublicKey().Short())
		}
	case len(e.Invalid) > 0:
		text = fmt.Sprintf("%s: no private key, as %s", e.File, vaults)
	}
	for _, err := range e.Invalid {
		text += fmt.Sprintf("; %v", err)
	}
	return text
}
