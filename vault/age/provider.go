package age

import "github.com/envdrift/envdrift/vault"

// Provider describes the age vault and its settings.
func Provider() vault.Provider {
	return vault.Provider{Name: "age", Local: true, Open: vault.Opener(Open), Settings: []vault.Setting{
		{Key: "dir", Kind: vault.Path, Field: func(c *vault.Config) *string { return &c.VaultDir }},
		{Key: "recipients", Kind: vault.Path, Example: DefaultRecipients, Field: func(c *vault.Config) *string { return &c.Recipients }},
		// The identity file is the user's own and may be anywhere.
		{Key: "identity", Harmless: true, Field: func(c *vault.Config) *string { return &c.Identity }},
	}}
}
