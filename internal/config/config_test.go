package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// known adds the existing providers.
func known(o config.Overrides) config.Overrides {
	o.Providers = all.Providers()
	return o
}

// same reports whether two configurations are the same, apart from the
// overrides that they were read with.
func same(a, b *config.Config) bool {
	x, y := reflect.ValueOf(*a), reflect.ValueOf(*b)
	for i := range x.NumField() {
		if x.Type().Field(i).IsExported() && !reflect.DeepEqual(x.Field(i).Interface(), y.Field(i).Interface()) {
			return false
		}
	}
	return true
}

func parse(t *testing.T, name, text string) *config.Config {
	t.Helper()
	c, err := config.Parse(name, []byte(text), known(config.Overrides{}))
	if err != nil {
		t.Fatalf("Parse(%s) = %v", name, err)
	}
	return c
}

const everything = `
[vault]
provider = "azure"
timeout  = "3s"

[vault.azure]
vault_url  = " https://my-keyvault.vault.azure.net/ "
credential = "cli"

[vault.aws]
region = "eu-central-1"
profile = "dev"
endpoint_url = "http://127.0.0.1:5000"

[vault.hashicorp]
url = "https://vault.example.com"
mount = "/kv/"
kv_version = 1
namespace = "team"
auth = "approle"
auth_mount = "approle2"
role = "envdrift"
field = "key"

[vault.gcp]
project_id = "p"
endpoint = "localhost:9090"

[vault.age]
dir = "keys"
recipients = "keys/recipients"
identity = "~/.config/envdrift/identity"

[vault.exec]
settings = { folder = "team" }

[vault.named.production-vault]
provider = "hashicorp"
url = "https://prod.example.com"
timeout = "1m"

[vault.sync]
default_vault_name = "my-keyvault"
env_keys_filename  = ".keys"
max_workers        = 4
ephemeral_keys     = true
plain              = ["LOG_LEVEL"]

[[vault.sync.mappings]]
secret_name = "myapp-key"
folder_path = "./services/myapp/"

[[vault.sync.mappings]]
secret_name = "team/local-key"
folder_path = "."
environment = "development"
env_file = "config/postgresql.env"
vault_name = "production-vault"
profile = "local"
activate_to = ".env"
loader = "compose"
ephemeral_keys = false
plain = ["NEXT_PUBLIC_*"]

[hooks]
on_drift = "block"
on_unmapped = "block"
on_plaintext = "warn"
on_unreachable = "warn"
on_value = "block"
post_checkout = "sync"
timeout = "2s"

[check]
only = ["DB_*", "API_*"]
optional = ["DB_DEBUG"]
loaders = ["node"]
`

func TestParseEverything(t *testing.T) {
	t.Parallel()
	got := parse(t, "/repo/envdrift.toml", everything)
	want := &config.Config{
		File: "/repo/envdrift.toml",
		Dir:  "/repo",
		Vault: vault.Config{Provider: "azure", Timeout: 3 * time.Second, Dir: "/repo",
			URL: "https://my-keyvault.vault.azure.net/", Credential: "cli"},
		Named: map[string]vault.Config{"production-vault": {Provider: "hashicorp", Name: "production-vault", Timeout: time.Minute,
			Dir: "/repo", URL: "https://prod.example.com"}},
		Sync: config.SyncOptions{DefaultVaultName: "my-keyvault", EnvKeysFilename: ".keys", MaxWorkers: 4, EphemeralKeys: true, Plain: []string{"LOG_LEVEL"}},
		Mappings: []config.Mapping{
			{SecretName: "myapp-key", Folder: "services/myapp", Ephemeral: true, Plain: []string{"LOG_LEVEL"}, Line: 49},
			{SecretName: "team/local-key", Folder: ".", Environment: "development", EnvFile: "config/postgresql.env",
				VaultName: "production-vault", Profile: "local", ActivateTo: ".env", Loader: "compose", Plain: []string{"LOG_LEVEL", "NEXT_PUBLIC_*"}, Line: 53},
		},
		Hooks: config.Hooks{OnDrift: "block", OnUnmapped: "block", OnPlaintext: "warn", OnUnreachable: "warn", OnValue: "block", PostCheckout: "sync", Timeout: 2 * time.Second},
		Check: config.Check{Only: []string{"DB_*", "API_*"}, Optional: []string{"DB_DEBUG"}, Loaders: []string{"node"}},
	}
	if !same(got, want) {
		t.Errorf("Parse =\n%+v; want\n%+v", got, want)
	}
}

