// Package all lists the providers that envdrift knows. The SDKs are in programs of
// their own, so that nobody pays for one whose vault is not asked.
package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
	"github.com/envdrift/envdrift/vault/helper"
	"github.com/envdrift/envdrift/vault/settings"
)

// Providers returns all providers. The first one is the default.
func Providers() vault.Providers {
	return vault.Providers{
		age.Provider(),
		helper.Provider(settings.AWS()),
		helper.Provider(settings.Azure()),
		helper.Provider(settings.GCP()),
		helper.Provider(settings.HashiCorp()),
		helper.Exec(),
	}
}

// Open returns the store of cfg.Provider. It sends nothing. Errors are
// [*vault.Error] of kind ErrConfig.
func Open(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	return Providers().Open(ctx, cfg)
}
