//go:build no_aws

package aws

import "github.com/envdrift/envdrift/vault"

func opener() vault.OpenFunc { return nil }
