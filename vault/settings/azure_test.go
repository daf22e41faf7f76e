package settings_test

import (
	"testing"

	"github.com/envdrift/envdrift/vault/settings"
)

func TestAddressByName(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, like, want string }{
		{"my-keyvault", "", "https://my-keyvault.vault.azure.net/"},
		{"other", "https://my-keyvault.vault.azure.cn/", "https://other.vault.azure.cn/"},
		{"other", "https://127.0.0.1:8443", ""},
		{"other", "https://localhost", ""},
		{"other", "://", ""},
		{"evil.example/x", "https://my-keyvault.vault.azure.net/", ""},
		{"", "", ""},
	}
	for _, tt := range tests {
		got, ok := settings.Azure().Settings[0].ByName(tt.name, tt.like)
		if got != tt.want || ok != (tt.want != "") {
			t.Errorf("the vault %q beside %q = %q, %t; want %q", tt.name, tt.like, got, ok, tt.want)
		}
	}
}
