package config

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/BurntSushi/toml"

	"github.com/envdrift/envdrift/vault"
)

// Providers are the vaults there are.
var providers = []string{"age", "aws", "azure", "gcp", "hashicorp"}

// foreign are the sections that only the earlier tool knew.
var foreign = []string{"envdrift", "validation", "encryption", "precommit", "git_hook_check", "partial_encryption", "guard", "guardian", "agent"}

// Parse reads a configuration file's content. The name says which kind it is:
// pyproject.toml, another .toml, or pair.txt.
func Parse(name string, data []byte, o Overrides) (*Config, error) {
	c := defaults(filepath.Dir(name), o)
	c.File = name
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return nil, &Error{File: name, Problem: "is not UTF-8"}
	}
	if filepath.Ext(name) != ".toml" {
		return c, c.parsePairs(data)
	}
	r := newReader(name, data)
	top, err := decode(name, data)
	if err != nil {
		return nil, err
	}
	prefix := ""
	if filepath.Base(name) == "pyproject.toml" {
		tool, _ := top["tool"].(map[string]any)
		section, ok := tool["envdrift"].(map[string]any)
		if !ok {
			return nil, ErrNoConfig
		}
		top, prefix = section, "tool.envdrift"
	}
	c.parseTop(r, &table{r: r, where: prefix, values: top})
	return c, errors.Join(c.settle(r), r.join())
}

func decode(name string, data []byte) (map[string]any, error) {
	var top map[string]any
	_, err := toml.Decode(string(data), &top)
	if perr := (toml.ParseError{}); errors.As(err, &perr) {
		return nil, &Error{File: name, Line: perr.Position.Line, Problem: "TOML syntax: " + perr.Message}
	}
	if err != nil {
		return nil, &Error{File: name, Problem: err.Error()}
	}
	return top, nil
}

func (c *Config) parseTop(r *reader, t *table) {
	if v := t.section("vault"); v != nil {
		c.parseVault(v)
	}
	if h := t.section("hooks"); h != nil {
		c.Hooks.OnDrift = h.oneOf("on_drift", c.Hooks.OnDrift, Repair, Block)
		c.Hooks.OnUnmapped = h.oneOf("on_unmapped", c.Hooks.OnUnmapped, Warn, Block)
		c.Hooks.OnUnreachable = h.oneOf("on_unreachable", c.Hooks.OnUnreachable, Block, Warn)
		c.Hooks.PostCheckout = h.oneOf("post_checkout", c.Hooks.PostCheckout, Pull, Sync, Off)
		c.Hooks.Timeout = h.duration("timeout", c.Hooks.Timeout)
		h.rest()
	}
	if len(c.Mappings) == 0 {
		c.parseMappings(t) // a file of its own for them, as the earlier tool had
	}
	for _, name := range foreign {
		if _, ok := t.take(name); ok {
			c.Foreign = append(c.Foreign, name)
		}
	}
	if t.where != "" { // pyproject: the core keys lie on the section itself
		for _, name := range []string{"schema", "environments"} {
			t.take(name)
		}
	}
	slices.Sort(c.Foreign)
	t.rest()
	_ = r
}

func (c *Config) parseVault(t *table) {
	provider := t.oneOf("provider", "", providers...)
	c.Vault.Timeout = t.duration("timeout", 0)
	sections := map[string]vault.Config{}
	for _, name := range providers {
		if s := t.section(name); s != nil {
			sections[name] = c.parseProvider(name, s)
			s.rest()
		}
	}
	if c.override.Provider != "" {
		provider = c.override.Provider
	}
	if provider == "" {
		switch len(sections) {
		case 0:
		case 1:
			provider = slices.Collect(maps.Keys(sections))[0]
		default:
			t.fail("provider", "is missing, and there are several sections: "+strings.Join(slices.Sorted(maps.Keys(sections)), ", "), "")
		}
	}
	timeout := c.Vault.Timeout
	c.Vault = sections[provider]
	c.Vault.Provider, c.Vault.Timeout, c.Vault.Dir = provider, timeout, c.Dir
	if named := t.section("named"); named != nil {
		c.parseNamed(named, timeout)
	}
	if s := t.section("sync"); s != nil {
		c.parseSync(s)
	}
	t.take("mappings") // the earlier tool read it and used it nowhere
	t.rest()
}

