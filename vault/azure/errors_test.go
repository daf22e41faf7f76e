package azure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	azlog "github.com/Azure/azure-sdk-for-go/sdk/azcore/log"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/azure"
)

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    vault.Config
		env    map[string]string
		detail string
	}{
		{name: "no address", detail: "no vault_url"},
		{name: "clear text", cfg: vault.Config{URL: "http://team.vault.azure.net"}, detail: "https only"},
		{name: "clear text on loopback", cfg: vault.Config{URL: "http://127.0.0.1"}, detail: "https only"},
		{name: "no scheme", cfg: vault.Config{URL: "team.vault.azure.net"}, detail: "form https://HOST/"},
		{name: "password", cfg: vault.Config{URL: "https://u:s3cretS3cret@team.vault.azure.net"}, detail: "form https://HOST/"},
		{name: "a secret's address", cfg: vault.Config{URL: "https://team.vault.azure.net/secrets/a"}, detail: "form https://HOST/"},
		{name: "credential", cfg: vault.Config{Credential: "browser"}, detail: `credential is "browser", not auto, cli,`},
		{name: "environment, empty", cfg: vault.Config{Credential: "environment"}, detail: "AZURE_TENANT_ID is not set"},
		{name: "environment without a password", cfg: vault.Config{Credential: "environment"},
			env: map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}, detail: "neither AZURE_CLIENT_SECRET nor"},
		{name: "half an environment", env: map[string]string{"AZURE_CLIENT_SECRET": "s3cretS3cret"}, detail: "AZURE_TENANT_ID is not set"},
		{name: "no certificate", env: map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_CERTIFICATE_PATH": "errors_test.go"},
			detail: "holds no certificate"},
		{name: "workload, half", cfg: vault.Config{Credential: "workload"}, env: map[string]string{"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"},
			detail: "AZURE_FEDERATED_TOKEN_FILE is not set"},
		{name: "tenant", env: map[string]string{"AZURE_TENANT_ID": "a b", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s3cretS3cret"}, detail: "invalid tenantID"},
		{name: "authority", env: map[string]string{"AZURE_AUTHORITY_HOST": "http://x", "AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s3cretS3cret"},
			detail: "without https"},
		{name: "authorities", env: map[string]string{"SSL_CERT_FILE": "no-such-file"}, detail: "SSL_CERT_FILE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if tt.cfg.URL == "" && tt.name != "no address" {
				tt.cfg.URL = "https://team.vault.azure.net/"
			}
			tt.cfg.Getenv = func(name string) string { return tt.env[name] }
			_, err := azure.Open(t.Context(), tt.cfg)
			e := wantKind(t, err, vault.ErrConfig)
			if !strings.Contains(e.Detail, tt.detail) || strings.Contains(fmt.Sprintf("%+v", e), "s3cretS3cret") {
				t.Errorf("Open = %+v; want the detail %q, and no password", e, tt.detail)
			}
		})
	}
}

// refuse responds as Key Vault does.
func refuse(status int, code, inner, message string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]any{"error": map[string]any{
			"code": code, "message": message, "innererror": map[string]string{"code": inner},
		}})
	}
}

