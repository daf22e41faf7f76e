package gcp

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/metadata"

	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
)

// The token is sent over TLS with every request, and is requested once.
func TestSignedIn(t *testing.T) {
	t.Parallel()
	var logins atomic.Int32
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		logins.Add(1)
		w.Header().Set("Content-Type", "application/json")
		_, _ = fmt.Fprint(w, `{"access_token":"t0ken","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`)
	}))
	t.Cleanup(sts.Close)
	google := newGoogle(t)
	config := fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/p","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
		"token_url":%q,"credential_source":{"file":%q}}`, sts.URL, write(t, t.TempDir(), "jwt", "j.w.t"))

	s := signedIn(t, servertest.GCPProject, config)
	s.link.options = append(s.link.options, google.reach, google.trust)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if got, err := s.Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "k" {
				t.Errorf("Get = %v, %v", got, err)
			}
		})
	}
	wg.Wait()
	if tokens := google.seen(); logins.Load() != 1 || len(tokens) != 8 || len(slices.Compact(tokens)) != 1 || tokens[0] != "Bearer t0ken" {
		t.Errorf("%d sign-ins, tokens %q; want 1 and its token 8 times", logins.Load(), tokens)
	}

	s = signedIn(t, servertest.GCPProject, config)
	s.link.options = append(s.link.options, google.reach)
	if _, err := s.Get(t.Context(), "app"); !errors.Is(err, vault.ErrUnavailable) || len(google.seen()) != 8 {
		t.Errorf("Get from a server of an unknown authority = %v; want ErrUnavailable", err)
	}
}

// The key of a service account names its project, and signs what the server
// wants without a token server.
func TestServiceAccount(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	config, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": servertest.GCPProject, "client_email": "ci@team-project.iam.gserviceaccount.com",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})),
		"token_uri":   "http://127.0.0.1:1/never-asked",
	})
	if err != nil {
		t.Fatal(err)
	}
	google := newGoogle(t)
	s := signedIn(t, "", string(config))
	s.link.options = append(s.link.options, google.reach, google.trust)
	if got, err := s.Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "k" {
		t.Errorf("Get = %v, %v", got, err)
	}
	if tokens := google.seen(); len(tokens) != 1 || !strings.HasPrefix(tokens[0], "Bearer eyJ") {
		t.Errorf("%d tokens; want one, signed by the key", len(tokens))
	}
	if want := "GCP Secret Manager, project team-project, at example.com:443"; s.String() != want {
		t.Errorf("String() = %q; want %q", s, want)
	}
	if _, err := s.Get(t.Context(), "projects/other/secrets/app"); !errors.Is(err, vault.ErrName) {
		t.Errorf("Get from another project = %v; want ErrName", err)
	}
}

// A google is a server that identifies itself over TLS as example.com and has
// the secret "app".
type google struct {
	reach, trust option.ClientOption

	mu     sync.Mutex
	tokens []string
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	g := &google{}
	secrets := servertest.SecretManager(t)
	secrets.Seed("app", []byte("k"))
	tls := httptest.NewUnstartedServer(nil) // for its certificate
	tls.StartTLS()
	t.Cleanup(tls.Close)
	address := secrets.ServeWith(t, grpc.Creds(credentials.NewServerTLSFromCert(&tls.TLS.Certificates[0])), grpc.UnaryInterceptor(g.intercept))

	roots := x509.NewCertPool()
	roots.AddCert(tls.Certificate())
	g.trust = option.WithGRPCDialOption(grpc.WithTransportCredentials(credentials.NewClientTLSFromCert(roots, "example.com")))
	g.reach = option.WithGRPCDialOption(grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", address)
	}))
	return g
}

func (g *google) intercept(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	md, _ := metadata.FromIncomingContext(ctx)
	g.mu.Lock()
	g.tokens = append(g.tokens, md.Get("authorization")...)
	g.mu.Unlock()
	return next(ctx, r)
}

// seen returns the tokens that were sent, one per request.
func (g *google) seen() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.tokens)
}

// signedIn returns the store of a user with these credentials, where gcloud
// keeps them.
func signedIn(t *testing.T, project, credentials string) *Store {
	t.Helper()
	folder := t.TempDir()
	write(t, folder, "application_default_credentials.json", credentials)
	s, err := Open(t.Context(), vault.Config{ProjectID: project, Endpoint: "example.com",
		Getenv: func(name string) string { return map[string]string{"CLOUDSDK_CONFIG": folder}[name] }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func write(t *testing.T, folder, name, text string) (file string) {
	t.Helper()
	file = filepath.Join(folder, name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// Credentials are never looked for below the current directory, which is the
// repository.
func TestCredentialsFileIsAbsolute(t *testing.T) {
	t.Parallel()
	for _, env := range []map[string]string{{}, {"HOME": "here", "APPDATA": "here"}, {"CLOUDSDK_CONFIG": "conf"}} {
		l := &link{getenv: func(name string) string { return env[name] }}
		if setting, file := l.credentialsFile(); file != "" {
			t.Errorf("with %v: credentialsFile = %q, %q; want none", env, setting, file)
		}
	}
}