func (c *Config) parseNamed(t *table, timeout time.Duration) {
	for _, name := range slices.Sorted(maps.Keys(t.values)) {
		s := t.section(name)
		if s == nil {
			continue
		}
		provider := s.oneOf("provider", "", providers...)
		if provider == "" {
			s.fail("provider", "is missing", "")
			continue
		}
		v := c.parseProvider(provider, s)
		v.Name, v.Provider, v.Dir = name, provider, c.Dir
		v.Timeout = s.duration("timeout", timeout)
		if v.Provider == "hashicorp" && v.URL == "" {
			v.URL = c.override.getenv("VAULT_ADDR")
		}
		c.Named[name] = v
		s.rest()
	}
}

// parseProvider reads the keys of one provider from its section.
func (c *Config) parseProvider(provider string, t *table) vault.Config {
	var v vault.Config
	switch provider {
	case "azure":
		v.URL = t.url("vault_url")
		v.Credential = t.oneOf("credential", "auto", "auto", "cli", "environment", "workload", "managed", "devcli")
	case "aws":
		v.Region, v.Profile, v.Endpoint = t.text("region"), t.text("profile"), t.url("endpoint_url")
	case "hashicorp":
		v.URL, v.Mount, v.Namespace = t.url("url"), strings.Trim(t.text("mount"), "/"), t.text("namespace")
		v.KVVersion = t.number("kv_version", 0, 2)
		v.Auth = t.oneOf("auth", "token", "token", "approle", "kubernetes", "jwt")
		v.AuthMount, v.Role, v.Field = strings.Trim(t.text("auth_mount"), "/"), t.text("role"), t.text("field")
	case "gcp":
		v.ProjectID, v.Endpoint = t.text("project_id"), t.text("endpoint")
	case "age":
		v.VaultDir, v.Recipients, v.Identity = t.path("dir"), t.path("recipients"), t.text("identity")
	}
	return v
}

func (c *Config) parseSync(t *table) {
	s := &c.Sync
	s.DefaultVaultName = t.text("default_vault_name")
	if name := t.text("env_keys_filename"); name != "" {
		s.EnvKeysFilename = name
		if !isPlainName(name) {
			t.fail("env_keys_filename", fmt.Sprintf("%q is not a plain file name", name), "")
		}
	}
	s.MaxWorkers = t.number("max_workers", 1, 1024)
	s.EphemeralKeys = t.flag("ephemeral_keys", false)
	c.parseMappings(t)
	t.rest()
}

func (c *Config) parseMappings(t *table) {
	value, ok := t.take("mappings")
	if !ok {
		return
	}
	list, ok := value.([]map[string]any)
	if !ok {
		if loose, isList := value.([]any); !isList || len(loose) > 0 {
			t.fail("mappings", "is not a list of tables: write [[vault.sync.mappings]]", "")
		}
		return
	}
	lines := t.r.tables(t.key("mappings"))
	for i, values := range list {
		m := &table{r: t.r, where: fmt.Sprintf("%s[%d]", t.key("mappings"), i), values: values, plain: t.key("mappings"), index: i}
		if i < len(lines) {
			m.line = lines[i]
		}
		c.Mappings = append(c.Mappings, c.parseMapping(m))
	}
}

func (c *Config) parseMapping(t *table) Mapping {
	m := Mapping{
		SecretName: t.required("secret_name"), Folder: t.folder("folder_path"), Environment: t.label("environment"),
		EnvFile: t.path("env_file"), VaultName: t.text("vault_name"), Profile: t.label("profile"),
		ActivateTo: t.path("activate_to"), Ephemeral: t.flag("ephemeral_keys", c.Sync.EphemeralKeys), Line: t.line,
	}
	if m.ActivateTo != "" && m.ActivateTo == m.EnvFile {
		t.fail("activate_to", "is the env file itself", "")
	}
	if strings.ContainsAny(m.SecretName, "\x00\n\r") {
		t.fail("secret_name", "holds a control character", "")
	}
	t.rest()
	return m
}

