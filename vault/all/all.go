// Package all lists the providers that envdrift knows. Only this package
// imports every provider, so that no other pays for an SDK. The build tag
// no_<provider> leaves a provider's SDK out of the binary, but not its
// settings.
package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
	"github.com/envdrift/envdrift/vault/aws"
	"github.com/envdrift/envdrift/vault/azure"
	"github.com/envdrift/envdrift/vault/gcp"
	"github.com/envdrift/envdrift/vault/hashicorp"
)

// Providers returns all providers. The first one is the default.
func Providers() vault.Providers {
	return vault.Providers{
		age.Provider(),
		aws.Provider(),
		azure.Provider(),
		gcp.Provider(),
		hashicorp.Provider(),
	}
}

// Open returns the store of cfg.Provider. It sends nothing. Errors are
// [*vault.Error] of kind ErrConfig.
func Open(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	return Providers().Open(ctx, cfg)
}
