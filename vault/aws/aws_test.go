package aws_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/aws"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

var badNames = []string{
	"with space", "a?b", "a:b", "a*", "ключ", strings.Repeat("n", 513), "a?version=3", "a?stage=", "a?stage=x y", "?stage=AWSCURRENT",
	"arn:aws:s3:eu-central-1:123456789012:secret:a-AbCdEf", "arn:aws:secretsmanager:eu-central-1:12:secret:a", "arn:",
	"arn:aws:secretsmanager:us-east-1:123456789012:secret:a-AbCdEf",
}

func TestConformance(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
		away := config("http://"+servertest.Closed(t), full)
		return fixture(t, f.URL, open(t, away), f.seed, func(name string) { f.add(name, version{SecretBinary: []byte{0xff, 0}}) })
	})
}

// fixture returns the fixture for a server that knows the fake's access keys.
func fixture(t *testing.T, url string, away vault.Store, seed func(name, raw string), seedBinary func(name string)) vaulttest.Fixture {
	folder := strings.ReplaceAll(t.Name(), "/", "-")
	return vaulttest.Fixture{
		Store:           open(t, config(url, full)),
		Reopen:          func() vault.Store { return open(t, config(url, full)) },
		Name:            func(short string) string { return folder + "/" + short },
		Seed:            seed,
		BadNames:        badNames,
		Credentials:     []string{secretKey, session},
		Denied:          open(t, config(url, nothing)),
		Unauthenticated: open(t, config(url, unknown)),
		Unavailable:     away,
		Malformed:       map[string]func(string){"binary": seedBinary},
		Pin:             func(name, version string) string { return name + "?version=" + version },
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		cfg    vault.Config
		env    map[string]string
		want   string
		kind   error
		detail string
	}{
		{name: "region of the configuration", cfg: vault.Config{Region: "eu-west-1"}, env: map[string]string{"AWS_REGION": "us-east-1"}, want: "AWS Secrets Manager in eu-west-1"},
		{name: "AWS_REGION first", env: map[string]string{"AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-west-2"}, want: "AWS Secrets Manager in us-east-1"},
		{name: "AWS_DEFAULT_REGION", env: map[string]string{"AWS_DEFAULT_REGION": "us-west-2"}, want: "AWS Secrets Manager in us-west-2"},
		{name: "no region", kind: vault.ErrConfig, detail: "no region"},
		{name: "region that is a host", cfg: vault.Config{Region: "x.example.org/"}, kind: vault.ErrConfig, detail: `"x.example.org/" is no region`},
		{name: "region of the environment that is a host", env: map[string]string{"AWS_REGION": "x.example.org#"}, kind: vault.ErrConfig, detail: `"x.example.org#" is no region`},
		{name: "endpoint", cfg: vault.Config{Region: "r", Endpoint: "https://vpce.example.org"}, want: "AWS Secrets Manager in r at https://vpce.example.org"},
		{name: "loopback", cfg: vault.Config{Region: "r"}, env: map[string]string{"AWS_ENDPOINT_URL": "http://localhost:5000"}, want: "AWS Secrets Manager in r at http://localhost:5000"},
		{name: "endpoint of the service", cfg: vault.Config{Region: "r"}, env: map[string]string{"AWS_ENDPOINT_URL": "https://a", "AWS_ENDPOINT_URL_SECRETS_MANAGER": "https://b"}, want: "AWS Secrets Manager in r at https://b"},
		{name: "endpoints ignored", cfg: vault.Config{Region: "r"}, env: map[string]string{"AWS_ENDPOINT_URL": "https://a", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}, want: "AWS Secrets Manager in r"},
		{name: "clear text", cfg: vault.Config{Region: "r", Endpoint: "http://vault.example.org"}, kind: vault.ErrConfig, detail: "http://vault.example.org would send secrets in clear text"},
		{name: "password in the endpoint", cfg: vault.Config{Region: "r", Endpoint: "https://u:" + secretKey + "@h"}, kind: vault.ErrConfig, detail: "the endpoint is not of the form https://HOST[:PORT]"},
		{name: "no such profile", cfg: vault.Config{Region: "r", Profile: "gone"}, kind: vault.ErrConfig, detail: `there is no profile "gone" in ~/.aws/config`},
		{name: "no such profile, by the environment", cfg: vault.Config{Region: "r"}, env: map[string]string{"AWS_PROFILE": "gone"}, kind: vault.ErrConfig, detail: `there is no profile "gone" in ~/.aws/config`},
		{name: "profile that does not print", cfg: vault.Config{Region: "r", Profile: "a\x1b[2J"}, kind: vault.ErrConfig, detail: "the profile's name has a character that does not print"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tt.cfg.Getenv = func(name string) string { return tt.env[name] }
			s, err := aws.Open(t.Context(), tt.cfg)
			if tt.kind == nil {
				if err != nil || s.String() != tt.want {
					t.Errorf("Open = %v, %v; want %q", s, err, tt.want)
				}
				return
			}
			if e := wantKind(t, err, tt.kind); e.Detail != tt.detail {
				t.Errorf("Open = %v; want detail %q", err, tt.detail)
			}
		})
	}
}

