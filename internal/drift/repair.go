package drift

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// The results of [Drifted.Repair]: the edit under the right key, or the version
// before it.
const (
	Repaired Action = "repaired"
	Restored Action = "restored"
)

// A Drifted is a version of an env file that the right keys do not decrypt.
type Drifted struct {
	File  string           // base name
	Doc   *dotenv.Document // the version that drifted
	Head  *dotenv.Document // the one before it; nil if there is none
	Right ecies.Keys       // what must decrypt the file, newest first
	Held  ecies.Keys       // local keys, which may decrypt Doc
}

// A Repair is the repaired version of a file.
type Repair struct {
	Action Action // Repaired or Restored
	Data   []byte
	Names  []string // of the values that differ from those in Head
}

// A NoFittingKeyError reports a drifted version that no local key decrypts, and
// whose previous version, if there is one, the right key does not decrypt.
type NoFittingKeyError struct{ NoHead bool }

func (e *NoFittingKeyError) Error() string {
	if e.NoHead {
		return "no local key decrypts this version, and there is no earlier one"
	}
	return "no local key decrypts this version, and the vault's key does not decrypt the earlier one"
}

// Repair encrypts the values of the drifted version for the right key. What did
// not change since Head keeps Head's ciphertext. If no local key decrypts the
// drifted version, Repair restores Head. The error is a [*NoFittingKeyError],
// or says why the result would have been wrong.
func (d Drifted) Repair() (Repair, error) {
	all := slices.Concat(d.Right, d.Held)
	want, err := d.Doc.Reveal(all)
	if err != nil {
		return d.restore()
	}
	// _PLAIN values are never encrypted, so they must not be decrypted either.
	plain, _, err := d.Doc.Decrypt(all, dotenv.Selection{Except: []string{"*_PLAIN"}})
	if err != nil {
		return Repair{}, err
	}
	plain = plain.Keeping(func(name string) bool {
		e, _ := d.Doc.Get(name)
		return !e.Encrypted() && d.Doc.StaysPlain(name)
	})
	pub, header, err := d.target()
	if err != nil {
		return Repair{}, err
	}
	if plain, err = plain.ReplaceHeader(pub); err != nil {
		return Repair{}, err
	}
	out, _, err := plain.Encrypt(pub, dotenv.EncryptOptions{
		Header: header, File: d.File, Previous: d.Head, PreviousKeys: d.Right,
	})
	if err != nil {
		return Repair{}, err
	}
	if err := d.check(out, want); err != nil {
		return Repair{}, err
	}
	return Repair{Repaired, out.Bytes(), d.changed(out)}, nil
}

// Reencrypt returns an env file encrypted for to in place of what it is encrypted
// for. keys decrypt it. Values that head, the version before or nil, has encrypted for
// to keep their ciphertext.
func Reencrypt(file string, doc, head *dotenv.Document, keys ecies.Keys, to *ecies.PrivateKey) ([]byte, error) {
	if !doc.State().HasCiphertext() {
		out, err := doc.ReplaceHeader(to.PublicKey())
		if err != nil {
			return nil, err
		}
		return out.Bytes(), nil
	}
	if _, err := doc.Reveal(keys); err != nil {
		return nil, err
	}
	r, err := Drifted{File: file, Doc: doc, Head: head, Right: ecies.Keys{to}, Held: keys}.Repair()
	return r.Data, err
}

func (d Drifted) restore() (Repair, error) {
	if d.Head == nil || isPlain(d.Head) || Check(d.Head, nil, d.Right).Err() != nil {
		return Repair{}, &NoFittingKeyError{d.Head == nil}
	}
	return Repair{Restored, d.Head.Bytes(), nil}, nil
}

func isPlain(doc *dotenv.Document) bool {
	state := doc.State()
	return state == dotenv.Plain || state == dotenv.Empty
}

// target returns the public key to encrypt for, and the name of its variable if
// the file has no header: Head's key while the vault still has it, since then
// every ciphertext of Head can stay.
func (d Drifted) target() (pub ecies.PublicKey, header string, err error) {
	if d.Head != nil {
		headers, _ := d.Head.PublicKeys()
		for _, h := range headers {
			if d.Right.Find(h.Key) != nil {
				return h.Key, h.Name, nil
			}
		}
	}
	if len(d.Right) == 0 {
		return pub, "", ecies.ErrNoKey
	}
	if headers, _ := d.Doc.PublicKeys(); len(headers) == 0 {
		header, _, err = dotenv.KeyNames(d.File)
	}
	return d.Right[0].PublicKey(), header, err
}

