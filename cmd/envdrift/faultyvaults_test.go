package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"filippo.io/age"
	"filippo.io/age/armor"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// The timeouts of the table: most of them are not waited for.
const (
	patient   = "timeout = \"20s\"\n"
	impatient = "timeout = \"300ms\"\n"
)

// Texts that are not a key, each with a mark that must not be printed.
var (
	binaryText = "m4rked\x00\xff\xfe\x01"
	longText   = strings.Repeat("m4rked", 20_000)
	noKeyText  = "m4rked-password"
)

// overHTTP adds the faults that need no knowledge of the vault. prefix is
// https:// for vaults that accept nothing else.
func (v *faultyVault) overHTTP(t *testing.T, prefix string, web func(testing.TB, http.Handler) string) {
	v.faults = append(v.faults,
		vaultFault{name: "no such host", at: "https://vault..example.com"},
		vaultFault{name: "connection refused", at: prefix + servertest.Closed(t)},
		vaultFault{name: "connection reset", at: prefix + servertest.Socket(t, servertest.Reset)},
		vaultFault{name: "unknown certificate authority", at: servertest.Untrusted(t, http.HandlerFunc(servertest.Stranger))},
		vaultFault{name: "another server answers", at: web(t, http.HandlerFunc(servertest.Stranger))},
		vaultFault{name: "redirect to another host", at: web(t, http.HandlerFunc(servertest.Elsewhere))},
		vaultFault{name: "no answer", config: fmt.Sprintf(strings.Replace(v.config, patient, impatient, 1), web(t, http.HandlerFunc(servertest.Silence)))},
	)
}

// says answers every request with the same response.
func says(code int, header, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body))
	}
}

func asJSON(v any) string {
	data, _ := json.Marshal(v)
	return string(data)
}

func faultyHashicorp(t *testing.T, key *ecies.PrivateKey) *faultyVault {
	v := &faultyVault{
		title: "HashiCorp Vault", names: "HashiCorp Vault at http",
		config: "[vault]\nprovider = \"hashicorp\"\n" + patient + "[vault.hashicorp]\nurl = \"%s\"\n",
		env:    map[string]string{"VAULT_TOKEN": "hvs.t0kenT0ken"}, hidden: []string{"t0kenT0ken", "s3cret-id"},
		lacks: []string{"disabled"},
	}
	v.overHTTP(t, "http://", servertest.Web)
	holds := func(value string) http.HandlerFunc {
		return says(200, "", asJSON(map[string]any{"data": map[string]any{
			"data": map[string]string{"value": value}, "metadata": map[string]any{"version": 3},
		}}))
	}
	lookup := func(valid bool, next http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if valid && strings.HasSuffix(r.URL.Path, "/lookup-self") {
				next = says(200, "", `{"data":{}}`)
			}
			next(w, r)
		}
	}
	denied := says(403, "", `{"errors":["1 error occurred:\n\t* permission denied\n\n"]}`)
	at := func(name string, h http.HandlerFunc) vaultFault {
		return vaultFault{name: name, at: servertest.Web(t, h)}
	}
	busy := `{"errors":["request path \"secret/data/app-key\": rate limit quota exceeded"]}`
	v.faults = append(v.faults,
		at("server error", says(500, "", `{"errors":["internal error"]}`)),
		at("throttled", says(429, "Retry-After: 120", busy)),
		at("throttled, then not", servertest.First(says(429, "Retry-After: 0", busy), holds(key.Reveal()))),
		vaultFault{name: "no credentials", at: servertest.Web(t, holds("")), env: map[string]string{"VAULT_TOKEN": ""}},
		at("credentials have expired", says(403, "", `{"errors":["permission denied"]}`)),
		at("access denied", lookup(true, denied)),
		at("no such secret", says(404, "", `{"errors":[]}`)),
		at("deleted", says(404, "", `{"data":{"data":null,"metadata":{"version":3,"deletion_time":"2026-01-01T00:00:00Z","destroyed":false}}}`)),
		at("binary", holds(binaryText)),
		at("empty", holds("")),
		at("too long", holds(longText)),
		at("no key", holds(noKeyText)),
		vaultFault{name: "illegal name", at: servertest.Web(t, holds("")), secret: "app/../key"},
		vaultFault{name: "no address", config: "[vault]\nprovider = \"hashicorp\"\n", unopened: true},
	)
	sealed, unrouted := at("sealed", says(503, "", `{"errors":["Vault is sealed"]}`)), at("no engine at the mount", says(404, "", `{"errors":["no handler for route \"secret/data/app-key\". route entry not found."]}`))
	sealed.status, unrouted.status = statusVault, statusUsage
	approle := vaultFault{name: "AppRole refused", status: statusVault, env: map[string]string{"VAULT_ROLE_ID": "role", "VAULT_SECRET_ID": "s3cret-id"},
		config: fmt.Sprintf(v.config+"auth = \"approle\"\n", servertest.Web(t, says(400, "", `{"errors":["invalid secret id s3cret-id"]}`)))}
	v.faults = append(v.faults, sealed, unrouted, approle)
	return v
}

