//go:build integration

package hashicorp_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

const everything = `path "*" { capabilities = ["create", "read", "update", "list"] }`

func config(b *servertest.Bao, env map[string]string) vault.Config {
	return vault.Config{Provider: "hashicorp", URL: b.URL, Getenv: getenv(env)}
}

// seed stores fields where a version 2 engine keeps them.
func seed(t *testing.T, b *servertest.Bao, path string, fields map[string]any) {
	t.Helper()
	b.Do(t, "PUT", path, map[string]any{"data": fields})
}

func wantKey(t *testing.T, cfg vault.Config, name, want string) {
	t.Helper()
	got, err := open(t, cfg).Get(t.Context(), name)
	if err != nil || got.Value.Reveal() != want {
		t.Errorf("Get(%q) = %q, %v; want %q", name, got.Value.Reveal(), err, want)
	}
}

func wantKind(t *testing.T, cfg vault.Config, name string, kind error) *vault.Error {
	t.Helper()
	_, err := open(t, cfg).Get(t.Context(), name)
	var e *vault.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		t.Fatalf("Get(%q) = %v; want %v", name, err, kind)
	}
	return e
}

func TestServer(t *testing.T) {
	t.Parallel()
	b := servertest.OpenBao(t)
	b.Do(t, "PUT", "sys/mounts/kv1", map[string]any{"type": "kv", "options": map[string]string{"version": "1"}})
	seed(t, b, "secret/data/app", map[string]any{"value": "k"})
	token := b.Policy(t, "everything", everything)
	powerless := b.Policy(t, "nothing", `path "*" { capabilities = ["deny"] }`)

	for mount, unversioned := range map[string]bool{"secret": false, "kv1": true} {
		t.Run("conformance "+mount, func(t *testing.T) {
			t.Parallel()
			vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
				return serverFixture(t, b, mount, unversioned, token, powerless)
			})
		})
	}
	for name, test := range map[string]func(*testing.T, *servertest.Bao){
		"deleted and destroyed": testDeleted, "siblings": testSiblings, "policies": testPolicies,
		"expired token": testExpired, "namespaces": testNamespaces, "mounts": testMounts,
		"names of the API": testNamesOfTheAPI, "used up": testUsedUp, "no default policy": testNoDefaultPolicy,
		"approle": testAppRole, "jwt": testJWT, "kubernetes": testKubernetes,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, b) })
	}
}

func serverFixture(t *testing.T, b *servertest.Bao, mount string, unversioned bool, token, powerless string) vaulttest.Fixture {
	with := func(token string) vault.Config {
		cfg := config(b, withToken(token))
		cfg.Mount = mount
		return cfg
	}
	away := with(token)
	away.URL = "http://" + servertest.Closed(t)
	folder := strings.ReplaceAll(t.Name(), "/", "-")
	name := func(short string) string { return folder + "/" + short }
	put := func(name string, fields map[string]any) {
		if unversioned {
			b.Do(t, "PUT", mount+"/"+name, fields)
			return
		}
		seed(t, b, mount+"/data/"+name, fields)
	}
	f := vaulttest.Fixture{
		Store:           open(t, with(token)),
		Reopen:          func() vault.Store { return open(t, with(token)) },
		Name:            name,
		Seed:            func(name, raw string) { put(name, map[string]any{"value": raw}) },
		BadNames:        badNames,
		Credentials:     []string{token, powerless},
		Denied:          open(t, with(powerless)),
		Unauthenticated: open(t, with("s.nobody")),
		Unavailable:     open(t, away),
		Malformed:       map[string]func(string){"empty value": func(name string) { put(name, map[string]any{"value": ""}) }},
		Pin:             func(name, version string) string { return name + "?version=" + version },
		Lacks:           map[vaulttest.Capability]string{},
	}
	if unversioned {
		f.Lacks, f.Pin = versionless, nil
	}
	return f
}

