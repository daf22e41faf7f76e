package keyring_test

import (
	"testing"

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
