// Package all opens the vault that a configuration names. It is the one place
// that knows every provider, so that nothing else pays for an SDK. Each
// provider has a file here; the build tag no_<provider> leaves it out of the
// binary.
package all

import (
	"context"
	"fmt"

	"github.com/envdrift/envdrift/vault"
)

// Open returns the store of cfg.Provider. It sends nothing. Errors are
// [*vault.Error] of kind ErrConfig.
func Open(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	switch cfg.Provider {
	case "age":
		return openAge(ctx, cfg)
	case "aws":
		return openAWS(ctx, cfg)
	case "azure":
		return openAzure(ctx, cfg)
	case "gcp":
		return openGCP(ctx, cfg)
	case "hashicorp":
		return openHashicorp(ctx, cfg)
	}
	return nil, unknown(cfg.Provider, "envdrift knows age, aws, azure, gcp and hashicorp")
}

func unknown(provider, why string) error {
	return &vault.Error{Op: "open", Vault: fmt.Sprintf("provider %q", provider), Err: vault.ErrConfig, Detail: why}
}
