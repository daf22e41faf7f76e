package gcp_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/gcp"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

const refreshToken = "1//0refreshTokenrefreshToken"

// config returns the configuration of a signed-in user for endpoint.
func config(t *testing.T, endpoint string) vault.Config {
	t.Helper()
	file := write(t, `{"type":"authorized_user","client_id":"c","client_secret":"GOCSPX-s","refresh_token":"`+refreshToken+`"}`)
	return vault.Config{Provider: "gcp", ProjectID: servertest.GCPProject, Endpoint: endpoint,
		Getenv: getenv(map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file})}
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

func write(t *testing.T, text string) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func open(t *testing.T, cfg vault.Config) *gcp.Store {
	t.Helper()
	s, err := gcp.Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open = %v", err)
	}
	return s
}

// refuse answers every request with err.
func refuse(err error) grpc.UnaryServerInterceptor {
	return func(context.Context, any, *grpc.UnaryServerInfo, grpc.UnaryHandler) (any, error) { return nil, err }
}

// clear fails the test if a credential comes over a connection that is not
// encrypted.
func clear(t *testing.T) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if md, _ := metadata.FromIncomingContext(ctx); len(md.Get("authorization")) > 0 {
			t.Error("a credential was sent in clear text")
		}
		return next(ctx, r)
	}
}

func TestConformance(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
		g := servertest.SecretManager(t)
		at := func(interceptors ...grpc.UnaryServerInterceptor) vault.Store {
			return open(t, config(t, g.Serve(t, interceptors...)))
		}
		return vaulttest.Fixture{
			Store:           at(clear(t)),
			Reopen:          func() vault.Store { return at(clear(t)) },
			Name:            func(short string) string { return "team_" + short },
			Seed:            func(name, raw string) { g.Seed(name, []byte(raw)) },
			BadNames:        badNames,
			Credentials:     []string{refreshToken, "GOCSPX-s"},
			Denied:          at(refuse(status.Error(codes.PermissionDenied, "Permission 'secretmanager.versions.access' denied"))),
			Unauthenticated: at(refuse(status.Error(codes.Unauthenticated, "Request had invalid authentication credentials."))),
			Unavailable:     open(t, config(t, servertest.Closed(t))),
			Malformed: map[string]func(string){
				"binary": func(name string) { g.Seed(name, []byte{0xff, 0xfe, 'k'}) },
				"empty":  func(name string) { g.Seed(name, nil) },
			},
			Pin: func(name, version string) string { return name + "?version=" + version },
		}
	})
}

var badNames = []string{
	"a/b", "a.b", "a b", "ключ", strings.Repeat("a", 256), "a?version=", "a?version=1/2", "a?v=1", "a?",
	"projects/" + servertest.GCPProject, "projects/" + servertest.GCPProject + "/secrets/", "projects//secrets/a",
	"projects/" + servertest.GCPProject + "/secrets/a/versions/", "projects/" + servertest.GCPProject + "/secrets/a/versions/1?version=1",
	"projects/" + servertest.GCPProject + "/secrets/a/b/1", "projects/" + servertest.GCPProject + "/locations/eu/secrets/a",
	"projects/" + servertest.GCPProject + "-evil/secrets/a", "projects/other/secrets/a", "projects/../secrets/a",
}

func TestFullNames(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	g.Seed("app", []byte("one"))
	g.Seed("app", []byte("two"))
	tests := []struct {
		name, text, version string
		err                 error
	}{
		{name: "app", text: "two", version: "2"},
		{name: "app?version=1", text: "one", version: "1"},
		{name: "app?version=latest", text: "two", version: "2"},
		{name: "projects/team-project/secrets/app", text: "two", version: "2"},
		{name: "projects/team-project/secrets/app/versions/1", text: "one", version: "1"},
		{name: "projects/team-project/secrets/app?version=1", text: "one", version: "1"},
		{name: "projects/123456789012/secrets/app", text: "two", version: "2"},
		{name: "projects/123456789012/secrets/app/versions/1", text: "one", version: "1"},
		{name: "projects/123456789013/secrets/app", err: vault.ErrName},
		{name: "projects/other-project/secrets/app", err: vault.ErrName},
	}
	for _, tt := range tests {
		got, err := open(t, config(t, g.Endpoint)).Get(t.Context(), tt.name)
		if got.Value.Reveal() != tt.text || got.Version != tt.version || !errors.Is(err, tt.err) {
			t.Errorf("Get(%q) = %q, version %q, %v; want %q, version %q, %v", tt.name, got.Value.Reveal(), got.Version, err, tt.text, tt.version, tt.err)
		}
	}
	for _, r := range g.Requests() {
		if !strings.HasPrefix(r, "AccessSecretVersion projects/team-project/secrets/app/") {
			t.Errorf("request %q; want none of another project", r)
		}
	}
}

