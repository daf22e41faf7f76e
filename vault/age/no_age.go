//go:build no_age

package age

import "github.com/envdrift/envdrift/vault"

func opener() vault.OpenFunc { return nil }
