package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/vault"
)

// providers are the vaults there are.
var providers = [...]string{"age", "aws", "azure", "gcp", "hashicorp"}

// commandLine stands for the file in errors about flags.
const commandLine = "the command line"

// Overrides are what the command line and the environment say of the vault.
// They win over the file, and concern the vault of mappings without a
// vault_name.
type Overrides struct {
	Provider string
	Flags    []*Flag

	Getenv func(string) string // nil: an empty environment
}

// A Flag is what the command line says of a provider's setting.
type Flag struct{ Name, Value string } // Name as in [vault.Setting]: "--region"

// Flag adds a flag and returns where its value is kept.
func (o *Overrides) Flag(name string) *string {
	f := &Flag{Name: name}
	o.Flags = append(o.Flags, f)
	return &f.Value
}

// Stated returns the value of a flag, or "". A setting without a flag has none.
func (o Overrides) Stated(flag string) string {
	for _, f := range o.Flags {
		if f.Name == flag && flag != "" {
			return strings.TrimSpace(f.Value)
		}
	}
	return ""
}

// NamesVault reports whether the command line says anything of the vault.
func (o Overrides) NamesVault() bool {
	return o.Provider != "" || slices.ContainsFunc(o.Flags, func(f *Flag) bool { return f.Value != "" })
}

func (o Overrides) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return strings.TrimSpace(o.Getenv(name))
}

// parseProviders reads the sections [vault.azure] and so on.
func (c *Config) parseProviders(t *table, timeout time.Duration) map[string]vault.Config {
	sections := map[string]vault.Config{}
	for _, name := range providers {
		if s := t.section(name); s != nil {
			sections[name] = c.parseProvider(name, s, timeout)
			s.rest()
		}
	}
	return sections
}

func (c *Config) parseNamed(t *table, timeout time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		s := t.section(name)
		if s == nil {
			continue
		}
		if !s.has("provider") {
			s.fail("provider", "is missing", "")
			continue
		}
		provider := s.oneOf("provider", "", providers[:]...)
		if provider == "" {
			continue
		}
		v := c.parseProvider(provider, s, s.duration("timeout", timeout))
		v.Name = name
		c.Named[name] = v
		s.rest()
	}
}

// parseProvider reads the keys of one provider from its section.
func (c *Config) parseProvider(provider string, t *table, timeout time.Duration) vault.Config {
	v := vault.Config{Provider: provider, Timeout: timeout, Dir: c.Dir}
	switch provider {
	case "azure":
		v.URL = t.url("vault_url")
		v.Credential = t.oneOf("credential", "", "auto", "cli", "environment", "workload", "managed", "devcli")
	case "aws":
		v.Region, v.Profile, v.Endpoint = t.text("region"), t.text("profile"), t.url("endpoint_url")
	case "hashicorp":
		v.URL, v.Namespace = t.url("url"), t.text("namespace")
		v.Mount, v.AuthMount = strings.Trim(t.text("mount"), "/"), strings.Trim(t.text("auth_mount"), "/")
		v.KVVersion = t.number("kv_version", 1, 2)
		v.Auth = t.oneOf("auth", "", "token", "approle", "kubernetes", "jwt")
		v.Role, v.Field = t.text("role"), t.text("field")
	case "gcp":
		v.ProjectID, v.Endpoint = t.text("project_id"), t.text("endpoint")
	case "age":
		v.VaultDir = t.path("dir", t.text("dir"))
		v.Recipients = t.path("recipients", t.text("recipients"))
		v.Identity = t.text("identity") // the person's own: anywhere
	}
	return v
}

// chooseVault decides which vault mappings without a vault_name mean: the one
// named by default_vault_name, or that of the provider, or the only one.
func (c *Config) chooseVault(t *table, stated bool, provider string, sections map[string]vault.Config) {
	flag := c.override.Provider
	if named, ok := c.Named[c.Sync.DefaultVaultName]; ok && (flag == "" || flag == named.Provider) {
		c.Vault = named
		return
	}
	if provider = cmp.Or(flag, provider); provider == "" && !stated {
		names := slices.Sorted(maps.Keys(sections))
		if len(names) > 1 {
			t.fail("provider", "is missing, and there are several sections: "+strings.Join(names, ", "), "")
		}
		if len(names) > 0 {
			provider = names[0]
		}
	}
	if v, ok := sections[provider]; ok {
		c.Vault = v
	}
	c.Vault.Provider = provider
}

// settle fills in what depends on flags and environment, and finds what
// contradicts itself.
func (c *Config) settle(r *reader) {
	c.applyFlags(r)
	c.findDuplicates(r)
	v := &c.Vault
	v.Dir = c.Dir
	if v.URL == "" && v.Provider == "azure" {
		v.URL, _ = azureURL(c.Sync.DefaultVaultName, "https://x.vault.azure.net/")
	}
	if v.URL == "" && v.Provider == "hashicorp" {
		v.URL = c.override.getenv("VAULT_ADDR")
	}
	for name, named := range c.Named {
		if named.URL == "" && named.Provider == "hashicorp" {
			named.URL = c.override.getenv("VAULT_ADDR")
			c.Named[name] = named
		}
	}
}