// settle fills in what depends on several keys, the flags and the environment,
// and finds what contradicts itself.
func (c *Config) settle(r *reader) error {
	v, o := &c.Vault, c.override
	if o.Provider != "" {
		v.Provider = o.Provider
	}
	if v.Provider == "" {
		v.Provider = "age"
	}
	if !slices.Contains(providers, v.Provider) {
		return &Error{File: r.file, Key: "vault.provider", Problem: fmt.Sprintf("%q is no provider; there are %s", v.Provider, strings.Join(providers, ", ")), Suggestion: nearest(strings.ToLower(v.Provider), providers)}
	}
	v.Dir = c.Dir
	if o.VaultURL != "" {
		v.URL = o.VaultURL
		if problem := badURL(v.URL); problem != "" {
			return &Error{File: "the command line", Key: "--vault-url", Problem: problem}
		}
	}
	if v.URL == "" && v.Provider == "hashicorp" {
		v.URL = o.getenv("VAULT_ADDR")
	}
	if v.URL == "" && v.Provider == "azure" && c.Sync.DefaultVaultName != "" {
		if _, named := c.Named[c.Sync.DefaultVaultName]; !named {
			v.URL = azureURL(c.Sync.DefaultVaultName, "")
		}
	}
	if o.Region != "" {
		v.Region = o.Region
	}
	if o.ProjectID != "" {
		v.ProjectID = o.ProjectID
	}
	c.findDuplicates(r)
	return nil
}

func (c *Config) findDuplicates(r *reader) {
	type place struct{ folder, file, environment string }
	seen := map[place]Mapping{}
	for _, m := range c.Mappings {
		p := place{m.Folder, m.EnvFile, m.Env()}
		if m.EnvFile != "" {
			p.environment = "" // the same file, whatever it is called
		}
		if first, twice := seen[p]; twice {
			r.errs = append(r.errs, &Error{File: r.file, Line: m.Line, Key: "vault.sync.mappings",
				Problem: fmt.Sprintf("%s is mapped twice, in line %d too", path.Join(m.Folder, p.file)+" ("+m.Env()+")", first.Line)})
			continue
		}
		seen[p] = m
	}
}

// parsePairs reads pair.txt: "secret=folder" or, for Azure, "vault/secret=folder"
// a line, # for comments.
func (c *Config) parsePairs(data []byte) error {
	r := newReader(c.File, data)
	for i, line := range strings.Split(strings.ReplaceAll(string(data), "\r\n", "\n"), "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		t := &table{r: r, line: i + 1, values: map[string]any{}}
		name, folder, ok := strings.Cut(line, "=")
		if !ok {
			t.failHere("is not secret-name=folder-path")
			continue
		}
		m := Mapping{SecretName: strings.TrimSpace(name), Line: i + 1}
		if c.override.Provider == "azure" {
			if vaultName, rest, ok := strings.Cut(m.SecretName, "/"); ok {
				m.VaultName, m.SecretName = vaultName, rest
			}
		}
		m.Folder = strings.TrimSpace(folder)
		if m.SecretName == "" || m.Folder == "" {
			t.failHere("one side of = is empty")
			continue
		}
		if problem := badPath(m.Folder); problem != "" {
			t.failHere(fmt.Sprintf("folder %q %s", m.Folder, problem))
		}
		m.Folder = path.Clean(m.Folder)
		c.Mappings = append(c.Mappings, m)
	}
	return errors.Join(c.settle(r), r.join())
}

var labelForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

func isPlainName(name string) bool {
	return name == path.Base(name) && name != "." && name != ".." && !strings.ContainsAny(name, "/\\:\x00\n\r") && filepath.IsLocal(name)
}

// badPath says what is wrong with a path of the configuration.
func badPath(p string) string {
	switch {
	case strings.ContainsAny(p, "\x00\n\r"):
		return "holds a control character"
	case strings.Contains(p, `\`):
		return "has a backslash; write / on every system"
	case path.IsAbs(p) || len(p) > 1 && p[1] == ':':
		return "is absolute; paths count from the configuration file"
	case !filepath.IsLocal(filepath.FromSlash(p)):
		return "leaves the folder"
	}
	return ""
}

// badURL says what is wrong with a vault's address.
func badURL(u string) string {
	scheme, rest, ok := strings.Cut(u, "://")
	host := rest
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		host = rest[:i]
	}
	switch {
	case !ok:
		return fmt.Sprintf("%q has no scheme; write https://…", u)
	case strings.Contains(host, "@"):
		return "holds a user or a password"
	case host == "":
		return fmt.Sprintf("%q has no host", u)
	case strings.EqualFold(scheme, "https"):
		return ""
	case strings.EqualFold(scheme, "http") && isLoopback(host):
		return ""
	case strings.EqualFold(scheme, "http"):
		return fmt.Sprintf("%q would send credentials in the clear; only a loopback address may be http", u)
	}
	return fmt.Sprintf("%q is not an https address", u)
}

func isLoopback(host string) bool {
	name := host
	if i := strings.LastIndex(host, ":"); i >= 0 && !strings.HasSuffix(host, "]") {
		name = host[:i]
	}
	return name == "localhost" || name == "[::1]" || strings.HasPrefix(name, "127.")
}
