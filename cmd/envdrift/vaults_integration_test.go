//go:build integration

package main

import (
	"fmt"
	"testing"

	"github.com/envdrift/envdrift/internal/servertest"
)

func TestAWSSecretsManager(t *testing.T) {
	moto := servertest.StartMoto(t)
	everywhere(t, fmt.Sprintf("[vault]\nprovider = \"aws\"\n[vault.aws]\nregion = \"eu-central-1\"\nendpoint_url = %q\n", moto.URL),
		map[string]string{"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "marked-secret"})
}

func TestOpenBao(t *testing.T) {
	bao := servertest.OpenBao(t)
	everywhere(t, fmt.Sprintf("[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = %q\n", bao.URL),
		map[string]string{"VAULT_TOKEN": bao.Token})
}

// everywhere runs what every vault must pass.
func everywhere(t *testing.T, config string, env map[string]string) {
	t.Helper()
	vaultScript(t, config, env)
	t.Run("killed", func(t *testing.T) { rotateKilled(t, config, env) })
	t.Run("pairs", func(t *testing.T) { rotatePairs(t, config, env) })
}
