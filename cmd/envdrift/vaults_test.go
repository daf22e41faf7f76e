package main

import (
	"fmt"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/envdrift/envdrift/internal/servertest"
)

const mapping = `
[[vault.sync.mappings]]
secret_name = "myapp-key"
folder_path = "."
`

// vaultScript runs the team's day with a configuration and an environment.
func vaultScript(t *testing.T, config string, env map[string]string) {
	t.Helper()
	p := params("")
	p.Dir, p.Files = "", []string{"testdata/vaults.txtar"}
	p.Setup = func(e *testscript.Env) error {
		if err := setup(e); err != nil {
			return err
		}
		e.Setenv("CONFIG", config+mapping)
		for name, value := range env {
			e.Setenv(name, value)
		}
		return nil
	}
	testscript.Run(t, p)
}

func TestAzureKeyVault(t *testing.T) {
	t.Parallel()
	azure := servertest.AzureKeyVault(t)
	vaultScript(t, fmt.Sprintf("[vault]\nprovider = \"azure\"\n[vault.azure]\nvault_url = %q\n", azure.URL), azure.Env("writer"))
}

func TestGCPSecretManager(t *testing.T) {
	t.Parallel()
	gcp := servertest.SecretManager(t)
	vaultScript(t, fmt.Sprintf("[vault]\nprovider = \"gcp\"\n[vault.gcp]\nproject_id = %q\nendpoint = %q\n", servertest.GCPProject, gcp.Endpoint), nil)
}