func foreign(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

const value = "q7vAluEmArk"

// TestAnswers makes a vault that is signed in to answer a Get, and then a Put.
func TestAnswers(t *testing.T) {
	t.Parallel()
	const forbidden = "Caller is not authorized to perform action on resource.\r\nCaller: appid=1"
	tests := []struct {
		name           string
		answer         http.HandlerFunc
		kind           error
		detail, remedy string // parts
		put            error  // the kind of a Put, if it differs
	}{
		{name: "not found", answer: refuse(404, "SecretNotFound", "", "A secret with (name/id) app was not found"),
			kind: vault.ErrNotFound, remedy: "az keyvault secret list --vault-name 127"},
		{name: "role missing", answer: refuse(403, "Forbidden", "ForbiddenByRbac", forbidden),
			kind: vault.ErrDenied, detail: "perform action on resource. Caller: appid=1", remedy: "Key Vault Secrets"},
		{name: "policy missing", answer: refuse(403, "Forbidden", "ForbiddenByPolicy", forbidden),
			kind: vault.ErrDenied, remedy: "az keyvault set-policy --name 127 --secret-permissions get"},
		{name: "denied as of old", answer: refuse(403, "Forbidden", "AccessDenied", forbidden), kind: vault.ErrDenied, remedy: "--secret-permissions get"},
		{name: "firewall", answer: refuse(403, "Forbidden", "ForbiddenByFirewall", "Client address is not authorized"),
			kind: vault.ErrDenied, detail: "Client address", remedy: "network-rule add"},
		{name: "disabled", answer: refuse(403, "Forbidden", "SecretDisabled", "Operation get is not allowed"),
			kind: vault.ErrDenied, detail: "the secret is disabled", remedy: "set-attributes --vault-name 127 --name app --enabled true"},
		{name: "throttled for long", answer: refuse(429, "Throttled", "", "", "Retry-After", "3600"), kind: vault.ErrThrottled, detail: "wait 3600 s"},
		{name: "server error", answer: refuse(500, "InternalServerError", "", "oops"), kind: vault.ErrUnavailable, detail: "status 500 oops"},
		{name: "gateway", answer: foreign(502, "<html>"+value), kind: vault.ErrUnavailable, detail: "status 502"},
		{name: "proxy", answer: foreign(403, "<html>"+value), kind: vault.ErrUnavailable, detail: "not an answer of Key Vault"},
		{name: "another server", answer: foreign(404, "nothing here"), kind: vault.ErrUnavailable, detail: "not an answer of Key Vault"},
		{name: "portal", answer: foreign(200, "<html>"+value), kind: vault.ErrUnavailable, detail: "its answer is not one of Key Vault"},
		{name: "number for a text", answer: foreign(200, `{"value": 7777}`), kind: vault.ErrUnavailable, detail: "its answer is not one of Key Vault"},
		{name: "redirect", answer: foreign(302, "", "Location", "https://elsewhere.example/x"), kind: vault.ErrUnavailable, detail: "redirects to https://elsewhere.example"},
		{name: "foreign challenge", answer: foreign(401, "", "WWW-Authenticate", `Basic realm="x"`), kind: vault.ErrConfig, detail: "does not ask to sign in"},
		{name: "broken authority", answer: foreign(401, "", "WWW-Authenticate", `Bearer authorization="https://x", resource="https://vault.azure.net"`), kind: vault.ErrConfig},
		{name: "api version", answer: refuse(400, "BadParameter", "", "The specified version is not recognized"), kind: vault.ErrConfig, detail: "status 400", put: vault.ErrMalformed},
		{name: "echo", answer: refuse(403, "Forbidden", "", "you sent "+value+" and writer-s3cret"), kind: vault.ErrDenied, detail: "[redacted]"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := servertest.AzureKeyVault(t)
			a.Set("ready", value)
			s := open(t, config(a, a.Env("writer")))
			if _, err := s.Get(t.Context(), "ready"); err != nil {
				t.Fatal(err)
			}
			a.Fail(tt.answer)
			_, err := s.Get(t.Context(), "app")
			if tt.name == "echo" {
				a.Fail(tt.answer) // the list, which a Put can do without
				a.Fail(tt.answer)
				_, err = s.Put(t.Context(), "app", secret.New(value), "")
			}
			e := wantKind(t, err, tt.kind)
			if !strings.Contains(e.Detail, tt.detail) || !strings.Contains(e.Remedy, tt.remedy) {
				t.Errorf("detail %q, remedy %q; want %q, %q", e.Detail, e.Remedy, tt.detail, tt.remedy)
			}
			if shown := fmt.Sprintf("%v %+v %#v", err, e, e.Err); strings.Contains(shown, value) || strings.Contains(shown, "s3cret") || strings.Contains(shown, "7777") {
				t.Errorf("the error shows a secret: %s", shown)
			}
			if tt.name == "not found" {
				return // for a Put, that is no error
			}
			a.Fail(tt.answer)
			a.Fail(tt.answer)
			if tt.put == nil {
				tt.put = tt.kind
			}
			if _, err = s.Put(t.Context(), "app", secret.New(value), ""); !errors.Is(err, tt.put) || a.Newest("app") != nil {
				t.Errorf("Put = %v; want %v, and nothing stored", err, tt.put)
			}
		})
	}
}

