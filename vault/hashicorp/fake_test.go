package hashicorp_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/hashicorp"
)

const token = "hvs.t0kenT0ken"

// A fake responds as a server with one KV engine at secret/ does.
type fake struct {
	*httptest.Server
	kv int

	mu       sync.Mutex
	records  map[string][]map[string]any // a version is nil once deleted
	tokens   map[string]bool             // true: may read and write; false: may not
	logins   int
	before   func(method, path string) // each request, if set; mu is held
	requests []string
}

func newFake(t *testing.T, kv int) *fake {
	t.Helper()
	f := &fake{kv: kv, records: map[string][]map[string]any{}, tokens: map[string]bool{token: true}}
	f.Server = httptest.NewServer(f)
	t.Cleanup(f.Close)
	return f
}

// config returns a user's configuration for f, with env as environment.
func (f *fake) config(env map[string]string) vault.Config {
	return vault.Config{Provider: "hashicorp", URL: f.URL, Getenv: func(name string) string { return env[name] }}
}

func open(t *testing.T, cfg vault.Config) *hashicorp.Store {
	t.Helper()
	s, err := hashicorp.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

func withToken(token string) map[string]string { return map[string]string{"VAULT_TOKEN": token} }

// seed stores fields as a further version under path.
func (f *fake) seed(path string, fields map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.records[path] = append(f.records[path], fields)
}

func (f *fake) newest(path string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r := f.records[path]; len(r) > 0 {
		return r[len(r)-1]
	}
	return nil
}

func (f *fake) sent() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.requests...)
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	f.requests = append(f.requests, r.Method+" "+path)
	if f.before != nil {
		f.before(r.Method, path)
	}
	var body map[string]any
	_ = json.NewDecoder(r.Body).Decode(&body)

	if strings.HasPrefix(path, "auth/") && strings.HasSuffix(path, "/login") {
		f.login(w, body)
		return
	}
	allowed, known := f.tokens[r.Header.Get("X-Vault-Token")]
	switch {
	case known && path == "auth/token/lookup-self":
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{}})
	case !known:
		refuse(w, http.StatusForbidden, "permission denied")
	case !allowed:
		refuse(w, http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n")
	case path == "sys/internal/ui/mounts/secret":
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"options": map[string]any{"version": strconv.Itoa(f.kv)}}})
	case f.kv == 2 && path == "secret/config":
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"max_versions": 0}})
	case !strings.HasPrefix(path, "secret/"):
		refuse(w, http.StatusNotFound, "no handler for route")
	case f.kv == 1:
		f.serveV1(w, r.Method, strings.TrimPrefix(path, "secret/"), body)
	case !strings.HasPrefix(path, "secret/data/"):
		reply(w, http.StatusNotFound, map[string]any{"data": nil, "warnings": []string{"Invalid path for a versioned K/V secrets engine."}})
	default:
		f.serveV2(w, r, strings.TrimPrefix(path, "secret/data/"), body)
	}
}

func (f *fake) login(w http.ResponseWriter, body map[string]any) {
	f.logins++
	if body["secret_id"] != "s3cretS3cret" && body["jwt"] != "j.w.t-s3cret" {
		refuse(w, http.StatusBadRequest, fmt.Sprint("invalid credentials: ", body["secret_id"], body["jwt"]))
		return
	}
	issued := fmt.Sprintf("hvs.issued%d", f.logins)
	f.tokens[issued] = true
	reply(w, http.StatusOK, map[string]any{"auth": map[string]any{"client_token": issued, "lease_duration": 60}})
}

func (f *fake) serveV1(w http.ResponseWriter, method, path string, body map[string]any) {
	switch r := f.records[path]; {
	case method == http.MethodPut:
		f.records[path] = append(r, body)
		w.WriteHeader(http.StatusNoContent)
	case len(r) == 0:
		refuse(w, http.StatusNotFound)
	default:
		reply(w, http.StatusOK, map[string]any{"data": r[len(r)-1]})
	}
}

func (f *fake) serveV2(w http.ResponseWriter, req *http.Request, path string, body map[string]any) {
	r := f.records[path]
	version := len(r)
	if v := req.URL.Query().Get("version"); v != "" {
		version, _ = strconv.Atoi(v)
	}
	switch {
	case req.Method == http.MethodPut:
		if options, _ := body["options"].(map[string]any); options["cas"] != float64(len(r)) {
			refuse(w, http.StatusBadRequest, "check-and-set parameter did not match the current version")
			return
		}
		fields, _ := body["data"].(map[string]any)
		f.records[path] = append(r, fields)
		reply(w, http.StatusOK, map[string]any{"data": map[string]any{"version": len(r) + 1}})
	case version == 0 || version > len(r):
		refuse(w, http.StatusNotFound)
	default:
		status, fields, meta := http.StatusOK, any(r[version-1]), map[string]any{"version": version, "destroyed": false}
		if r[version-1] == nil {
			status, fields = http.StatusNotFound, nil
		}
		reply(w, status, map[string]any{"data": map[string]any{"data": fields, "metadata": meta}})
	}
}

func refuse(w http.ResponseWriter, status int, errors ...string) {
	reply(w, status, map[string]any{"errors": append([]string{}, errors...)})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
