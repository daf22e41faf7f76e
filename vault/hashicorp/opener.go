//go:build !no_hashicorp

package hashicorp

import "github.com/envdrift/envdrift/vault"

func opener() vault.OpenFunc { return vault.Opener(Open) }
