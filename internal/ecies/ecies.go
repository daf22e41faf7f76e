// Package ecies encrypts and decrypts single values as dotenvx does: to a
// secp256k1 public key, each value by itself. It knows nothing of files, names
// or variables, and does not bind a value to any of them: anyone who has the
// public key can make a value, and a value moved to another name decrypts.
//
// # Format
//
// A value is [Prefix] and the standard base64 of
//
//	65 bytes  ephemeral public key R = r·G, uncompressed
//	16 bytes  nonce
//	16 bytes  AES-GCM tag
//	the rest  AES-256-GCM ciphertext, as long as the plaintext
//
// The AES key is HKDF-SHA256, without salt and info, of R and the shared point
// r·Q = d·R, both uncompressed; there is no additional data.
//
// # Arithmetic
//
// Points are checked, and random numbers drawn, by the decred project's library.
// Multiplication, which is most of the time of a value, is ours: field
// arithmetic that was generated together with a proof (secp256k1montgomery), the
// formulas of a point's addition and doubling (point.go), and the well-known ways
// to need few of them (curve.go). Tests compare it with decred's.
//
// # Timing
//
// Multiplication takes variable time, as decred's does. The duration of a
// decryption depends a little on the private key (on the number of non-zero
// digits of its expansion), and its pattern of branches and memory accesses
// depends on it wholly. That is acceptable in a program that users start on
// their own machines: an attacker who can watch the processor's caches while it
// runs can read the keys file or the environment just as well. It is not
// acceptable in a service that decrypts input of strangers and lets them measure
// the time or share the core; do not build one on this package.
package ecies

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// Prefix begins every encrypted value; case matters.
const Prefix = "encrypted:"

const (
	pointSize = secp256k1.PubKeyBytesLenUncompressed

	uncompressed = secp256k1.PubKeyFormatUncompressed // first byte of a point

	nonceSize = 16 // not the usual 12
	tagSize   = 16
	minSize   = pointSize + nonceSize + tagSize
)

var (
	// ErrWrongKey reports a value that none of the keys decrypts. A value
	// damaged after its ephemeral key looks the same: only the tag reveals
	// it.
	ErrWrongKey = errors.New("wrong private key, or a damaged value")

	// ErrNoKey reports that there was no key to try.
	ErrNoKey = errors.New("no private key")
)

// A CiphertextError reports a value that no key can decrypt. It does not
// contain the value.
type CiphertextError struct{ Problem string }

func (e *CiphertextError) Error() string { return "malformed encrypted value: " + e.Problem }

// IsEncrypted reports whether value has the prefix of an encrypted value, which
// does not mean that it can be decrypted.
func IsEncrypted(value string) bool { return strings.HasPrefix(value, Prefix) }

// IsWellFormed reports whether value is laid out as an encrypted value, by the
// lenient base64 that Decrypt reads.
func IsWellFormed(value string) bool {
	_, err := parse(value)
	return err == nil
}

// IsCanonical reports whether value is an encrypted value as Encrypt writes it,
// with nothing before, in or after its base64. Decrypt is more lenient: like
// dotenvx it ignores what is not base64, and everything after the padding.
func IsCanonical(value string) bool {
	text, ok := strings.CutPrefix(value, Prefix)
	if !ok {
		return false
	}
	data, err := base64.StdEncoding.Strict().DecodeString(text)
	return err == nil && len(data) >= minSize && base64.StdEncoding.EncodeToString(data) == text
}

// IsEmpty reports whether value is encrypted and its plaintext has no bytes: a
// ciphertext shows how long the plaintext is.
func IsEmpty(value string) bool {
	m, err := parse(value)
	return err == nil && len(m.sealed) == tagSize
}

// Encrypt returns plaintext encrypted to p, each time differently. It fails
// with a *KeyError if p is not a point of the curve, which [ParsePublicKey]
// rules out.
func (p PublicKey) Encrypt(plaintext []byte) (string, error) {
	q, err := p.point()
	if err != nil {
		return "", err
	}
	out := make([]string, 1)
	err = (&sender{&generator, q}).encrypt([][]byte{plaintext}, out)
	return out[0], err
}

// Decrypt returns the plaintext of ciphertext and the public key of the private
// key that fits. Keys are tried in order. The error is ErrNoKey, ErrWrongKey or
// a *CiphertextError.
func (ks Keys) Decrypt(ciphertext string) (plaintext []byte, used PublicKey, err error) {
	m, err := parse(ciphertext)
	if err != nil {
		return nil, PublicKey{}, err
	}
	err = ErrNoKey
	for _, k := range ks {
		shared := toAffine([]jacobian{m.ephemeral.multiply(k.scalar())})
		if plaintext, err = m.open(&shared[0]); err == nil {
			return plaintext, k.public, nil
		}
	}
	return nil, PublicKey{}, err
}