// Only a response shows that a number is the store's project.
func TestPutByNumber(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	s := open(t, config(t, g.Endpoint))
	const name = "projects/" + servertest.GCPProjectNumber + "/secrets/app"
	if _, err := s.Put(t.Context(), name, secret.New("k"), ""); !errors.Is(err, vault.ErrName) {
		t.Errorf("Put of a new secret = %v; want ErrName", err)
	}
	g.Seed("app", []byte("one"))
	if v, err := s.Put(t.Context(), name, secret.New("two"), "1"); v != "2" || err != nil {
		t.Errorf("Put = %q, %v; want version 2", v, err)
	}
	if _, err := s.Put(t.Context(), "projects/1/secrets/app", secret.New("three"), "2"); !errors.Is(err, vault.ErrName) {
		t.Errorf("Put with another project's number = %v; want ErrName", err)
	}
}

// Each operation makes the requests that it needs and no others, so it works
// with the fewest permissions.
func TestRequests(t *testing.T) {
	t.Parallel()
	const access, two, three = "AccessSecretVersion projects/team-project/secrets/app/versions/latest",
		"AccessSecretVersion projects/team-project/secrets/app/versions/2", "AccessSecretVersion projects/team-project/secrets/app/versions/3"
	const add, create = "AddSecretVersion projects/team-project/secrets/app", "CreateSecret projects/team-project"
	g := servertest.SecretManager(t)
	s := open(t, config(t, g.Endpoint))
	var seen int
	step := func(what string, want ...string) {
		t.Helper()
		if got := g.Requests()[seen:]; !slices.Equal(got, want) {
			t.Errorf("%s: requests %q; want %q", what, got, want)
		}
		seen = len(g.Requests())
	}
	step("Open")
	if _, err := s.Put(t.Context(), "app", secret.New("one"), ""); err != nil {
		t.Errorf("Put = %v", err)
	}
	step("Put of a new secret", access, add, create, add, two)
	if _, err := s.Put(t.Context(), "app", secret.New("two"), "1"); err != nil {
		t.Errorf("Put = %v", err)
	}
	step("Put", access, two, two, add, three)
	if _, err := s.Get(t.Context(), "app"); err != nil {
		t.Errorf("Get = %v", err)
	}
	step("Get", access)
	if _, err := s.Put(t.Context(), "app", secret.New(strings.Repeat("x", 64<<10+1)), "2"); !errors.Is(err, vault.ErrMalformed) {
		t.Errorf("Put of a long text = %v; want ErrMalformed", err)
	}
	step("Put of a long text")
}

// Another user creates the secret at the same moment.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	endpoint := g.Serve(t, func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, ok := r.(*secretmanagerpb.CreateSecretRequest); ok {
			if _, err := next(ctx, r); err != nil {
				return nil, err
			}
		}
		return next(ctx, r)
	})
	if v, err := open(t, config(t, endpoint)).Put(t.Context(), "app", secret.New("k"), ""); v != "1" || err != nil {
		t.Errorf("Put = %q, %v; want version 1", v, err)
	}
}

func TestDisabledVersion(t *testing.T) {
	t.Parallel()
	for _, state := range []secretmanagerpb.SecretVersion_State{secretmanagerpb.SecretVersion_DISABLED, secretmanagerpb.SecretVersion_DESTROYED} {
		g := servertest.SecretManager(t)
		g.Seed("app", []byte("one"))
		g.Seed("app", []byte("two"))
		g.SetState("app", state)
		s := open(t, config(t, g.Endpoint))
		for name, remedy := range map[string]string{
			"app":           "gcloud secrets versions list app --project=team-project",
			"app?version=2": "gcloud secrets versions enable 2 --secret=app --project=team-project",
		} {
			_, err := s.Get(t.Context(), name)
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, vault.ErrNotFound) || !strings.Contains(e.Detail, state.String()) || !strings.Contains(e.Remedy, remedy) {
				t.Errorf("Get(%q) of a version that is %s = %v; want ErrNotFound and %q", name, state, err, remedy)
			}
		}
		if v, err := s.Put(t.Context(), "app", secret.New("three"), ""); v != "3" || err != nil {
			t.Errorf("Put on a version that is %s = %q, %v; want 3", state, v, err)
		}
	}
}

