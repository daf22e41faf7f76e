//go:build !no_aws

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
)

func openAWS(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	s, err := aws.Open(ctx, cfg)
	if err != nil {
		return nil, err // not s: a nil *Store in an interface is not nil
	}
	return s, nil
}
