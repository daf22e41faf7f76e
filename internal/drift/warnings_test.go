package drift_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestWarnings moves ciphertexts around, which takes no key.
func TestWarnings(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	head := locked(t, key, "A=1\nB=2\n", nil)
	a, _ := head.Get("A")
	b, _ := head.Get("B")
	fresh, err := key.PublicKey().Encrypt([]byte("3"))
	if err != nil {
		t.Fatal(err)
	}
	header := "DOTENV_PUBLIC_KEY=" + key.PublicKey().String() + "\n"
	tests := []struct {
		name, text string
		want       []string
	}{
		{"as it was", header + "A=" + a.Value + "\nB=" + b.Value + "\n", nil},
		{"edited", header + "A=" + fresh + "\nB=" + b.Value + "\n", nil},
		{"renamed", header + "C=" + a.Value + "\nB=" + b.Value + "\n", nil},
		{"swapped", header + "A=" + b.Value + "\nB=" + a.Value + "\n", []string{"A has the ciphertext that was B's", "B has the ciphertext that was A's"}},
		{"copied", header + "A=" + a.Value + "\nB=" + b.Value + "\nC=" + a.Value + "\n", []string{"C has the ciphertext of A"}},
		{"plain under another name", header + "A_PLAIN=1\nB=" + b.Value + "\n", []string{"A was encrypted and is now plaintext, as A_PLAIN"}},
		{
			"two keys", header + "DOTENV_PUBLIC_KEY_CI=" + other.PublicKey().String() + "\nA=" + a.Value + "\nB=" + b.Value + "\n",
			[]string{"the header names 2 public keys; dotenvx writes one"},
		},
		{"no randomness", header + "A=" + a.Value + "\nB=" + withPointOf(t, a.Value, b.Value) + "\n", []string{"A and B share an ephemeral key: what encrypted them has no randomness"}},
	}
	for _, tt := range tests {
		if got := drift.Warnings(dotenv.Parse([]byte(tt.text)), head); !slices.Equal(got, tt.want) {
			t.Errorf("%s: warnings = %q; want %q", tt.name, got, tt.want)
		}
	}
}

// withPointOf returns the value b with the ephemeral key of a: that is in the
// first 65 bytes, 86 whole digits of base64.
func withPointOf(t *testing.T, a, b string) string {
	t.Helper()
	for _, last := range "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/" {
		const digits = len(ecies.Prefix) + 86
		value := a[:digits] + string(last) + b[digits+1:]
		if ka, err := ecies.Ephemeral(a); err == nil {
			if kb, err := ecies.Ephemeral(value); err == nil && ka == kb && !strings.HasPrefix(a, value) {
				return value
			}
		}
	}
	t.Fatal("no value has this ephemeral key")
	return ""
}