func TestFaults(t *testing.T) {
	t.Parallel()
	disabled, err := status.New(codes.PermissionDenied, "Secret Manager API is disabled.").WithDetails(
		&errdetails.ErrorInfo{Reason: "SERVICE_DISABLED", Domain: "googleapis.com"})
	if err != nil {
		t.Fatal(err)
	}
	token := "eyJ" + strings.Repeat("h", 30) + ".payload.signature"
	tests := []struct {
		answer   error
		get, put error
		remedy   string // of get
	}{
		{status.Error(codes.NotFound, "not found"), vault.ErrNotFound, vault.ErrNotFound, ""},
		{status.Error(codes.PermissionDenied, "denied"), vault.ErrDenied, vault.ErrDenied, "gcloud secrets add-iam-policy-binding app --project=team-project"},
		{disabled.Err(), vault.ErrDenied, vault.ErrDenied, "gcloud services enable secretmanager.googleapis.com --project=team-project"},
		{status.Error(codes.Unauthenticated, "bad token "+token), vault.ErrUnauthenticated, vault.ErrUnauthenticated, "gcloud auth application-default login"},
		{status.Error(codes.FailedPrecondition, "disabled"), vault.ErrNotFound, vault.ErrDenied, "gcloud secrets versions list app"},
		{status.Error(codes.InvalidArgument, "bad alias"), vault.ErrName, vault.ErrMalformed, ""},
		{status.Error(codes.Unavailable, "try later"), vault.ErrUnavailable, vault.ErrUnavailable, ""},
		{status.Error(codes.ResourceExhausted, "quota exceeded"), vault.ErrThrottled, vault.ErrThrottled, ""},
		{status.Error(codes.DeadlineExceeded, "too slow"), vault.ErrUnavailable, vault.ErrUnavailable, ""},
		{status.Error(codes.Internal, "internal"), vault.ErrUnavailable, vault.ErrUnavailable, ""},
		{status.Error(codes.Unknown, "what"), vault.ErrUnavailable, vault.ErrUnavailable, ""},
		{status.Error(codes.Aborted, "again"), vault.ErrUnavailable, vault.ErrUnavailable, ""},
		{status.Error(codes.Unimplemented, "no such service"), vault.ErrConfig, vault.ErrConfig, "endpoint"},
	}
	for _, tt := range tests {
		t.Run(status.Convert(tt.answer).Message(), func(t *testing.T) {
			t.Parallel()
			g := servertest.SecretManager(t)
			open := func(server grpc.UnaryServerInterceptor) *gcp.Store {
				cfg := config(t, g.Serve(t, server))
				if tt.get == vault.ErrThrottled {
					cfg.Timeout = time.Second // which it waits
				}
				return open(t, cfg)
			}
			s := open(refuse(tt.answer))
			_, err := s.Get(t.Context(), "app")
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.get) || !strings.Contains(e.Remedy, tt.remedy) {
				t.Fatalf("Get = %v; want %v, remedy %q", err, tt.get, tt.remedy)
			}
			if strings.Contains(err.Error(), "payload") {
				t.Errorf("Get = %v, which holds a token", err)
			}
			s = open(writesFail(tt.answer))
			if _, err := s.Put(t.Context(), "app", secret.New("k"), ""); !errors.Is(err, tt.put) {
				t.Errorf("Put = %v; want %v", err, tt.put)
			}
		})
	}
}

// writesFail lets reads work and answers everything else with err.
func writesFail(err error) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, ok := r.(*secretmanagerpb.AccessSecretVersionRequest); ok {
			return next(ctx, r)
		}
		return nil, err
	}
}

// If a server repeats what it was sent, it must not be printed.
func TestEchoedValue(t *testing.T) {
	t.Parallel()
	const value = "k-secret-k"
	g := servertest.SecretManager(t)
	s := open(t, config(t, g.Serve(t, writesFail(status.Error(codes.InvalidArgument, "bad payload "+value)))))
	_, err := s.Put(t.Context(), "app", secret.New(value), "")
	if !errors.Is(err, vault.ErrMalformed) || strings.Contains(fmt.Sprintf("%v %#v", err, err), value) {
		t.Errorf("Put = %v; want ErrMalformed, without the value", err)
	}
}

