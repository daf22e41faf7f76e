//go:build !no_azure

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/azure"
)

func openAzure(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	s, err := azure.Open(ctx, cfg)
	if err != nil {
		return nil, err // not s: a nil *Store in an interface is not nil
	}
	return s, nil
}
