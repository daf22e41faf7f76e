package trust_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
)

func pins(t *testing.T) (trust.Pins, string) {
	t.Helper()
	state := t.TempDir()
	p, err := trust.At(func(name string) string {
		return map[string]string{"XDG_STATE_HOME": state}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, filepath.Join(state, "envdrift", "trust.json")
}

func TestPinRevokeMove(t *testing.T) {
	t.Parallel()
	p, file := pins(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	of := func(repository string) []trust.Endpoint {
		t.Helper()
		got, err := p.Of(repository)
		must(err)
		return got
	}
	if got := of("/a"); len(got) != 0 {
		t.Errorf("Of before the first Pin = %v; want nothing", got)
	}
	must(p.Pin(t.Context(), "/a", "z", "y", "z"))
	must(p.Pin(t.Context(), "/b", "x"))
	if got := of("/a"); !slices.Equal(got, []trust.Endpoint{"y", "z"}) {
		t.Errorf("Of = %v; want y and z, once", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the pins file is open to others: %v %v", info, err)
	}
	must(p.Move(t.Context(), "/a", "/c"))
	must(p.Revoke(t.Context(), "/b"))
	all, err := p.All()
	must(err)
	if len(all) != 1 || len(all["/c"]) != 2 {
		t.Errorf("All = %v; want the endpoints of /a under /c alone", all)
	}
}

func TestConcurrentPinsAreAllKept(t *testing.T) {
	t.Parallel()
	p, _ := pins(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := p.Pin(t.Context(), fmt.Sprint("/", i), "e"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := p.All(); err != nil || len(all) != 20 {
		t.Errorf("All holds %d repositories, %v; want 20", len(all), err)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	t.Parallel()
	p, file := pins(t)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Of("/a"); err == nil {
		t.Error("Of with a damaged file = nil; want an error: nothing may pass as trusted or as new")
	}
	if err := p.Pin(t.Context(), "/a", "e"); err == nil {
		t.Error("Pin over a damaged file = nil; want an error")
	}
}

func TestEndpointOf(t *testing.T) {
	t.Parallel()
	base := vault.Config{Provider: "hashicorp", URL: "https://vault.example.com", Mount: "secret"}
	changes := map[string]func(*vault.Config){
		"provider":  func(c *vault.Config) { c.Provider = "azure" },
		"url":       func(c *vault.Config) { c.URL = "https://evil.example.com" },
		"mount":     func(c *vault.Config) { c.Mount = "other" },
		"namespace": func(c *vault.Config) { c.Namespace = "other" },
		"auth":      func(c *vault.Config) { c.Auth = "jwt" },
		"role":      func(c *vault.Config) { c.Role = "other" },
		"endpoint":  func(c *vault.Config) { c.Endpoint = "https://evil.example.com" },
		"region":    func(c *vault.Config) { c.Region = "other" },
		"profile":   func(c *vault.Config) { c.Profile = "other" },
		"project":   func(c *vault.Config) { c.ProjectID = "other" },
	}
	for name, change := range changes {
		cfg := base
		change(&cfg)
		if trust.EndpointOf(cfg) == trust.EndpointOf(base) {
			t.Errorf("another %s gives the same endpoint %q", name, trust.EndpointOf(cfg))
		}
	}
	if got := trust.EndpointOf(vault.Config{Provider: "age", VaultDir: "x"}); got != "" {
		t.Errorf("EndpointOf(age) = %q; want none: it is sent nothing", got)
	}
}
