//go:build integration

package aws_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

// gate starts a proxy for a moto server, which accepts every access key. It
// refuses the unknown ones with AWS's messages.
func gate(t *testing.T, m *servertest.Moto) string {
	t.Helper()
	target, err := url.Parse(m.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, op, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if code := permit(r, op); code != "" {
			refuse(w, code, "not authorized to perform: secretsmanager:"+op)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL
}

func TestServer(t *testing.T) {
	t.Parallel()
	m := servertest.StartMoto(t)
	address := gate(t, m)
	seed := func(name, text string) {
		m.Do(t, "CreateSecret", map[string]string{"Name": name, "SecretString": text})
	}
	t.Run("conformance", func(t *testing.T) {
		t.Parallel()
		vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
			away := config("http://"+servertest.Closed(t), full)
			return fixture(t, address, open(t, away), seed, func(name string) {
				m.Do(t, "CreateSecret", map[string]any{"Name": name, "SecretBinary": []byte{0xff, 0}})
			})
		})
	})
	t.Run("names", func(t *testing.T) { t.Parallel(); testServerNames(t, m, address) })
	t.Run("deleted", func(t *testing.T) { t.Parallel(); testServerDeleted(t, m, address) })
	t.Run("batches", func(t *testing.T) { t.Parallel(); testServerBatches(t, address, seed) })
}

func testServerNames(t *testing.T, m *servertest.Moto, address string) {
	arn, _ := m.Do(t, "CreateSecret", map[string]string{"Name": "team/app@1", "SecretString": "old"})["ARN"].(string)
	m.Do(t, "PutSecretValue", map[string]string{"SecretId": "team/app@1", "SecretString": "new"})
	m.Do(t, "CreateSecret", map[string]string{"Name": "valueless"})
	s := open(t, config(address, full))
	for name, want := range map[string]string{
		"team/app@1": "new", "team/app@1?stage=AWSPREVIOUS": "old", arn: "new", arn + "?stage=AWSPREVIOUS": "old",
	} {
		if got, err := s.Get(t.Context(), name); err != nil || got.Value.Reveal() != want || got.Version == "" {
			t.Errorf("Get(%q) = %+v, %v; want %q", name, got, err, want)
		}
	}
	_, err := s.Get(t.Context(), "valueless")
	wantKind(t, err, vault.ErrNotFound)
	if _, err := s.Put(t.Context(), "valueless", secret.New("k"), ""); err != nil {
		t.Errorf("Put on a secret without a value = %v", err)
	}
	elsewhere := config(address, full)
	elsewhere.Region = "us-east-1"
	_, err = open(t, elsewhere).Get(t.Context(), "team/app@1")
	if e := wantKind(t, err, vault.ErrNotFound); !strings.Contains(e.Detail, "us-east-1") {
		t.Errorf("in another region, Get = %v; want the region", err)
	}
}

func testServerDeleted(t *testing.T, m *servertest.Moto, address string) {
	m.Do(t, "CreateSecret", map[string]string{"Name": "gone", "SecretString": "k"})
	m.Do(t, "DeleteSecret", map[string]string{"SecretId": "gone"})
	_, err := open(t, config(address, full)).Get(t.Context(), "gone")
	if e := wantKind(t, err, vault.ErrNotFound); e.Remedy != "aws secretsmanager restore-secret --secret-id gone --region eu-central-1" {
		t.Errorf("Get = %v, remedy %q", err, e.Remedy)
	}
}

func testServerBatches(t *testing.T, address string, seed func(name, text string)) {
	names := []string{"batch/1", "batch/2", "batch/3"}
	for _, name := range names {
		seed(name, "old")
	}
	s := open(t, config(address, full))
	for _, name := range names {
		seen, err := s.Get(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Put(t.Context(), name, secret.New(name), seen.Version); err != nil {
			t.Fatal(err)
		}
	}
	for _, key := range []string{full, noBatch} {
		for name, r := range open(t, config(address, key)).GetBatch(t.Context(), names) {
			if r.Err != nil || r.Secret.Value.Reveal() != name {
				t.Errorf("%s: %q = %v", key, name, r.Err)
			}
		}
	}
}
