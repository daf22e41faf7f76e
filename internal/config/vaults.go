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

// commandLine replaces the file in errors about flags.
const commandLine = "the command line"

// Overrides are the vaults that the program knows, and what the command line
// and the environment say about them. They take precedence over the file, and
// concern the vault of mappings without a vault_name.
type Overrides struct {
	Providers vault.Providers // the first one is the default

	Provider string
	Flags    []*Flag

	Getenv func(string) string // nil: an empty environment
}

// A Flag is the value of a provider's setting on the command line.
type Flag struct{ Name, Value string } // Name as in [vault.Setting]: "--region"

// Flag adds a flag and returns a pointer to its value.
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

// NamesVault reports whether the command line says anything about the vault.
func (o Overrides) NamesVault() bool {
	return o.Provider != "" || slices.ContainsFunc(o.Flags, func(f *Flag) bool { return f.Value != "" })
}

func (o Overrides) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return strings.TrimSpace(o.Getenv(name))
}

// settings returns the settings of a provider; none for an unknown one.
func (o Overrides) settings(provider string) []vault.Setting {
	p, _ := o.Providers.Find(provider)
	return p.Settings
}

// parseProviders parses the sections [vault.azure] and so on.
func (c *Config) parseProviders(t *table, timeout time.Duration) map[string]vault.Config {
	sections := map[string]vault.Config{}
	for _, p := range c.override.Providers {
		if s := t.section(p.Name); s != nil {
			sections[p.Name] = c.parseProvider(p, s, timeout)
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
		provider, ok := c.override.Providers.Find(s.provider(c.override.Providers))
		if !ok {
			continue
		}
		v := c.parseProvider(provider, s, s.duration("timeout", timeout))
		v.Name = name
		c.Named[name] = v
		s.rest()
	}
}

// parseProvider parses the keys of one provider from its section.
func (c *Config) parseProvider(p vault.Provider, t *table, timeout time.Duration) vault.Config {
	v := vault.Config{Provider: p.Name, Timeout: timeout, Dir: c.Dir}
	for _, setting := range p.Settings {
		if value := t.setting(setting); value != "" {
			setting.Set(&v, value)
		}
	}
	return v
}

// chooseVault determines which vault mappings without a vault_name mean: the
// one named by default_vault_name, or that of the provider, or the only one.
func (c *Config) chooseVault(t *table, stated bool, provider string, sections map[string]vault.Config) {
	flag := c.override.Provider
	if named, ok := c.Named[c.Sync.DefaultVaultName]; ok && (flag == "" || flag == named.Provider) {
		c.Vault = named
		return
	}
	written := provider
	if provider = cmp.Or(flag, provider); provider == "" && !stated {
		names := slices.Sorted(maps.Keys(sections))
		if len(names) > 1 {
			t.fail("provider", "is missing, and there are several sections: "+strings.Join(names, ", "), "")
		}
		if len(names) > 0 {
			provider = names[0]
		}
	}
	another := strings.Contains(provider, ":") && written != "" && written != provider // program: the settings are not its own
	if v, ok := sections[vault.SectionOf(provider)]; ok && !another {
		c.Vault = v
	}
	if _, ok := c.override.Providers.Find(provider + ":NAME"); ok && !stated && flag == "" { // [vault.exec] alone
		t.fail("provider", fmt.Sprintf("is missing: %q with the name of the program", provider+":NAME"), "")
		provider = ""
	}
	c.Vault.Provider = provider
}

// applyOverrides applies flags and environment, and reports contradictions.
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

// byDefaultName sets what follows from default_vault_name.
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

// fromEnvironment sets what neither file nor flag sets.
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
	v.Provider = cmp.Or(strings.TrimSpace(o.Provider), v.Provider, o.Providers.Default())
	if _, ok := o.Providers.Find(v.Provider); !ok {
		known := o.Providers.Names()
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

// byFlag returns the provider's setting with the flag name.
func (o Overrides) byFlag(provider, flag string) (vault.Setting, bool) {
	for _, s := range o.settings(provider) {
		if s.Flag == flag {
			return s, true
		}
	}
	return vault.Setting{}, false
}

// VaultOf returns the vault for a mapping's vault_name: [vault.named.X]; or, if
// default_vault_name is that name, the vault of mappings without one; or, if
// the default vault's provider finds vaults by name, the one of that name.
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

// beside returns the vault that is found from the default one by its name
// alone.
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

// namesLead reports whether the provider that a flag names finds its vaults by
// name.
func (o Overrides) namesLead() bool {
	return slices.ContainsFunc(o.settings(o.Provider), func(s vault.Setting) bool { return s.ByName != nil })
}

// complete reports a missing setting. The machine's own configuration may have
// what is not required.
func (c *Config) complete(v vault.Config) error {
	for _, s := range c.override.settings(v.Provider) {
		if s.Required && s.Of(v) == "" {
			return c.missing(v, s)
		}
	}
	return nil
}

// missing lists every way to set s.
func (c *Config) missing(v vault.Config, s vault.Setting) error {
	section, flag, variable := "named."+tomlKey(v.Name), "", ""
	if s.Flag != "" && (v.Name == "" || v.Name == c.Sync.DefaultVaultName) {
		flag = s.Flag + ", or "
	}
	if v.Name == "" {
		section = vault.SectionOf(v.Provider)
	}
	if s.Env != "" {
		variable = ", or " + s.Env
	}
	problem := fmt.Sprintf("is missing: the %s provider needs %s%s in [vault.%s]%s", v.Provider, flag, s.Key, section, variable)
	return &Error{File: cmp.Or(c.File, commandLine), Key: "vault." + section + "." + s.Key, Problem: problem}
}

// badURL says what is wrong with a vault's address. It does not repeat the
// address, which may contain a password or a token.
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