func testDeleted(t *testing.T, b *servertest.Bao) {
	cfg := config(b, withToken(b.Token))
	for range 3 {
		seed(t, b, "secret/data/gone", map[string]any{"value": "k"})
	}
	b.Do(t, "DELETE", "secret/data/gone", nil)
	b.Do(t, "PUT", "secret/destroy/gone", map[string]any{"versions": []int{2}})

	e := wantKind(t, cfg, "gone", vault.ErrNotFound)
	if e.Detail != "version 3 was deleted" || e.Remedy != "vault kv undelete -mount=secret -versions=3 gone" {
		t.Errorf("deleted: detail %q, remedy %q", e.Detail, e.Remedy)
	}
	if e := wantKind(t, cfg, "gone?version=2", vault.ErrNotFound); e.Detail != "version 2 was destroyed" {
		t.Errorf("destroyed: detail %q", e.Detail)
	}
	wantKind(t, cfg, "gone?version=9", vault.ErrNotFound)
	wantKey(t, cfg, "gone?version=1", "k")

	version, err := open(t, cfg).Put(t.Context(), "gone", secret.New("new"), "")
	if err != nil || version != "4" {
		t.Errorf("Put on a deleted version = %q, %v; want 4", version, err)
	}
}

func testSiblings(t *testing.T, b *servertest.Bao) {
	fields := map[string]any{"DOTENV_PRIVATE_KEY_CI": "old", "note": "keep", "count": 12.0}
	seed(t, b, "secret/data/shared", fields)
	b.Do(t, "PUT", "kv1/shared", fields)
	for _, mount := range []string{"secret", "kv1"} {
		cfg := config(b, withToken(b.Token))
		cfg.Mount = mount
		s := open(t, cfg)
		seen, err := s.Get(t.Context(), "shared")
		if err != nil {
			t.Fatalf("Get = %v", err)
		}
		if _, err := s.Put(t.Context(), "shared", secret.New("DOTENV_PRIVATE_KEY_CI=new"), seen.Version); err != nil {
			t.Fatalf("Put = %v", err)
		}
	}
	want := maps.Clone(fields)
	want["DOTENV_PRIVATE_KEY_CI"] = "new"
	v1, _ := b.Do(t, "GET", "kv1/shared", nil)["data"].(map[string]any)
	v2, _ := b.Do(t, "GET", "secret/data/shared", nil)["data"].(map[string]any)
	fields2, _ := v2["data"].(map[string]any)
	if !maps.Equal(v1, want) || !maps.Equal(fields2, want) {
		t.Errorf("after Put, version 1 holds %v and version 2 %v; want %v", v1, fields2, want)
	}
}

// testPolicies uses a token with the policy in the docs: read on one engine's
// path.
func testPolicies(t *testing.T, b *servertest.Bao) {
	reader := b.Policy(t, "reader", `path "secret/data/app" { capabilities = ["read"] }`)
	cfg := config(b, withToken(reader))
	wantKey(t, cfg, "app", "k")
	if e := wantKind(t, cfg, "other", vault.ErrDenied); !strings.Contains(e.Remedy, `"secret/data/other" { capabilities = ["read"] }`) {
		t.Errorf("denied: remedy %q; want the policy's line", e.Remedy)
	}
	_, err := open(t, cfg).Put(t.Context(), "app", secret.New("k2"), "1")
	if !errors.Is(err, vault.ErrDenied) {
		t.Errorf("Put with read alone = %v; want ErrDenied", err)
	}
	b.Do(t, "PUT", "kv1/app", map[string]any{"value": "k1"})
	cfg = config(b, withToken(b.Policy(t, "reader1", `path "kv1/app" { capabilities = ["read"] }`)))
	cfg.Mount = "kv1"
	wantKey(t, cfg, "app", "k1")
}

func testExpired(t *testing.T, b *servertest.Bao) {
	token := b.NewToken(t, map[string]any{"ttl": "1s"})
	waitEnd(t, b, token)
	if e := wantKind(t, config(b, withToken(token)), "app", vault.ErrUnauthenticated); !strings.Contains(e.Remedy, "vault login") {
		t.Errorf("expired token: remedy %q; want vault login", e.Remedy)
	}
}

