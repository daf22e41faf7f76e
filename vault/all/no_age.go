//go:build no_age

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
)

func openAge(context.Context, vault.Config) (vault.Store, error) {
	return nil, unknown("age", "left out of this build by the tag no_age")
}
