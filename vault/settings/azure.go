package settings

import (
	"net/netip"
	"net/url"
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/vault"
)

// Azure describes Azure Key Vault and its settings.
func Azure() vault.Provider {
	return vault.Provider{Name: "azure", Env: []string{"AZURE_", "IDENTITY_", "MSI_"}, Settings: []vault.Setting{
		{
			Key: "vault_url", Kind: vault.URL, Required: true, Names: true,
			Flag: "--vault-url", Example: "https://my-keyvault.vault.azure.net/", ByName: addressOf,
			Vendor: func(address string) bool { return microsoft().MatchString(address) },
			Field:  func(c *vault.Config) *string { return &c.URL },
		},
		{
			Key: "credential", Kind: vault.Enum, Values: []string{"auto", "cli", "environment", "workload", "managed", "devcli"},
			Field: func(c *vault.Config) *string { return &c.Credential },
		},
	}}
}

// microsoft matches the addresses at which Microsoft serves vaults.
var microsoft = lazy.Regexp(`^https://[A-Za-z0-9-]+\.vault\.(azure\.net|azure\.cn|usgovcloudapi\.net)/?$`)

var vaultName = lazy.Regexp(`^[A-Za-z0-9-]{3,24}$`)

// addressOf returns the address of the vault called name in the cloud of the
// vault at like, or in the public one. It returns none for a name that Azure
// would not allow, since that could be any address.
func addressOf(name, like string) (string, bool) {
	if like == "" {
		like = "https://x.vault.azure.net/"
	}
	u, err := url.Parse(like)
	if err != nil || !vaultName().MatchString(name) {
		return "", false
	}
	_, suffix, ok := strings.Cut(u.Host, ".")
	if _, err := netip.ParseAddr(u.Hostname()); !ok || err == nil {
		return "", false
	}
	return "https://" + name + "." + suffix + "/", true
}