// check checks that out has the values that were there, that the right keys
// decrypt them, and that none is plaintext.
func (d Drifted) check(out *dotenv.Document, want []dotenv.Revealed) error {
	if err := Check(out, nil, d.Right).Err(); err != nil {
		return err
	}
	got, err := out.Reveal(d.Right)
	if err != nil {
		return err
	}
	// The header, which is not a value, may have been added or changed.
	isHeader := func(r dotenv.Revealed) bool { return strings.HasPrefix(r.Name, dotenv.PublicPrefix) }
	want, got = slices.DeleteFunc(slices.Clone(want), isHeader), slices.DeleteFunc(got, isHeader)
	same := slices.EqualFunc(want, got, func(a, b dotenv.Revealed) bool {
		return a.Name == b.Name && a.Plaintext.Equal(b.Plaintext) && (b.Encrypted || !a.Encrypted)
	})
	if !same {
		return errNotTheSame
	}
	return nil
}

// errNotTheSame would be a bug in this package, found before it does harm.
var errNotTheSame = errors.New("the repaired file would not hold the same values; it was left alone")

// changed returns the names of the values that differ from those in Head.
func (d Drifted) changed(out *dotenv.Document) []string {
	var names []string
	for _, e := range out.Entries() {
		if strings.HasPrefix(e.Name, dotenv.PublicPrefix) || slices.Contains(names, e.Name) {
			continue
		}
		last, _ := out.Get(e.Name)
		if d.Head != nil {
			if before, ok := d.Head.Get(e.Name); ok && before.Value == last.Value {
				continue
			}
		}
		names = append(names, e.Name)
	}
	return names
}

// A MixedError reports a file whose values are encrypted for several keys of
// the vault's list: the key in the header cannot decrypt all.
type MixedError struct {
	Keys  []string // abbreviated
	Names []string // of the values that are not encrypted for the first of them
}

func (e *MixedError) Error() string {
	return fmt.Sprintf("values are encrypted for %d keys, %s; not for the first: %s",
		len(e.Keys), strings.Join(e.Keys, ", "), List(e.Names))
}

// mixedKeys returns a [*MixedError] if several of keys are needed to decrypt
// doc.
func mixedKeys(doc *dotenv.Document, keys ecies.Keys) *MixedError {
	if len(keys) < 2 {
		return nil
	}
	first := keys[0].PublicKey()
	if headers, _ := doc.PublicKeys(); len(headers) > 0 {
		first = headers[0].Key
	}
	mixed := &MixedError{Keys: []string{first.Short()}}
	for _, u := range users(doc, keys) {
		if u.key == first {
			continue
		}
		if short := u.key.Short(); !slices.Contains(mixed.Keys, short) {
			mixed.Keys = append(mixed.Keys, short)
		}
		mixed.Names = append(mixed.Names, u.name)
	}
	if len(mixed.Names) > 0 {
		return mixed
	}
	return nil
}

// A user is a value and the key that decrypts it.
type user struct {
	name string
	key  ecies.PublicKey
}

// users returns the values of doc that one of keys decrypts.
func users(doc *dotenv.Document, keys ecies.Keys) []user {
	var names, values []string
	for _, e := range doc.Entries() {
		if e.Encrypted() {
			names, values = append(names, e.Name), append(values, e.Value)
		}
	}
	var found []user
	for i, r := range keys.DecryptAll(values) {
		if r.Err == nil {
			found = append(found, user{names[i], r.Used})
		}
	}
	return found
}

// A Known is a public key whose owner is known.
type Known struct {
	Key   ecies.PublicKey
	Owner string // for a message: "DOTENV_PRIVATE_KEY in services/b/.env.keys"
}

// Owners says whose the keys are that doc was encrypted with instead of the
// right ones, as far as that is known: by its header, or because a local key
// decrypts a value. If several owners have a key, the first in known is named.
func Owners(doc *dotenv.Document, right, held ecies.Keys, known []Known) []string {
	var strange []ecies.PublicKey
	headers, _ := doc.PublicKeys()
	for _, h := range headers {
		strange = append(strange, h.Key)
	}
	for _, u := range users(doc, held) {
		strange = append(strange, u.key)
	}
	var owners []string
	named := map[ecies.PublicKey]bool{}
	for _, k := range known {
		if slices.Contains(strange, k.Key) && right.Find(k.Key) == nil && !named[k.Key] {
			named[k.Key] = true
			owners = append(owners, k.Owner)
		}
	}
	return owners
}
