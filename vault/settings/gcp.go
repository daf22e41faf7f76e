package settings

import "github.com/envdrift/envdrift/vault"

// GCP describes Google Secret Manager and its settings.
func GCP() vault.Provider {
	return vault.Provider{Name: "gcp", Env: []string{"GOOGLE_", "CLOUDSDK_", "GCE_"}, Settings: []vault.Setting{
		// The endpoint comes first in the entries that users have
		// trusted so far.
		{Key: "endpoint", Diverts: true, Field: func(c *vault.Config) *string { return &c.Endpoint }},
		{
			Key: "project_id", Flag: "--project-id", Label: "project", Names: true, Example: "my-project",
			Field: func(c *vault.Config) *string { return &c.ProjectID },
		},
	}}
}