// TestProfiles uses the files that only the SDK reads, from the process's
// environment.
func TestProfiles(t *testing.T) {
	f := newFake(t)
	f.seed("app", "k")
	file := filepath.Join(t.TempDir(), "config")
	write(t, file, `[default]
region = eu-north-1
[profile team]
region = ap-south-1
endpoint_url = `+f.URL+`
aws_access_key_id = `+full+`
aws_secret_access_key = `+secretKey+`
[profile away]
region = eu-west-1
endpoint_url = http://vault.example.org
[profile mfa]
region = eu-west-1
role_arn = arn:aws:iam::123456789012:role/x
mfa_serial = arn:aws:iam::123456789012:mfa/me
source_profile = team
[profile sso]
region = eu-west-1
sso_session = corp
sso_account_id = 123456789012
sso_role_name = dev
[sso-session corp]
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
[profile old sso]
region = eu-west-1
sso_region = eu-west-1
sso_start_url = https://corp.awsapps.com/start
sso_account_id = 123456789012
sso_role_name = dev
[profile process]
region = eu-west-1
credential_process = echo `+secretKey+`
`)
	t.Setenv("AWS_CONFIG_FILE", file)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "none"))
	profile := func(name string) vault.Config { return vault.Config{Profile: name} }

	if got, err := open(t, profile("team")).Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "k" {
		t.Errorf("with a profile, Get = %v", err)
	}
	if s := open(t, vault.Config{}); s.String() != "AWS Secrets Manager in eu-north-1" {
		t.Errorf("default profile: %v; want its region", s)
	}
	_, err := aws.Open(t.Context(), profile("away"))
	wantKind(t, err, vault.ErrConfig)
	_, err = aws.Open(t.Context(), profile("mfa"))
	if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Remedy, "aws configure export-credentials --format env --profile mfa") {
		t.Errorf("MFA: remedy %q", e.Remedy)
	}
	for name, want := range map[string]string{
		"sso":     "aws sso login --profile sso",
		"old sso": "aws sso login --profile 'old sso'",
		"process": "run the profile's credential_process by hand to see why",
		"":        "aws configure, or aws sso login --profile NAME and AWS_PROFILE=NAME",
	} {
		_, err := open(t, profile(name)).Get(t.Context(), "app")
		if e := wantKind(t, err, vault.ErrUnauthenticated); e.Remedy != want {
			t.Errorf("profile %q: %v, remedy %q; want %q", name, err, e.Remedy, want)
		}
		if strings.Contains(fmt.Sprintf("%+v", err), secretKey) {
			t.Errorf("profile %q: the error holds a credential", name)
		}
	}
}

