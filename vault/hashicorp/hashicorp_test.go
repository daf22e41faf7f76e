package hashicorp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/hashicorp"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

var versionless = map[vaulttest.Capability]string{
	vaulttest.Pins: "a KV engine of version 1 keeps no versions",
}

var badNames = []string{"a//b", "a/", "../a", "a/./b", "a?version=x", "a?b"}

func TestConformance(t *testing.T) {
	t.Parallel()
	for _, kv := range []int{1, 2} {
		t.Run(fmt.Sprint("v", kv), func(t *testing.T) {
			t.Parallel()
			vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture { return fakeFixture(t, kv) })
		})
	}
}

func fakeFixture(t *testing.T, kv int) vaulttest.Fixture {
	f := newFake(t, kv)
	f.tokens["hvs.powerless"] = false
	fixture := vaulttest.Fixture{
		Store:           open(t, f.config(withToken(token))),
		Reopen:          func() vault.Store { return open(t, f.config(withToken(token))) },
		Name:            func(short string) string { return "team/" + short },
		Seed:            func(name, raw string) { f.seed(name, map[string]any{"value": raw}) },
		BadNames:        badNames,
		Credentials:     []string{token, "hvs.powerless", "hvs.expired"},
		Denied:          open(t, f.config(withToken("hvs.powerless"))),
		Unauthenticated: open(t, f.config(withToken("hvs.expired"))),
		Unavailable:     open(t, vault.Config{URL: "http://" + servertest.Closed(t), Getenv: f.config(withToken(token)).Getenv}),
		Malformed: map[string]func(string){
			"no fields":   func(name string) { f.seed(name, map[string]any{}) },
			"empty value": func(name string) { f.seed(name, map[string]any{"value": ""}) },
		},
		Pin:   func(name, version string) string { return name + "?version=" + version },
		Lacks: map[vaulttest.Capability]string{},
	}
	if kv == 1 {
		fixture.Lacks, fixture.Pin = versionless, nil
	}
	return fixture
}

// A field is compared by the version of the whole record: what another user
// writes to another field is not lost.
func TestPutFieldInBetween(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2)
	f.seed("app", map[string]any{"key": "one", "other": "a"})
	cfg := f.config(withToken(token))
	cfg.Field = "key"
	f.before = func(method, _ string) {
		if method == http.MethodPut {
			f.records["app"] = append(f.records["app"], map[string]any{"key": "one", "other": "b"})
		}
	}
	if _, err := open(t, cfg).Put(t.Context(), "app", secret.New("two"), "1"); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Put = %v; want ErrConflict", err)
	}
	if got := f.newest("app"); got["key"] != "one" || got["other"] != "b" {
		t.Errorf("the record is %v; want that of the other user", got)
	}
}

// An engine of version 1 has no versions: the texts before and after a write tell
// what they can.
func TestPutV1InBetween(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		read, back string // what there is when Put reads, and when it reads again
		conflict   bool
		stored     bool
	}{
		"nobody else":              {read: "one", back: "mine", stored: true},
		"another text before":      {read: "theirs", back: "theirs", conflict: true},
		"another text afterwards":  {read: "one", back: "theirs", conflict: true, stored: true},
		"a standby that is behind": {read: "one", back: "one", stored: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			f.seed("app", map[string]any{"value": "one"})
			s := open(t, f.config(withToken(token)))
			base, err := s.Get(t.Context(), "app")
			if err != nil || !vault.IsMark(base.Version) {
				t.Fatalf("Get = version %q, %v; want a mark", base.Version, err)
			}
			wrote := false
			f.before = func(method, _ string) {
				text := tt.read
				if wrote {
					text = tt.back
				}
				if wrote = wrote || method == http.MethodPut; method == http.MethodGet {
					f.records["app"] = []map[string]any{{"value": text}}
				}
			}
			_, err = s.Put(t.Context(), "app", secret.New("mine"), base.Version)
			if errors.Is(err, vault.ErrConflict) != tt.conflict || (err == nil) == tt.conflict || wrote != tt.stored {
				t.Errorf("Put = %v, stored %t; want a conflict %t, stored %t", err, wrote, tt.conflict, tt.stored)
			}
		})
	}
}