func faultyAWS(t *testing.T, key *ecies.PrivateKey) *faultyVault {
	v := &faultyVault{
		title: "AWS Secrets Manager", names: "AWS Secrets Manager",
		config: "[vault]\nprovider = \"aws\"\n" + patient + "[vault.aws]\nregion = \"eu-central-1\"\nendpoint_url = \"%s\"\n",
		env: map[string]string{
			"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "s3cretAccessKey", "AWS_SESSION_TOKEN": "s3ssionT0ken", "AWS_EC2_METADATA_DISABLED": "true",
		},
		hidden: []string{"s3cretAccessKey", "s3ssionT0ken"},
		lacks:  []string{"disabled"},
	}
	v.overHTTP(t, "http://", servertest.Web)
	refuses := func(code int, kind, text string) http.HandlerFunc {
		return says(code, "", asJSON(map[string]string{"__type": kind, "message": text}))
	}
	holds := func(value string) http.HandlerFunc {
		return says(200, "", asJSON(map[string]string{"Name": "app-key", "VersionId": "v1", "SecretString": value}))
	}
	at := func(name string, h http.HandlerFunc) vaultFault {
		return vaultFault{name: name, at: servertest.Web(t, h)}
	}
	signedOut := map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
	profile := func(name, fault, text string) vaultFault {
		return vaultFault{name: fault, at: servertest.Web(t, holds("")), status: statusVault, unopened: name == "admin", files: map[string]string{".aws/config": text},
			env: map[string]string{"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": name}}
	}
	busy := refuses(400, "ThrottlingException", "Rate exceeded")
	v.faults = append(v.faults,
		at("server error", refuses(500, "InternalServiceError", "An error occurred on the server side.")),
		vaultFault{name: "throttled", config: fmt.Sprintf(strings.Replace(v.config, patient, impatient, 1), servertest.Web(t, busy))},
		at("throttled, then not", servertest.First(busy, holds(key.Reveal()))),
		vaultFault{name: "no credentials", at: servertest.Web(t, holds("")), env: signedOut},
		at("credentials have expired", refuses(400, "ExpiredTokenException", "The security token included in the request is expired")),
		at("access denied", refuses(400, "AccessDeniedException", "User: arn:aws:iam::123456789012:user/ann is not authorized to perform: secretsmanager:GetSecretValue")),
		at("no such secret", refuses(400, "ResourceNotFoundException", "Secrets Manager can't find the specified secret.")),
		at("deleted", refuses(400, "InvalidRequestException", "You can't perform this operation on the secret because it was marked for deletion.")),
		at("binary", says(200, "", asJSON(map[string]any{"Name": "app-key", "VersionId": "v1", "SecretBinary": []byte(binaryText)}))),
		at("empty", holds("")),
		at("too long", holds(longText)),
		at("no key", holds(noKeyText)),
		vaultFault{name: "illegal name", at: servertest.Web(t, holds("")), secret: "app key"},
		vaultFault{name: "no address", config: "[vault]\nprovider = \"aws\"\n", unopened: true},
	)
	clock := at("wrong clock, which the SDK corrects", servertest.First(
		says(400, "Date: Thu, 01 Jan 2026 00:00:00 GMT", asJSON(map[string]string{"__type": "RequestTimeTooSkewed", "message": "The difference is too large."})), holds(key.Reveal())))
	kms := at("no use of the KMS key", refuses(400, "AccessDeniedException", "Access to KMS is not allowed"))
	unknown := at("unknown access key", refuses(400, "UnrecognizedClientException", "The security token included in the request is invalid."))
	clock.status, kms.status, unknown.status = statusOK, statusVault, statusVault
	v.faults = append(v.faults, unknown, kms, clock,
		profile("dev", "SSO session has ended", "[profile dev]\nregion = eu-central-1\nsso_session = corp\nsso_account_id = 123456789012\nsso_role_name = dev\n"+
			"[sso-session corp]\nsso_region = eu-central-1\nsso_start_url = https://corp.awsapps.com/start\n"),
		profile("admin", "second factor (MFA)", "[profile admin]\nregion = eu-central-1\nrole_arn = arn:aws:iam::123456789012:role/x\n"+
			"mfa_serial = arn:aws:iam::123456789012:mfa/ann\nsource_profile = base\n[profile base]\naws_access_key_id = AKIATEST\naws_secret_access_key = s3cretAccessKey\n"),
	)
	return v
}