func TestThrottledMoment(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	a.Set("app", value)
	s := open(t, config(a, a.Env("reader")))
	for _, answer := range []http.HandlerFunc{refuse(429, "Throttled", "", "", "Retry-After", "0"), refuse(429, "Throttled", "", "")} {
		a.Fail(answer)
		if _, err := s.Get(t.Context(), "app"); err != nil {
			t.Errorf("Get after a 429 that asks for no wait = %v", err)
		}
	}
}

// A timeout happens once: Fetch does not ask again.
func TestTimeout(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	cfg := config(a, a.Env("writer"))
	cfg.Timeout = 50 * time.Millisecond
	s := open(t, cfg)
	a.Fail(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	_, err := s.Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); e.Detail != "no answer within 50ms" || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get = %v; want the time, and DeadlineExceeded", err)
	}
}

func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	_, err := open(t, config(a, with(a.Env("writer"), "SSL_CERT_FILE", ""))).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); !strings.Contains(e.Remedy, "SSL_CERT_FILE") {
		t.Errorf("Get = %v, remedy %q; want SSL_CERT_FILE", err, e.Remedy)
	}
}

func TestHangUp(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	a.Fail(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })
	_, err := open(t, config(a, a.Env("writer"))).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); e.Detail != "the connection was broken off" {
		t.Errorf("Get = %v; want a broken connection", err)
	}
}

func TestNoSuchHost(t *testing.T) {
	t.Parallel()
	s := open(t, vault.Config{URL: "https://team.vault.invalid"})
	_, err := s.Get(t.Context(), "app")
	wantKind(t, err, vault.ErrUnavailable)
}

func TestAttributes(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	s := open(t, config(a, a.Env("writer")))
	past, future, no := time.Unix(1e9, 0), time.Now().Add(time.Hour), false
	a.Set("expired", value).Attributes.Expires = &past
	a.Set("early", value).Attributes.NotBefore = &future
	a.Set("disabled", value).Attributes.Enabled = &no
	valid := a.Set("valid", value)
	valid.Attributes.Expires, valid.Attributes.NotBefore = &future, &past

	for name, detail := range map[string]string{
		"expired": "the secret expired on 2001-09-09T01:46:40Z", "early": "the secret is not to be used before", "disabled": "the secret is disabled",
	} {
		_, err := s.Get(t.Context(), name)
		if e := wantKind(t, err, vault.ErrDenied); !strings.Contains(e.Detail, detail) || !strings.Contains(e.Remedy, "--name "+name) {
			t.Errorf("%s: %v, remedy %q; want %q", name, err, e.Remedy, detail)
		}
	}
	if _, err := s.Get(t.Context(), "valid"); err != nil {
		t.Errorf("valid: %v", err)
	}
}

func TestDeletedNameIsHeld(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	a.Set("app", "old")
	a.Delete("app")
	s := open(t, config(a, a.Env("writer")))
	_, err := s.Get(t.Context(), "app")
	wantKind(t, err, vault.ErrNotFound)
	_, err = s.Put(t.Context(), "app", secret.New(value), "")
	if e := wantKind(t, err, vault.ErrConflict); e.Remedy != "az keyvault secret recover --vault-name 127 --name app" {
		t.Errorf("Put = %v, remedy %q; want how to recover", err, e.Remedy)
	}
}

func TestPutKeepsTags(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	kind, owner := "text/plain", "team"
	old := a.Set("app", "old")
	old.ContentType, old.Tags = &kind, map[string]*string{"owner": &owner}
	version, err := open(t, config(a, a.Env("writer"))).Put(t.Context(), "app", secret.New(value), old.ID.Version())
	got := a.Newest("app")
	if err != nil || got.ID.Version() != version || *got.Value != value || got.ContentType == nil || *got.ContentType != kind ||
		got.Tags["owner"] == nil || *got.Tags["owner"] != owner {
		t.Errorf("Put = %q, %v, which stored %+v; want content type and tags as before", version, err, got)
	}
}