// TestLoginSession uses the session that "aws login" leaves in its cache.
func TestLoginSession(t *testing.T) {
	f := newFake(t)
	f.seed("app", "k")
	const identity = "arn:aws:iam::123456789012:user/ann"
	dir := t.TempDir()
	file := filepath.Join(dir, "config")
	write(t, file, "[profile team]\nregion = ap-south-1\nendpoint_url = "+f.URL+"\nlogin_session = "+identity+"\n")
	for name, value := range map[string]string{
		"AWS_CONFIG_FILE": file, "AWS_SHARED_CREDENTIALS_FILE": filepath.Join(dir, "none"), "AWS_LOGIN_CACHE_DIRECTORY": dir,
	} {
		t.Setenv(name, value)
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cache := filepath.Join(dir, fmt.Sprintf("%x.json", sha256.Sum256([]byte(identity))))
	cached := func(until time.Time) {
		text, err := json.Marshal(map[string]any{
			"accessToken": map[string]any{"accessKeyId": full, "secretAccessKey": secretKey, "sessionToken": session, "accountId": "123456789012", "expiresAt": until},
			"tokenType":   "urn:aws:params:oauth:token-type:access_token_sigv4", "refreshToken": "r3fresh", "clientId": "arn:aws:signin:::devtools/same-device",
			"dpopKey": string(pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der})),
		})
		if err != nil {
			t.Fatal(err)
		}
		write(t, cache, string(text))
	}
	get := func() (vault.Secret, error) { return open(t, vault.Config{Profile: "team"}).Get(t.Context(), "app") }

	_, err = get()
	if e := wantKind(t, err, vault.ErrUnauthenticated); e.Remedy != "aws login --profile team" {
		t.Errorf("without a session: %v, remedy %q", err, e.Remedy)
	}
	cached(time.Now().Add(time.Hour))
	if got, err := get(); err != nil || got.Value.Reveal() != "k" {
		t.Errorf("with a session, Get = %v", err)
	}
	// it has ended, and AWS renews it no more
	t.Setenv("AWS_ENDPOINT_URL_SIGNIN", f.URL)
	cached(time.Now().Add(-time.Hour))
	f.answer = func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Amzn-ErrorType", "AccessDeniedException")
		w.WriteHeader(http.StatusForbidden)
		fmt.Fprint(w, `{"error": "TOKEN_EXPIRED", "message": "no"}`)
	}
	_, err = get()
	if e := wantKind(t, err, vault.ErrUnauthenticated); e.Remedy != "aws login --profile team" || !strings.Contains(e.Detail, "login session has ended") {
		t.Errorf("with an old session: %v, remedy %q", err, e.Remedy)
	}
	for _, text := range []string{secretKey, session, "r3fresh"} {
		if strings.Contains(fmt.Sprintf("%+v", err), text) {
			t.Error("the error holds a credential")
		}
	}
}

// TestInstanceRole makes the metadata service refuse, as on a machine that is
// not an EC2 instance: that is not an outage.
func TestInstanceRole(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://"+servertest.Closed(t))
	s := open(t, vault.Config{Region: "eu-central-1"})
	for range 2 {
		_, err := s.Get(t.Context(), "app")
		if e := wantKind(t, err, vault.ErrUnauthenticated); !strings.Contains(e.Detail, "no credentials in the environment") {
			t.Errorf("Get = %v", err)
		}
	}
}

// TestContainerRole checks that credentials are fetched once, and that a
// service which returns none is not reported as a missing sign-in.
func TestContainerRole(t *testing.T) {
	f := newFake(t)
	f.seed("app", "k")
	var asked atomic.Int32
	role := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		if r.URL.Path == "/broken" {
			http.Error(w, `{"code": "InternalFailure", "message": "oops"}`, http.StatusInternalServerError)
			return
		}
		reply(w, map[string]string{"AccessKeyId": full, "SecretAccessKey": secretKey, "Token": session, "Expiration": "2099-01-01T00:00:00Z"})
	}))
	t.Cleanup(role.Close)
	cfg := vault.Config{Region: "eu-central-1", Endpoint: f.URL}

	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", role.URL)
	s := open(t, cfg)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if _, err := s.Get(t.Context(), "app"); err != nil {
				t.Errorf("Get = %v", err)
			}
		})
	}
	wg.Wait()
	if n := asked.Load(); n != 1 {
		t.Errorf("credentials were fetched %d times; want once", n)
	}
	for _, address := range []string{role.URL + "/broken", "http://" + servertest.Closed(t)} {
		t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", address)
		_, err := open(t, cfg).Get(t.Context(), "app")
		if e := wantKind(t, err, vault.ErrUnavailable); !strings.HasPrefix(e.Detail, "signing in: ") {
			t.Errorf("%s: Get = %v", address, err)
		}
	}
}

