package config_test

import (
	"context"
	"reflect"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

type madeUpStore struct {
	vault.Store
	cfg vault.Config
}

// withMadeUp adds a vault that no other code knows: one value, two settings.
func withMadeUp(o config.Overrides) config.Overrides {
	o.Providers = append(all.Providers(), vault.Provider{
		Name: "madeup",
		Settings: []vault.Setting{
			{
				Key: "server", Kind: vault.URL, Required: true, Names: true,
				Flag: "--server", Env: "MADEUP_ADDR", Example: "https://madeup.example.com",
			},
			{Key: "shelf", Kind: vault.Number, Least: 1, Most: 9},
		},
		Open: vault.Opener(func(_ context.Context, cfg vault.Config) (*madeUpStore, error) {
			return &madeUpStore{cfg: cfg}, nil
		}),
	})
	return o
}

// A provider is only its value: parsing, flags, the environment and the
// template follow from it.
func TestMadeUpProvider(t *testing.T) {
	t.Parallel()
	const file = "[vault.madeup]\nserver = 'https://a'\nshelf = 3\n"
	flag := []*config.Flag{{"--server", "https://b"}}
	tests := []struct {
		name, text string
		over       config.Overrides
		want       map[string]string
		wantErr    string
	}{
		{name: "file", text: file, want: map[string]string{"server": "https://a", "shelf": "3"}},
		{name: "flag", text: file, over: config.Overrides{Flags: flag}, want: map[string]string{"server": "https://b", "shelf": "3"}},
		{name: "flags alone", over: config.Overrides{Provider: "madeup", Flags: flag}, want: map[string]string{"server": "https://b"}},
		{name: "environment", text: "[vault.madeup]\n", over: config.Overrides{Getenv: env(map[string]string{"MADEUP_ADDR": "https://c"})},
			want: map[string]string{"server": "https://c"}},
		{name: "bad flag", text: file, over: config.Overrides{Flags: []*config.Flag{{"--server", "b"}}},
			wantErr: "the command line: --server: has no scheme; write https://…"},
		{name: "another's flag", text: file, over: config.Overrides{Flags: []*config.Flag{{"--region", "b"}}},
			wantErr: "the command line: --region: does not apply to the provider madeup; give --provider too"},
		{name: "bad number", text: file + "[vault.named.x]\nprovider = 'madeup'\nshelf = 10\n",
			wantErr: "envdrift.toml:6: vault.named.x.shelf: is 10, not from 1 to 9"},
		{name: "unknown key", text: file + "shelv = 1\n",
			wantErr: `envdrift.toml:4: vault.madeup.shelv: unknown key (did you mean "shelf"?)`},
		{name: "address missing", text: "[vault.madeup]\n",
			wantErr: "envdrift.toml: vault.madeup.server: is missing: the madeup provider needs --server, or server in [vault.madeup], or MADEUP_ADDR"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := vaultOf(tt.text, withMadeUp(tt.over))
			if message(err) != tt.wantErr || err == nil && !reflect.DeepEqual(got.Extra, tt.want) {
				t.Errorf("the vault is %v, %v; want %v, %s", got.Extra, err, tt.want, tt.wantErr)
			}
		})
	}
}

func vaultOf(text string, o config.Overrides) (vault.Config, error) {
	c, err := config.Parse("envdrift.toml", []byte(text), o)
	if err != nil {
		return vault.Config{}, err
	}
	return c.VaultOf(config.Mapping{})
}

func TestMadeUpProviderTemplate(t *testing.T) {
	t.Parallel()
	over := withMadeUp(config.Overrides{Flags: []*config.Flag{{"--server", "https://b"}}})
	text := string(config.Template("madeup", over, nil))
	if want := "[vault.madeup]\nserver = \"https://b\"\n\n"; !strings.Contains(text, want) {
		t.Errorf("Template = %s; want %s", text, want)
	}
	over.Flags = nil
	text = string(config.Template("madeup", over, nil))
	if want := "[vault.madeup]\n# server = \"https://madeup.example.com\"\n\n"; !strings.Contains(text, want) {
		t.Errorf("Template without flags = %s; want %s", text, want)
	}
}

func TestMadeUpProviderOpens(t *testing.T) {
	t.Parallel()
	over := withMadeUp(config.Overrides{})
	cfg, err := vaultOf("[vault.madeup]\nserver = 'https://a'\n", over)
	if err != nil {
		t.Fatal(err)
	}
	s, err := over.Providers.Open(t.Context(), cfg)
	if m, ok := s.(*madeUpStore); err != nil || !ok || m.cfg.Extra["server"] != "https://a" {
		t.Errorf("Open = %#v, %v; want the store at https://a", s, err)
	}
}

func TestStated(t *testing.T) {
	t.Parallel()
	var o config.Overrides
	region := o.Flag("--region")
	o.Flag("--vault-url")
	if o.NamesVault() || !(config.Overrides{Provider: "aws"}).NamesVault() {
		t.Error("NamesVault is true of flags without a value, or false of a provider")
	}
	if *region = " eu "; !o.NamesVault() {
		t.Error("NamesVault is false of --region eu")
	}
	for flag, want := range map[string]string{"--region": "eu", "--vault-url": "", "--server": ""} {
		if got := o.Stated(flag); got != want {
			t.Errorf("Stated(%s) = %q; want %q", flag, got, want)
		}
	}
}