func TestProvidersHaveTheirKeys(t *testing.T) {
	t.Parallel()
	want := map[string]vault.Config{
		"aws": {Region: "eu-central-1", Profile: "dev", Endpoint: "http://127.0.0.1:5000"},
		"hashicorp": {URL: "https://vault.example.com", Mount: "kv", KVVersion: 1, Namespace: "team", Auth: "approle",
			AuthMount: "approle2", Role: "envdrift", Field: "key"},
		"gcp": {ProjectID: "p", Endpoint: "localhost:9090"},
		"age": {VaultDir: "keys", Recipients: "keys/recipients", Identity: "~/.config/envdrift/identity"},
	}
	for provider, want := range want {
		want.Provider, want.Timeout, want.Dir = provider, 3*time.Second, "/repo"
		c, err := config.Parse("/repo/envdrift.toml", []byte(everything), known(config.Overrides{Provider: provider}))
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(c.Vault, want) {
			t.Errorf("with --provider %s, Vault = %+v; want %+v", provider, c.Vault, want)
		}
	}
}

// The same sections in pyproject.toml mean the same.
func TestParsePyproject(t *testing.T) {
	t.Parallel()
	text := strings.NewReplacer("[[vault", "[[tool.envdrift.vault", "\n[vault", "\n[tool.envdrift.vault", "[hooks]", "[tool.envdrift.hooks]", "[check]", "[tool.envdrift.check]").Replace(everything)
	got := parse(t, "/repo/pyproject.toml", "[project]\nname = 'x'\n[tool.envdrift]\nschema = 's'\nenvironments = ['a']\n"+text)
	want := parse(t, "/repo/envdrift.toml", everything)
	got.File = want.File
	for i := range got.Mappings {
		got.Mappings[i].Line -= 5
	}
	if !same(got, want) {
		t.Errorf("Parse(pyproject.toml) =\n%+v; want\n%+v", got, want)
	}
}

func TestParseDefaults(t *testing.T) {
	t.Parallel()
	c := parse(t, "/repo/envdrift.toml", "\ufeff# nothing\r\n")
	if want := (vault.Config{Provider: "age", Dir: "/repo"}); !reflect.DeepEqual(c.Vault, want) {
		t.Errorf("Vault = %+v; want %+v", c.Vault, want)
	}
	if want := (config.Hooks{OnDrift: "repair", OnUnmapped: "warn", OnPlaintext: "block", OnUnreachable: "block", OnValue: "off", PostCheckout: "pull", Timeout: 5 * time.Second}); c.Hooks != want {
		t.Errorf("Hooks = %+v; want %+v", c.Hooks, want)
	}
	if want := (config.SyncOptions{EnvKeysFilename: ".env.keys"}); !reflect.DeepEqual(c.Sync, want) {
		t.Errorf("Sync = %+v; want %+v", c.Sync, want)
	}
}

// A file with mappings at the top is one of the earlier tool's forms.
func TestParseDedicatedFile(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"default_vault_name = 'v'\nephemeral_keys = true\n[[mappings]]\nsecret_name = 's'\nfolder_path = 'a'\n",
		"default_vault_name = 'v'\nephemeral_keys = true\nmappings = [{secret_name = 's', folder_path = 'a'}]\n",
	} {
		c := parse(t, "sync.toml", text)
		want := []config.Mapping{{SecretName: "s", Folder: "a", Ephemeral: true, Line: 3}}
		if !reflect.DeepEqual(c.Mappings, want) || c.Sync.DefaultVaultName != "v" {
			t.Errorf("Parse(%q) = %+v, %+v; want %+v", text, c.Mappings, c.Sync, want)
		}
	}
}

func TestForeignSections(t *testing.T) {
	t.Parallel()
	c := parse(t, "envdrift.toml", `
[envdrift]
schema = "app.config:Settings"
environments = ["development"]
[validation]
check_encryption = true
[vault.mappings]
a = "b"
[encryption]
backend = "sops"
smart_encryption = true
[encryption.dotenvx]
auto_install = true
[precommit]
files = []
[git_hook_check]
method = "direct git hook"
[[partial_encryption.environments]]
name = "x"
[guard]
scanners = ["native"]
[guardian]
enabled = false
`)
	want := []string{"encryption", "encryption.sops", "envdrift", "git_hook_check", "guard", "guardian", "partial_encryption", "precommit", "validation", "vault.mappings"}
	if !reflect.DeepEqual(c.Foreign, want) {
		t.Errorf("Foreign = %q; want %q", c.Foreign, want)
	}
	if c := parse(t, "envdrift.toml", "[encryption]\nbackend = 'dotenvx'\n"); !reflect.DeepEqual(c.Foreign, []string{"encryption"}) {
		t.Errorf("Foreign = %q; want [encryption]", c.Foreign)
	}
}