func TestFields(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields map[string]any
		field  string
		want   string
		kind   error
	}{
		{name: "value", fields: map[string]any{"value": "k"}, want: "k"},
		{name: "value among others", fields: map[string]any{"value": "k", "note": "n"}, want: "k"},
		{name: "value that is no text", fields: map[string]any{"value": map[string]any{"a": 1}}, want: `{"a":1}`},
		{name: "one key field", fields: map[string]any{"DOTENV_PRIVATE_KEY_CI": "k", "value": "v"}, want: "DOTENV_PRIVATE_KEY_CI=k"},
		{name: "one key field without environment", fields: map[string]any{"DOTENV_PRIVATE_KEY": "k"}, want: "DOTENV_PRIVATE_KEY=k"},
		{name: "key field in lower case", fields: map[string]any{"dotenv_private_key_ci": "k"}, want: "dotenv_private_key_ci=k"},
		{name: "key field with its name again", fields: map[string]any{"DOTENV_PRIVATE_KEY_CI": "DOTENV_PRIVATE_KEY_CI=k"}, want: "DOTENV_PRIVATE_KEY_CI=k"},
		{name: "key field with another name keeps it", fields: map[string]any{"DOTENV_PRIVATE_KEY_CI": "DOTENV_PRIVATE_KEY_X=k"}, want: "DOTENV_PRIVATE_KEY_X=k"},
		{name: "two key fields", fields: map[string]any{"DOTENV_PRIVATE_KEY_B": "<2>", "DOTENV_PRIVATE_KEY_A": "1"},
			want: `{"DOTENV_PRIVATE_KEY_A":"1","DOTENV_PRIVATE_KEY_B":"<2>"}`},
		{name: "other fields", fields: map[string]any{"b": "2", "a": 1.5}, want: `{"a":1.5,"b":"2"}`},
		{name: "configured field", fields: map[string]any{"b": "2", "value": "v"}, field: "b", want: "2"},
		{name: "configured key field", fields: map[string]any{"DOTENV_PRIVATE_KEY_A": "1", "value": "v"}, field: "DOTENV_PRIVATE_KEY_A", want: "DOTENV_PRIVATE_KEY_A=1"},
		{name: "configured field that is not there", fields: map[string]any{"b": "2"}, field: "c", kind: vault.ErrNotFound},
		{name: "no fields", fields: map[string]any{}, kind: vault.ErrMalformed},
		{name: "empty", fields: map[string]any{"value": ""}, kind: vault.ErrMalformed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, kv := range []int{1, 2} {
				f := newFake(t, kv)
				f.seed("app", tt.fields)
				cfg := f.config(withToken(token))
				cfg.Field = tt.field
				got, err := open(t, cfg).Get(t.Context(), "app")
				if got.Value.Reveal() != tt.want || !errors.Is(err, tt.kind) {
					t.Errorf("v%d: Get = %q, %v; want %q, %v", kv, got.Value.Reveal(), err, tt.want, tt.kind)
				}
			}
		})
	}
}

