package config

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/vault"
)

// commandLine stands for the file in errors about flags.
const commandLine = "the command line"

// Overrides are what the program knows of vaults, and what the command line and
// the environment say of them. They win over the file, and concern the vault of
// mappings without a vault_name.
type Overrides struct {
	Providers vault.Providers // the first one is the default

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

// settings returns those of a provider; none for one that is not known.
func (o Overrides) settings(provider string) []vault.Setting {
	p, _ := o.Providers.Find(provider)
	return p.Settings
}

// parseProviders reads the sections [vault.azure] and so on.
func (c *Config) parseProviders(t *table, timeout time.Duration) map[string]vault.Config {
	sections := map[string]vault.Config{}
	for _, p := range c.override.Providers {
		if s := t.section(p.Name); s != nil {
			sections[p.Name] = c.parseProvider(p.Name, s, timeout)
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
		provider := s.oneOf("provider", "", c.override.Providers.Names()...)
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
	for _, setting := range c.override.settings(provider) {
		if value := t.setting(setting); value != "" {
			setting.Set(&v, value)
		}
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

// applyOverrides fills in what depends on flags and environment, and finds what
// contradicts itself.
func (c *Config) applyOverrides(r *reader) {
	c.applyFlags(r)
	c.findDuplicates(r)
	c.Vault.Dir = c.Dir
	c.byDefaultName(&c.Vault)
	c.fromEnvironment(&c.Vault)
	for name, named := range c.Named {
		c.fromEnvironment(&named)
		c.Named[name] = named
	}
}

// byDefaultName fills in what default_vault_name leads to.
func (c *Config) byDefaultName(v *vault.Config) {
	for _, s := range c.override.settings(v.Provider) {
		if s.ByName == nil || s.Of(*v) != "" {
			continue
		}
		if value, ok := s.ByName(c.Sync.DefaultVaultName, ""); ok {
			s.Set(v, value)
		}
	}
}

// fromEnvironment fills in what neither file nor flag states.
func (c *Config) fromEnvironment(v *vault.Config) {
	for _, s := range c.override.settings(v.Provider) {
		if s.Env == "" || s.Of(*v) != "" {
			continue
		}
		if value := c.override.getenv(s.Env); value != "" {
			s.Set(v, value)
		}
	}
}

func (c *Config) applyFlags(r *reader) {
	v, o := &c.Vault, c.override
	wrong := func(flag, problem, suggestion string) {
		r.errs = append(r.errs, &Error{File: commandLine, Key: flag, Problem: problem, Suggestion: suggestion})
	}
	known := o.Providers.Names()
	v.Provider = cmp.Or(strings.TrimSpace(o.Provider), v.Provider, o.Providers.Default())
	if !slices.Contains(known, v.Provider) {
		wrong("--provider", notOneOf(v.Provider, known), nearest(strings.ToLower(v.Provider), known))
		return
	}
	for _, f := range o.Flags {
		value := strings.TrimSpace(f.Value)
		if value == "" {
			continue
		}
		s, ok := o.byFlag(v.Provider, f.Name)
		if !ok {
			wrong(f.Name, fmt.Sprintf("does not apply to the provider %s; give --provider too", v.Provider), "")
			continue
		}
		if s.Kind == vault.URL && badURL(value) != "" {
			wrong(f.Name, badURL(value), "")
		}
		s.Set(v, value)
	}
}

// byFlag returns the provider's setting that a flag states.
func (o Overrides) byFlag(provider, flag string) (vault.Setting, bool) {
	for _, s := range o.settings(provider) {
		if s.Flag == flag {
			return s, true
		}
	}
	return vault.Setting{}, false
}

// VaultOf gives the vault that a mapping's vault_name routes to: [vault.named.X];
// or, where that is what default_vault_name calls it, the vault of mappings
// without one; or, beside a vault whose provider finds vaults by name, the one of that name.
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
	if v, ok := c.beside(name); ok {
		return v, nil
	}
	return vault.Config{}, &Error{
		File: c.File, Line: m.Line, Key: "vault_name",
		Problem:    fmt.Sprintf("no vault is called %q; write [vault.named.%s] with provider = %q and its settings", name, tomlKey(name), c.Vault.Provider),
		Suggestion: nearest(name, slices.Sorted(maps.Keys(c.Named))),
	}
}

// beside returns the vault that its mere name leads to from the default one.
func (c *Config) beside(name string) (vault.Config, bool) {
	v := c.Vault
	for _, s := range c.override.settings(v.Provider) {
		like := s.Of(v)
		if s.ByName == nil || like == "" {
			continue
		}
		if value, ok := s.ByName(name, like); ok {
			s.Set(&v, value)
			v.Name = name
			return v, true
		}
	}
	return vault.Config{}, false
}

// namesLead reports whether the vaults of the provider that a flag names are
// found by their name.
func (o Overrides) namesLead() bool {
	return slices.ContainsFunc(o.settings(o.Provider), func(s vault.Setting) bool { return s.ByName != nil })
}

// complete reports a setting that is missing. What is not required, the
// machine's own configuration may know.
func (c *Config) complete(v vault.Config) error {
	for _, s := range c.override.settings(v.Provider) {
		if s.Required && s.Of(v) == "" {
			return c.missing(v, s)
		}
	}
	return nil
}

// missing shows every way to state s.
func (c *Config) missing(v vault.Config, s vault.Setting) error {
	section, flag, variable := "named."+tomlKey(v.Name), "", ""
	if s.Flag != "" && (v.Name == "" || v.Name == c.Sync.DefaultVaultName) {
		flag = s.Flag + ", or "
	}
	if v.Name == "" {
		section = v.Provider
	}
	if s.Env != "" {
		variable = ", or " + s.Env
	}
	problem := fmt.Sprintf("is missing: the %s provider needs %s%s in [vault.%s]%s", v.Provider, flag, s.Key, section, variable)
	return &Error{File: cmp.Or(c.File, commandLine), Key: "vault." + section + "." + s.Key, Problem: problem}
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
