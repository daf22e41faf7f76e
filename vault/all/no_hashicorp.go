//go:build no_hashicorp

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
)

func openHashicorp(context.Context, vault.Config) (vault.Store, error) {
	return nil, unknown("hashicorp", "left out of this build by the tag no_hashicorp")
}
