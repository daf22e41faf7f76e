package ecies

import (
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/envdrift/envdrift/internal/secret"
)

// A KeyError reports text that is not a key. It does not contain the text.
type KeyError struct {
	Kind    string // "public key" or "private key"
	Problem string
}

func (e *KeyError) Error() string { return "invalid " + e.Kind + ": " + e.Problem }

// A PublicKey is a point of the curve in compressed form. Public keys can be
// compared with ==. The zero PublicKey is not a key.
type PublicKey [secp256k1.PubKeyBytesLenCompressed]byte

// ParsePublicKey parses a public key in hex, as dotenvx does: compressed, or
// uncompressed with or without its leading 04, upper or lower case, optionally
// after 0x. The error is a *KeyError.
func ParsePublicKey(s string) (PublicKey, error) {
	s = strings.TrimPrefix(s, "0x")
	if len(s) == 128 {
		s = "04" + s
	}
	b, err := hex.DecodeString(s)
	switch {
	case len(s) != 66 && len(s) != 130:
		return PublicKey{}, &KeyError{"public key", fmt.Sprintf("%d characters, want 66 hexadecimal digits", len(s))}
	case err != nil:
		return PublicKey{}, &KeyError{"public key", "not hexadecimal"}
	case len(b) == pointSize && b[0] != uncompressed:
		// The library would accept hybrid points (06, 07); dotenvx does
		// not.
		return PublicKey{}, &KeyError{"public key", "130 hexadecimal digits that do not begin with 04"}
	}
	point, err := secp256k1.ParsePubKey(b)
	if err != nil {
		return PublicKey{}, &KeyError{"public key", "not a point of the curve"}
	}
	return PublicKey(point.SerializeCompressed()), nil
}

// String returns p as dotenvx writes it: 66 lowercase hexadecimal digits.
func (p PublicKey) String() string { return hex.EncodeToString(p[:]) }

// Short returns the first digits of p, enough to distinguish keys in a message.
func (p PublicKey) Short() string { return p.String()[:8] + "…" }

func (p PublicKey) point() (*affine, error) {
	q, err := secp256k1.ParsePubKey(p[:])
	if err != nil {
		return nil, &KeyError{"public key", "not a point of the curve"}
	}
	point := parseAffine(q.SerializeUncompressed())
	return &point, nil
}

// A PrivateKey is a key pair. It prints as "[redacted]" wherever a
// [secret.Value] does, which is why it holds one. Reveal returns its 64
// lowercase hexadecimal digits. The zero PrivateKey is not a key: use
// [GenerateKey] or [ParsePrivateKey].
type PrivateKey struct {
	secret.Value
	public PublicKey
}

// GenerateKey returns a new key pair.
func GenerateKey() (*PrivateKey, error) {
	k, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		return nil, err
	}
	return newPrivateKey(k), nil
}

// ParsePrivateKey parses a private key: 64 hexadecimal digits of either case,
// blanks around them ignored. The error is a *KeyError.
func ParsePrivateKey(s string) (*PrivateKey, error) {
	s = strings.TrimSpace(s)
	b, err := hex.DecodeString(s)
	switch {
	case s == "":
		return nil, &KeyError{"private key", "empty"}
	case strings.Trim(s, "\"'`") != s:
		return nil, &KeyError{"private key", "in quotes; take them off"}
	case len(s) != 64:
		return nil, &KeyError{"private key", fmt.Sprintf("%d characters, want 64 hexadecimal digits", len(s))}
	case err != nil:
		return nil, &KeyError{"private key", "not hexadecimal"}
	}
	var k secp256k1.PrivateKey
	if overflow := k.Key.SetByteSlice(b); overflow || k.Key.IsZero() {
		return nil, &KeyError{"private key", "zero, or not below the order of the curve"}
	}
	return newPrivateKey(&k), nil
}

func newPrivateKey(k *secp256k1.PrivateKey) *PrivateKey {
	b := scalar(k.Key.Bytes())
	public := toAffine([]jacobian{generator.multiply(&b)})
	return &PrivateKey{
		Value:  secret.New(hex.EncodeToString(b[:])),
		public: public[0].compressed(),
	}
}

// PublicKey returns the public half of k.
func (k *PrivateKey) PublicKey() PublicKey { return k.public }

func (k *PrivateKey) scalar() *scalar {
	b, err := hex.DecodeString(k.Reveal())
	if err != nil || len(b) != len(scalar{}) {
		panic("ecies: use of a PrivateKey that was not parsed or generated")
	}
	return (*scalar)(b)
}

// Keys are private keys, newest first.
type Keys []*PrivateKey

// ParsePrivateKeys parses private keys separated by commas, each as
// [ParsePrivateKey] does. There may be a comma after the last. One that is invalid
// makes the list invalid; the error is a *KeyError that says which.
func ParsePrivateKeys(s string) (Keys, error) {
	list := strings.Split(strings.TrimSuffix(strings.TrimSpace(s), ","), ",")
	keys := make(Keys, len(list))
	for i, text := range list {
		k, err := ParsePrivateKey(text)
		if e, ok := errors.AsType[*KeyError](err); ok && len(list) > 1 {
			return nil, &KeyError{e.Kind, fmt.Sprintf("%s (key %d of %d)", e.Problem, i+1, len(list))}
		}
		if err != nil {
			return nil, err
		}
		keys[i] = k
	}
	return keys, nil
}

// Find returns the key whose public half is p, or nil.
func (ks Keys) Find(p PublicKey) *PrivateKey {
	for _, k := range ks {
		if k.public == p {
			return k
		}
	}
	return nil
}

// With returns the keys, and after them those of more that are not among them.
func (ks Keys) With(more Keys) Keys {
	all := slices.Clone(ks)
	for _, k := range more {
		if all.Find(k.public) == nil {
			all = append(all, k)
		}
	}
	return all
}

// HasAll reports whether all of others are among the keys.
func (ks Keys) HasAll(others Keys) bool {
	return !slices.ContainsFunc(others, func(k *PrivateKey) bool { return ks.Find(k.public) == nil })
}

// HasAny reports whether the keys have one in common with others.
func (ks Keys) HasAny(others Keys) bool {
	return slices.ContainsFunc(others, func(k *PrivateKey) bool { return ks.Find(k.public) != nil })
}

// Reveal returns the keys in the form that [ParsePrivateKeys] parses.
func (ks Keys) Reveal() string {
	list := make([]string, len(ks))
	for i, k := range ks {
		list[i] = k.Reveal()
	}
	return strings.Join(list, ",")
}
