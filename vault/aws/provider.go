package aws

import "github.com/envdrift/envdrift/vault"

// Provider describes AWS Secrets Manager and its settings.
func Provider() vault.Provider {
	return vault.Provider{Name: "aws", Open: opener(), Settings: []vault.Setting{
		{
			Key: "region", Flag: "--region", Example: "eu-central-1",
			Field: func(c *vault.Config) *string { return &c.Region },
		},
		{Key: "profile", Field: func(c *vault.Config) *string { return &c.Profile }},
		{
			Key: "endpoint_url", Kind: vault.URL, Label: "endpoint", Diverts: true,
			Field: func(c *vault.Config) *string { return &c.Endpoint },
		},
	}}
}
