// Package config reads envdrift.toml, [tool.envdrift] of pyproject.toml and the
// older pair.txt. It is strict: an unknown key, a wrong type, an empty string,
// a path that leaves the repository and a mapping that is there twice are
// errors with file, line and key, all of them at once.
//
// It touches no file but the one it loads. Which file of a folder a mapping
// means is [Config.EnvFile], a function of names.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/vault"
)

// FileNames are the configuration files that are searched for, the first first.
var FileNames = [...]string{"envdrift.toml", "pyproject.toml"}

// ErrNoConfig reports that there is no configuration.
var ErrNoConfig = errors.New("no envdrift.toml, and no pyproject.toml with [tool.envdrift], here or above")

// What a hook does about something.
const (
	Repair = "repair"
	Block  = "block"
	Warn   = "warn"
	Pull   = "pull"
	Sync   = "sync"
	Off    = "off"
)

// A Config is a configuration file, checked, with its defaults filled in.
type Config struct {
	File     string // absolute; "" if there is none
	Dir      string // where its relative paths count from
	Vault    vault.Config
	Named    map[string]vault.Config
	Sync     SyncOptions
	Mappings []Mapping
	Hooks    Hooks
	Foreign  []string // sections that only the earlier tool knew, sorted

	override Overrides
}

// SyncOptions is [vault.sync] without its mappings.
type SyncOptions struct {
	DefaultVaultName string
	EnvKeysFilename  string
	MaxWorkers       int // 0: the default
	EphemeralKeys    bool
}

// A Mapping connects a secret of a vault with an env file.
type Mapping struct {
	SecretName  string
	Folder      string // relative to Dir, with slashes
	Environment string
	EnvFile     string // relative to Folder; "" to be found
	VaultName   string
	Profile     string
	ActivateTo  string // relative to Folder
	Ephemeral   bool
	Line        int // in the file
}

// Env is the mapping's environment: the stated one, else the profile, else
// production.
func (m Mapping) Env() string {
	switch {
	case m.Environment != "":
		return m.Environment
	case m.Profile != "":
		return m.Profile
	}
	return "production"
}

// Hooks is [hooks].
type Hooks struct {
	OnDrift       string
	OnUnmapped    string
	OnUnreachable string
	PostCheckout  string
	Timeout       time.Duration // all vault work of one hook
}

// Overrides are what the command line and the environment say of the vault;
// they win over the file.
type Overrides struct {
	Provider, VaultURL, Region, ProjectID string
	Getenv                                func(string) string
}

func (o Overrides) getenv(name string) string {
	if o.Getenv == nil {
		return ""
	}
	return strings.TrimSpace(o.Getenv(name))
}

// An Error reports one thing that is wrong in a configuration file.
type Error struct {
	File       string
	Line       int    // 0 where it concerns the whole file
	Key        string // as "vault.sync.max_workers"; may be ""
	Problem    string
	Suggestion string // what may have been meant; may be ""
}

func (e *Error) Error() string {
	text := e.File
	if e.Line > 0 {
		text += fmt.Sprintf(":%d", e.Line)
	}
	if e.Key != "" {
		text += ": " + e.Key
	}
	text += ": " + e.Problem
	if e.Suggestion != "" {
		text += fmt.Sprintf(" (did you mean %q?)", e.Suggestion)
	}
	return text
}

// Find gives the absolute path of the configuration file in dir or above, as
// far as stop; with stop empty, as far as the folder below the home's parent
// or the root. It returns [ErrNoConfig] if there is none.
func Find(dir, stop string) (string, error) {
	limit := stop
	if limit == "" {
		if home, err := os.UserHomeDir(); err == nil {
			limit = home
		}
	}
	for {
		for _, name := range FileNames {
			file := filepath.Join(dir, name)
			info, err := os.Stat(file)
			if err != nil || !info.Mode().IsRegular() {
				continue
			}
			if name == "pyproject.toml" && !hasSection(file) {
				continue
			}
			return file, nil
		}
		parent := filepath.Dir(dir)
		if dir == limit || parent == dir {
			return "", ErrNoConfig
		}
		dir = parent
	}
}

// hasSection reports whether a pyproject.toml has a section of ours. One that
// cannot be read or parsed is somebody else's.
func hasSection(file string) bool {
	data, err := os.ReadFile(file)
	return err == nil && strings.Contains(string(data), "tool.envdrift")
}

// Load reads a configuration file. Errors are [*Error], joined, or the file
// system's.
func Load(file string, o Overrides) (*Config, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &Error{File: file, Problem: "there is no such file"}
	}
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &Error{File: file, Problem: "is not a regular file"}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return Parse(file, data, o)
}

// Empty is the configuration where there is no file: what the flags say.
func Empty(dir string, o Overrides) (*Config, error) {
	c := defaults(dir, o)
	return c, c.settle(newReader("the command line", nil))
}

func defaults(dir string, o Overrides) *Config {
	return &Config{
		Dir:      dir,
		Named:    map[string]vault.Config{},
		Sync:     SyncOptions{EnvKeysFilename: ".env.keys"},
		Hooks:    Hooks{OnDrift: Repair, OnUnmapped: Warn, OnUnreachable: Block, PostCheckout: Pull, Timeout: 5 * time.Second},
		override: o,
	}
}