func faultyAzure(t *testing.T, key *ecies.PrivateKey) *faultyVault {
	azure := servertest.AzureKeyVault(t)
	v := &faultyVault{
		title: "Azure Key Vault", names: "Azure Key Vault at https://",
		config: "[vault]\nprovider = \"azure\"\n" + patient + "[vault.azure]\nvault_url = \"%s\"\n",
		env:    azure.Env("reader"), hidden: []string{"-s3cret", servertest.AzureToken},
	}
	v.overHTTP(t, "https://", servertest.WebTLS)
	at := func(name string, h http.Handler) vaultFault {
		return vaultFault{name: name, at: servertest.WebTLS(t, h)}
	}
	holds := func(name, value string) vaultFault {
		secret := "held-" + strings.ReplaceAll(name, " ", "-")
		azure.Set(secret, value)
		return vaultFault{name: name, at: azure.URL, secret: secret}
	}
	entra := func(name, text string) vaultFault {
		login := servertest.WebTLS(t, says(401, "", asJSON(map[string]string{"error": "invalid_client", "error_description": text + " Trace ID: 0 Correlation ID: 0 Timestamp: 0"})))
		return vaultFault{name: name, at: azure.URL, env: map[string]string{"AZURE_AUTHORITY_HOST": login}}
	}
	azure.Set("app-key", key.Reveal())
	disabled := holds("disabled", key.Reveal())
	*azure.Newest(disabled.secret).Attributes.Enabled = false
	azure.Delete("deleted-key")
	busy := `{"error":{"code":"Throttled","message":"Request was not processed because too many requests were received."}}`
	v.faults = append(v.faults,
		at("server error", says(500, "", `{"error":{"code":"InternalServerError","message":"An error has occurred"}}`)),
		at("throttled", says(429, "Retry-After: 120", busy)),
		at("throttled, then not", servertest.First(says(429, "Retry-After: 0", busy), azure)),
		vaultFault{name: "no credentials", at: azure.URL, env: map[string]string{"AZURE_CLIENT_SECRET": ""}},
		entra("credentials have expired", "AADSTS7000222: The provided client secret keys for app 'reader' are expired."),
		vaultFault{name: "access denied", at: azure.URL, env: map[string]string{"AZURE_CLIENT_ID": "nobody", "AZURE_CLIENT_SECRET": "nobody-s3cret"}},
		vaultFault{name: "no such secret", at: azure.URL, secret: "no-such-key"},
		vaultFault{name: "deleted", at: azure.URL, secret: "deleted-key"},
		disabled,
		holds("binary", binaryText),
		holds("empty", ""),
		holds("too long", longText),
		holds("no key", noKeyText),
		vaultFault{name: "illegal name", at: azure.URL, secret: "app_key"},
		vaultFault{name: "no address", config: "[vault]\nprovider = \"azure\"\n", unopened: true},
	)
	wrong := vaultFault{name: "wrong client secret", at: azure.URL, env: map[string]string{"AZURE_CLIENT_SECRET": "wrong-s3cret"}, status: statusVault}
	expired := holds("expired", key.Reveal())
	past := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	azure.Newest(expired.secret).Attributes.Expires, expired.status = &past, statusVault
	firewall := at("firewall", says(403, "", `{"error":{"code":"Forbidden","message":"Client address is not authorized and caller is not a trusted service.","innererror":{"code":"ForbiddenByFirewall"}}}`))
	firewall.status = statusVault
	v.faults = append(v.faults, wrong, expired, firewall)
	return v
}

