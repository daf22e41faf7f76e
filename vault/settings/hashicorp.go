package settings

import "github.com/envdrift/envdrift/vault"

// HashiCorp describes HashiCorp Vault and its settings.
func HashiCorp() vault.Provider {
	return vault.Provider{Name: "hashicorp", Env: []string{"VAULT_"}, Settings: []vault.Setting{
		{
			Key: "url", Kind: vault.URL, Required: true, Names: true,
			Flag: "--vault-url", Env: "VAULT_ADDR", Token: "VAULT_TOKEN", Example: "https://vault.example.com",
			Field: func(c *vault.Config) *string { return &c.URL },
		},
		{Key: "mount", Kind: vault.Mount, Field: func(c *vault.Config) *string { return &c.Mount }},
		{
			Key: "kv_version", Kind: vault.Number, Least: 1, Most: 2, Harmless: true,
			Int: func(c *vault.Config) *int { return &c.KVVersion },
		},
		{Key: "namespace", Field: func(c *vault.Config) *string { return &c.Namespace }},
		{
			Key: "auth", Kind: vault.Enum, Values: []string{"token", "approle", "kubernetes", "jwt"},
			Field: func(c *vault.Config) *string { return &c.Auth },
		},
		{Key: "auth_mount", Kind: vault.Mount, Label: "auth mount", Field: func(c *vault.Config) *string { return &c.AuthMount }},
		{Key: "role", Field: func(c *vault.Config) *string { return &c.Role }},
		{Key: "field", Harmless: true, Field: func(c *vault.Config) *string { return &c.Field }},
	}}
}
