package config_test

import (
	"reflect"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault"
)

func env(vars map[string]string) func(string) string {
	return func(name string) string { return vars[name] }
}

func TestVaultOf(t *testing.T) {
	t.Parallel()
	const azure = "[vault.azure]\nvault_url = 'https://my-keyvault.vault.azure.cn/'\n"
	const named = "[vault.named.prod]\nprovider = 'aws'\nregion = 'eu'\n"
	const defaultName = "[vault.sync]\ndefault_vault_name = "
	tests := []struct {
		name, text string
		over       config.Overrides
		vaultName  string
		want       vault.Config // without Credential, Auth, Dir
		wantErr    string
	}{
		{name: "the configured one", text: azure, want: vault.Config{Provider: "azure", URL: "https://my-keyvault.vault.azure.cn/"}},
		{name: "none configured", want: vault.Config{Provider: "age"}},
		{name: "only named ones", text: named, want: vault.Config{Provider: "age"}},

		{name: "named", text: azure + named, vaultName: "prod", want: vault.Config{Provider: "aws", Name: "prod", Region: "eu"}},
		{name: "what the configured one is called", text: "[vault.aws]\nregion = 'us'\n" + defaultName + "'main'\n", vaultName: "main",
			want: vault.Config{Provider: "aws", Region: "us"}},
		{name: "another of Azure's, in the same cloud", text: azure, vaultName: "production-vault",
			want: vault.Config{Provider: "azure", Name: "production-vault", URL: "https://production-vault.vault.azure.cn/"}},
		{name: "Azure's by default name", text: "[vault]\nprovider = 'azure'\n" + defaultName + "'my-keyvault'\n",
			want: vault.Config{Provider: "azure", URL: "https://my-keyvault.vault.azure.net/"}},
		{name: "another beside Azure's by default name", text: "[vault]\nprovider = 'azure'\n" + defaultName + "'my-keyvault'\n", vaultName: "other",
			want: vault.Config{Provider: "azure", Name: "other", URL: "https://other.vault.azure.net/"}},
		{name: "default name is a named one", text: azure + named + defaultName + "'prod'\n", want: vault.Config{Provider: "aws", Name: "prod", Region: "eu"}},
		{name: "default name of a file for mappings alone", text: "default_vault_name = 'prod'\nmappings = []\n" + named,
			want: vault.Config{Provider: "aws", Name: "prod", Region: "eu"}},
		{name: "default name and vault_name", text: named + defaultName + "'prod'\n", vaultName: "prod", want: vault.Config{Provider: "aws", Name: "prod", Region: "eu"}},

		{name: "unknown", text: "[vault.aws]\n" + named, vaultName: "prd",
			wantErr: `envdrift.toml:7: vault_name: no vault is called "prd"; write [vault.named.prd] with provider = "aws" and its settings (did you mean "prod"?)`},
		{name: "unknown, in need of quotes", vaultName: "a b",
			wantErr: `envdrift.toml:7: vault_name: no vault is called "a b"; write [vault.named."a b"] with provider = "age" and its settings`},
		{name: "no name of Azure's", text: azure, vaultName: "evil.example/x",
			wantErr: `envdrift.toml:7: vault_name: no vault is called "evil.example/x"; write [vault.named."evil.example/x"] with provider = "azure" and its settings`},
		{name: "Azure's without a cloud", text: "[vault.azure]\nvault_url = 'https://127.0.0.1:8443'\n", vaultName: "other",
			wantErr: `envdrift.toml:7: vault_name: no vault is called "other"; write [vault.named.other] with provider = "azure" and its settings`},

		{name: "azure without URL", text: "[vault]\nprovider = 'azure'\n",
			wantErr: "envdrift.toml: vault.azure.vault_url: is missing: the azure provider needs --vault-url, or vault_url in [vault.azure]"},
		{name: "default name is no name of Azure's", text: "[vault]\nprovider = 'azure'\n" + defaultName + "'my vault'\n",
			wantErr: "envdrift.toml: vault.azure.vault_url: is missing: the azure provider needs --vault-url, or vault_url in [vault.azure]"},
		{name: "gcp without project, which the credentials may know", text: "[vault.gcp]\n", want: vault.Config{Provider: "gcp"}},
		{name: "hashicorp without URL", text: "[vault.hashicorp]\n", over: config.Overrides{Getenv: env(map[string]string{"VAULT_ADDR": " ", "BAO_ADDR": "https://b"})},
			wantErr: "envdrift.toml: vault.hashicorp.url: is missing: the hashicorp provider needs --vault-url, or url in [vault.hashicorp], or VAULT_ADDR"},
		{name: "named without URL", text: "[vault.named.prod]\nprovider = 'azure'\n", vaultName: "prod",
			wantErr: "envdrift.toml: vault.named.prod.vault_url: is missing: the azure provider needs vault_url in [vault.named.prod]"},

		{name: "VAULT_ADDR", text: "[vault.hashicorp]\n", over: config.Overrides{Getenv: env(map[string]string{"VAULT_ADDR": " https://v "})},
			want: vault.Config{Provider: "hashicorp", URL: "https://v"}},
		{name: "VAULT_ADDR of a named one", text: "[vault.named.h]\nprovider = 'hashicorp'\n", vaultName: "h", over: config.Overrides{Getenv: env(map[string]string{"VAULT_ADDR": "https://v"})},
			want: vault.Config{Provider: "hashicorp", Name: "h", URL: "https://v"}},
		{name: "file before VAULT_ADDR", text: "[vault.hashicorp]\nurl = 'https://f'\n", over: config.Overrides{Getenv: env(map[string]string{"VAULT_ADDR": "https://v"})},
			want: vault.Config{Provider: "hashicorp", URL: "https://f"}},
		{name: "flag before both", text: "[vault.hashicorp]\nurl = 'https://f'\n",
			over: config.Overrides{Getenv: env(map[string]string{"VAULT_ADDR": "https://v"}), Flags: []*config.Flag{{"--vault-url", "https://flag"}}},
			want: vault.Config{Provider: "hashicorp", URL: "https://flag"}},
		{name: "flags name another provider", text: azure, over: config.Overrides{Provider: "gcp", Flags: []*config.Flag{{"--project-id", "p"}}}, want: vault.Config{Provider: "gcp", ProjectID: "p"}},
		{name: "flag chooses one of several", text: azure + "[vault.aws]\nregion = 'us'\n", over: config.Overrides{Provider: "aws"}, want: vault.Config{Provider: "aws", Region: "us"}},
		{name: "region of the default named one", text: named + defaultName + "'prod'\n", over: config.Overrides{Flags: []*config.Flag{{"--region", "us"}}},
			want: vault.Config{Provider: "aws", Name: "prod", Region: "us"}},
		{name: "another provider than the default named one", text: named + defaultName + "'prod'\n", over: config.Overrides{Provider: "hashicorp", Flags: []*config.Flag{{"--vault-url", "https://h"}}},
			want: vault.Config{Provider: "hashicorp", URL: "https://h"}},
		{name: "flags leave named ones alone", text: azure + named, vaultName: "prod", over: config.Overrides{Flags: []*config.Flag{{"--vault-url", "https://flag.vault.azure.net"}}},
			want: vault.Config{Provider: "aws", Name: "prod", Region: "eu"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c, err := config.Parse("envdrift.toml", []byte(tt.text), known(tt.over))
			if err != nil {
				t.Fatal(err)
			}
			got, err := c.VaultOf(config.Mapping{VaultName: tt.vaultName, Line: 7})
			if message(err) != tt.wantErr {
				t.Fatalf("VaultOf(%q) = %v; want %s", tt.vaultName, err, tt.wantErr)
			}
			if got.Credential, got.Auth, got.Dir = "", "", ""; err == nil && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("VaultOf(%q) = %+v; want %+v", tt.vaultName, got, tt.want)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	tests := []struct{ url, want string }{
		{"https://vault.example.com", ""},
		{"HTTPS://vault.example.com:8200/prefix/", ""},
		{"http://127.0.0.1:8200", ""},
		{"http://[::1]:8200", ""},
		{"http://localhost:8200", ""},
		{"http://vault.example.com", `would send credentials in the clear; only a loopback address may be http`},
		{"http://127.0.0.1.evil.example", `would send credentials in the clear; only a loopback address may be http`},
		{"http://localhost.evil.example", `would send credentials in the clear; only a loopback address may be http`},
		{"vault.example.com", `has no scheme; write https://…`},
		{"ftp://vault.example.com", `is not an https address`},
		{"https://", `is not of the form https://HOST[:PORT]`},
		{"https://:8200", `is not of the form https://HOST[:PORT]`},
		{"https://a b", `is not of the form https://HOST[:PORT]`},
		{"https://h?x=1", `has a query or a fragment`},
		{"https://user:hunter2@h", "holds a user or a password"},
		{"user:hunter2@h", "holds a user or a password"},
		{"https://localhost:x@evil.example", "holds a user or a password"},
	}
	for _, tt := range tests {
		for prefix, read := range map[string]func() error{
			"envdrift.toml:2: vault.hashicorp.url: ": func() error {
				_, err := config.Parse("envdrift.toml", []byte("[vault.hashicorp]\nurl = '"+tt.url+"'\n"), known(config.Overrides{}))
				return err
			},
			"the command line: --vault-url: ": func() error {
				_, err := config.Empty(".", known(config.Overrides{Provider: "hashicorp", Flags: []*config.Flag{{"--vault-url", tt.url}}}))
				return err
			},
		} {
			want := ""
			if tt.want != "" {
				want = prefix + tt.want
			}
			if err := read(); message(err) != want {
				t.Errorf("%q: %v; want %s", tt.url, err, want)
			}
		}
	}
}

func TestFlags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		over config.Overrides
		want string
	}{
		{config.Overrides{Provider: "Azure"}, `the command line: --provider: "Azure" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "azure"?)`},
		{config.Overrides{Flags: []*config.Flag{{"--vault-url", "https://v"}}}, "the command line: --vault-url: does not apply to the provider age; give --provider too"},
		{config.Overrides{Provider: "azure", Flags: []*config.Flag{{"--region", "eu"}, {"--project-id", "p"}}}, "the command line: --region: does not apply to the provider azure; give --provider too\n" +
			"the command line: --project-id: does not apply to the provider azure; give --provider too"},
	}
	for _, tt := range tests {
		if c, err := config.Empty(".", known(tt.over)); message(err) != tt.want || c != nil {
			t.Errorf("Empty(%+v) = %v; want %s", tt.over, err, tt.want)
		}
	}
}

// A mistake in the file does not hide what is wrong with the flags.
func TestFlagsAndFileTogether(t *testing.T) {
	t.Parallel()
	_, err := config.Parse("envdrift.toml", []byte("[hooks]\nx = 1\n"), known(config.Overrides{Flags: []*config.Flag{{"--region", "eu"}}}))
	want := "the command line: --region: does not apply to the provider age; give --provider too\nenvdrift.toml:2: hooks.x: unknown key"
	if message(err) != want {
		t.Errorf("Parse = %v; want %s", err, want)
	}
}

// A program of the user's is named with its provider; its settings are texts.
func TestExecProvider(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"[vault]\nprovider = 'exec:pass'\n":                                                               "exec:pass ",
		"[vault]\nprovider = 'exec:pass'\n[vault.exec]\nsettings = { b = 'x', a = ' y ' }\n":              `exec:pass {"a":"y","b":"x"}`,
		"[vault.sync]\ndefault_vault_name = 'x'\n[vault.named.x]\nprovider = 'exec:op'\nsettings.a = 'b'": `exec:op {"a":"b"}`,
		"[vault]\nprovider = 'exec'\n":                                                                    `envdrift.toml:2: vault.provider: "exec" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "exec:NAME"?)`,
		"[vault]\nprovider = 'exec:'\n":                                                                   `envdrift.toml:2: vault.provider: "exec:" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "exec:NAME"?)`,
		"[vault]\nprovider = 'exec:a;b'\n":                                                                `envdrift.toml:2: vault.provider: "exec:a;b" is none of age, aws, azure, gcp, hashicorp, exec:NAME`,
		"[vault]\nprovider = 'exec:../a'\n":                                                               `envdrift.toml:2: vault.provider: "exec:../a" is none of age, aws, azure, gcp, hashicorp, exec:NAME`,
		"[vault]\nprovider = 'aws:x'\n":                                                                   `envdrift.toml:2: vault.provider: "aws:x" is none of age, aws, azure, gcp, hashicorp, exec:NAME (did you mean "aws"?)`,
		"[vault.exec]\nsettings = { a = 'b' }\n":                                                          `envdrift.toml:1: vault.provider: is missing: "exec:NAME" with the name of the program`,
		"[vault]\nprovider = 'exec:a'\n[vault.exec]\nsettings = { a = 1 }\npath = '/bin/sh'\n":            "envdrift.toml:4: vault.exec.settings.a: is a whole number, not a string\nenvdrift.toml:5: vault.exec.path: unknown key",
		"[vault]\nprovider = 'exec:a'\n[vault.exec]\nsettings = 'a'\n":                                    "envdrift.toml:4: vault.exec.settings: is a string, not a section",
	} {
		c, err := config.Parse("envdrift.toml", []byte(text), known(config.Overrides{}))
		got := message(err)
		if err == nil {
			got = c.Vault.Provider + " " + c.Vault.Extra["settings"]
		}
		if got != want {
			t.Errorf("%s\n= %s; want %s", text, got, want)
		}
	}
	flag := config.Overrides{Provider: "exec:bw"}
	if c, err := config.Parse("envdrift.toml", []byte("[vault]\nprovider = 'exec:pass'\n[vault.exec]\nsettings = { a = 'b' }\n"), known(flag)); err != nil || c.Vault.Provider != "exec:bw" || c.Vault.Extra != nil {
		t.Errorf("with -p exec:bw: %v, %v; want that program, without the settings of another", c, err)
	}
	if c, err := config.Parse("envdrift.toml", []byte("[vault.exec]\nsettings = { a = 'b' }\n"), known(flag)); err != nil || c.Vault.Provider != "exec:bw" || c.Vault.Extra["settings"] == "" {
		t.Errorf("with -p exec:bw: %v, %v; want that program, with the settings", c, err)
	}
}
