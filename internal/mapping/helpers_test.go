package mapping_test

import (
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
