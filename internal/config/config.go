// Package config reads envdrift.toml, [tool.envdrift] of pyproject.toml and the
// older pair.txt. It is strict: an unknown key, a wrong type, an empty string,
// a path that leaves the repository and a duplicate mapping are errors with
// file, line and key. All of them are reported at once.
//
// It reads no file but the one it loads. [Config.EnvFile], a function of names,
// finds the file of a folder that a mapping means.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/envdrift/envdrift/vault"
)

// FileNames are the configuration files that are searched for, in this order.
var FileNames = [...]string{"envdrift.toml", "pyproject.toml"}

// ErrNoConfig reports that there is no configuration.
var ErrNoConfig = errors.New("no envdrift.toml, and no pyproject.toml with [tool.envdrift], here or above")

// What a hook does about a finding.
const (
	Repair = "repair"
	Block  = "block"
	Warn   = "warn"
	Pull   = "pull"
	Sync   = "sync"
	Off    = "off"
)

// A Config is a checked configuration file, with its defaults filled in.
type Config struct {
	File     string // absolute; "" if there is none
	Dir      string // where its relative paths start
	Vault    vault.Config
	Named    map[string]vault.Config
	Sync     SyncOptions
	Mappings []Mapping
	Hooks    Hooks
	Check    Check
	Foreign  []string // sections that only the earlier tool knew, sorted

	override Overrides
	text     []byte // what was parsed
}

// IsOf reports whether c was parsed from the file name with the content data.
func (c *Config) IsOf(name string, data []byte) bool {
	return name != "" && c.File == name && bytes.Equal(c.text, data)
}

// SyncOptions is [vault.sync] without its mappings.
type SyncOptions struct {
	DefaultVaultName string
	EnvKeysFilename  string
	MaxWorkers       int // 0: the default
	EphemeralKeys    bool
	Plain            []string // of every mapping, besides its own
}

// A Mapping connects a secret in a vault with an env file.
type Mapping struct {
	SecretName  string
	Folder      string // relative to Dir, with slashes
	Environment string
	EnvFile     string // relative to Folder; "" to search for it
	VaultName   string
	Profile     string
	ActivateTo  string // relative to Folder
	Loader      string // that reads what is at ActivateTo; "" for any
	Ephemeral   bool
	Plain       []string // patterns of names whose values stay plaintext
	Line        int      // in the file
}

// StaysPlain reports whether the value of name stays plaintext.
func (m Mapping) StaysPlain(name string) bool {
	return slices.ContainsFunc(m.Plain, func(pattern string) bool {
		ok, err := doublestar.Match(pattern, name)
		return err == nil && ok
	})
}

// BroadPlain returns the patterns of Plain that match what is usually a secret.
func (m Mapping) BroadPlain() []string {
	var broad []string
	for _, pattern := range m.Plain {
		one := Mapping{Plain: []string{pattern}}
		if slices.ContainsFunc([]string{"API_KEY", "CLIENT_SECRET", "ACCESS_TOKEN", "DB_PASSWORD", "SECRET_KEY", "AUTH_TOKEN", "PASSWORD"}, one.StaysPlain) || LooksSecret(pattern) {
			broad = append(broad, pattern)
		}
	}
	return broad
}

// LooksSecret reports whether a variable's name is usual for a secret.
func LooksSecret(name string) bool {
	upper := strings.ToUpper(name)
	return !strings.Contains(upper, "PUBLIC") && slices.ContainsFunc([]string{"KEY", "SECRET", "TOKEN", "PASSWORD", "PASSWD"}, func(word string) bool {
		return strings.Contains(upper, word)
	})
}

// Env returns the mapping's environment: the configured one, else the profile,
// else production.
func (m Mapping) Env() string {
	switch {
	case m.Environment != "":
		return m.Environment
	case m.Profile != "":
		return m.Profile
	}
	return production
}

// Hooks is the section [hooks].
type Hooks struct {
	OnDrift       string
	OnUnmapped    string
	OnPlaintext   string
	OnUnreachable string
	OnValue       string // a value of an env file in what is staged
	PostCheckout  string
	Timeout       time.Duration // all vault work of one hook
}

// Check is the section [check]. Its patterns are those of a [dotenv.Selection].
type Check struct {
	Only     []string // names that are compared; none for all
	Optional []string // names that a file may lack
	Loaders  []string // that read the files; none for those that have signs in the repository
}

