// Envdrift-vault-azure is the program that envdrift starts to use Azure Key Vault.
// Package helper has the protocol.
package main

import (
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/azure"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

func main() { os.Exit(helper.Main(settings.Azure(), vault.Opener(azure.Open))) }