func TestEnv(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]config.Mapping{
		"production": {},
		"local":      {Profile: "local"},
		"staging":    {Profile: "local", Environment: "staging"},
	} {
		if got := m.Env(); got != want {
			t.Errorf("%+v.Env() = %q; want %q", m, got, want)
		}
	}
}

func TestSelect(t *testing.T) {
	t.Parallel()
	const tagged = "[[vault.sync.mappings]]\nsecret_name = 'l'\nfolder_path = '.'\nprofile = 'local'\n"
	const shared = "[[vault.sync.mappings]]\nsecret_name = 's'\nfolder_path = '.'\n"
	tests := []struct{ name, text, profile, want, wantErr string }{
		{name: "without a profile", text: tagged + shared, want: "s"},
		{name: "with one", text: tagged + shared, profile: "local", want: "ls"},
		{name: "only with one", text: tagged, profile: "local", want: "l"},
		{name: "misspelt", text: tagged + shared, profile: "locl",
			wantErr: `envdrift.toml: vault.sync.mappings: no mapping has the profile "locl" (did you mean "local"?)`},
		{name: "left out", text: tagged, wantErr: "envdrift.toml: vault.sync.mappings: each mapping has a profile: name one with --profile"},
		{name: "none at all", wantErr: "envdrift.toml: vault.sync.mappings: there are none: add [[vault.sync.mappings]]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mappings, err := parse(t, "envdrift.toml", tt.text).Select(tt.profile)
			var got string
			for _, m := range mappings {
				got += m.SecretName
			}
			if got != tt.want || message(err) != tt.wantErr {
				t.Errorf("Select(%q) = %q, %v; want %q, %s", tt.profile, got, err, tt.want, tt.wantErr)
			}
		})
	}
}