// Stricter returns h with the stricter of its and other's answers to what may be
// committed.
func (h Hooks) Stricter(other Hooks) Hooks {
	stricter := func(a, b string) string {
		order := []string{Off, Warn, Block}
		if slices.Index(order, b) > slices.Index(order, a) {
			return b
		}
		return a
	}
	h.OnUnmapped = stricter(h.OnUnmapped, other.OnUnmapped)
	h.OnPlaintext = stricter(h.OnPlaintext, other.OnPlaintext)
	h.OnUnreachable = stricter(h.OnUnreachable, other.OnUnreachable)
	h.OnValue = stricter(h.OnValue, other.OnValue)
	return h
}

// An Error reports one mistake in a configuration file.
type Error struct {
	File       string
	Line       int    // 0 if it concerns the whole file
	Key        string // such as "vault.sync.max_workers"; may be ""
	Problem    string
	Suggestion string // what may have been intended; may be ""
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

// Find returns the absolute path of the configuration file in dir or above, up
// to stop. If stop is empty, it searches up to the user's home, or up to the
// root for a dir outside it. It returns [ErrNoConfig] if there is none.
func Find(dir, stop string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if stop == "" {
		stop, _ = os.UserHomeDir() // without one, the root is the limit
	}
	last, _ := os.Stat(stop)
	for {
		for _, name := range FileNames {
			file := filepath.Join(dir, name)
			if isOurs(file) {
				return file, nil
			}
		}
		info, err := os.Stat(dir)
		parent := filepath.Dir(dir)
		if parent == dir || err == nil && os.SameFile(info, last) {
			return "", ErrNoConfig
		}
		dir = parent
	}
}

// isOurs reports whether there is a file that envdrift must read, even if it is
// broken or a dangling link. A pyproject.toml often belongs to other tools
// only.
func isOurs(file string) bool {
	if filepath.Base(file) != "pyproject.toml" {
		info, err := os.Lstat(file)
		return err == nil && !info.IsDir()
	}
	data, err := read(file)
	if err != nil {
		return false
	}
	_, err = Parse(file, data, Overrides{})
	return !errors.Is(err, ErrNoConfig)
}

// read returns the content of a regular file.
func read(file string) (data []byte, err error) {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &Error{File: file, Problem: "there is no such file"}
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular(): // opening a pipe would block
		return nil, &Error{File: file, Problem: "is not a regular file"}
	case info.Size() > maxSize:
		return nil, &Error{File: file, Problem: fmt.Sprintf("is larger than %d MiB", maxSize>>20)}
	}
	return os.ReadFile(file)
}

// Load reads a configuration file. Errors are [*Error], joined, or the file
// system's.
func Load(file string, o Overrides) (*Config, error) {
	file, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	data, err := read(file)
	if err != nil {
		return nil, err
	}
	c, err := Parse(file, data, o)
	if errors.Is(err, ErrNoConfig) { // the user named this file
		return nil, &Error{File: file, Problem: "has no section [tool.envdrift]"}
	}
	return c, err
}

// Empty returns the configuration for no file: what the flags say.
func Empty(dir string, o Overrides) (*Config, error) {
	c, r := defaults(dir, o), newReader(commandLine, nil)
	c.applyOverrides(r)
	if err := r.join(); err != nil {
		return nil, err
	}
	return c, nil
}

func defaults(dir string, o Overrides) *Config {
	return &Config{
		Dir:      dir,
		Named:    map[string]vault.Config{},
		Sync:     SyncOptions{EnvKeysFilename: ".env.keys"},
		Hooks:    Hooks{OnDrift: Repair, OnUnmapped: Warn, OnPlaintext: Block, OnUnreachable: Block, OnValue: Off, PostCheckout: Pull, Timeout: 5 * time.Second},
		override: o,
	}
}

// Select returns the mappings without a profile and, if profile is set, those
// of that profile too. It is an error if nothing is selected, or if no mapping
// has the profile.
func (c *Config) Select(profile string) ([]Mapping, error) {
	var selected []Mapping
	var profiles []string
	for _, m := range c.Mappings {
		if m.Profile == "" || m.Profile == profile {
			selected = append(selected, m)
		}
		profiles = append(profiles, m.Profile)
	}
	var problem string
	switch {
	case len(c.Mappings) == 0:
		problem = "there are none: add [[vault.sync.mappings]]"
	case profile != "" && !slices.Contains(profiles, profile):
		problem = fmt.Sprintf("no mapping has the profile %q", profile)
	case len(selected) == 0:
		problem = "each mapping has a profile: name one with --profile"
	default:
		return selected, nil
	}
	return nil, &Error{File: c.File, Key: "vault.sync.mappings", Problem: problem, Suggestion: nearest(profile, profiles)}
}
