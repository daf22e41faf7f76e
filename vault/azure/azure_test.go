package azure_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/azure"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

// config returns a user's configuration for a, with env as environment.
func config(a *servertest.Azure, env map[string]string) vault.Config {
	return vault.Config{Provider: "azure", URL: a.URL, Getenv: func(name string) string { return env[name] }}
}

func open(t *testing.T, cfg vault.Config) *azure.Store {
	t.Helper()
	s, err := azure.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

// with returns env with changes, of which "" unsets.
func with(env map[string]string, changes ...string) map[string]string {
	env = maps.Clone(env)
	for i := 0; i < len(changes); i += 2 {
		env[changes[i]] = changes[i+1]
	}
	return env
}

func wantKind(t *testing.T, err, kind error) *vault.Error {
	t.Helper()
	e, ok := errors.AsType[*vault.Error](err)
	if !ok || !errors.Is(err, kind) {
		t.Fatalf("error is %v; want %v", err, kind)
	}
	return e
}

func TestConformance(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	gone := servertest.AzureKeyVault(t)
	away := config(gone, gone.Env("writer"))
	gone.Close()
	vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
		folder := strings.ReplaceAll(strings.ReplaceAll(t.Name(), "/", "-"), "_", "-")
		wrong := with(a.Env("writer"), "AZURE_CLIENT_SECRET", "wr0ngS3cret")
		seed := func(name, raw string) { a.Set(name, raw) }
		return vaulttest.Fixture{
			Store:           open(t, config(a, a.Env("writer"))),
			Reopen:          func() vault.Store { return open(t, config(a, a.Env("writer"))) },
			Name:            func(short string) string { return folder + "-" + short },
			Seed:            seed,
			BadNames:        []string{"a b", "a_b", "a.b", "a/b", "key/", "key?version=1", "ключ", strings.Repeat("a", 128), "https://other.vault.azure.net/secrets/a"},
			Credentials:     []string{"writer-s3cret", "nobody-s3cret", "wr0ngS3cret", servertest.AzureToken},
			Denied:          open(t, config(a, a.Env("nobody"))),
			Unauthenticated: open(t, config(a, wrong)),
			Unavailable:     open(t, away),
			Malformed:       map[string]func(string){"empty": func(name string) { a.Set(name, "") }},
			Pin:             func(name, version string) string { return name + "/" + version },
		}
	})
}
