package config_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

// The configuration in the earlier tool's guide, and a file with every key that
// it knew, load, and each mapping finds its vault.
func TestEarlierConfigurations(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/guide/*")
	if err != nil || len(files) < 7 {
		t.Fatalf("Glob = %q, %v; want the guide's files", files, err)
	}
	for _, file := range append(files, "testdata/earlier.toml") {
		var o config.Overrides
		if filepath.Ext(file) == ".txt" {
			o = config.Overrides{Provider: "azure", Flags: []*config.Flag{{"--vault-url", "https://my-keyvault.vault.azure.net/"}}}
		}
		c, err := config.Load(file, known(o))
		if err != nil {
			t.Error(err)
			continue
		}
		if len(c.Mappings) == 0 {
			t.Errorf("%s has no mappings", file)
		}
		for _, m := range c.Mappings {
			if _, err := c.VaultOf(m); err != nil {
				t.Errorf("%s, line %d: %v", file, m.Line, err)
			}
		}
	}
}

func TestEarlierMappings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file string
		want []config.Mapping // without Line
		urls []string
	}{
		{"guide/vault_name.toml", []config.Mapping{
			{SecretName: "myapp-key", Folder: "services/myapp"},
			{SecretName: "auth-key", Folder: "services/auth", Environment: "staging"},
			{SecretName: "prod-key", Folder: "services/prod", VaultName: "production-vault"},
		}, []string{"https://my-keyvault.vault.azure.net/", "https://my-keyvault.vault.azure.net/", "https://production-vault.vault.azure.net/"}},
		{"guide/profiles.toml", []config.Mapping{
			{SecretName: "shared-key", Folder: "."},
			{SecretName: "local-key", Folder: ".", Profile: "local", ActivateTo: ".env"},
			{SecretName: "prod-key", Folder: ".", Profile: "prod", ActivateTo: ".env"},
		}, nil},
		{"guide/ephemeral_mapping.toml", []config.Mapping{
			{SecretName: "dev-key", Folder: "services/dev"},
			{SecretName: "ci-key", Folder: "services/ci", Ephemeral: true},
		}, nil},
	}
	for _, tt := range tests {
		c, err := config.Load(filepath.Join("testdata", tt.file), known(config.Overrides{}))
		if err != nil {
			t.Fatal(err)
		}
		var urls []string
		for i, m := range c.Mappings {
			v, err := c.VaultOf(m)
			if err != nil {
				t.Error(err)
			}
			urls = append(urls, v.URL)
			c.Mappings[i].Line = 0
		}
		if !slices.EqualFunc(c.Mappings, tt.want, sameMapping) {
			t.Errorf("%s: mappings %+v; want %+v", tt.file, c.Mappings, tt.want)
		}
		if tt.urls != nil && !slices.Equal(urls, tt.urls) {
			t.Errorf("%s: vaults %q; want %q", tt.file, urls, tt.urls)
		}
	}
}

// What only the earlier tool knew is ignored in pyproject.toml as well.
func TestEarlierPyproject(t *testing.T) {
	t.Parallel()
	const text = "[tool.envdrift]\nschema = 'a:B'\nenvironments = ['x']\n[tool.envdrift.guard]\nscanners = []\n[tool.envdrift.vault.mappings]\na = 1\n"
	c := parse(t, "pyproject.toml", text)
	if want := []string{"guard", "vault.mappings"}; !slices.Equal(c.Foreign, want) {
		t.Errorf("Foreign = %q; want %q", c.Foreign, want)
	}
}

// A value in the wrong place may be a secret: no error repeats it.
func TestErrorsRepeatNoSecret(t *testing.T) {
	t.Parallel()
	const secret = "hvsCAESIJ"
	for _, text := range []string{
		"[vault.hashicorp]\ntoken = '" + secret + "'\n",
		"[vault.hashicorp]\ntoken = " + secret + "\n",
		"[vault.hashicorp]\nurl = 'https://x:" + secret + "@vault.example.com'\n",
		"[vault.hashicorp]\nurl = 'https://vault.example.com?token=" + secret + "'\n",
		"[vault.hashicorp]\nurl = 'vault.example.com#" + secret + "'\n",
		"[vault.azure]\nclient_secret = \"" + secret + "\"\nvault_url = 5\n",
		"vault = { hashicorp = { tokn = '" + secret + "' } }\n",
		"vault = '" + secret + "'\n",
		"secret = '" + secret + "\n",
		"secret = [ '" + secret + "' " + secret + " ]\n",
		"secret = 2020-" + secret + "\n",
		"secret = 0x" + secret + "\n",
		"secret = true" + secret + "\n",
		"[vault.named.x]\nprovider = 'hashicorp'\ntoken = '" + secret + "'\n",
		"[[vault.sync.mappings]]\nsecret_name = 'a'\nfolder_path = '.'\nsecret_value = '" + secret + "'\n",
		"[[vault.sync.mappings]]\nkey = ['" + secret + "']\n",
	} {
		_, err := config.Parse("envdrift.toml", []byte(text), known(config.Overrides{}))
		if err == nil || repeats(err, secret[:4]) {
			t.Errorf("Parse(%q) = %v; want an error with nothing of the secret", text, err)
		}
	}
	const digits = "98765432109876543210"
	if _, err := config.Parse("envdrift.toml", []byte("secret = "+digits+"\n"), known(config.Overrides{})); repeats(err, digits) {
		t.Errorf("Parse of a large number = %v; want it not repeated", err)
	}
	// A file that is not a configuration at all.
	file := filepath.Join(t.TempDir(), "pair.txt")
	if err := os.WriteFile(file, []byte("AGE-SECRET-KEY-1"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := config.Load(file, known(config.Overrides{})); err == nil || repeats(err, secret) {
		t.Errorf("Load of a key = %v; want an error without it", err)
	}
}

func repeats(err error, text string) bool {
	return slices.ContainsFunc([]string{"%v", "%+v", "%#v", "%s", "%q"}, func(verb string) bool {
		return strings.Contains(fmt.Sprintf(verb, err), text)
	})
}

func sameMapping(a, b config.Mapping) bool { return reflect.DeepEqual(a, b) }