func TestPutKeepsSiblings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		fields map[string]any
		field  string
		text   string
		want   map[string]any
		kind   error
	}{
		{name: "new", text: "k", want: map[string]any{"value": "k"}},
		{name: "new, labelled", text: "DOTENV_PRIVATE_KEY_A=k", want: map[string]any{"value": "DOTENV_PRIVATE_KEY_A=k"}},
		{name: "value", fields: map[string]any{"value": "old", "note": "n"}, text: "k", want: map[string]any{"value": "k", "note": "n"}},
		{name: "no value yet", fields: map[string]any{"note": "n"}, text: "k", want: map[string]any{"value": "k", "note": "n"}},
		{name: "key field", fields: map[string]any{"DOTENV_PRIVATE_KEY_A": "old", "note": "n"}, text: "DOTENV_PRIVATE_KEY_A=k",
			want: map[string]any{"DOTENV_PRIVATE_KEY_A": "k", "note": "n"}},
		{name: "key field in lower case", fields: map[string]any{"dotenv_private_key_a": "old"}, text: "DOTENV_PRIVATE_KEY_A=k",
			want: map[string]any{"dotenv_private_key_a": "k"}},
		{name: "another key beside", fields: map[string]any{"DOTENV_PRIVATE_KEY_A": "a"}, text: "DOTENV_PRIVATE_KEY_B=k",
			want: map[string]any{"DOTENV_PRIVATE_KEY_A": "a", "DOTENV_PRIVATE_KEY_B": "k"}},
		{name: "which key is not told", fields: map[string]any{"DOTENV_PRIVATE_KEY_A": "a"}, text: "k",
			want: map[string]any{"DOTENV_PRIVATE_KEY_A": "a"}, kind: vault.ErrMalformed},
		{name: "configured", fields: map[string]any{"a": "1", "value": "v"}, field: "a", text: "k", want: map[string]any{"a": "k", "value": "v"}},
		{name: "configured key field", field: "DOTENV_PRIVATE_KEY_A", text: "DOTENV_PRIVATE_KEY_A=k", want: map[string]any{"DOTENV_PRIVATE_KEY_A": "k"}},
		{name: "configured, not there yet", fields: map[string]any{"a": "1"}, field: "b", text: "k", want: map[string]any{"a": "1", "b": "k"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, kv := range []int{1, 2} {
				f := newFake(t, kv)
				if tt.fields != nil {
					f.seed("app", maps.Clone(tt.fields))
				}
				cfg := f.config(withToken(token))
				cfg.Field = tt.field
				s := open(t, cfg)
				seen, _ := s.Get(t.Context(), "app")
				if _, err := s.Put(t.Context(), "app", secret.New(tt.text), seen.Version); !errors.Is(err, tt.kind) {
					t.Errorf("v%d: Put = %v; want %v", kv, err, tt.kind)
				}
				if got := f.newest("app"); !reflect.DeepEqual(got, tt.want) {
					t.Errorf("v%d: after Put, the record is %v; want %v", kv, got, tt.want)
				}
			}
		})
	}
}

func TestDeletedVersion(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2)
	f.seed("app", map[string]any{"value": "k"})
	f.seed("app", nil)
	s := open(t, f.config(withToken(token)))

	_, err := s.Get(t.Context(), "app")
	var e *vault.Error
	if !errors.As(err, &e) || !errors.Is(err, vault.ErrNotFound) || e.Remedy != "vault kv undelete -mount=secret -versions=2 app" {
		t.Fatalf("Get = %v; want ErrNotFound and how to undelete", err)
	}
	version, err := s.Put(t.Context(), "app", secret.New("new"), "")
	if version != "3" || err != nil {
		t.Errorf("Put on a deleted version = %q, %v; want 3", version, err)
	}
}

// The engine's version is learned from the requests that are needed anyway.
func TestRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		kv     int // of the server
		config int
		want   []string
	}{
		{"v2", 2, 0, []string{"GET secret/data/a", "GET secret/data/a", "GET secret/data/b"}},
		{"v1", 1, 0, []string{"GET secret/data/a", "GET secret/a", "GET secret/a", "GET secret/b"}},
		{"v2 configured", 2, 2, []string{"GET secret/data/a", "GET secret/data/a", "GET secret/data/b"}},
		{"v1 configured", 1, 1, []string{"GET secret/a", "GET secret/a", "GET secret/b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, tt.kv)
			f.seed("a", map[string]any{"value": "k"})
			cfg := f.config(withToken(token))
			cfg.KVVersion = tt.config
			s := open(t, cfg)
			for _, name := range []string{"a", "a", "b"} {
				_, _ = s.Get(t.Context(), name)
			}
			if got := f.sent(); !slices.Equal(got, tt.want) {
				t.Errorf("requests: %q; want %q", got, tt.want)
			}
		})
	}
}

