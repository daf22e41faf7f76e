package config_test

import (
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/config"
)

func TestParseUser(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		want       []string
		errs       []string
	}{
		{name: "empty"},
		{name: "a list", text: "[exec]\nallow = [\"NODE_OPTIONS\", \"CC\"]\n", want: []string{"NODE_OPTIONS", "CC"}},
		{name: "inline, with a byte order mark", text: "\ufeffexec = {allow = [\"CC\"]}\n", want: []string{"CC"}},
		{name: "no pattern", text: "[exec]\nallow = [\"GIT_*\"]\n", errs: []string{`u.toml:2: exec.allow: "GIT_*" is not the name of a variable`}},
		{name: "no list", text: "[exec]\nallow = \"CC\"\n", errs: []string{"u.toml:2: exec.allow: is a string, not a list"}},
		{name: "no strings", text: "[exec]\n\nallow = [1]\n", errs: []string{"u.toml:3: exec.allow: holds a whole number"}},
		{name: "unknown keys, all of them", text: "[exec]\nalow = []\n[vault]\n", errs: []string{"u.toml:2: exec.alow: unknown key", "u.toml:3: vault: unknown key"}},
		{name: "no TOML", text: "[exec]]\n", errs: []string{"u.toml:1: TOML syntax"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			u, err := config.ParseUser("u.toml", []byte(tt.text))
			if !slices.Equal(u.Allow, tt.want) || (err != nil) != (len(tt.errs) > 0) {
				t.Errorf("ParseUser = %q, %v; want %q", u.Allow, err, tt.want)
			}
			for _, want := range tt.errs {
				if err != nil && !strings.Contains(err.Error(), want) {
					t.Errorf("ParseUser: error %q; want %q in it", err, want)
				}
			}
		})
	}
}

func TestParseUserSections(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text, err string
		want            config.User
	}{
		{name: "nothing", want: config.User{Store: config.StoreFile}},
		{name: "a store", text: "[keys]\nstore = \"store\"\nttl = \"8h\"", want: config.User{Store: config.StoreOS, TTL: 8 * time.Hour}},
		{name: "kept nowhere", text: "[keys]\nstore = \"none\"", want: config.User{Store: config.StoreNone}},
		{name: "agents and log", text: "[agents]\nallow = true\n[audit]\nenabled = true", want: config.User{Store: config.StoreFile, AllowAgents: true, Audit: true}},
		{name: "another store", text: "[keys]\nstore = \"Store\"", err: `u.toml:2: keys.store: "Store" is none of file, store, none`},
		{name: "no time", text: "[keys]\nstore = \"store\"\nttl = \"8\"", err: `u.toml:3: keys.ttl: "8" is no time`},
		{name: "files do not expire", text: "[keys]\nttl = \"8h\"", err: `u.toml:2: keys.ttl: needs store = "store"`},
		{name: "none expires", text: "[keys]\nstore = \"none\"\nttl = \"8h\"", err: `u.toml:3: keys.ttl: needs store = "store"`},
		{name: "no flag", text: "[agents]\nallow = \"yes\"", err: "u.toml:2: agents.allow: is a string, not true or false"},
		{name: "an unknown key", text: "[audit]\non = true", err: "u.toml:2: audit.on: unknown key"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := config.ParseUser("u.toml", []byte(tt.text))
			if tt.err == "" && (err != nil || !reflect.DeepEqual(got, tt.want)) {
				t.Errorf("ParseUser = %+v, %v; want %+v", got, err, tt.want)
			}
			if tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)) {
				t.Errorf("ParseUser: error %v; want %q in it", err, tt.err)
			}
		})
	}
}

func TestLoadUser(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("absolute paths differ")
	}
	home := t.TempDir()
	file := filepath.Join(home, ".config", "envdrift", "config.toml")
	tests := []struct {
		name, want string
		env        map[string]string
	}{
		{"at home", file, map[string]string{"HOME": home}},
		{"elsewhere", "/etc/x/envdrift/config.toml", map[string]string{"HOME": home, "XDG_CONFIG_HOME": "/etc/x"}},
		{"a relative path does not count", file, map[string]string{"HOME": home, "XDG_CONFIG_HOME": "cfg"}},
		{"nowhere", "", nil},
	}
	for _, tt := range tests {
		if got := config.UserFile(func(name string) string { return tt.env[name] }); got != tt.want {
			t.Errorf("%s: UserFile = %q; want %q", tt.name, got, tt.want)
		}
	}
	getenv := func(name string) string { return map[string]string{"HOME": home}[name] }
	if u, err := config.LoadUser(getenv); u.Allow != nil || err != nil {
		t.Errorf("LoadUser without a file = %v, %v; want nothing", u, err)
	}
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := config.LoadUser(getenv); err == nil {
		t.Error("LoadUser of a folder = nil; want an error")
	}
}

func TestRepositoryHasNoUserSection(t *testing.T) {
	t.Parallel()
	for _, section := range []string{"exec", "keys", "agents", "audit"} {
		for name, text := range map[string]string{
			"envdrift.toml":  "[hooks]\n[SECTION]\nallow = [\"LD_PRELOAD\"]\n",
			"pyproject.toml": "[tool.envdrift]\n[tool.envdrift.SECTION]\nallow = []\n",
		} {
			_, err := config.Parse(name, []byte(strings.ReplaceAll(text, "SECTION", section)), config.Overrides{})
			if err == nil || !strings.Contains(err.Error(), section+": belongs in the user's own") {
				t.Errorf("Parse(%s) = %v; want an error about [%s]", name, err, section)
			}
		}
	}
}
