package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/envdrift/envdrift/internal/servertest"
)

const mappingLines = `
[[vault.sync.mappings]]
secret_name = "myapp-key"
folder_path = "."
`

// vaultScript runs a team's workflow and a rotation with a configuration and an
// environment. They use secrets of their own.
func vaultScript(t *testing.T, config string, env map[string]string) {
	t.Helper()
	scriptWith(t, "testdata/vaults.txtar", config+mappingLines, env)
	scriptWith(t, "testdata/rotate.txtar", config+strings.ReplaceAll(mappingLines, "myapp", "rotated"), env)
}

func scriptWith(t *testing.T, file, config string, env map[string]string) {
	t.Helper()
	p := params("")
	p.Dir, p.Files = "", []string{file}
	p.Setup = func(e *testscript.Env) error {
		if err := setup(e); err != nil {
			return err
		}
		e.Setenv("CONFIG", config)
		e.Setenv("DOTENVX", os.Getenv("DOTENVX_2_38_2")) // with which the integration tests are run
		for name, value := range env {
			e.Setenv(name, value)
		}
		return nil
	}
	testscript.Run(t, p)
}

// forEachVault runs a test with the configuration and the environment of each vault
// that needs no other program.
func forEachVault(t *testing.T, f func(t *testing.T, config string, env map[string]string)) {
	t.Helper()
	t.Run("age", func(t *testing.T) {
		t.Parallel()
		f(t, ageConfig, nil)
	})
	t.Run("azure", func(t *testing.T) {
		t.Parallel()
		azure := servertest.AzureKeyVault(t)
		f(t, fmt.Sprintf(azureConfig, azure.URL), azure.Env("writer"))
	})
	t.Run("gcp", func(t *testing.T) {
		t.Parallel()
		gcp := servertest.SecretManager(t)
		f(t, fmt.Sprintf(gcpConfig, servertest.GCPProject, gcp.Endpoint), nil)
	})
}

const (
	ageConfig   = "[vault]\nprovider = \"age\"\n"
	azureConfig = "[vault]\nprovider = \"azure\"\n[vault.azure]\nvault_url = %q\n"
	gcpConfig   = "[vault]\nprovider = \"gcp\"\n[vault.gcp]\nproject_id = %q\nendpoint = %q\n"
)

func TestAgeVault(t *testing.T) {
	t.Parallel()
	scriptWith(t, "testdata/rotate.txtar", ageConfig+strings.ReplaceAll(mappingLines, "myapp", "rotated"), nil)
}

func TestAzureKeyVault(t *testing.T) {
	t.Parallel()
	azure := servertest.AzureKeyVault(t)
	vaultScript(t, fmt.Sprintf(azureConfig, azure.URL), azure.Env("writer"))
}

func TestGCPSecretManager(t *testing.T) {
	t.Parallel()
	gcp := servertest.SecretManager(t)
	vaultScript(t, fmt.Sprintf(gcpConfig, servertest.GCPProject, gcp.Endpoint), nil)
}

// TestMixedVaults uses several vaults in one repository.
func TestMixedVaults(t *testing.T) {
	t.Parallel()
	azure, gcp := servertest.AzureKeyVault(t), servertest.SecretManager(t)
	scriptWith(t, "testdata/mixed.txtar", fmt.Sprintf("[vault]\nprovider = \"azure\"\n[vault.azure]\nvault_url = %q\n"+
		"[vault.named.google]\nprovider = \"gcp\"\nproject_id = %q\nendpoint = %q\n", azure.URL, servertest.GCPProject, gcp.Endpoint), azure.Env("writer"))
}
