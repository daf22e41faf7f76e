package config_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault/all"
)

func TestTemplate(t *testing.T) {
	t.Parallel()
	mappings := []config.Mapping{
		{SecretName: "myapp-production-key", Folder: ".", Environment: "production", EnvFile: ".env.production"},
		{SecretName: `quo"ted\`, Folder: "services/ü b", EnvFile: "post gres.env"},
		{SecretName: "plain", Folder: "a", EnvFile: ".env"},
	}
	over := config.Overrides{Flags: []*config.Flag{{"--vault-url", "https://v.vault.azure.net/"}, {"--region", "eu-west-1"}, {"--project-id", "p"}}}
	// What is commented out must be valid as well.
	commented := regexp.MustCompile(`(?m)^# (\w+ = |\[)`)
	for _, provider := range all.Providers().Names() {
		for _, over := range []config.Overrides{over, {}} {
			for _, mappings := range [][]config.Mapping{mappings, nil} {
				text := config.Template(provider, known(over), mappings)
				c := parse(t, "envdrift.toml", string(text))
				if c.Vault.Provider != provider {
					t.Errorf("%s: provider is %s", provider, c.Vault.Provider)
				}
				for i := range c.Mappings {
					c.Mappings[i].Line = 0
				}
				want := append([]config.Mapping(nil), mappings...)
				if len(want) > 0 {
					want[0].EnvFile = "" // need not be written
				}
				if !reflect.DeepEqual(c.Mappings, want) {
					t.Errorf("%s: mappings are %+v; want %+v", provider, c.Mappings, want)
				}
				c = parse(t, "envdrift.toml", commented.ReplaceAllString(string(text), "$1"))
				if _, err := c.VaultOf(config.Mapping{}); err != nil {
					t.Errorf("%s: with every comment active: %v", provider, err)
				}
			}
		}
	}
}

// For a vault, a new configuration has what the flags say, or an example.
func TestTemplateSections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		provider, flag string
		want           string
	}{
		{"age", "", "# recipients = \".envdrift/recipients\""},
		{"aws", "", "# region = \"eu-central-1\""},
		{"aws", "--region", "region = \"x\""},
		{"azure", "", "# vault_url = \"https://my-keyvault.vault.azure.net/\""},
		{"azure", "--vault-url", "vault_url = \"x\""},
		{"gcp", "", "# project_id = \"my-project\""},
		{"gcp", "--project-id", "project_id = \"x\""},
		{"hashicorp", "", "# url = \"https://vault.example.com\""},
		{"hashicorp", "--vault-url", "url = \"x\""},
	}
	for _, tt := range tests {
		over := known(config.Overrides{Flags: []*config.Flag{{tt.flag, "x"}}})
		text := string(config.Template(tt.provider, over, nil))
		want := "\n[vault]\nprovider = \"" + tt.provider + "\"\n\n[vault." + tt.provider + "]\n" + tt.want + "\n\n[vault.sync]\n"
		if !strings.Contains(text, want) {
			t.Errorf("Template(%s) with %q =\n%s; want in it\n%s", tt.provider, tt.flag, text, want)
		}
	}
}