func TestWrongVersionConfigured(t *testing.T) {
	t.Parallel()
	for server, configured := range map[int]int{1: 2, 2: 1} {
		f := newFake(t, server)
		f.seed("a", map[string]any{"value": "k"})
		f.seed("data/a", map[string]any{"value": "k"})
		cfg := f.config(withToken(token))
		cfg.KVVersion = configured
		if _, err := open(t, cfg).Get(t.Context(), "a"); !errors.Is(err, vault.ErrConfig) {
			t.Errorf("v%d configured for v%d: Get = %v; want ErrConfig", configured, server, err)
		}
	}
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write(t, filepath.Join(dir, ".vault-token"), token+"\n")
	write(t, filepath.Join(dir, "jwt"), "j.w.t-s3cret\n")
	tests := []struct {
		name   string
		auth   string
		role   string
		env    map[string]string
		logins int
		kind   error
	}{
		{name: "VAULT_TOKEN", env: withToken(token)},
		{name: "token file", env: map[string]string{"HOME": dir}},
		{name: "VAULT_TOKEN before token file", env: map[string]string{"HOME": dir, "VAULT_TOKEN": "hvs.expired"}, kind: vault.ErrUnauthenticated},
		{name: "no token file", env: map[string]string{"HOME": t.TempDir()}, kind: vault.ErrUnauthenticated},
		{name: "nothing", kind: vault.ErrUnauthenticated},
		{name: "token with a line end inside", env: withToken("hvs.a\nb"), kind: vault.ErrUnauthenticated},
		{name: "approle", auth: "approle", env: map[string]string{"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s3cretS3cret"}, logins: 1},
		{name: "approle, role configured", auth: "approle", role: "r", env: map[string]string{"VAULT_SECRET_ID": "s3cretS3cret"}, logins: 1},
		{name: "approle without role", auth: "approle", env: map[string]string{"VAULT_SECRET_ID": "s3cretS3cret"}, kind: vault.ErrUnauthenticated},
		{name: "approle, wrong", auth: "approle", role: "r", env: map[string]string{"VAULT_SECRET_ID": "wr0ng"}, logins: 1, kind: vault.ErrUnauthenticated},
		{name: "jwt", auth: "jwt", role: "r", env: map[string]string{"VAULT_JWT": "j.w.t-s3cret"}, logins: 1},
		{name: "jwt file", auth: "jwt", role: "r", env: map[string]string{"VAULT_JWT_FILE": filepath.Join(dir, "jwt")}, logins: 1},
		{name: "jwt file missing", auth: "jwt", role: "r", env: map[string]string{"VAULT_JWT_FILE": filepath.Join(dir, "none")}, kind: vault.ErrUnauthenticated},
		{name: "jwt missing", auth: "jwt", role: "r", kind: vault.ErrUnauthenticated},
		{name: "kubernetes", auth: "kubernetes", role: "r", env: map[string]string{"VAULT_JWT_FILE": filepath.Join(dir, "jwt")}, logins: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 2)
			f.seed("a", map[string]any{"value": "k"})
			cfg := f.config(tt.env)
			cfg.Auth, cfg.Role = tt.auth, tt.role
			s := open(t, cfg)
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					_, err := s.Get(t.Context(), "a")
					if !errors.Is(err, tt.kind) {
						t.Errorf("Get = %v; want %v", err, tt.kind)
					}
					if e := (*vault.Error)(nil); errors.As(err, &e) && e.Remedy == "" {
						t.Errorf("Get = %v; want a remedy", err)
					}
				})
			}
			wg.Wait()
			if f.logins != tt.logins {
				t.Errorf("%d sign-ins for 8 secrets; want %d", f.logins, tt.logins)
			}
		})
	}
}