// Ephemeral returns the ephemeral public key of a well-formed value. Each value
// has one of its own: if two have the same, they are copies, or a program
// without randomness made them.
func Ephemeral(ciphertext string) (PublicKey, error) {
	m, err := parse(ciphertext)
	if err != nil {
		return PublicKey{}, err
	}
	return m.ephemeral.compressed(), nil
}

// seal returns plaintext encrypted with the ephemeral key r·G and the shared
// point.
func seal(r, shared *affine, plaintext []byte) (string, error) {
	var nonce [nonceSize]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return "", err
	}
	point := r.bytes()
	aead, err := newAEAD(point, shared)
	if err != nil {
		return "", err
	}
	// GCM puts the tag last, the format wants it first.
	sealed := aead.Seal(nil, nonce[:], plaintext, nil)
	text, tag := sealed[:len(plaintext)], sealed[len(plaintext):]

	out := make([]byte, 0, minSize+len(text))
	out = append(out, point...)
	out = append(out, nonce[:]...)
	out = append(out, tag...)
	out = append(out, text...)
	return Prefix + base64.StdEncoding.EncodeToString(out), nil
}

// A message is the parsed form of an encrypted value.
type message struct {
	point     []byte // the ephemeral key as it was sent
	ephemeral affine // the same, known to be on the curve
	nonce     []byte
	sealed    []byte // ciphertext and tag, in the order GCM wants
}

func parse(ciphertext string) (*message, error) {
	text, ok := strings.CutPrefix(ciphertext, Prefix)
	if !ok {
		return nil, &CiphertextError{"it does not begin with " + Prefix}
	}
	b := decodeBase64(text)
	if len(b) < minSize {
		return nil, &CiphertextError{fmt.Sprintf("%d bytes of base64, want %d or more", len(b), minSize)}
	}
	point, nonce, tag, body := b[:pointSize], b[pointSize:][:nonceSize], b[pointSize+nonceSize:][:tagSize], b[minSize:]
	// The library accepts hybrid points (6, 7) too; dotenvx does not.
	if point[0] != uncompressed {
		return nil, &CiphertextError{"its ephemeral key is not an uncompressed point"}
	}
	if _, err := secp256k1.ParsePubKey(point); err != nil {
		return nil, &CiphertextError{"its ephemeral key is not on the curve"}
	}
	sealed := make([]byte, 0, len(body)+tagSize)
	sealed = append(append(sealed, body...), tag...)
	return &message{point, parseAffine(point), nonce, sealed}, nil
}

// open decrypts m with the shared point. ErrWrongKey is the only error it
// returns.
func (m *message) open(shared *affine) ([]byte, error) {
	aead, err := newAEAD(m.point, shared)
	if err != nil {
		return nil, ErrWrongKey
	}
	plaintext, err := aead.Open(nil, m.nonce, m.sealed, nil)
	if err != nil {
		return nil, ErrWrongKey
	}
	return plaintext, nil
}

// newAEAD returns the cipher of the value whose ephemeral key is point.
func newAEAD(point []byte, shared *affine) (cipher.AEAD, error) {
	ikm := make([]byte, 0, 2*pointSize)
	ikm = append(ikm, point...)
	ikm = append(ikm, shared.bytes()...)
	key, err := hkdf.Key(sha256.New, ikm, nil, "", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithNonceSize(block, nonceSize)
}

// decodeBase64 decodes base64 as leniently as dotenvx, whose users wrap and
// trim values by hand: either alphabet, the padding optional and everything
// after it ignored, all other characters skipped. The tag detects what is
// really damaged.
func decodeBase64(s string) []byte {
	s, _, _ = strings.Cut(s, "=")
	if b, err := base64.RawStdEncoding.DecodeString(s); err == nil {
		return b // as all of it is that programs wrote
	}
	s = strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z', 'a' <= r && r <= 'z', '0' <= r && r <= '9', r == '+', r == '/':
			return r
		case r == '-':
			return '+'
		case r == '_':
			return '/'
		}
		return -1
	}, s)
	if len(s)%4 == 1 {
		s = s[:len(s)-1] // six bits are not a byte
	}
	b, err := base64.RawStdEncoding.DecodeString(s)
	if err != nil {
		panic("ecies: base64 alphabet: " + err.Error())
	}
	return b
}
