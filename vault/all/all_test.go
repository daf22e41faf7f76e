package all_test

import (
	"errors"
	"testing"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

func TestOpenUnknown(t *testing.T) {
	t.Parallel()
	for _, provider := range []string{"", "bitwarden", "Age"} {
		s, err := all.Open(t.Context(), vault.Config{Provider: provider, Dir: t.TempDir()})
		if s != nil || !errors.Is(err, vault.ErrConfig) {
			t.Errorf("Open(provider %q) = %v, %v; want ErrConfig", provider, s, err)
		}
	}
}

// An error comes without a store: a nil *Store in the interface would look like
// one.
func TestOpenFails(t *testing.T) {
	t.Parallel()
	for _, cfg := range []vault.Config{
		{Provider: "age", VaultDir: "../elsewhere"},
		{Provider: "hashicorp", URL: "://"},
	} {
		cfg.Dir = t.TempDir()
		s, err := all.Open(t.Context(), cfg)
		if s != nil || !errors.Is(err, vault.ErrConfig) {
			t.Errorf("Open(%s) = %v, %v; want ErrConfig", cfg.Provider, s, err)
		}
	}
}

func TestOpenAge(t *testing.T) {
	t.Parallel()
	s, err := all.Open(t.Context(), vault.Config{Provider: "age", Dir: t.TempDir()})
	if err != nil || s.String() != "age vault .envdrift/vault" {
		t.Errorf("Open(age) = %v, %v; want the vault", s, err)
	}
}
