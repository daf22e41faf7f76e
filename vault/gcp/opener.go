//go:build !no_gcp

package gcp

import "github.com/envdrift/envdrift/vault"

func opener() vault.OpenFunc { return vault.Opener(Open) }