func TestTokenEnds(t *testing.T) {
	t.Parallel()
	f := newFake(t, 2)
	f.seed("a", map[string]any{"value": "k"})
	cfg := f.config(map[string]string{"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s3cretS3cret"})
	cfg.Auth = "approle"
	s := open(t, cfg)
	for range 2 {
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if _, err := s.Get(t.Context(), "a"); err != nil {
					t.Errorf("Get = %v", err)
				}
			})
		}
		wg.Wait()
		f.mu.Lock()
		clear(f.tokens)
		f.mu.Unlock()
	}
	if f.logins != 2 {
		t.Errorf("%d sign-ins; want 2: the first, and one when the token had ended", f.logins)
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	messages := func(status int, messages ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { refuse(w, status, messages...) }
	}
	text := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status); _, _ = fmt.Fprint(w, body) }
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		kind   error
		detail string
	}{
		{"sealed", messages(503, "Vault is sealed"), vault.ErrUnavailable, "sealed"},
		{"no active node", messages(500, "local node not active but active cluster node not found"), vault.ErrUnavailable, "not active"},
		{"standby", messages(473), vault.ErrUnavailable, "473"},
		{"bad gateway", text(502, "<html>bad</html>"), vault.ErrUnavailable, "502"},
		{"throttled", messages(429, "request path: rate limit quota exceeded"), vault.ErrThrottled, "quota"},
		{"not JSON", text(200, "<html>log in to the wifi</html>"), vault.ErrUnavailable, "not an answer of Vault"},
		{"half JSON", text(200, `{"data":{"da`), vault.ErrUnavailable, "not an answer of Vault"},
		{"nothing", text(200, ""), vault.ErrUnavailable, "not an answer of Vault"},
		{"not found by another server", text(404, "nginx"), vault.ErrUnavailable, "not an answer of Vault"},
		{"denied by a proxy", text(403, "no entry"), vault.ErrUnavailable, "not an answer of Vault"},
		{"no such mount", messages(404, `no handler for route "secret/data/a". route entry not found.`), vault.ErrConfig, `"secret"`},
		{"upgrading", messages(400, "Upgrading from non-versioned to versioned data."), vault.ErrUnavailable, "Upgrading"},
		{"other engine", messages(405, "unsupported operation"), vault.ErrConfig, "unsupported operation"},
		{"other host", redirect("https://elsewhere.example/login?token=x"), vault.ErrUnavailable, "redirects to https://elsewhere.example,"},
		{"redirect without target", text(302, ""), vault.ErrUnavailable, ""},
		{"in circles", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
		}, vault.ErrUnavailable, "redirects"},
		{"closed", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, vault.ErrUnavailable, "broken off"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.answer)
			t.Cleanup(server.Close)
			s := open(t, vault.Config{URL: server.URL, Timeout: patience(tt.kind), Getenv: getenv(withToken(token))})
			_, err := s.Get(t.Context(), "a")
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.kind) || !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("Get = %v; want %v, %q", err, tt.kind, tt.detail)
			}
			if _, err := s.Put(t.Context(), "a", secret.New("k"), ""); !errors.Is(err, tt.kind) {
				t.Errorf("Put = %v; want %v", err, tt.kind)
			}
		})
	}
}

// patience is the timeout of a request that never succeeds.
func patience(kind error) time.Duration {
	if kind == vault.ErrThrottled {
		return time.Second
	}
	return 0
}

func redirect(to string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusTemporaryRedirect) }
}

