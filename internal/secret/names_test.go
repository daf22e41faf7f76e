package secret

import "testing"

func TestClassOf(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		foldCase bool
		want     Class
	}{
		{name: "DOTENV_PRIVATE_KEY", want: Private},
		{name: "DOTENV_PRIVATE_KEY_CI", want: Private},
		{name: "DOTENV_PUBLIC_KEY", want: Public},
		{name: "ENVDRIFT_AGE_KEY", want: Private},
		{name: "ENVDRIFT_AGE_KEY_FILE", want: Public},
		{name: "VAULT_TOKEN", want: VaultAccess},
		{name: "VAULT_ADDR", want: Public},
		{name: "VAULT_SECRET_ID", want: VaultAccess},
		{name: "VAULT_JWT", want: VaultAccess},
		{name: "VAULT_JWT_FILE", want: Public},
		{name: "VAULT_HEADERS", want: VaultAccess},
		{name: "AWS_SECRET_ACCESS_KEY", want: CloudAccess},
		{name: "AWS_ACCESS_KEY_ID", want: Public},
		{name: "AWS_SESSION_TOKEN", want: CloudAccess},
		{name: "AZURE_CLIENT_SECRET", want: CloudAccess},
		{name: "AZURE_PASSWORD", want: CloudAccess},
		{name: "AZURE_CLIENT_CERTIFICATE_PASSWORD", want: CloudAccess},
		{name: "vault_token", want: Public},
		{name: "vault_token", foldCase: true, want: VaultAccess},
		{name: "Dotenv_Private_Key_CI", foldCase: true, want: Private},
		{name: "", want: Public},
		{name: "PATH", want: Public},
	}
	for _, tt := range tests {
		if got := classOf(tt.name, tt.foldCase); got != tt.want {
			t.Errorf("classOf(%q, %t) = %d; want %d", tt.name, tt.foldCase, got, tt.want)
		}
	}
}