// Many Gets at once sign in once, and only the first is refused.
func TestRequests(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	s := open(t, config(a, a.Env("reader")))
	if n := len(a.Requests()); n != 0 {
		t.Errorf("Open sent %d requests; want none", n)
	}
	var wg sync.WaitGroup
	for i := range 20 {
		name := fmt.Sprintf("app-%d", i)
		a.Set(name, value)
		wg.Go(func() {
			if _, err := s.Get(t.Context(), name); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	count := map[string]int{}
	for _, r := range a.Requests() {
		method, rest, _ := strings.Cut(r, " ")
		path, status, _ := strings.Cut(rest, " ")
		if strings.HasPrefix(path, "/secrets/") {
			path = "/secrets/"
		}
		count[method+" "+path+" "+status]++
	}
	tenant := "/" + servertest.AzureTenant
	want := map[string]int{
		"GET /secrets/ 401": 1, "GET /secrets/ 200": 20,
		"GET " + tenant + "/v2.0/.well-known/openid-configuration 200": 1, "POST " + tenant + "/oauth2/v2.0/token 200": 1,
	}
	if fmt.Sprint(count) != fmt.Sprint(want) {
		t.Errorf("20 Gets made the requests %v; want %v", count, want)
	}
}

// A vault that is used after a failed sign-in sends no more requests.
func TestRefusedOnce(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	s := open(t, config(a, with(a.Env("reader"), "AZURE_CLIENT_SECRET", "wrong")))
	for range 3 {
		_, err := s.Get(t.Context(), "app")
		if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Detail, "AADSTS7000215") || strings.Contains(e.Detail, "Trace ID") ||
			strings.Contains(e.Detail, "wrong") || !strings.Contains(e.Remedy, "AZURE_CLIENT_SECRET") {
			t.Errorf("Get = %v, remedy %q; want Entra's reason and the variables", err, e.Remedy)
		}
	}
	if got := a.Requests(); len(got) != 3 {
		t.Errorf("3 Gets made the requests %q; want one sign-in", got)
	}
}

func TestEntraUnavailable(t *testing.T) {
	t.Parallel()
	down := httptest.NewTLSServer(foreign(503, "<html>"))
	a := servertest.AzureKeyVault(t)
	cfg := config(a, with(a.Env("reader"), "AZURE_AUTHORITY_HOST", down.URL)) // the same test certificate
	_, err := open(t, cfg).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); !strings.Contains(e.Detail, "signing in: 127.0.0.1") || !strings.Contains(e.Detail, "status 503") {
		t.Errorf("Get = %v; want where and the status", err)
	}
	down.Close()
	_, err = open(t, cfg).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); !strings.Contains(e.Detail, "signing in: 127.0.0.1") || !strings.Contains(e.Detail, "connection refused") {
		t.Errorf("Get = %v; want where it was refused", err)
	}
}

func TestAnotherTenant(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	_, err := open(t, config(a, with(a.Env("reader"), "AZURE_TENANT_ID", "contoso.example"))).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Detail, "AZURE_TENANT_ID is contoso.example, but the vault is of the tenant "+servertest.AzureTenant) {
		t.Errorf("Get = %v; want both tenants", err)
	}
}

// What the SDK logs contains no secret, if a user turns logging on.
func TestLogHoldsNoSecret(t *testing.T) {
	var mu sync.Mutex
	var log strings.Builder
	azlog.SetListener(func(_ azlog.Event, message string) {
		mu.Lock()
		defer mu.Unlock()
		log.WriteString(message)
	})
	defer azlog.SetListener(nil)
	a := servertest.AzureKeyVault(t)
	for _, identity := range []string{"writer", "nobody"} {
		s := open(t, config(a, a.Env(identity)))
		_, _ = s.Put(t.Context(), "app", secret.New(value), "")
		_, _ = s.Get(t.Context(), "app")
	}
	for _, s := range []string{value, "writer-s3cret", "nobody-s3cret", servertest.AzureToken} {
		if !strings.Contains(log.String(), "GET") || strings.Contains(log.String(), s) {
			t.Errorf("the SDK's log holds %q, or nothing:\n%s", s, log.String())
		}
	}
}
