package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

func newKey(t testing.TB) *ecies.PrivateKey {
	t.Helper()
	k, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// locked encrypts an env file for k; with previous, as an edit of it.
func locked(t testing.TB, k *ecies.PrivateKey, text string, previous *dotenv.Document) *dotenv.Document {
	t.Helper()
	doc, _, err := dotenv.Parse([]byte(text)).Encrypt(k.PublicKey(), dotenv.EncryptOptions{
		Header: "DOTENV_PUBLIC_KEY", File: ".env", Previous: previous, PreviousKeys: ecies.Keys{k},
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// values gives what keys make of an env file, the header left out.
func values(t testing.TB, data []byte, keys ...*ecies.PrivateKey) string {
	t.Helper()
	all, err := dotenv.Parse(data).Reveal(keys)
	if err != nil {
		t.Fatalf("Reveal: %v", err)
	}
	var b strings.Builder
	for _, r := range all {
		if !strings.HasPrefix(r.Name, "DOTENV_PUBLIC_KEY") {
			fmt.Fprintf(&b, "%s=%s\n", r.Name, r.Plaintext.Reveal())
		}
	}
	return b.String()
}

// value gives the ciphertext of name.
func value(t testing.TB, data []byte, name string) string {
	t.Helper()
	e, ok := dotenv.Parse(data).Get(name)
	if !ok {
		t.Fatalf("there is no %s", name)
	}
	return e.Value
}
