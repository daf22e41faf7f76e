// Envdrift-vault-gcp is the program that envdrift starts to use Google Secret Manager.
// Package helper has the protocol.
package main

import (
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/gcp"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

func main() { os.Exit(helper.Main(settings.GCP(), vault.Opener(gcp.Open))) }