func faultyGCP(t *testing.T, key *ecies.PrivateKey) *faultyVault {
	gcp := servertest.SecretManager(t)
	login := func(h http.HandlerFunc) string {
		return asJSON(map[string]any{"type": "external_account", "audience": "//iam.googleapis.com/p", "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
			"token_url": servertest.Web(t, h), "credential_source": map[string]string{"file": "jwt"}})
	}
	signedIn := map[string]string{"jwt": "j.w.t-s3cret", "login.json": login(says(200, "", `{"access_token":"s3cret-t0ken","issued_token_type":"urn:ietf:params:oauth:token-type:access_token","token_type":"Bearer","expires_in":3600}`))}
	v := &faultyVault{
		title: "GCP Secret Manager", names: "GCP Secret Manager, project " + servertest.GCPProject,
		config: "[vault]\nprovider = \"gcp\"\n" + patient + "[vault.gcp]\nproject_id = \"" + servertest.GCPProject + "\"\nendpoint = \"%s\"\n",
		env:    map[string]string{"GOOGLE_APPLICATION_CREDENTIALS": "login.json"}, hidden: []string{"s3cret"},
	}
	v.overHTTP(t, "http://", servertest.Web)
	for i := range v.faults {
		// Of servers on this machine, only one at another address than
		// loopback gets TLS and credentials.
		v.faults[i].at = strings.Replace(v.faults[i].at, "https://127.0.0.1", "https://0.0.0.0", 1)
		v.faults[i].files = signedIn
	}
	answers := func(name string, fail func(n int32) error) vaultFault {
		var n atomic.Int32
		return vaultFault{name: name, at: "http://" + gcp.Serve(t, func(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
			if err := fail(n.Add(1)); err != nil {
				return nil, err
			}
			return next(ctx, req)
		})}
	}
	refuses := func(name string, code codes.Code, text string) vaultFault {
		return answers(name, func(int32) error { return status.Error(code, text) })
	}
	holds := func(name, value string) vaultFault {
		secret := "held-" + strings.ReplaceAll(name, " ", "-")
		gcp.Seed(secret, []byte(value))
		return vaultFault{name: name, at: "http://" + gcp.Endpoint, secret: secret}
	}
	busy := func(wait time.Duration) error {
		s, err := status.New(codes.ResourceExhausted, "Quota exceeded for quota metric 'Access requests'.").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(wait)})
		if err != nil {
			t.Error(err)
		}
		return s.Err()
	}
	elsewhere := func(name string, files map[string]string) vaultFault {
		return vaultFault{name: name, at: "https://0.0.0.0:1", files: files}
	}
	gcp.Seed("app-key", []byte(key.Reveal()))
	disabled, deleted := holds("disabled", key.Reveal()), holds("deleted", key.Reveal())
	gcp.SetState(disabled.secret, secretmanagerpb.SecretVersion_DISABLED)
	gcp.SetState(deleted.secret, secretmanagerpb.SecretVersion_DESTROYED)
	v.faults = append(v.faults,
		refuses("server error", codes.Internal, "Internal error encountered."),
		answers("throttled", func(int32) error { return busy(2 * time.Minute) }),
		answers("throttled, then not", func(n int32) error {
			if n == 1 {
				return busy(0)
			}
			return nil
		}),
		elsewhere("no credentials", nil),
		elsewhere("credentials have expired", map[string]string{"jwt": "j.w.t-s3cret",
			"login.json": login(says(400, "", `{"error":"invalid_grant","error_description":"ID Token issued at 0 is stale to sign-in."}`))}),
		refuses("access denied", codes.PermissionDenied, "Permission 'secretmanager.versions.access' denied for resource 'projects/team-project/secrets/app-key/versions/latest' (or it may not exist)."),
		vaultFault{name: "no such secret", at: "http://" + gcp.Endpoint, secret: "no-such-key"},
		deleted, disabled,
		holds("binary", binaryText),
		holds("empty", ""),
		holds("too long", longText),
		holds("no key", noKeyText),
		vaultFault{name: "illegal name", at: "http://" + gcp.Endpoint, secret: "app.key"},
		vaultFault{name: "no address", config: "[vault]\nprovider = \"gcp\"\n[vault.gcp]\nendpoint = \"http://127.0.0.1:1\"\n", unopened: true},
	)
	return v
}

