//go:build no_gcp

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
)

func openGCP(context.Context, vault.Config) (vault.Store, error) {
	return nil, unknown("gcp", "left out of this build by the tag no_gcp")
}
