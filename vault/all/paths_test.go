package all_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
	"github.com/envdrift/envdrift/vault/aws"
	"github.com/envdrift/envdrift/vault/azure"
	"github.com/envdrift/envdrift/vault/gcp"
	"github.com/envdrift/envdrift/vault/hashicorp"
)

func encryptedFile(t *testing.T, file string) {
	t.Helper()
	const text = "age-encryption.org/v1\n-> X25519 AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n--- AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n"
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o700), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// opens are the ways to open the vaults without a program of their own.
var opens = map[string]vault.OpenFunc{
	"age": vault.Opener(age.Open), "aws": vault.Opener(aws.Open), "azure": vault.Opener(azure.Open),
	"gcp": vault.Opener(gcp.Open), "hashicorp": vault.Opener(hashicorp.Open),
}

// A variable that names a file may hold the secret itself, or what only looks
// like a path. No error shows its content.
func TestPathVariables(t *testing.T) {
	key := strings.Repeat("0123456789abcdef", 4)
	contents := map[string]bool{ // whether the form shows that it is a secret
		"AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQSGZ4TT": true,
		`{"type": "service_account", "private_key": "hunter2"}`:                      true,
		"-----BEGIN PRIVATE KEY-----\nhunter2\n-----END PRIVATE KEY-----":            true,
		"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.hunter2":                               true,
		"hvs.CAESIhunter2": true, key: true,
		"hunter2": false, filepath.Join(t.TempDir(), "hunter2"): false,
	}
	azure := map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}
	tests := []struct {
		provider, variable string
		env                map[string]string
		cfg                vault.Config
		words              bool // that say what is wrong; the SDK's own may not
	}{
		{"age", "ENVDRIFT_AGE_IDENTITY", nil, vault.Config{}, true},
		{"aws", "AWS_CA_BUNDLE", nil, vault.Config{Region: "r"}, true},
		{"aws", "AWS_WEB_IDENTITY_TOKEN_FILE", map[string]string{"AWS_ROLE_ARN": "arn:aws:iam::1:role/r"}, vault.Config{Region: "r"}, false},
		{"aws", "AWS_CONFIG_FILE", nil, vault.Config{Region: "r", Profile: "p"}, false},
		{"aws", "AWS_SHARED_CREDENTIALS_FILE", nil, vault.Config{Region: "r"}, false},
		{"azure", "AZURE_CLIENT_CERTIFICATE_PATH", azure, vault.Config{}, true},
		{"azure", "AZURE_FEDERATED_TOKEN_FILE", azure, vault.Config{Credential: "workload"}, false},
		{"azure", "SSL_CERT_FILE", nil, vault.Config{}, true},
		{"gcp", "GOOGLE_APPLICATION_CREDENTIALS", nil, vault.Config{ProjectID: "project-1"}, true},
		{"hashicorp", "VAULT_JWT_FILE", nil, vault.Config{Auth: "jwt"}, true},
		{"hashicorp", "VAULT_CACERT", nil, vault.Config{}, true},
		{"hashicorp", "VAULT_CAPATH", nil, vault.Config{}, true},
		{"hashicorp", "VAULT_CLIENT_CERT", nil, vault.Config{}, true},
		{"hashicorp", "VAULT_CLIENT_KEY", nil, vault.Config{}, true},
	}
	for _, tt := range tests {
		t.Run(tt.variable, func(t *testing.T) {
			for content, isSecret := range contents {
				home := t.TempDir()
				env := map[string]string{"HOME": home, tt.variable: content, "AWS_EC2_METADATA_DISABLED": "true"}
				for name, v := range tt.env {
					env[name] = v
				}
				for name, v := range env { // the SDK of AWS reads the process's
					t.Setenv(name, v)
				}
				cfg := tt.cfg
				cfg.Provider, cfg.Dir, cfg.Timeout = tt.provider, home, 2*time.Second
				cfg.Getenv = func(name string) string { return env[name] }
				cfg.URL = map[string]string{"azure": "https://127.0.0.1:1", "hashicorp": "http://127.0.0.1:1"}[tt.provider]
				switch tt.provider {
				case "gcp":
					cfg.Endpoint = "192.0.2.1:1"
				case "age":
					encryptedFile(t, filepath.Join(home, ".envdrift", "vault", "k.age"))
				}
				store, err := opens[tt.provider](t.Context(), cfg)
				if err == nil {
					_, err = store.Get(t.Context(), "k")
				}
				e, ok := errors.AsType[*vault.Error](err)
				if !ok {
					t.Fatalf("%s=%q: %v; want a *vault.Error", tt.variable, content, err)
				}
				text := e.Error() + " → " + e.Remedy
				if strings.Contains(text, content) || strings.Contains(text, "hunter2") || strings.Contains(text, home) {
					t.Errorf("%s=%q: the error shows it: %s", tt.variable, content, text)
				}
				if tt.words && (!strings.Contains(text, tt.variable) || isSecret != strings.Contains(text, "holds the secret itself, not a path")) {
					t.Errorf("%s=%q: %s; want the variable's name, and whether it holds the secret itself: %t", tt.variable, content, text, isSecret)
				}
			}
		})
	}
}