func faultyAge(t *testing.T, key *ecies.PrivateKey) *faultyVault {
	mine, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	others, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	v := &faultyVault{
		title: "age", names: "age vault .envdrift/vault", config: "[vault]\nprovider = \"age\"\n%.0s",
		env: map[string]string{"ENVDRIFT_AGE_KEY": mine.String()}, hidden: []string{mine.String()},
		lacks: []string{
			"no such host", "connection refused", "connection reset", "unknown certificate authority", "another server answers", "redirect to another host",
			"no answer", "server error", "throttled", "throttled, then not", "credentials have expired", "deleted", "disabled",
		},
	}
	holds := func(name, value string, to *age.X25519Recipient) vaultFault {
		var file bytes.Buffer
		armored := armor.NewWriter(&file)
		w, err := age.Encrypt(armored, to)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(value))
		_, _ = w.Close(), armored.Close()
		return vaultFault{name: name, files: map[string]string{filepath.Join(".envdrift", "vault", "app-key.age"): file.String()}}
	}
	nobody := holds("no credentials", key.Reveal(), mine.Recipient())
	nobody.env = map[string]string{"ENVDRIFT_AGE_KEY": ""}
	damaged := vaultFault{name: "no age file", status: statusFail, files: map[string]string{filepath.Join(".envdrift", "vault", "app-key.age"): "m4rked"}}
	unreadable := holds("identity that others can read", key.Reveal(), mine.Recipient())
	unreadable.env, unreadable.status = map[string]string{"ENVDRIFT_AGE_KEY": "", "ENVDRIFT_AGE_IDENTITY": "/"}, statusVault
	v.faults = append(v.faults, nobody,
		holds("access denied", key.Reveal(), others.Recipient()),
		vaultFault{name: "no such secret"},
		holds("binary", binaryText, mine.Recipient()),
		holds("empty", "", mine.Recipient()),
		holds("too long", longText, mine.Recipient()),
		holds("no key", noKeyText, mine.Recipient()),
		vaultFault{name: "illegal name", secret: "../app-key"},
		vaultFault{name: "no address", config: "[vault]\nprovider = \"age\"\n[vault.age]\ndir = \"../elsewhere\"\n", unopened: true},
		damaged,
	)
	return v
}
