//go:build no_aws

package all

import (
	"context"

	"github.com/envdrift/envdrift/vault"
)

func openAWS(context.Context, vault.Config) (vault.Store, error) {
	return nil, unknown("aws", "left out of this build by the tag no_aws")
}