// Select gives the mappings without a profile, and with one those of that
// profile too. To select nothing is an error.
func (c *Config) Select(profile string) ([]Mapping, error) {
	var selected []Mapping
	found := profile == ""
	for _, m := range c.Mappings {
		if m.Profile == "" || m.Profile == profile {
			selected = append(selected, m)
		}
		found = found || m.Profile == profile
	}
	if !found {
		return nil, &Error{File: c.File, Key: "vault.sync.mappings", Problem: fmt.Sprintf("no mapping has the profile %q", profile)}
	}
	if len(selected) == 0 {
		return nil, &Error{File: c.File, Key: "vault.sync.mappings", Problem: "there is no mapping without a profile; name one with --profile"}
	}
	return selected, nil
}

// VaultOf gives the vault that a mapping's vault_name routes to.
func (c *Config) VaultOf(m Mapping) (vault.Config, error) {
	name := m.VaultName
	if name == "" {
		name = c.Sync.DefaultVaultName
		if named, ok := c.Named[name]; ok {
			return named, nil
		}
		if err := c.required(c.Vault); err != nil {
			return vault.Config{}, err
		}
		return c.Vault, nil
	}
	if named, ok := c.Named[name]; ok {
		return named, c.required(named)
	}
	if name == c.Sync.DefaultVaultName {
		return c.Vault, c.required(c.Vault)
	}
	if c.Vault.Provider == "azure" {
		v := c.Vault
		v.Name, v.URL = name, azureURL(name, c.Vault.URL)
		return v, nil
	}
	return vault.Config{}, &Error{
		File: c.File, Line: m.Line, Key: "vault_name",
		Problem: fmt.Sprintf("no vault is called %q; write [vault.named.%s] with provider = %q and its settings", name, name, c.Vault.Provider),
	}
}

// azureURL gives the vault's address in the cloud that like lies in.
func azureURL(name, like string) string {
	suffix := "vault.azure.net"
	if _, rest, ok := strings.Cut(strings.TrimPrefix(like, "https://"), "."); ok {
		suffix = strings.Trim(rest, "/")
	}
	return "https://" + name + "." + suffix + "/"
}

// required reports a setting that the provider cannot do without.
func (c *Config) required(v vault.Config) error {
	file := c.File
	if file == "" {
		file = "the command line"
	}
	switch {
	case v.Provider == "azure" && v.URL == "":
		return &Error{File: file, Key: "vault.azure.vault_url", Problem: "is missing: the azure provider needs --vault-url, or vault_url in [vault.azure]"}
	case v.Provider == "hashicorp" && v.URL == "":
		return &Error{File: file, Key: "vault.hashicorp.url", Problem: "is missing: the hashicorp provider needs --vault-url, or url in [vault.hashicorp], or VAULT_ADDR"}
	}
	return nil
}

// IsEnvFileName reports whether a base name is that of an env file: .env,
// .env.NAME or NAME.env, but no companion such as .env.example.
func IsEnvFileName(base string) bool {
	lower := strings.ToLower(base)
	named := lower == ".env" || strings.HasPrefix(lower, ".env.") || strings.HasSuffix(lower, ".env")
	return named && !isCompanion(lower)
}

// isCompanion reports a file that lies beside env files and is none.
func isCompanion(name string) bool {
	lower := strings.ToLower(name)
	for _, suffix := range []string{".example", ".sample", ".template", ".keys", ".vault", ".bak", ".orig", ".rej", ".swp", "~"} {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return strings.Contains(lower, ".backup") || strings.Contains(lower, ".env.keys")
}

// A NoEnvFileError reports a folder without the mapping's env file.
type NoEnvFileError struct {
	Folder, Environment string
	Wanted              string // env_file, if it was stated
}

func (e *NoEnvFileError) Error() string {
	if e.Wanted != "" {
		return fmt.Sprintf("%s: there is no %s", e.Folder, e.Wanted)
	}
	return fmt.Sprintf("%s: there is no .env.%s and no other env file for the environment %q", e.Folder, e.Environment, e.Environment)
}

// An AmbiguousError reports several files that a mapping may mean.
type AmbiguousError struct {
	Folder, Environment string
	Files               []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s: %s could all be the env file for %q; set env_file", e.Folder, strings.Join(e.Files, ", "), e.Environment)
}

// EnvFile decides which of the file names in its folder a mapping means:
// env_file; else .env.<environment>; else the one name that ends in
// "<environment>.env" or ".env.<environment>"; else, if neither environment
// nor profile is stated, .env. Errors are [*NoEnvFileError] and
// [*AmbiguousError].
func (c *Config) EnvFile(m Mapping, names []string) (string, error) {
	if m.EnvFile != "" {
		// It may lie deeper; whether it is there shows when it is read.
		if !strings.Contains(m.EnvFile, "/") && !slices.Contains(names, m.EnvFile) {
			return "", &NoEnvFileError{m.Folder, m.Env(), m.EnvFile}
		}
		return m.EnvFile, nil
	}
	env := m.Env()
	if exact := ".env." + env; slices.Contains(names, exact) && !isCompanion(exact) {
		return exact, nil
	}
	var found []string
	for _, name := range names {
		if !isCompanion(name) && belongs(name, env) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return "", &AmbiguousError{m.Folder, env, found}
	case m.Environment == "" && m.Profile == "" && slices.Contains(names, ".env"):
		return ".env", nil
	}
	return "", &NoEnvFileError{m.Folder, env, ""}
}

// belongs reports whether a custom file name states the environment.
func belongs(name, env string) bool {
	if name == env+".env" || strings.HasSuffix(name, ".env."+env) {
		return true
	}
	return slices.ContainsFunc([]string{"-", ".", "_"}, func(sep string) bool {
		return strings.HasSuffix(name, sep+env+".env")
	})
}