// waitEnd returns when the server no longer knows token.
func waitEnd(t *testing.T, b *servertest.Bao, token string) {
	t.Helper()
	for deadline := time.After(time.Minute); ; {
		req, err := http.NewRequestWithContext(t.Context(), "GET", b.URL+"/v1/auth/token/lookup-self", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("X-Vault-Token", token)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusForbidden {
			return
		}
		select {
		case <-deadline:
			t.Fatal("the token does not end")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func testNamespaces(t *testing.T, b *servertest.Bao) {
	b.Do(t, "PUT", "sys/namespaces/team", nil)
	b.Do(t, "PUT", "team:sys/mounts/secret", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	seed(t, b, "team:secret/data/inside", map[string]any{"value": "k-team"})

	cfg := config(b, withToken(b.Token))
	cfg.Namespace = "team/"
	wantKey(t, cfg, "inside", "k-team")
	wantKey(t, config(b, map[string]string{"VAULT_TOKEN": b.Token, "VAULT_NAMESPACE": "team"}), "inside", "k-team")
	wantKind(t, config(b, withToken(b.Token)), "inside", vault.ErrNotFound)
}

func testMounts(t *testing.T, b *servertest.Bao) {
	b.Do(t, "PUT", "sys/mounts/group/kv", map[string]any{"type": "kv", "options": map[string]string{"version": "2"}})
	seed(t, b, "group/kv/data/app", map[string]any{"value": "k-mount"})
	cfg := config(b, withToken(b.Token))
	cfg.Mount = "/group/kv/"
	for _, name := range []string{"app", "group/kv/app", "group/kv/data/app", "group/kv/data/app?version=1"} {
		wantKey(t, cfg, name, "k-mount")
	}
	cfg.Mount = "nowhere"
	wantKind(t, cfg, "app", vault.ErrConfig)
}

func testAppRole(t *testing.T, b *servertest.Bao) {
	b.Do(t, "PUT", "sys/auth/approle", map[string]string{"type": "approle"})
	b.Do(t, "PUT", "auth/approle/role/ci", map[string]string{"token_policies": "everything"})
	role, _ := b.Do(t, "GET", "auth/approle/role/ci/role-id", nil)["data"].(map[string]any)
	id, _ := b.Do(t, "PUT", "auth/approle/role/ci/secret-id", nil)["data"].(map[string]any)
	env := map[string]string{"VAULT_ROLE_ID": role["role_id"].(string), "VAULT_SECRET_ID": id["secret_id"].(string)}
	cfg := config(b, env)
	cfg.Auth = "approle"

	s := open(t, cfg)
	for range 3 {
		if _, err := s.Get(t.Context(), "app"); err != nil {
			t.Fatalf("Get = %v", err)
		}
		b.Do(t, "PUT", "sys/leases/revoke-prefix/auth/approle/login", nil) // ends the token in use
	}

	env["VAULT_SECRET_ID"] = "wrong"
	if e := wantKind(t, cfg, "app", vault.ErrUnauthenticated); !strings.Contains(e.Detail, "invalid role or secret ID") {
		t.Errorf("wrong secret id: detail %q; want the server's words", e.Detail)
	}
	cfg.AuthMount = "elsewhere" // the server does not reveal to strangers what is mounted
	if e := wantKind(t, cfg, "app", vault.ErrUnauthenticated); !strings.Contains(e.Remedy, "auth_mount") {
		t.Errorf("no such auth method: remedy %q; want auth_mount", e.Remedy)
	}
}

func testJWT(t *testing.T, b *servertest.Bao) {
	key, public := newKey(t)
	b.Do(t, "PUT", "sys/auth/gitlab", map[string]string{"type": "jwt"})
	b.Do(t, "PUT", "auth/gitlab/config", map[string]any{"jwt_validation_pubkeys": []string{public}})
	b.Do(t, "PUT", "auth/gitlab/role/ci", map[string]any{
		"role_type": "jwt", "user_claim": "sub", "bound_audiences": []string{"vault"},
		"bound_claims": map[string]string{"project": "app"}, "token_policies": []string{"everything"},
	})
	claims := map[string]any{"sub": "job", "aud": "vault", "project": "app", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	env := map[string]string{"VAULT_JWT": sign(t, key, claims)}
	cfg := config(b, env)
	cfg.Auth, cfg.AuthMount, cfg.Role = "jwt", "gitlab", "ci"
	wantKey(t, cfg, "app", "k")

	claims["project"] = "other"
	env["VAULT_JWT"] = sign(t, key, claims)
	if e := wantKind(t, cfg, "app", vault.ErrUnauthenticated); !strings.Contains(e.Detail, "claim") {
		t.Errorf("wrong claim: detail %q; want the server's words", e.Detail)
	}
	env["VAULT_JWT"] = "not.a.jwt"
	wantKind(t, cfg, "app", vault.ErrUnauthenticated)
}

// testKubernetes makes the server ask a fake cluster which pod a token is from.
func testKubernetes(t *testing.T, b *servertest.Bao) {
	user := map[string]any{"username": "system:serviceaccount:default:app", "uid": "u1", "groups": []string{"system:serviceaccounts"}}
	cluster := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusCreated, map[string]any{
			"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview",
			"status": map[string]any{"authenticated": true, "user": user},
		})
	}))
	t.Cleanup(cluster.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cluster.Certificate().Raw})
	key, _ := newKey(t)
	pod := sign(t, key, map[string]any{
		"iss": "kubernetes/serviceaccount", "sub": user["username"], "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix(),
		"kubernetes.io/serviceaccount/namespace":            "default",
		"kubernetes.io/serviceaccount/service-account.name": "app",
		"kubernetes.io/serviceaccount/service-account.uid":  "u1",
	})
	b.Do(t, "PUT", "sys/auth/kubernetes", map[string]string{"type": "kubernetes"})
	b.Do(t, "PUT", "auth/kubernetes/config", map[string]any{
		"kubernetes_host": cluster.URL, "kubernetes_ca_cert": string(ca), "token_reviewer_jwt": pod, "disable_local_ca_jwt": true,
	})
	b.Do(t, "PUT", "auth/kubernetes/role/app", map[string]any{
		"bound_service_account_names": []string{"app"}, "bound_service_account_namespaces": []string{"default"},
		"token_policies": []string{"everything"},
	})
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, pod)
	cfg := config(b, map[string]string{"VAULT_JWT_FILE": file})
	cfg.Auth, cfg.Role = "kubernetes", "app"
	wantKey(t, cfg, "app", "k")
	cfg.Role = "other"
	wantKind(t, cfg, "app", vault.ErrUnauthenticated)
}