// The token must not be sent to the host that a redirect names; the SDK on its
// own would do so.
func TestRedirectKeepsToken(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		t.Error("the other host was contacted")
	}))
	t.Cleanup(elsewhere.Close)
	server := httptest.NewServer(redirect(elsewhere.URL))
	t.Cleanup(server.Close)
	s := open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token))})
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, vault.ErrUnavailable) {
		t.Errorf("Get = %v; want ErrUnavailable", err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	tests := []struct {
		wait     string
		requests int
		detail   string
	}{
		{"0", 2, ""},
		{"3600", 1, "it asks to wait 3600 s"},
		{"soon", 2, ""},
		{"", 2, ""},
	}
	for _, tt := range tests {
		t.Run(tt.wait, func(t *testing.T) {
			t.Parallel()
			n := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				n++
				if n > 1 {
					reply(w, 200, map[string]any{"data": map[string]any{"data": map[string]any{"value": "k"}, "metadata": map[string]any{"version": 1}}})
					return
				}
				if tt.wait != "" {
					w.Header().Set("Retry-After", tt.wait)
				}
				refuse(w, http.StatusTooManyRequests, "quota exceeded")
			}))
			t.Cleanup(server.Close)
			_, err := open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token))}).Get(t.Context(), "a")
			if n != tt.requests || (err != nil) != (tt.detail != "") || err != nil && !strings.Contains(err.Error(), tt.detail) {
				t.Errorf("Get = %v after %d requests; want %q after %d", err, n, tt.detail, tt.requests)
			}
		})
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 2)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		started <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)

	s := open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token)), Timeout: time.Millisecond})
	if _, err := s.Get(t.Context(), "a"); !errors.Is(err, vault.ErrUnavailable) || !strings.Contains(err.Error(), "no answer within 1ms") {
		t.Errorf("Get = %v; want ErrUnavailable after the timeout", err)
	}

	s = open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token)), Timeout: time.Hour})
	ctx, cancel := context.WithCancel(t.Context())
	for len(started) > 0 {
		<-started
	}
	go func() { <-started; cancel() }()
	if _, err := s.Get(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v; want context.Canceled", err)
	}
}

func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	_, err := open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token))}).Get(t.Context(), "a")
	var e *vault.Error
	if !errors.As(err, &e) || !errors.Is(err, vault.ErrUnavailable) || !strings.Contains(e.Remedy, "VAULT_CACERT") {
		t.Errorf("Get = %v; want ErrUnavailable and VAULT_CACERT as its remedy", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	const url = "https://vault.example:8200"
	tests := []struct {
		name string
		cfg  vault.Config
		env  map[string]string
		want string // String; "" for ErrConfig
	}{
		{name: "configured", cfg: vault.Config{URL: url}, want: "HashiCorp Vault at " + url},
		{name: "slash and spaces", cfg: vault.Config{URL: " " + url + "/ "}, want: "HashiCorp Vault at " + url},
		{name: "VAULT_ADDR", env: map[string]string{"VAULT_ADDR": url}, want: "HashiCorp Vault at " + url},
		{name: "configured before VAULT_ADDR", cfg: vault.Config{URL: url}, env: map[string]string{"VAULT_ADDR": "https://other.example"}, want: "HashiCorp Vault at " + url},
		{name: "VAULT_NAMESPACE", cfg: vault.Config{URL: url}, env: map[string]string{"VAULT_NAMESPACE": "/team/"}, want: "HashiCorp Vault at " + url + ", namespace team"},
		{name: "loopback", cfg: vault.Config{URL: "http://127.0.0.1:8200"}, want: "HashiCorp Vault at http://127.0.0.1:8200"},
		{name: "loopback by name", cfg: vault.Config{URL: "http://localhost:8200"}, want: "HashiCorp Vault at http://localhost:8200"},
		{name: "none"},
		{name: "blank", env: map[string]string{"VAULT_ADDR": "  "}},
		{name: "clear text", cfg: vault.Config{URL: "http://vault.example:8200"}},
		{name: "no scheme", cfg: vault.Config{URL: "vault.example:8200"}},
		{name: "other scheme", cfg: vault.Config{URL: "unix:///run/vault.sock"}},
		{name: "password", cfg: vault.Config{URL: "https://me:s3cret@vault.example"}},
		{name: "auth", cfg: vault.Config{URL: url, Auth: "ldap"}},
		{name: "auth_mount", cfg: vault.Config{URL: url, Auth: "jwt", AuthMount: "../sys"}},
		{name: "mount", cfg: vault.Config{URL: url, Mount: "a/../b"}},
		{name: "kv_version", cfg: vault.Config{URL: url, KVVersion: 3}},
		{name: "CA file missing", cfg: vault.Config{URL: url}, env: map[string]string{"VAULT_CACERT": "/does/not/exist.pem"}},
		{name: "half a client certificate", cfg: vault.Config{URL: url}, env: map[string]string{"VAULT_CLIENT_CERT": "/c.pem"}},
		{name: "VAULT_SKIP_VERIFY", cfg: vault.Config{URL: url}, env: map[string]string{"VAULT_SKIP_VERIFY": "perhaps"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.cfg.Getenv = getenv(tt.env)
			s, err := hashicorp.Open(t.Context(), tt.cfg)
			if tt.want == "" {
				if !errors.Is(err, vault.ErrConfig) || strings.Contains(err.Error(), "s3cret") {
					t.Errorf("Open = %v; want ErrConfig without the password", err)
				}
				return
			}
			if err != nil || s.String() != tt.want {
				t.Errorf("Open = %v, %v; want %q", s, err, tt.want)
			}
		})
	}
}

// The SDK itself reads the process's environment; only cfg.Getenv counts.
func TestProcessEnvironment(t *testing.T) {
	for name, value := range map[string]string{
		"VAULT_TOKEN": "hvs.process", "VAULT_NAMESPACE": "process", "VAULT_ADDR": "https://process.example",
		"VAULT_HEADERS": `{"X-Process":"1"}`, "VAULT_WRAP_TTL": "60s", "VAULT_MAX_RETRIES": "9",
	} {
		t.Setenv(name, value)
	}
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got = r.Header.Clone()
		refuse(w, 500)
	}))
	t.Cleanup(server.Close)
	_, _ = open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token))}).Get(t.Context(), "a")
	if got.Get("X-Vault-Token") != token || got.Get("X-Vault-Request") != "true" ||
		got.Get("X-Vault-Namespace") != "" || got.Get("X-Process") != "" || got.Get("X-Vault-Wrap-Ttl") != "" {
		t.Errorf("the request has headers of the process's environment: %v", got)
	}
}