// TestWebIdentity makes STS refuse a CI job's token.
func TestWebIdentity(t *testing.T) {
	status := http.StatusForbidden
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, `<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`)
	}))
	t.Cleanup(sts.Close)
	file := filepath.Join(t.TempDir(), "token")
	write(t, file, session)
	t.Setenv("AWS_ENDPOINT_URL_STS", sts.URL)
	t.Setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci")
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file)
	cfg := vault.Config{Region: "eu-central-1", Getenv: os.Getenv}

	_, err := open(t, cfg).Get(t.Context(), "app")
	e := wantKind(t, err, vault.ErrUnauthenticated)
	if e.Detail != "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" || !strings.Contains(e.Remedy, "AWS_ROLE_ARN") {
		t.Errorf("Get = %v, remedy %q", err, e.Remedy)
	}
	status = http.StatusServiceUnavailable
	_, err = open(t, cfg).Get(t.Context(), "app")
	wantKind(t, err, vault.ErrUnavailable)
	t.Setenv("AWS_WEB_IDENTITY_TOKEN_FILE", file+".gone")
	_, err = open(t, cfg).Get(t.Context(), "app")
	wantKind(t, err, vault.ErrUnauthenticated)
}

func TestErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		code, text     string
		kind           error
		detail, remedy string
	}{
		{"ResourceNotFoundException", "Secrets Manager can't find the specified secret.", vault.ErrNotFound, "region eu-central-1: Secrets Manager can't", "AWS_REGION"},
		{"InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.", vault.ErrNotFound,
			"it is scheduled for deletion", "aws secretsmanager restore-secret --secret-id app --region eu-central-1"},
		{"InvalidRequestException", "Something else.", vault.ErrConfig, "InvalidRequestException: Something else.", ""},
		{"AccessDeniedException", "not authorized; you sent " + session, vault.ErrDenied, "you sent [redacted]", "secretsmanager:GetSecretValue"},
		{"UnauthorizedException", "no", vault.ErrDenied, "no", "secretsmanager:GetSecretValue"},
		{"DecryptionFailure", "KMS said no", vault.ErrDenied, "KMS said no", "kms:Decrypt"},
		{"ExpiredTokenException", "expired: " + session, vault.ErrUnauthenticated, "the session has expired", "AWS_SESSION_TOKEN"},
		{"ExpiredToken", "", vault.ErrUnauthenticated, "the session has expired", "AWS_SESSION_TOKEN"},
		{"InvalidClientTokenId", session, vault.ErrUnauthenticated, "does not know the access key", "AWS_ACCESS_KEY_ID"},
		{"UnrecognizedClientException", session, vault.ErrUnauthenticated, "does not know the access key", "AWS_ACCESS_KEY_ID"},
		{"SignatureDoesNotMatch", "x-amz-security-token:" + session, vault.ErrUnauthenticated, "the secret access key is wrong", "AWS_SECRET_ACCESS_KEY"},
		{"ThrottlingException", "Rate exceeded", vault.ErrThrottled, "ThrottlingException: Rate exceeded", "max_workers"},
		{"TooManyRequestsException", "slow", vault.ErrThrottled, "slow", "max_workers"},
		{"InternalServiceError", "oops", vault.ErrUnavailable, "oops", "health.aws.amazon.com"},
		{"ServiceUnavailable", "busy", vault.ErrUnavailable, "busy", "health.aws.amazon.com"},
		{"InvalidParameterException", "Invalid name.", vault.ErrName, "Invalid name.", ""},
		{"NewException", "line\nbreak\x1b[2J", vault.ErrConfig, "NewException: line break[2J", ""},
	}
	for _, tt := range tests {
		t.Run(tt.code, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer = func(w http.ResponseWriter, _ *http.Request) { refuse(w, tt.code, tt.text) }
			cfg := f.config(full)
			if tt.kind == vault.ErrThrottled {
				cfg.Timeout = time.Second // which it waits
			}
			_, err := open(t, cfg).Get(t.Context(), "app")
			e := wantKind(t, err, tt.kind)
			if !strings.Contains(e.Detail, tt.detail) || !strings.Contains(e.Remedy, tt.remedy) || (tt.remedy == "") != (e.Remedy == "") {
				t.Errorf("detail %q, remedy %q; want %q and %q in them", e.Detail, e.Remedy, tt.detail, tt.remedy)
			}
			if all := fmt.Sprintf("%+v %#v", err, e); strings.Contains(all, session) || strings.Contains(all, secretKey) {
				t.Errorf("%s: the error holds a credential", tt.code)
			}
		})
	}
}