func message(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestFind(t *testing.T) {
	const ours = "[tool.envdrift]\n"
	tests := []struct {
		name  string
		files map[string]string
		stop  string // below the temporary directory
		want  string
	}{
		{name: "here", files: map[string]string{"a/b/envdrift.toml": ""}, want: "a/b/envdrift.toml"},
		{name: "above", files: map[string]string{"envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "the nearest", files: map[string]string{"envdrift.toml": "", "a/pyproject.toml": ours}, want: "a/pyproject.toml"},
		{name: "envdrift.toml before pyproject.toml", files: map[string]string{"envdrift.toml": "", "pyproject.toml": ours}, want: "envdrift.toml"},
		{name: "in the repository's top", files: map[string]string{"a/envdrift.toml": ""}, stop: "a", want: "a/envdrift.toml"},
		{name: "not above it", files: map[string]string{"envdrift.toml": ""}, stop: "a"},
		{name: "broken, but ours", files: map[string]string{"pyproject.toml": ours + "x = \n", "envdrift.toml/x": ""}, want: "pyproject.toml"},
		{name: "quoted", files: map[string]string{"pyproject.toml": "[tool.\"envdrift\".vault]\n"}, want: "pyproject.toml"},
		{name: "somebody else's", files: map[string]string{"a/pyproject.toml": "# no tool.envdrift\n[tool.black]\n", "envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "somebody else's, broken", files: map[string]string{"a/pyproject.toml": "[tool", "envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "Latin-1", files: map[string]string{"a/pyproject.toml": "[project]\nauthor = 'Andr\xe9'\n", "envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "UTF-16", files: map[string]string{"a/pyproject.toml": "\xff\xfe[\x00p\x00]\x00", "envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "a directory of that name", files: map[string]string{"a/envdrift.toml/x": "", "envdrift.toml": ""}, want: "envdrift.toml"},
		{name: "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			home := t.TempDir()
			t.Setenv("HOME", home)
			t.Setenv("USERPROFILE", home)
			if err := os.MkdirAll(filepath.Join(home, "a/b"), 0o700); err != nil {
				t.Fatal(err)
			}
			for name, text := range tt.files {
				write(t, filepath.Join(home, name), text)
			}
			stop := ""
			if tt.stop != "" {
				stop = filepath.Join(home, tt.stop)
			}
			got, err := config.Find(filepath.Join(home, "a/b"), stop)
			if tt.want == "" {
				if !errors.Is(err, config.ErrNoConfig) {
					t.Errorf("Find = %q, %v; want ErrNoConfig", got, err)
				}
				return
			}
			if want := filepath.Join(home, tt.want); err != nil || got != want {
				t.Errorf("Find = %q, %v; want %q", got, err, want)
			}
		})
	}
}

// The search must not go on above the top because it went there through a link.
func TestFindStopsBehindALink(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "envdrift.toml"), "")
	if err := os.MkdirAll(filepath.Join(dir, "real", "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Find(filepath.Join(dir, "link", "sub"), filepath.Join(dir, "real")); !errors.Is(err, config.ErrNoConfig) {
		t.Errorf("Find = %q, %v; want ErrNoConfig", got, err)
	}
}

// A configuration that is a dangling link is an error, not a reason to use
// another one above.
func TestFindLinkToNothing(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "envdrift.toml"), "")
	file := filepath.Join(dir, "a", "envdrift.toml")
	if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nothing", file); err != nil {
		t.Fatal(err)
	}
	if got, err := config.Find(filepath.Dir(file), dir); err != nil || got != file {
		t.Errorf("Find = %q, %v; want %q", got, err, file)
	}
	if _, err := config.Load(file, known(config.Overrides{})); message(err) != file+": there is no such file" {
		t.Errorf("Load = %v; want it missing", err)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "envdrift.toml"), "[vault]\nprovider = \n")
	write(t, filepath.Join(dir, "pyproject.toml"), "[tool.black]\n")
	write(t, filepath.Join(dir, "latin1.toml"), "# a\n# \xe9\n")
	write(t, filepath.Join(dir, "large.toml"), strings.Repeat("#\n", 1<<20))
	write(t, filepath.Join(dir, "good.toml"), "")
	tests := []struct{ name, want string }{
		{"envdrift.toml", `envdrift.toml:2: TOML syntax: expected value`},
		{"pyproject.toml", "pyproject.toml: has no section [tool.envdrift]"},
		{"latin1.toml", "latin1.toml:2: is not UTF-8"},
		{"large.toml", "large.toml: is larger than 1 MiB"},
		{"missing.toml", "missing.toml: there is no such file"},
		{"", ": is not a regular file"},
	}
	for _, tt := range tests {
		_, err := config.Load(filepath.Join(dir, tt.name), known(config.Overrides{}))
		var e *config.Error
		if got := strings.TrimPrefix(message(err), dir+string(filepath.Separator)); !strings.HasSuffix(got, tt.want) || !errors.As(err, &e) {
			t.Errorf("Load(%q) = %q (%T); want %q", tt.name, got, err, tt.want)
		}
	}
	c, err := config.Load(filepath.Join(dir, "good.toml"), known(config.Overrides{}))
	if err != nil || c.Dir != dir || c.File != filepath.Join(dir, "good.toml") {
		t.Errorf("Load(good.toml) = %+v, %v; want Dir %s", c, err, dir)
	}
}

func TestParseForeignPyproject(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "[tool.black]\n", "tool = 1\n", "[tool", "\xff\xfe[\x00", "author = '\xe9'\n"} {
		if c, err := config.Parse("pyproject.toml", []byte(text), known(config.Overrides{})); !errors.Is(err, config.ErrNoConfig) || c != nil {
			t.Errorf("Parse(pyproject.toml, %q) = %v, %v; want ErrNoConfig", text, c, err)
		}
	}
}

func TestIsOf(t *testing.T) {
	t.Parallel()
	text := []byte("[[vault.sync.mappings]]\nsecret_name = \"a\"\nfolder_path = \".\"\n")
	c, err := config.Parse("/repo/envdrift.toml", text, known(config.Overrides{}))
	if err != nil || !c.IsOf("/repo/envdrift.toml", slices.Clone(text)) {
		t.Fatalf("IsOf = false, %v; want true for what was parsed", err)
	}
	if c.IsOf("/repo/sub/envdrift.toml", text) || c.IsOf("/repo/envdrift.toml", text[1:]) {
		t.Error("IsOf = true for another file or content")
	}
	if empty, err := config.Empty("/repo", known(config.Overrides{})); err != nil || empty.IsOf("", nil) {
		t.Errorf("IsOf = true, %v; want false where there is no file", err)
	}
}