// TestLeak uses a server that puts all it was sent into its error messages.
func TestLeak(t *testing.T) {
	t.Parallel()
	echo := func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, 4096)
		n, _ := r.Body.Read(body)
		refuse(w, 400, fmt.Sprint("cannot read ", string(body[:n]), " of ", r.Header.Get("X-Vault-Token")))
	}
	read := func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			refuse(w, 404)
			return
		}
		echo(w, r)
	}
	tests := []struct {
		name   string
		answer http.HandlerFunc
		auth   string
		env    map[string]string
		secret string
	}{
		{"token", echo, "token", withToken(token), token},
		{"value", read, "token", withToken(token), "v4lue"},
		{"secret id", echo, "approle", map[string]string{"VAULT_ROLE_ID": "r", "VAULT_SECRET_ID": "s3cret"}, "s3cret"},
		{"jwt", echo, "jwt", map[string]string{"VAULT_JWT": "j.w.t"}, "j.w.t"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(tt.answer)
			t.Cleanup(server.Close)
			s := open(t, vault.Config{URL: server.URL, Auth: tt.auth, Getenv: getenv(tt.env)})
			_, getErr := s.Get(t.Context(), "a")
			_, putErr := s.Put(t.Context(), "a", secret.New("v4lue"), "")
			if !strings.Contains(putErr.Error(), "[redacted]") {
				t.Errorf("Put = %v; want the server's words, redacted", putErr)
			}
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				for _, v := range []any{s, getErr, putErr, errors.Unwrap(putErr)} {
					if text := fmt.Sprintf(verb, v); strings.Contains(text, tt.secret) {
						t.Errorf("Sprintf(%q) = %s; it holds the secret", verb, text)
					}
				}
			}
		})
	}
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Names that are paths of version 2's API do not make the engine look like one
// of version 1, also if there is no secret.
func TestNamesOfTheAPI(t *testing.T) {
	t.Parallel()
	for _, kv := range []int{1, 2} {
		for _, name := range []string{"data/new", "secret/data/new", "metadata/new", "config", "delete/new"} {
			f := newFake(t, kv)
			f.seed("new", map[string]any{"value": "of another name"})
			s := open(t, f.config(withToken(token)))
			if got, err := s.Get(t.Context(), name); kv == 2 && name == "secret/data/new" {
				if got.Value.Reveal() != "of another name" {
					t.Errorf("KV 2: Get(%q) = %q, %v; want the secret below the mount", name, got.Value.Reveal(), err)
				}
				continue
			} else if !errors.Is(err, vault.ErrNotFound) {
				t.Errorf("KV %d: Get(%q) = %q, %v; want ErrNotFound", kv, name, got.Value.Reveal(), err)
			}
			if got, err := s.Get(t.Context(), "new"); got.Value.Reveal() != "of another name" {
				t.Errorf("KV %d: Get(new) after %q = %v", kv, name, err)
			}
			if _, err := s.Put(t.Context(), name, secret.New("k"), ""); err != nil {
				t.Errorf("KV %d: Put(%q) = %v", kv, name, err)
			}
			if got, err := open(t, f.config(withToken(token))).Get(t.Context(), name); got.Value.Reveal() != "k" {
				t.Errorf("KV %d: Get(%q) = %q, %v; want what was put", kv, name, got.Value.Reveal(), err)
			}
		}
	}
}