func newKey(t *testing.T) (key *ecdsa.PrivateKey, public string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	return key, string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes a JSON web token of claims (RFC 7515, ES256).
func sign(t *testing.T, key *ecdsa.PrivateKey, claims map[string]any) string {
	t.Helper()
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	signature := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func TestServerTLS(t *testing.T) {
	t.Parallel()
	b := servertest.OpenBao(t, "-dev-tls")
	seed(t, b, "secret/data/app", map[string]any{"value": "k"})
	ca, err := os.ReadFile(b.CACert)
	if err != nil {
		t.Fatal(err)
	}
	certs := t.TempDir()
	write(t, filepath.Join(certs, "ca.pem"), string(ca))
	wantKey(t, config(b, map[string]string{"VAULT_TOKEN": b.Token, "VAULT_CACERT": b.CACert}), "app", "k")
	wantKey(t, config(b, map[string]string{"VAULT_TOKEN": b.Token, "VAULT_CACERT_BYTES": string(ca)}), "app", "k")
	wantKey(t, config(b, map[string]string{"VAULT_TOKEN": b.Token, "VAULT_CAPATH": certs}), "app", "k")
	wantKey(t, config(b, map[string]string{"VAULT_TOKEN": b.Token, "VAULT_SKIP_VERIFY": "1"}), "app", "k")
	if e := wantKind(t, config(b, withToken(b.Token)), "app", vault.ErrUnavailable); !strings.Contains(e.Remedy, "VAULT_CACERT") {
		t.Errorf("unknown authority: remedy %q; want VAULT_CACERT", e.Remedy)
	}
	cfg := config(b, withToken(b.Token))
	cfg.URL = "http" + strings.TrimPrefix(b.URL, "https")
	wantKind(t, cfg, "app", vault.ErrUnavailable)
}

func TestServerSealed(t *testing.T) {
	t.Parallel()
	b := servertest.OpenBao(t)
	b.Do(t, "PUT", "sys/seal", nil)
	e := wantKind(t, config(b, withToken(b.Token)), "app", vault.ErrUnavailable)
	if e.Detail != "the server is sealed" || e.Remedy != "vault operator unseal" {
		t.Errorf("sealed: detail %q, remedy %q", e.Detail, e.Remedy)
	}
}

// Two hundred mappings succeed under a quota of twenty requests a second, though
// the server does not say how long to wait.
func TestQuota(t *testing.T) {
	t.Parallel()
	b := servertest.OpenBao(t)
	seed(t, b, "secret/data/app", map[string]any{"value": "k"})
	b.Do(t, "PUT", "sys/quotas/rate-limit/few", map[string]any{"rate": 20, "interval": "1s", "path": "secret"})
	waited := 0
	cfg := config(b, withToken(b.Token))
	cfg.Notice = func(string) { waited++ }
	store := open(t, cfg)
	var requests []vault.Request
	for i := range 200 { // each name once: what is asked for twice is fetched once
		seedName := fmt.Sprintf("app?version=%d", i+1)
		requests = append(requests, vault.Request{Store: store, Name: seedName})
	}
	for i, r := range vault.Fetch(t.Context(), requests, 8) {
		if want := map[bool]error{true: nil, false: vault.ErrNotFound}[i == 0]; !errors.Is(r.Err, want) {
			t.Errorf("%s: %v; want %v", requests[i].Name, r.Err, want)
		}
	}
	if waited != 1 {
		t.Errorf("it was said %d times that requests wait; want once", waited)
	}
}

func testNamesOfTheAPI(t *testing.T, b *servertest.Bao) {
	token := b.Policy(t, "api names", `path "secret/data/*" { capabilities = ["create", "read", "update"] }`)
	for _, name := range []string{"data/new", "metadata/new", "config"} {
		s := open(t, config(b, withToken(token)))
		if _, err := s.Get(t.Context(), name); !errors.Is(err, vault.ErrNotFound) {
			t.Errorf("Get(%q) = %v; want ErrNotFound", name, err)
		}
		if _, err := s.Put(t.Context(), name, secret.New("k"), ""); err != nil {
			t.Errorf("Put(%q) = %v", name, err)
		}
		wantKey(t, config(b, withToken(token)), name, "k")
	}
	powerless := b.Policy(t, "api nothing", `path "sys/x" { capabilities = ["read"] }`)
	wantKind(t, config(b, withToken(powerless)), "data/new", vault.ErrDenied)
	wantKind(t, config(b, withToken("s.nobody")), "data/new", vault.ErrUnauthenticated)
	cfg := config(b, withToken(token))
	cfg.Namespace = "nowhere"
	if e := wantKind(t, cfg, "app", vault.ErrConfig); !strings.Contains(e.Detail, "namespace") {
		t.Errorf("Get in no namespace = %v", e)
	}
}

func testUsedUp(t *testing.T, b *servertest.Bao) {
	b.Do(t, "PUT", "kv1/app", map[string]any{"value": "k"})
	once := map[string]any{"policies": []string{"everything"}, "num_uses": 1}
	cfg := config(b, withToken(b.NewToken(t, once)))
	cfg.Mount = "kv1"
	if e := wantKind(t, cfg, "app", vault.ErrUnauthenticated); !strings.Contains(e.Remedy, "kv_version") {
		t.Errorf("one use, KV 1: %v, remedy %q; want kv_version", e, e.Remedy)
	}
	cfg = config(b, withToken(b.NewToken(t, once)))
	cfg.Mount, cfg.KVVersion = "kv1", 1
	wantKey(t, cfg, "app", "k")
	wantKey(t, config(b, withToken(b.NewToken(t, once))), "app", "k")

	body, _ := json.Marshal(map[string]any{"policies": []string{"everything"}})
	req, _ := http.NewRequest("POST", b.URL+"/v1/auth/token/create", bytes.NewReader(body))
	req.Header.Set("X-Vault-Token", b.Token)
	req.Header.Set("X-Vault-Wrap-TTL", "60s")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var wrapped struct {
		Info struct{ Token string } `json:"wrap_info"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&wrapped); err != nil || wrapped.Info.Token == "" {
		t.Fatal("no wrapping token", err)
	}
	if e := wantKind(t, config(b, withToken(wrapped.Info.Token)), "app", vault.ErrUnauthenticated); !strings.Contains(e.Remedy, "vault unwrap") {
		t.Errorf("wrapping token: %v, remedy %q; want vault unwrap", e, e.Remedy)
	}
}

func testNoDefaultPolicy(t *testing.T, b *servertest.Bao) {
	token := b.NewToken(t, map[string]any{"policies": []string{"nothing here"}, "no_default_policy": true})
	if e := wantKind(t, config(b, withToken(token)), "app", vault.ErrDenied); !strings.Contains(e.Remedy, "policy") {
		t.Errorf("Get = %v, remedy %q; want a policy", e, e.Remedy)
	}
}
