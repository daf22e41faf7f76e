//go:build no_azure

package azure

import "github.com/envdrift/envdrift/vault"

func opener() vault.OpenFunc { return nil }
