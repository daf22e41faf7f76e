// Envdrift-vault-aws is the program that envdrift starts to use AWS Secrets Manager.
// Package helper has the protocol.
package main

import (
	"os"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

func main() { os.Exit(helper.Main(settings.AWS(), vault.Opener(aws.Open))) }