func TestNoNamespace(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { refuse(w, 404, "namespace not found") }))
	t.Cleanup(server.Close)
	for _, env := range []map[string]string{withToken(token), {"VAULT_SECRET_ID": "s", "VAULT_ROLE_ID": "r"}} {
		cfg := vault.Config{URL: server.URL, Namespace: "teams/", Getenv: getenv(env)}
		if env["VAULT_ROLE_ID"] != "" {
			cfg.Auth = "approle"
		}
		s := open(t, cfg)
		for _, name := range []string{"a", "data/a"} {
			_, err := s.Get(t.Context(), name)
			_, put := s.Put(t.Context(), name, secret.New("k"), "")
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, vault.ErrConfig) || !errors.Is(put, vault.ErrConfig) ||
				e.Detail != `the server has no namespace "teams"` || !strings.Contains(e.Remedy, "VAULT_NAMESPACE") {
				t.Errorf("Get = %v, Put = %v; want that there is no such namespace", err, put)
			}
		}
	}
}

// Servers say in two ways that a token is not valid, and in a third that a policy
// forbids the request.
func TestTokens(t *testing.T) {
	t.Parallel()
	const policy, dead, deadVault = "1 error occurred:\n\t* permission denied\n\n", "permission denied", "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"
	tests := []struct {
		name           string
		answers        []string // to the requests in turn; the last one to all further ones
		kind           error
		detail, remedy string
	}{
		{"policy, without the default one", []string{policy}, vault.ErrDenied, "permission denied", `path "secret/data/a"`},
		{"dead", []string{dead}, vault.ErrUnauthenticated, "not valid", "vault login"},
		{"dead, of Vault", []string{deadVault}, vault.ErrUnauthenticated, "not valid", "vault login"},
		{"wrapping", []string{policy, dead}, vault.ErrUnauthenticated, "a wrapping token", "vault unwrap"},
		{"one use, KV 1", []string{"404", dead}, vault.ErrUnauthenticated, "one use", "kv_version"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n := 0
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				text := tt.answers[min(n, len(tt.answers)-1)]
				n++
				if text == "404" {
					refuse(w, 404)
					return
				}
				refuse(w, 403, text)
			}))
			t.Cleanup(server.Close)
			_, err := open(t, vault.Config{URL: server.URL, Getenv: getenv(withToken(token))}).Get(t.Context(), "a")
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.kind) || !strings.Contains(e.Detail, tt.detail) || !strings.Contains(e.Remedy, tt.remedy) {
				t.Errorf("Get = %#v; want %v, %q, %q", err, tt.kind, tt.detail, tt.remedy)
			}
		})
	}
}

// With kv_version a token of one use is enough.
func TestOneUse(t *testing.T) {
	t.Parallel()
	for _, kv := range []int{1, 2} {
		f := newFake(t, kv)
		f.seed("app", map[string]any{"value": "k"})
		cfg := f.config(withToken(token))
		cfg.KVVersion = kv
		if got, err := open(t, cfg).Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "k" || len(f.sent()) != 1 {
			t.Errorf("KV %d: Get = %v after %q; want one request", kv, err, f.sent())
		}
	}
}