// TestFaults covers responses that are not from AWS, and missing ones.
func TestFaults(t *testing.T) {
	t.Parallel()
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("followed a redirect to another host") }))
	t.Cleanup(elsewhere.Close)
	tests := []struct {
		name   string
		answer http.HandlerFunc
		detail string
	}{
		{"a proxy's page", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "<html>", http.StatusForbidden) }, "status 403, not an answer of AWS"},
		{"a page of success", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }, "status 200, not an answer of AWS"},
		{"no code", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) }, "status 404, not an answer of AWS"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, elsewhere.URL, http.StatusTemporaryRedirect)
		},
			"it redirects to " + elsewhere.URL},
		{"cut off", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, "broken off"},
		{"slow", func(_ http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body) // only then does the server notice that the client has gone
			<-r.Context().Done()
		}, "no answer within 50ms"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer = tt.answer
			cfg := f.config(full)
			if tt.name == "slow" {
				cfg.Timeout = 50 * time.Millisecond
			}
			_, err := open(t, cfg).Get(t.Context(), "app")
			if e := wantKind(t, err, vault.ErrUnavailable); !strings.Contains(e.Detail, tt.detail) {
				t.Errorf("Get = %v; want %q in it", err, tt.detail)
			}
			if got := errors.Is(err, context.DeadlineExceeded); got != (tt.name == "slow") {
				t.Errorf("Get = %v; is DeadlineExceeded: %t", err, got)
			}
		})
	}
}

func TestUnknownAuthority(t *testing.T) {
	t.Parallel()
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	_, err := open(t, config(s.URL, full)).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnavailable); !strings.Contains(e.Remedy, "AWS_CA_BUNDLE") {
		t.Errorf("Get = %v, remedy %q; want AWS_CA_BUNDLE", err, e.Remedy)
	}
}

func TestClock(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer = func(w http.ResponseWriter, r *http.Request) {
		signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
		if err != nil {
			t.Error(err)
		}
		w.Header().Set("Date", signed.Add(2*time.Hour).UTC().Format(http.TimeFormat))
		refuse(w, "InvalidSignatureException", "Signature expired")
	}
	_, err := open(t, f.config(full)).Get(t.Context(), "app")
	if e := wantKind(t, err, vault.ErrUnauthenticated); e.Detail != "this machine's clock is 2h0m0s behind (InvalidSignatureException)" || e.Remedy != "set the clock" {
		t.Errorf("Get = %v, remedy %q", err, e.Remedy)
	}
}

// TestThrottled checks that brief throttling is waited for.
func TestThrottled(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.answer = func(w http.ResponseWriter, _ *http.Request) {
		if f.sent()["GetSecretValue"] == 1 {
			refuse(w, "ThrottlingException", "Rate exceeded")
			return
		}
		reply(w, map[string]string{"SecretString": "k", "VersionId": "v"})
	}
	if got, err := open(t, f.config(full)).Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "k" {
		t.Errorf("Get = %v", err)
	}
}

func TestGet(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("app", "old")
	f.seed("app", "new")
	f.add("binary", version{SecretBinary: []byte("text")})
	f.add("nothing", version{})
	f.secrets["valueless"] = nil
	s := open(t, f.config(full))
	for name, want := range map[string]string{
		"app": "new", "app?stage=AWSPREVIOUS": "old", "app?version=" + f.secrets["app"][0].VersionId: "old",
		arn("app"): "new", arn("app") + "?stage=AWSPREVIOUS": "old", "binary": "text",
	} {
		if got, err := s.Get(t.Context(), name); err != nil || got.Value.Reveal() != want || got.Name != name || got.Version == "" {
			t.Errorf("Get(%q) = %+v, %v; want %q", name, got, err, want)
		}
	}
	_, err := s.Get(t.Context(), "nothing")
	wantKind(t, err, vault.ErrMalformed)
	_, err = s.Get(t.Context(), "valueless")
	wantKind(t, err, vault.ErrNotFound)
}

