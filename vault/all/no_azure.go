//go:build no_azure

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
)

func openAzure(context.Context, vault.Config) (vault.Store, error) {
	return nil, unknown("azure", "left out of this build by the tag no_azure")
}
