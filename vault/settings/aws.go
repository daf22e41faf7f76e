// Package settings describes the providers whose SDK is in a program of its own: their
// settings, without a way to open them. That program and envdrift both know them.
package settings

import (
	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/vault"
)

// AWS describes AWS Secrets Manager and its settings.
func AWS() vault.Provider {
	return vault.Provider{Name: "aws", Env: []string{"AWS_"}, Settings: []vault.Setting{
		{
			Key: "region", Flag: "--region", Example: "eu-central-1",
			// Part of a host's name: nothing that could end it.
			Vendor: func(region string) bool { return label().MatchString(region) },
			Field:  func(c *vault.Config) *string { return &c.Region },
		},
		{Key: "profile", Field: func(c *vault.Config) *string { return &c.Profile }},
		{
			Key: "endpoint_url", Kind: vault.URL, Label: "endpoint", Diverts: true,
			Field: func(c *vault.Config) *string { return &c.Endpoint },
		},
	}}
}

var label = lazy.Regexp(`^[a-z0-9-]+$`)
