package secret_test

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
)

const key = "0123456789abcdef0123456789ABCDEF0123456789abcdef0123456789abcdef"

// What each secret begins and ends with must be gone.
var secrets = map[string]string{
	"private key":    key,
	"two keys":       key + key,
	"age identity":   "AGE-SECRET-KEY-1QQPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQYQSZQGPQSGZ4TT",
	"post-quantum":   "AGE-SECRET-KEY-PQ-1QQPQYQSZ",
	"lowercase":      "age-secret-key-1qqpqyqsz",
	"Vault token":    "hvs.CAESIJ8a-_b1",
	"batch token":    "hvb.AAAAAQJ8a-_b1",
	"OpenBao token":  "s.6ZtgRH5uVsTqkq2r8nOqAbCd",
	"JSON web token": "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2ln-_bmF0dXJl",
	"Google token":   "ya29.a0AfB_byC-x",
	"Entra secret":   "abc8Q~dEfGhIjKlMnOpQrStUvWxYz0123456789",
	"PEM":            "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1r\n-----END OPENSSH PRIVATE KEY-----",
	"PEM, cut":       "-----BEGIN PRIVATE KEY-----\nb3BlbnNzaC1r",
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for name, s := range secrets {
		for _, around := range []string{"%", "x %", "token=%, next", `{"t":"%"}`, "a:%;b"} {
			text := strings.Replace(around, "%", s, 1)
			if strings.HasSuffix(name, "cut") {
				text = strings.TrimSuffix(text, strings.SplitN(around, "%", 2)[1])
			}
			got := secret.Redact(text)
			if strings.Contains(got, s[:8]) || strings.Contains(got, s[len(s)-6:]) || !strings.Contains(got, "[redacted]") {
				t.Errorf("%s: Redact(%q) = %q", name, text, got)
			}
		}
	}
	for _, harmless := range []string{
		"", "permission denied", "03" + key, "02" + key,
		"secret/data/myapp/production/DOTENV_PRIVATE_KEY_PRODUCTION",
		"s.example.com", "0123456789012345678901234567890123456789",
		"age1qqpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqyqszqgpqsgz4tt",
		"https://vault.example.com/secrets/x/0123456789abcdef0123456789abcdef",
		"-----BEGIN CERTIFICATE-----",
	} {
		if got := secret.Redact(harmless); got != harmless {
			t.Errorf("Redact(%q) = %q; want it as it is", harmless, got)
		}
	}
}

func TestReadFile(t *testing.T) {
	t.Parallel()
	all := map[string]string{"JSON": `{"type": "service_account"}`, "blank JSON": "\n {}"}
	maps.Copy(all, secrets)
	for name, s := range all {
		_, err := secret.ReadFile("X_FILE", s)
		if err == nil || err.Error() != "X_FILE holds the secret itself, not a path" {
			t.Errorf("%s: ReadFile = %v; want that it is no path", name, err)
		}
		if err := secret.CheckPath("X_FILE", s); err == nil || strings.Contains(err.Error(), s) {
			t.Errorf("%s: CheckPath = %v; want that it is no path", name, err)
		}
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if data, err := secret.ReadFile("X_FILE", file); string(data) != "text" || err != nil {
		t.Errorf("ReadFile = %q, %v; want text", data, err)
	}
	if err := secret.CheckPath("X_FILE", file); err != nil {
		t.Errorf("CheckPath = %v; want nil", err)
	}
	for path, kind := range map[string]error{file + "-hunter2": fs.ErrNotExist, file + "/hunter2": nil, dir: nil, "hunter2\x00": nil} {
		_, err := secret.ReadFile("X_FILE", path)
		e, ok := errors.AsType[*secret.PathError](err)
		if !ok || e.Itself || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), dir) ||
			!strings.HasPrefix(err.Error(), "the file that X_FILE names cannot be used: ") || kind != nil && !errors.Is(err, kind) {
			t.Errorf("ReadFile(%q) = %v; want a *PathError without it", path, err)
		}
	}
}

func TestNameSettings(t *testing.T) {
	t.Parallel()
	env := map[string]string{"A": "/x/hunter2"}
	getenv := func(name string) string { return env[name] }
	if got := secret.NameSettings("open /x/hunter2: no such file", getenv, "A", "B"); got != "open $A: no such file" {
		t.Errorf("NameSettings = %q", got)
	}
}