func (c *Config) applyFlags(r *reader) {
	v, o := &c.Vault, c.override
	wrong := func(flag, problem, suggestion string) {
		r.errs = append(r.errs, &Error{File: commandLine, Key: flag, Problem: problem, Suggestion: suggestion})
	}
	v.Provider = cmp.Or(strings.TrimSpace(o.Provider), v.Provider, "age")
	if !slices.Contains(providers[:], v.Provider) {
		wrong("--provider", notOneOf(v.Provider, providers[:]), nearest(strings.ToLower(v.Provider), providers[:]))
		return
	}
	type setting struct {
		field *string
		of    []string
	}
	settings := map[string]setting{
		"--vault-url":  {&v.URL, []string{"azure", "hashicorp"}},
		"--region":     {&v.Region, []string{"aws"}},
		"--project-id": {&v.ProjectID, []string{"gcp"}},
	}
	for _, f := range o.Flags {
		value, s := strings.TrimSpace(f.Value), settings[f.Name]
		switch {
		case value == "":
			continue
		case !slices.Contains(s.of, v.Provider):
			wrong(f.Name, fmt.Sprintf("is nothing that the provider %s has; give --provider too", v.Provider), "")
			continue
		case s.field == &v.URL && badURL(value) != "":
			wrong(f.Name, badURL(value), "")
		}
		*s.field = value
	}
}

// VaultOf gives the vault that a mapping's vault_name routes to: [vault.named.X];
// or, where that is what default_vault_name calls it, the vault of mappings
// without one; or, beside an Azure vault, that of this name in the same cloud.
// Anything else is an [*Error] that shows the section to write, as is a vault
// that lacks a setting.
func (c *Config) VaultOf(m Mapping) (vault.Config, error) {
	name := m.VaultName
	if name == "" || name == c.Sync.DefaultVaultName {
		return c.Vault, c.complete(c.Vault)
	}
	if named, ok := c.Named[name]; ok {
		return named, c.complete(named)
	}
	v := c.Vault
	if v.Provider == "azure" {
		if u, ok := azureURL(name, v.URL); ok {
			v.Name, v.URL = name, u
			return v, nil
		}
	}
	return vault.Config{}, &Error{
		File: c.File, Line: m.Line, Key: "vault_name",
		Problem:    fmt.Sprintf("no vault is called %q; write [vault.named.%s] with provider = %q and its settings", name, tomlKey(name), v.Provider),
		Suggestion: nearest(name, slices.Sorted(maps.Keys(c.Named))),
	}
}

var azureName = regexp.MustCompile(`^[A-Za-z0-9-]{3,24}$`)

// azureURL gives the address of the vault called name in the cloud that like
// lies in. A name that Azure would not allow could be any address, so there is
// none for it.
func azureURL(name, like string) (string, bool) {
	u, err := url.Parse(like)
	if err != nil || !azureName.MatchString(name) {
		return "", false
	}
	_, suffix, ok := strings.Cut(u.Host, ".")
	if _, err := netip.ParseAddr(u.Hostname()); !ok || err == nil {
		return "", false
	}
	return "https://" + name + "." + suffix + "/", true
}

// complete reports that the vault's address is missing. What other providers
// need, the machine's own configuration may know.
func (c *Config) complete(v vault.Config) error {
	key, or := "", ""
	switch {
	case v.URL != "":
		return nil
	case v.Provider == "azure":
		key = "vault_url"
	case v.Provider == "hashicorp":
		key, or = "url", ", or VAULT_ADDR"
	default:
		return nil
	}
	section, flag := "named."+tomlKey(v.Name), ""
	if v.Name == "" || v.Name == c.Sync.DefaultVaultName {
		flag = "--vault-url, or "
	}
	if v.Name == "" {
		section = v.Provider
	}
	problem := fmt.Sprintf("is missing: the %s provider needs %s%s in [vault.%s]%s", v.Provider, flag, key, section, or)
	return &Error{File: cmp.Or(c.File, commandLine), Key: "vault." + section + "." + key, Problem: problem}
}

// badURL says what is wrong with a vault's address. It does not repeat the
// address, which may hold a password or a token.
func badURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case strings.Contains(text, "@"):
		return "holds a user or a password"
	case !strings.Contains(text, "://"):
		return "has no scheme; write https://…"
	case err != nil || u.Hostname() == "":
		return "is not of the form https://HOST[:PORT]"
	case u.RawQuery != "" || u.Fragment != "":
		return "has a query or a fragment"
	case u.Scheme == "https" || u.Scheme == "http" && isLoopback(u.Hostname()):
		return ""
	case u.Scheme == "http":
		return "would send credentials in the clear; only a loopback address may be http"
	}
	return "is not an https address"
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