func TestPut(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.secrets["valueless"] = nil
	f.seed("gone", "k")
	f.deleted["gone"] = true
	f.add("binary", version{SecretBinary: []byte{0xff}})
	s := open(t, f.config(full))

	if _, err := s.Put(t.Context(), "valueless", secret.New("k"), ""); err != nil {
		t.Errorf("Put on a secret without a value = %v", err)
	}
	_, err := s.Put(t.Context(), "gone", secret.New("k2"), "")
	if e := wantKind(t, err, vault.ErrNotFound); !strings.HasPrefix(e.Remedy, "aws secretsmanager restore-secret --secret-id gone") {
		t.Errorf("Put on a deleted secret = %v, remedy %q", err, e.Remedy)
	}
	_, err = s.Put(t.Context(), "binary", secret.New("k"), "")
	wantKind(t, err, vault.ErrConflict)
	for what, text := range map[string]string{"long": strings.Repeat("k", 65537), "binary": "\xff"} {
		if _, err := s.Put(t.Context(), "new", secret.New(text), ""); !errors.Is(err, vault.ErrMalformed) {
			t.Errorf("Put of %s text = %v; want ErrMalformed", what, err)
		}
	}
}

// TestPutDenied checks that a denied creation is not hidden by another request.
func TestPutDenied(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	_, err := open(t, f.config(nothing)).Put(t.Context(), "new", secret.New("k"), "")
	if e := wantKind(t, err, vault.ErrDenied); !strings.Contains(e.Detail, "CreateSecret") || !strings.Contains(e.Remedy, "CreateSecret") {
		t.Errorf("Put = %v, remedy %q; want CreateSecret in both", err, e.Remedy)
	}
	if want := map[string]int{"CreateSecret": 1}; !maps.Equal(f.sent(), want) {
		t.Errorf("requests: %v; want %v", f.sent(), want)
	}
}

// A version that may not become current changes nothing.
func TestPutMayNotMove(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	base := f.add("app", version{SecretString: new("one")})
	s := open(t, f.config(noMove))
	_, err := s.Put(t.Context(), "app", secret.New("two"), base)
	if e := wantKind(t, err, vault.ErrDenied); !strings.Contains(e.Detail, "UpdateSecretVersionStage") || !strings.Contains(e.Remedy, "UpdateSecretVersionStage") {
		t.Errorf("Put = %v, remedy %q; want UpdateSecretVersionStage in both", err, e.Remedy)
	}
	if got, err := s.Get(t.Context(), "app"); err != nil || got.Version != base {
		t.Errorf("Get = version %q, %v; want %q", got.Version, err, base)
	}
}

// Another user stores a version between the comparison and the write, or between
// the write and the move of the label.
func TestPutInBetween(t *testing.T) {
	t.Parallel()
	for _, at := range []string{"PutSecretValue", "UpdateSecretVersionStage"} {
		f := newFake(t)
		base := f.add("app", version{SecretString: new("one")})
		var theirs string
		f.before = func(op string) {
			if op == at {
				theirs = f.add("app", version{SecretString: new("theirs")})
			}
		}
		s := open(t, f.config(full))
		_, err := s.Put(t.Context(), "app", secret.New("mine"), base)
		if e := wantKind(t, err, vault.ErrConflict); e.Detail != "the current version is "+theirs+", not "+base {
			t.Errorf("%s: Put = %v", at, err)
		}
		if got, err := s.Get(t.Context(), "app"); err != nil || got.Version != theirs {
			t.Errorf("%s: Get = version %q, %v; want theirs, %q", at, got.Version, err, theirs)
		}
		if got, err := s.Get(t.Context(), "app?stage=AWSPREVIOUS"); err != nil || got.Version != base {
			t.Errorf("%s: the previous version is %q, %v; want %q", at, got.Version, err, base)
		}
	}
}