func TestDamaged(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	g.Seed("app", []byte("k"))
	s := open(t, config(t, g.Serve(t, func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		answer, err := next(ctx, r)
		if a, ok := answer.(*secretmanagerpb.AccessSecretVersionResponse); ok && err == nil {
			a.Payload.Data = []byte("j")
		}
		return answer, err
	})))
	if _, err := s.Get(t.Context(), "app"); !errors.Is(err, vault.ErrUnavailable) || !strings.Contains(err.Error(), "checksum") {
		t.Errorf("Get = %v; want ErrUnavailable", err)
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	throttled := func(code codes.Code, wait time.Duration) error {
		s, err := status.New(code, "quota exceeded").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
		if err != nil {
			t.Fatal(err)
		}
		return s.Err()
	}
	tests := []struct {
		name     string
		answer   error
		requests int32
		ok       bool
	}{
		{"soon", throttled(codes.ResourceExhausted, 0), 2, true},
		{"unavailable, soon", throttled(codes.Unavailable, 0), 2, true},
		{"too late", throttled(codes.ResourceExhausted, time.Hour), 1, false},
		{"not throttled", throttled(codes.Internal, 0), 1, false},
		{"no time given", status.Error(codes.ResourceExhausted, "quota exceeded"), 2, true},
		{"no time given, unavailable", status.Error(codes.Unavailable, "busy"), 1, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := servertest.SecretManager(t)
			g.Seed("app", []byte("k"))
			var n atomic.Int32
			s := open(t, config(t, g.Serve(t, func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
				if n.Add(1) == 1 {
					return nil, tt.answer
				}
				return next(ctx, r)
			})))
			if _, err := s.Get(t.Context(), "app"); (err == nil) != tt.ok || n.Load() != tt.requests {
				t.Errorf("Get = %v after %d requests; want success %t after %d", err, n.Load(), tt.ok, tt.requests)
			}
		})
	}
}

func TestSlow(t *testing.T) {
	t.Parallel()
	started := make(chan struct{}, 2)
	g := servertest.SecretManager(t)
	endpoint := g.Serve(t, func(ctx context.Context, _ any, _ *grpc.UnaryServerInfo, _ grpc.UnaryHandler) (any, error) {
		started <- struct{}{}
		<-ctx.Done()
		return nil, ctx.Err()
	})
	cfg := config(t, endpoint)
	cfg.Timeout = time.Millisecond
	_, err := open(t, cfg).Get(t.Context(), "app")
	if !errors.Is(err, vault.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "no answer within 1ms") {
		t.Errorf("Get = %v; want ErrUnavailable after the timeout, not worth another try", err)
	}

	for len(started) > 0 {
		<-started
	}
	cfg.Timeout = time.Hour
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-started; cancel() }()
	if _, err := open(t, cfg).Get(ctx, "app"); !errors.Is(err, context.Canceled) {
		t.Errorf("Get = %v; want context.Canceled", err)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		cfg  vault.Config
		env  map[string]string
		want string // String; "" for ErrConfig
	}{
		{name: "configured", cfg: vault.Config{ProjectID: " app "}, want: "GCP Secret Manager, project app"},
		{name: "GOOGLE_CLOUD_PROJECT", env: map[string]string{"GOOGLE_CLOUD_PROJECT": "app", "CLOUDSDK_CORE_PROJECT": "b"}, want: "GCP Secret Manager, project app"},
		{name: "CLOUDSDK_CORE_PROJECT", env: map[string]string{"CLOUDSDK_CORE_PROJECT": "app"}, want: "GCP Secret Manager, project app"},
		{name: "configured before the environment", cfg: vault.Config{ProjectID: "app"}, env: map[string]string{"GOOGLE_CLOUD_PROJECT": "b"}, want: "GCP Secret Manager, project app"},
		{name: "the credentials may know", want: "GCP Secret Manager"},
		{name: "domain", cfg: vault.Config{ProjectID: "example.org:app"}, want: "GCP Secret Manager, project example.org:app"},
		{name: "not a project", cfg: vault.Config{ProjectID: "app/secrets/x"}},
		{name: "endpoint", cfg: vault.Config{ProjectID: "app", Endpoint: "https://secrets.example.org/"}, want: "GCP Secret Manager, project app, at secrets.example.org:443"},
		{name: "endpoint with port", cfg: vault.Config{ProjectID: "app", Endpoint: "secrets.example.org:444"}, want: "GCP Secret Manager, project app, at secrets.example.org:444"},
		{name: "loopback", cfg: vault.Config{ProjectID: "app", Endpoint: "http://[::1]:80"}, want: "GCP Secret Manager, project app, at [::1]:80"},
		{name: "loopback without project", cfg: vault.Config{Endpoint: "127.0.0.1:80"}},
		{name: "clear text", cfg: vault.Config{ProjectID: "app", Endpoint: "http://secrets.example.org"}},
		{name: "other scheme", cfg: vault.Config{ProjectID: "app", Endpoint: "dns:///secrets.example.org"}},
		{name: "socket", cfg: vault.Config{ProjectID: "app", Endpoint: "unix:/tmp/s"}},
		{name: "path", cfg: vault.Config{ProjectID: "app", Endpoint: "https://secrets.example.org/v1"}},
		{name: "password", cfg: vault.Config{ProjectID: "app", Endpoint: "https://u:p4ss@secrets.example.org"}},
	}
	for _, tt := range tests {
		tt.cfg.Getenv = getenv(tt.env)
		s, err := gcp.Open(t.Context(), tt.cfg)
		if tt.want == "" {
			if !errors.Is(err, vault.ErrConfig) || strings.Contains(err.Error(), "p4ss") {
				t.Errorf("%s: Open = %v; want ErrConfig, without a password", tt.name, err)
			}
			continue
		}
		if err != nil || s.String() != tt.want {
			t.Errorf("%s: Open = %v, %v; want %s", tt.name, s, err, tt.want)
		}
	}
}

