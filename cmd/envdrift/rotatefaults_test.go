package main

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// A writableVault is one whose writes can go wrong.
type writableVault struct {
	config  string
	env     map[string]string
	seed    func(secret, text string)
	between *func(secret string) // runs before each write
	lies    *bool                // what was written is never returned
}

func writableVaults(t *testing.T) map[string]writableVault {
	azure, gcp := servertest.AzureKeyVault(t), servertest.SecretManager(t)
	return map[string]writableVault{
		"azure": {
			config: fmt.Sprintf("[vault]\nprovider = \"azure\"\n[vault.azure]\nvault_url = %q\n", azure.URL), env: azure.Env("writer"),
			seed: func(secret, text string) { azure.Set(secret, text) }, between: &azure.Between, lies: &azure.Lies,
		},
		"gcp": {
			config: fmt.Sprintf("[vault]\nprovider = \"gcp\"\n[vault.gcp]\nproject_id = %q\nendpoint = %q\n", servertest.GCPProject, gcp.Endpoint),
			seed:   func(secret, text string) { gcp.Seed(secret, []byte(text)) }, between: &gcp.Between, lies: &gcp.Lies,
		},
	}
}

// A vault that does not keep what is written, or that another user changes at the
// same moment, stops a rotation before any file is written.
func TestRotateFaults(t *testing.T) {
	t.Parallel()
	for _, lies := range []bool{true, false} {
		for name, v := range writableVaults(t) {
			t.Run(fmt.Sprintf("%s lies %t", name, lies), func(t *testing.T) {
				t.Parallel()
				key, theirs := newKey(t), newKey(t)
				v.seed("app-key", key.Reveal())
				env := map[string]string{"ENVFILE": encrypted(t, key), "FAULT": "the value that was read back is not the one that was stored"}
				if *v.lies = lies; !lies {
					var once sync.Once
					*v.between = func(secret string) {
						once.Do(func() {
							v.seed(secret, key.Reveal()+","+theirs.Reveal())
							time.Sleep(1100 * time.Millisecond) // Azure's order is that of seconds
						})
					}
					env["FAULT"] = "was changed by another user or process: .*\n.*→ run the command again"
					env["THEIRS"] = theirs.PublicKey().String()
				}
				for name, value := range v.env {
					env[name] = value
				}
				scriptWith(t, "testdata/rotate_faults.txtar", v.config+"[[vault.sync.mappings]]\nsecret_name = \"app-key\"\nfolder_path = \".\"\n", env)
			})
		}
	}
}

func newKey(t *testing.T) *ecies.PrivateKey {
	t.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}
