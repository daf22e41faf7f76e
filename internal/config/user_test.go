package config_test

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

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
	for name, text := range map[string]string{
		"envdrift.toml":  "[hooks]\n[exec]\nallow = [\"LD_PRELOAD\"]\n",
		"pyproject.toml": "[tool.envdrift]\n[tool.envdrift.exec]\nallow = []\n",
	} {
		_, err := config.Parse(name, []byte(text), config.Overrides{})
		if err == nil || !strings.Contains(err.Error(), "exec: belongs in the user's own") {
			t.Errorf("Parse(%s) = %v; want an error about [exec]", name, err)
		}
	}
}