// An endpoint that is never dialled, since there is no token to send there.
const elsewhere = "secretmanager.example.invalid"

func TestCredentials(t *testing.T) {
	t.Parallel()
	const subject = "eyJzdWJqZWN0IjoiMSJ9.c3ViamVjdA.c2ln"
	status := func(code int, body string) string {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(code)
			_, _ = fmt.Fprint(w, body)
		}))
		t.Cleanup(server.Close)
		return server.URL
	}
	federated := func(tokenURL string) string {
		return fmt.Sprintf(`{"type":"external_account","audience":"//iam.googleapis.com/p","subject_token_type":"urn:ietf:params:oauth:token-type:jwt",
			"token_url":%q,"credential_source":{"file":%q}}`, tokenURL, write(t, subject))
	}
	const project = servertest.GCPProject
	tests := []struct {
		name, file, project string
		kind                error
		detail              string
	}{
		{"not there", "", project, vault.ErrUnauthenticated, "no such file"},
		{"not JSON", "k-s3cret", project, vault.ErrUnauthenticated, "no credentials that can be used"},
		{"not credentials", `{"type":"k-s3cret"}`, project, vault.ErrUnauthenticated, "no credentials that can be used"},
		{"key that is none", `{"type":"service_account","client_email":"e","private_key":"k-s3cret"}`, project, vault.ErrUnauthenticated, ""},
		{"refused", federated(status(400, `{"error":"invalid_grant","error_description":"ID token expired: `+subject+`"}`)), project, vault.ErrUnauthenticated, "ID token expired: [redacted]"},
		{"no answer", federated("http://" + servertest.Closed(t)), project, vault.ErrUnavailable, "connection refused"},
		{"no project", federated(status(500, "")), "", vault.ErrConfig, "GCP provider requires --project-id (or [vault.gcp] project_id in config)"},
		{"no project and no credentials", "", "", vault.ErrConfig, "GCP provider requires --project-id"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			file := filepath.Join(t.TempDir(), "none")
			if tt.file != "" {
				file = write(t, tt.file)
			}
			s := open(t, vault.Config{ProjectID: tt.project, Endpoint: elsewhere, Getenv: getenv(map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": file})})
			_, err := s.Get(t.Context(), "app")
			var e *vault.Error
			if !errors.As(err, &e) || !errors.Is(err, tt.kind) || !strings.Contains(e.Detail, tt.detail) {
				t.Fatalf("Get = %v; want %v, %q", err, tt.kind, tt.detail)
			}
			if tt.kind == vault.ErrUnauthenticated && !strings.Contains(e.Remedy, "gcloud auth application-default login") {
				t.Errorf("Get: remedy %q; want gcloud auth application-default login", e.Remedy)
			}
			if text := fmt.Sprintf("%v %#v", err, e); strings.Contains(text, "k-s3cret") || strings.Contains(text, subject) {
				t.Errorf("Get = %s, which holds a credential", text)
			}
		})
	}
}