// The version has become current, but the response was lost.
func TestPutLosesAnswer(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	base := f.add("app", version{SecretString: new("one")})
	f.lose = "UpdateSecretVersionStage"
	s := open(t, f.config(full))
	v, err := s.Put(t.Context(), "app", secret.New("two"), base)
	if got, getErr := s.Get(t.Context(), "app"); err != nil || getErr != nil || got.Version != v || got.Value.Reveal() != "two" {
		t.Errorf("Put = %q, %v; Get = version %q, %v", v, err, got.Version, getErr)
	}
}

func fetch(t *testing.T, s vault.Store, f *fake, n int) []vault.Result {
	t.Helper()
	var requests []vault.Request
	for i := range n {
		name := fmt.Sprintf("app-%02d", i)
		f.seed(name, name)
		requests = append(requests, vault.Request{Store: s, Name: name})
	}
	results := vault.Fetch(t.Context(), requests, 1)
	for i, r := range results {
		if r.Err != nil || r.Secret.Value.Reveal() != requests[i].Name {
			t.Errorf("%q: %v", requests[i].Name, r.Err)
		}
	}
	return results
}

func TestBatch(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		key  string
		want map[string]int
	}{
		{"allowed", full, map[string]int{"BatchGetSecretValue": 3}},
		{"not allowed", noBatch, map[string]int{"BatchGetSecretValue": 1, "GetSecretValue": 45}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			fetch(t, open(t, f.config(tt.key)), f, 45)
			if !maps.Equal(f.sent(), tt.want) {
				t.Errorf("requests for 45 names: %v; want %v", f.sent(), tt.want)
			}
		})
	}
}

// TestBatchMixed gets a batch with names of every kind.
func TestBatchMixed(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.seed("a", "1")
	f.seed("a", "2")
	f.seed("b", "3")
	f.seed("gone", "4")
	f.deleted["gone"] = true
	got := open(t, f.config(full)).GetBatch(t.Context(), []string{"a", "a?stage=AWSPREVIOUS", arn("b"), "b", "gone", "missing", "bad name"})
	for name, want := range map[string]string{"a": "2", "a?stage=AWSPREVIOUS": "1", arn("b"): "3", "b": "3"} {
		if r := got[name]; r.Err != nil || r.Secret.Value.Reveal() != want || r.Secret.Name != name {
			t.Errorf("%q = %+v, %v; want %q", name, r.Secret, r.Err, want)
		}
	}
	for name, kind := range map[string]error{"gone": vault.ErrNotFound, "missing": vault.ErrNotFound, "bad name": vault.ErrName} {
		if e := wantKind(t, got[name].Err, kind); e.Name != name {
			t.Errorf("%q: the error is about %q", name, e.Name)
		}
	}
	if want := map[string]int{"BatchGetSecretValue": 1, "GetSecretValue": 1}; !maps.Equal(f.sent(), want) {
		t.Errorf("requests: %v; want %v", f.sent(), want)
	}
}

// TestBatchRefused checks that a batch which AWS refuses for one name does not
// fail the others, and that an outage does not cause more requests.
func TestBatchRefused(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]map[string]int{
		"InvalidParameterException": {"BatchGetSecretValue": 2, "GetSecretValue": 4},
		"UnknownOperationException": {"BatchGetSecretValue": 1, "GetSecretValue": 4},
		"InternalServiceError":      {"BatchGetSecretValue": 2},
		"ExpiredTokenException":     {"BatchGetSecretValue": 2},
	} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			f := newFake(t)
			f.answer = func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.Header.Get("X-Amz-Target"), ".BatchGetSecretValue") {
					refuse(w, code, "no")
					return
				}
				reply(w, map[string]string{"SecretString": "k", "VersionId": "v"})
			}
			s := open(t, f.config(full))
			for range 2 {
				for name, r := range s.GetBatch(t.Context(), []string{"a", "b"}) {
					if e := (*vault.Error)(nil); (r.Err == nil) != (want["GetSecretValue"] > 0) || errors.As(r.Err, &e) && e.Name != name {
						t.Errorf("%q: %v", name, r.Err)
					}
				}
			}
			if !maps.Equal(f.sent(), want) {
				t.Errorf("requests of two batches: %v; want %v", f.sent(), want)
			}
		})
	}
}

func wantKind(t *testing.T, err, kind error) *vault.Error {
	t.Helper()
	var e *vault.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		t.Fatalf("error = %v; want %v", err, kind)
	}
	return e
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
