package aws

import (
	"regexp"

	"github.com/envdrift/envdrift/vault"
)

// Provider describes AWS Secrets Manager and its settings.
func Provider() vault.Provider {
	return vault.Provider{Name: "aws", Open: opener(), Settings: []vault.Setting{
		{
			Key: "region", Flag: "--region", Example: "eu-central-1",
			// Part of a host's name: nothing that could end it.
			Vendor: label.MatchString,
			Field:  func(c *vault.Config) *string { return &c.Region },
		},
		{Key: "profile", Field: func(c *vault.Config) *string { return &c.Profile }},
		{
			Key: "endpoint_url", Kind: vault.URL, Label: "endpoint", Diverts: true,
			Field: func(c *vault.Config) *string { return &c.Endpoint },
		},
	}}
}

var label = regexp.MustCompile(`^[a-z0-9-]+$`)
