// Envdrift-vault-hashicorp is the program that envdrift starts to use HashiCorp Vault and OpenBao.
// Package helper has the protocol.
package main

import (
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/hashicorp"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

func main() { os.Exit(helper.Main(settings.HashiCorp(), vault.Opener(hashicorp.Open))) }
