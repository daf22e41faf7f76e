//go:build unix

package azure_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
)

// install puts a script named tool where the SDK looks for az and azd.
func install(t *testing.T, dir, tool, script string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, tool), []byte("#!/bin/sh\necho run >> "+dir+"/"+tool+".log\n"+script), 0o700); err != nil {
		t.Fatal(err)
	}
}

func runs(t *testing.T, dir, tool string) int {
	t.Helper()
	log, err := os.ReadFile(filepath.Join(dir, tool+".log"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return strings.Count(string(log), "run")
}

const noSession = `echo "ERROR: Please run 'az login' to setup account." >&2; exit 1`

func TestDeveloperTools(t *testing.T) {
	a := servertest.AzureKeyVault(t)
	a.Set("app", value)
	az := fmt.Sprintf(`echo '{"accessToken": "%s", "expires_on": 4102444800}'`, a.Token("reader"))
	azd := fmt.Sprintf(`echo '{"token": "%s", "expiresOn": "2100-01-01T00:00:00Z"}'`, a.Token("reader"))
	tests := []struct {
		name, az, azd  string // scripts; "" if not installed
		credential     string
		detail, remedy string // of ErrUnauthenticated; "" for success
		azRuns         int
		azdRuns        int
	}{
		{name: "az", az: az, azd: azd, azRuns: 1},
		{name: "az, chosen", az: az, azd: azd, credential: "cli", azRuns: 1},
		{name: "azd, chosen", az: az, azd: azd, credential: "devcli", azdRuns: 1},
		{name: "azd where az has no session", az: noSession, azd: azd, azRuns: 1, azdRuns: 1},
		{name: "azd where az is not installed", azd: azd, azdRuns: 1},
		{name: "no session", az: noSession, detail: "az: ERROR: Please run 'az login' to setup account; azd: executable not found on path",
			remedy: "az login --tenant " + servertest.AzureTenant, azRuns: 1},
		{name: "nothing installed", detail: "az: executable not found on path; azd: executable not found on path", remedy: "az login"},
		{name: "azd has no session", az: az, credential: "devcli", azd: "exit 1", detail: "azd: exit status 1", remedy: "azd auth login", azdRuns: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Setenv("PATH", dir+":/usr/bin:/bin")
			for tool, script := range map[string]string{"az": tt.az, "azd": tt.azd} {
				if script != "" {
					install(t, dir, tool, script)
				}
			}
			cfg := config(a, map[string]string{"SSL_CERT_FILE": a.CACert})
			cfg.Credential = tt.credential
			s := open(t, cfg)
			var wg sync.WaitGroup
			for range 4 {
				wg.Go(func() {
					_, err := s.Get(t.Context(), "app")
					if tt.detail == "" {
						if err != nil {
							t.Errorf("Get = %v", err)
						}
						return
					}
					if e := wantKind(t, err, vault.ErrUnauthenticated); e.Detail != tt.detail || !strings.Contains(e.Remedy, tt.remedy) {
						t.Errorf("Get = %v, remedy %q; want %q, %q", err, e.Remedy, tt.detail, tt.remedy)
					}
				})
			}
			wg.Wait()
			if az, azd := runs(t, dir, "az"), runs(t, dir, "azd"); az != tt.azRuns || azd != tt.azdRuns {
				t.Errorf("4 Gets ran az %d times and azd %d times; want %d and %d", az, azd, tt.azRuns, tt.azdRuns)
			}
		})
	}
}

func TestWorkloadIdentity(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	a.Set("app", value)
	file := filepath.Join(t.TempDir(), "token")
	env := with(a.Env("reader"), "AZURE_CLIENT_SECRET", "", "AZURE_FEDERATED_TOKEN_FILE", file)
	_, err := open(t, config(a, env)).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Detail, "no such file") || !strings.Contains(e.Remedy, "AZURE_FEDERATED_TOKEN_FILE") {
		t.Errorf("Get without the token's file = %v, remedy %q", err, e.Remedy)
	}
	if err := os.WriteFile(file, []byte("reader-s3cret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, credential := range []string{"", "auto", "workload"} {
		cfg := config(a, env)
		cfg.Credential = credential
		if _, err := open(t, cfg).Get(t.Context(), "app"); err != nil {
			t.Errorf("credential %q: Get = %v", credential, err)
		}
	}
}

// The SDK reads the address of a managed identity from the process's
// environment.
func TestManagedIdentity(t *testing.T) {
	a := servertest.AzureKeyVault(t)
	a.Set("app", value)
	answers := false
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !answers || r.Header.Get("X-IDENTITY-HEADER") != "h3ader" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"error": "invalid_request", "error_description": "Identity not found"}`))
			return
		}
		_, _ = fmt.Fprintf(w, `{"access_token": "%s", "expires_on": "4102444800", "token_type": "Bearer", "resource": "%s"}`, a.Token("reader"), r.FormValue("resource"))
	}))
	t.Cleanup(identity.Close)
	t.Setenv("IDENTITY_ENDPOINT", identity.URL)
	t.Setenv("IDENTITY_HEADER", "h3ader")
	t.Setenv("PATH", t.TempDir()+":/usr/bin:/bin")
	env := map[string]string{
		"SSL_CERT_FILE": a.CACert, "IDENTITY_ENDPOINT": identity.URL, "IDENTITY_HEADER": "h3ader",
		"AZURE_CLIENT_ID": identity.URL, // a new one: the SDK keeps tokens for the whole process
	}
	_, err := open(t, config(a, env)).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Detail, "managed identity: ") || !strings.Contains(e.Remedy, "assign a managed identity") {
		t.Errorf("Get = %v, remedy %q", err, e.Remedy)
	}

	answers = true
	for _, credential := range []string{"auto", "managed"} {
		cfg := config(a, env)
		cfg.Credential = credential
		if _, err := open(t, cfg).Get(t.Context(), "app"); err != nil {
			t.Errorf("credential %q: Get = %v", credential, err)
		}
	}
}
