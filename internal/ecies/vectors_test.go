package ecies_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
)

// A vectorFile is testdata/crypto.json, made by running dotenvx 2.38.2 and
// 1.51.4.
type vectorFile struct {
	Vectors []struct {
		Name, PrivateKey, PublicKey, Plaintext, Ciphertext string
	}
	PublicKeyForms []struct {
		Form, PublicKey, PrivateKey, Ciphertext string
		Accepted                                bool
	}
	PrivateKeyForms []struct {
		Form, PrivateKey, Ciphertext string
		New                          outcome `json:"primitives_3_3_1"`
		Old                          outcome `json:"v1_51_4"`
	}
	Negative []struct {
		Name, PrivateKey, Ciphertext string
		New                          outcome `json:"primitives_3_3_1"`
	}
	Base64Forms []struct {
		Form, PrivateKey, Ciphertext, Plaintext string
	}
}

// An outcome is the result of dotenvx for an input.
type outcome struct {
	Plaintext *string
	ErrorCode string
}

func vectors(t testing.TB) *vectorFile {
	t.Helper()
	data, err := os.ReadFile("testdata/crypto.json")
	if err != nil {
		t.Fatal(err)
	}
	v := new(vectorFile)
	if err := json.Unmarshal(data, v); err != nil {
		t.Fatal(err)
	}
	for name, n := range map[string]int{
		"vectors": len(v.Vectors), "publicKeyForms": len(v.PublicKeyForms), "privateKeyForms": len(v.PrivateKeyForms),
		"negative": len(v.Negative), "base64Forms": len(v.Base64Forms),
	} {
		if n == 0 {
			t.Fatalf("testdata/crypto.json has no %s", name)
		}
	}
	return v
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t).Vectors {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			keys := parseKeys(t, v.PrivateKey)
			if got := keys[0].PublicKey().String(); got != v.PublicKey {
				t.Errorf("PublicKey() = %s; want %s", got, v.PublicKey)
			}
			if got := keys[0].Reveal(); got != v.PrivateKey {
				t.Errorf("Reveal() = %s; want %s", got, v.PrivateKey)
			}
			wantPlaintext(t, keys, v.Ciphertext, v.Plaintext)

			again, err := keys[0].PublicKey().Encrypt([]byte(v.Plaintext))
			if err != nil {
				t.Fatal(err)
			}
			if len(again) != len(v.Ciphertext) {
				t.Errorf("Encrypt gives %d characters, dotenvx %d", len(again), len(v.Ciphertext))
			}
			wantPlaintext(t, keys, again, v.Plaintext)
		})
	}
}

func TestPublicKeyForms(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t).PublicKeyForms {
		t.Run(v.Form, func(t *testing.T) {
			t.Parallel()
			p, err := ecies.ParsePublicKey(v.PublicKey)
			if !v.Accepted {
				if e := (*ecies.KeyError)(nil); !errors.As(err, &e) {
					t.Errorf("ParsePublicKey(%q) = %v, %v; want a KeyError", v.PublicKey, p, err)
				}
				return
			}
			if err != nil {
				t.Fatalf("ParsePublicKey(%q): %v", v.PublicKey, err)
			}
			keys := parseKeys(t, v.PrivateKey)
			if p != keys[0].PublicKey() {
				t.Errorf("ParsePublicKey(%q) = %v; want %v", v.PublicKey, p, keys[0].PublicKey())
			}
			wantPlaintext(t, keys, v.Ciphertext, "x")
		})
	}
}

func TestPrivateKeyForms(t *testing.T) {
	t.Parallel()
	// Where envdrift differs from dotenvx 2.38.2, and why.
	refused := map[string]string{
		"trailingJunk":   "dotenvx stops at the first character that is no digit; a key that was damaged or glued to another is not to be guessed at",
		"trailingNibble": "dotenvx drops an odd last digit; with a digit too many nobody knows which one is wrong",
	}
	accepted := map[string]string{
		"leadingSpace":    "a blank beside a key is no part of it, wherever it was copied from",
		"listRightSecond": "a list holds the keys of rotated files; dotenvx 1.x tries all, 2.x the first only",
		"listWithSpace":   "a blank after the comma is no part of a key",
	}
	for _, v := range vectors(t).PrivateKeyForms {
		t.Run(v.Form, func(t *testing.T) {
			t.Parallel()
			keys, err := ecies.ParsePrivateKeys(v.PrivateKey)
			_, refuse := refused[v.Form]
			_, accept := accepted[v.Form]
			switch e := (*ecies.KeyError)(nil); {
			case refuse && v.New.Plaintext == nil, accept && v.New.Plaintext != nil:
				t.Error("this form is not a deviation")
			case accept, v.New.Plaintext != nil && !refuse:
				if err != nil {
					t.Fatalf("ParsePrivateKeys: %v", err)
				}
				wantPlaintext(t, keys, v.Ciphertext, "World")
			case v.New.ErrorCode == "WRONG_PRIVATE_KEY":
				if _, _, err := keys.Decrypt(v.Ciphertext); err != ecies.ErrWrongKey {
					t.Errorf("Decrypt: %v; want %v", err, ecies.ErrWrongKey)
				}
			case !errors.As(err, &e):
				t.Errorf("ParsePrivateKeys: %v; want a KeyError", err)
			}
		})
	}
}

func TestNegative(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t).Negative {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			plaintext, _, err := parseKeys(t, v.PrivateKey).Decrypt(v.Ciphertext)
			e := (*ecies.CiphertextError)(nil)
			if wrong := v.New.ErrorCode == "WRONG_PRIVATE_KEY"; plaintext != nil || errors.Is(err, ecies.ErrWrongKey) != wrong || errors.As(err, &e) == wrong {
				t.Errorf("Decrypt = %q, %v; dotenvx says %s", plaintext, err, v.New.ErrorCode)
			}
		})
	}
}

func TestBase64Forms(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t).Base64Forms {
		t.Run(v.Form, func(t *testing.T) {
			t.Parallel()
			keys := parseKeys(t, v.PrivateKey)
			if v.Plaintext != v.Ciphertext { // dotenvx found something to decrypt
				wantPlaintext(t, keys, v.Ciphertext, v.Plaintext)
				return
			}
			e := (*ecies.CiphertextError)(nil)
			if _, _, err := keys.Decrypt(v.Ciphertext); ecies.IsEncrypted(v.Ciphertext) || !errors.As(err, &e) {
				t.Errorf("IsEncrypted = %t, Decrypt: %v; want neither", ecies.IsEncrypted(v.Ciphertext), err)
			}
		})
	}
}

func parseKeys(t testing.TB, s string) ecies.Keys {
	t.Helper()
	keys, err := ecies.ParsePrivateKeys(s)
	if err != nil {
		t.Fatalf("ParsePrivateKeys(%q): %v", s, err)
	}
	return keys
}

func wantPlaintext(t *testing.T, keys ecies.Keys, ciphertext, want string) {
	t.Helper()
	got, used, err := keys.Decrypt(ciphertext)
	if err != nil || string(got) != want {
		t.Errorf("Decrypt(%.40q) = %.40q, %v; want %.40q", ciphertext, got, err, want)
	}
	if err == nil && keys.Find(used) == nil {
		t.Errorf("Decrypt(%.40q) used %v, which is none of the keys", ciphertext, used)
	}
}
