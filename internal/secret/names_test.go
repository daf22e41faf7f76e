package secret

import (
	"slices"
	"testing"
)

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
		{name: "OP_SESSION_my", want: VaultAccess},
		{name: "OP_ACCOUNT", want: Public},
		{name: "BW_SESSION", want: VaultAccess},
		{name: "DOPPLER_TOKEN", want: VaultAccess},
		{name: "DOPPLER_PROJECT", want: Public},
		{name: "INFISICAL_TOKEN", want: VaultAccess},
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

// What is declared signs in to a vault, unless it is something stricter.
func TestDeclare(t *testing.T) {
	defer func() { declared, begun = nil, nil }()
	t.Setenv("OP_SESSION_team", "m4rked")
	if slices.Contains(VaultVariables(), "OP_SESSION_team") {
		t.Error("VaultVariables has a variable before it was looked for")
	}
	Declare("MY_TOKEN", "DOTENV_PRIVATE_KEY", "AWS_SESSION_TOKEN")
	for name, want := range map[string]Class{"MY_TOKEN": VaultAccess, "DOTENV_PRIVATE_KEY": Private, "AWS_SESSION_TOKEN": CloudAccess, "MY_TOKENS": Public} {
		if got := ClassOf(name); got != want {
			t.Errorf("ClassOf(%q) = %d; want %d", name, got, want)
		}
	}
	if names := VaultVariables(); !slices.Contains(names, "OP_SESSION_team") || !slices.Contains(names, "OP_CONNECT_TOKEN") || slices.Contains(names, "MY_TOKEN") {
		t.Errorf("VaultVariables() = %q", names)
	}
}
