package trust_test

import (
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// These are in users' files: a change would require them to agree again.
func TestEndpointOf(t *testing.T) {
	t.Parallel()
	const url = "https://vault.example.com"
	tests := []struct {
		cfg  vault.Config
		want trust.Endpoint
	}{
		{vault.Config{Provider: "age", VaultDir: "x", Recipients: "y", Identity: "z"}, ""},
		{vault.Config{Provider: "aws"}, "aws"},
		{vault.Config{Provider: "aws", Region: "eu", Profile: "team", Endpoint: "https://e"}, "aws, region eu, profile team, endpoint https://e"},
		{vault.Config{Provider: "azure", URL: url}, "azure, " + url},
		{vault.Config{Provider: "azure", URL: url, Credential: "cli"}, "azure, " + url + ", credential cli"},
		{vault.Config{Provider: "gcp", ProjectID: "p"}, "gcp, project p"},
		{vault.Config{Provider: "gcp", ProjectID: "p", Endpoint: "e:443"}, "gcp, endpoint e:443, project p"},
		{vault.Config{Provider: "hashicorp", URL: url}, "hashicorp, " + url},
		{vault.Config{
			Provider: "hashicorp", URL: url, Mount: "kv", KVVersion: 2, Namespace: "n",
			Auth: "jwt", AuthMount: "am", Role: "r", Field: "f",
		}, "hashicorp, " + url + ", mount kv, namespace n, auth jwt, auth mount am, role r"},
		{vault.Config{Provider: "unheard-of", URL: url}, "unheard-of"},
	}
	for _, tt := range tests {
		if got := trust.EndpointOf(all.Providers(), tt.cfg); got != tt.want {
			t.Errorf("EndpointOf(%+v) = %q; want %q", tt.cfg, got, tt.want)
		}
	}
}

// Every setting that is not marked harmless is part of the endpoint.
func TestEverySettingIsInTheEndpoint(t *testing.T) {
	t.Parallel()
	known := registered("/bin/program")
	for _, p := range known {
		base := vault.Config{Provider: p.Name}
		if p.Many {
			base.Provider += ":name"
		}
		for _, s := range p.Settings {
			cfg := base
			s.Set(&cfg, "2")
			changed := trust.EndpointOf(known, cfg) != trust.EndpointOf(known, base)
			if changed == (s.Harmless || p.Local) {
				t.Errorf("%s: with another %s, the endpoint changes: %t", p.Name, s.Key, changed)
			}
		}
	}
}

// registered returns the providers with one program for all names.
func registered(path string) vault.Providers {
	known := all.Providers()
	for i := range known {
		if known[i].Many {
			known[i].Program = func(string) string { return path }
		}
	}
	return known
}

// A registered program is pinned with its path and its settings, and one that is not
// registered is sent nothing. In CI the job names it, or nobody gives it settings.
func TestProgramEndpoint(t *testing.T) {
	t.Parallel()
	plain := vault.Config{Provider: "exec:pass"}
	told := vault.Config{Provider: "exec:pass", Extra: map[string]string{"settings": `{"folder":"team"}`}}
	for _, tt := range []struct {
		path   string
		cfg    vault.Config
		want   trust.Endpoint
		vendor bool
	}{
		{"", plain, "", true},
		{"", told, "", false},
		{"/bin/pass", plain, "exec:pass /bin/pass", true},
		{"/opt/pass", told, `exec:pass /opt/pass, settings {"folder":"team"}`, false},
		{"/bin/pass", vault.Config{Provider: "exec:"}, "exec:", false},
		{"/bin/pass", vault.Config{Provider: "exec:$(id)"}, "exec:$(id)", false},
	} {
		known := registered(tt.path)
		if got := trust.EndpointOf(known, tt.cfg); got != tt.want {
			t.Errorf("EndpointOf(%s, at %q) = %q; want %q", tt.cfg.Provider, tt.path, got, tt.want)
		}
		if got := trust.AtVendor(known, tt.cfg); got != tt.vendor {
			t.Errorf("AtVendor(%+v) = %t; want %t", tt.cfg, got, tt.vendor)
		}
	}
	known := registered("/bin/pass")
	if !trust.Listed(known, told, "https://a, exec:pass") || trust.Listed(known, told, "exec:pas") {
		t.Error("ENVDRIFT_TRUST does not list the program by its name")
	}
}

func lookup(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestNamedByUser(t *testing.T) {
	t.Parallel()
	const url = "https://vault.example.com"
	tests := []struct {
		name       string
		cfg        vault.Config
		flags, env map[string]string
		want       bool
	}{
		{name: "azure by flag", cfg: vault.Config{Provider: "azure", URL: url + "/"}, flags: map[string]string{"--vault-url": " " + url}, want: true},
		{name: "azure, another", cfg: vault.Config{Provider: "azure", URL: url}, flags: map[string]string{"--vault-url": url + ".evil.example"}},
		{name: "azure, no flag", cfg: vault.Config{Provider: "azure", URL: url}, env: map[string]string{"VAULT_ADDR": url}},
		{name: "azure, no address", cfg: vault.Config{Provider: "azure"}},
		{name: "hashicorp by flag", cfg: vault.Config{Provider: "hashicorp", URL: url}, flags: map[string]string{"--vault-url": url}, want: true},
		{name: "hashicorp by variable", cfg: vault.Config{Provider: "hashicorp", URL: url}, env: map[string]string{"VAULT_ADDR": url + "/"}, want: true},
		{name: "hashicorp, other variable", cfg: vault.Config{Provider: "hashicorp", URL: url}, env: map[string]string{"VAULT_ADDR": "https://v"}},
		{name: "gcp by flag", cfg: vault.Config{Provider: "gcp", ProjectID: "p"}, flags: map[string]string{"--project-id": "p"}, want: true},
		{name: "gcp elsewhere", cfg: vault.Config{Provider: "gcp", ProjectID: "p", Endpoint: "e:1"}, flags: map[string]string{"--project-id": "p"}},
		{name: "gcp, another", cfg: vault.Config{Provider: "gcp", ProjectID: "p"}, flags: map[string]string{"--project-id": "q"}},
		{name: "aws: a region is no vault", cfg: vault.Config{Provider: "aws", Region: "eu"}, flags: map[string]string{"--region": "eu"}},
		{name: "not known", cfg: vault.Config{Provider: "unheard-of", URL: url}, flags: map[string]string{"--vault-url": url}},
		{name: "variables without a name", cfg: vault.Config{Provider: "azure", URL: url}, env: map[string]string{"": url}, flags: map[string]string{"": url}},
	}
	for _, tt := range tests {
		if got := trust.NamedByUser(all.Providers(), tt.cfg, lookup(tt.flags), lookup(tt.env)); got != tt.want {
			t.Errorf("%s: NamedByUser = %t; want %t", tt.name, got, tt.want)
		}
	}
}

func TestTokenForOtherAddress(t *testing.T) {
	t.Parallel()
	cfg := vault.Config{Provider: "hashicorp", URL: "https://vault.example.com"}
	azure := vault.Config{Provider: "azure", URL: cfg.URL}
	other := map[string]string{"VAULT_ADDR": "https://other.example.com", "VAULT_TOKEN": "t"}
	tests := []struct {
		name string
		cfg  vault.Config
		env  map[string]string
		want string
	}{
		{"another address", cfg, other, "VAULT_ADDR https://other.example.com"},
		{"the same address", cfg, map[string]string{"VAULT_ADDR": cfg.URL + "/", "VAULT_TOKEN": "t"}, ""},
		{"the token of its login", cfg, map[string]string{"VAULT_ADDR": "https://other.example.com"}, "VAULT_ADDR https://other.example.com"},
		{"no address", cfg, map[string]string{"VAULT_TOKEN": "t"}, ""},
		{"another provider", azure, other, ""},
	}
	for _, tt := range tests {
		if got := trust.TokenForOtherAddress(all.Providers(), tt.cfg, lookup(tt.env)); got != tt.want {
			t.Errorf("%s: TokenForOtherAddress = %q; want %q", tt.name, got, tt.want)
		}
	}
}

func TestListed(t *testing.T) {
	t.Parallel()
	cfg := vault.Config{Provider: "hashicorp", URL: "https://vault.example.com/"}
	diverted := vault.Config{Provider: "gcp", ProjectID: "p", Endpoint: "e:443"}
	tests := []struct {
		cfg  vault.Config
		list string
		want bool
	}{
		{cfg, "https://vault.example.com", true},
		{cfg, "https://a.example, https://vault.example.com/\n", true},
		{cfg, "https://vault.example.com.evil.example", false},
		{cfg, "", false},
		{cfg, "*", false},
		{diverted, "p", false},
		{diverted, "e:443", true},
		{vault.Config{Provider: "aws"}, "aws", false},
		{vault.Config{Provider: "age"}, "", false},
	}
	for _, tt := range tests {
		if got := trust.Listed(all.Providers(), tt.cfg, tt.list); got != tt.want {
			t.Errorf("Listed(%+v, %q) = %t; want %t", tt.cfg, tt.list, got, tt.want)
		}
	}
}

func TestAtVendor(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cfg  vault.Config
		want bool
	}{
		{vault.Config{Provider: "aws", Region: "eu-central-1", Profile: "ci"}, true},
		{vault.Config{Provider: "aws"}, true},
		{vault.Config{Provider: "aws", Region: "evil.example/x"}, false},
		{vault.Config{Provider: "aws", Endpoint: "https://evil.example"}, false},
		{vault.Config{Provider: "azure", URL: "https://my-vault.vault.azure.net/"}, true},
		{vault.Config{Provider: "azure", URL: "https://my-vault.vault.usgovcloudapi.net"}, true},
		{vault.Config{Provider: "azure", URL: "https://my-vault.vault.azure.net.evil.example"}, false},
		{vault.Config{Provider: "azure", URL: "https://evil.example/x.vault.azure.net/"}, false},
		{vault.Config{Provider: "azure", URL: "https://vault.azure.net:444/"}, false},
		{vault.Config{Provider: "gcp", ProjectID: "p"}, true},
		{vault.Config{Provider: "gcp", ProjectID: "p", Endpoint: "evil.example:443"}, false},
		{vault.Config{Provider: "hashicorp", URL: "https://vault.example.com"}, false},
		{vault.Config{Provider: "unheard-of"}, false},
	}
	for _, tt := range tests {
		if got := trust.AtVendor(all.Providers(), tt.cfg); got != tt.want {
			t.Errorf("AtVendor(%+v) = %t; want %t", tt.cfg, got, tt.want)
		}
	}
}

// A provider is only its value; the parser's test has the rest of it.
func TestMadeUpProvider(t *testing.T) {
	t.Parallel()
	server := vault.Setting{Key: "server", Kind: vault.URL, Names: true, Flag: "--server", Env: "MADEUP_ADDR", Token: "MADEUP_TOKEN"}
	shelf := vault.Setting{Key: "shelf"}
	known := vault.Providers{{Name: "madeup", Settings: []vault.Setting{server, shelf}}}
	cfg := vault.Config{Provider: "madeup"}
	server.Set(&cfg, "https://a")
	shelf.Set(&cfg, "3")
	if got, want := trust.EndpointOf(known, cfg), trust.Endpoint("madeup, https://a, shelf 3"); got != want {
		t.Errorf("EndpointOf = %q; want %q", got, want)
	}
	if !trust.NamedByUser(known, cfg, lookup(map[string]string{"--server": "https://a"}), lookup(nil)) {
		t.Error("NamedByUser by --server = false")
	}
	env := lookup(map[string]string{"MADEUP_ADDR": "https://b", "MADEUP_TOKEN": "t"})
	if got, want := trust.TokenForOtherAddress(known, cfg, env), "MADEUP_ADDR https://b"; got != want {
		t.Errorf("TokenForOtherAddress = %q; want %q", got, want)
	}
}
