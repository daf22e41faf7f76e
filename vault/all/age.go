//go:build !no_age

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
)

func openAge(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	s, err := age.Open(ctx, cfg)
	if err != nil {
		return nil, err // not s: a nil *Store in an interface is not nil
	}
	return s, nil
}
