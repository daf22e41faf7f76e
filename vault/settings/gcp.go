package gcp

import "github.com/envdrift/envdrift/vault"

// Provider describes Google Secret Manager and its settings.
func Provider() vault.Provider {
	return vault.Provider{Name: "gcp", Open: opener(), Settings: []vault.Setting{
		// The endpoint comes first in the entries that users have
		// trusted so far.
		{Key: "endpoint", Diverts: true, Field: func(c *vault.Config) *string { return &c.Endpoint }},
		{
			Key: "project_id", Flag: "--project-id", Label: "project", Names: true, Example: "my-project",
			Field: func(c *vault.Config) *string { return &c.ProjectID },
		},
	}}
}
