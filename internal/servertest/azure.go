package servertest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
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
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	azfake "github.com/Azure/azure-sdk-for-go/sdk/azcore/fake"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets/fake"
)

// The properties of [Azure].
const (
	AzureTenant = "11111111-2222-3333-4444-555555555555"
	AzureToken  = "eyJ0eXAi.t0ken." // the prefix of each access token
)

// Azure is a key vault and, at the same address, the part of Microsoft Entra ID
// that issues tokens for it. Both use TLS. There is no emulator: it is the fake
// of Azure's own SDK, served over HTTP, with the challenge and the errors that
// Key Vault documents.
type Azure struct {
	URL    string
	CACert string // file

	// A test may set these before the first request.
	Between func(secret string) // runs before each version that is stored, as another user who is faster
	Lies    bool                // versions that were stored over HTTP are never the newest that is returned

	server *httptest.Server
	fake   *fake.ServerTransport

	mu       sync.Mutex
	secrets  map[string][]*azsecrets.Secret // versions, the newest last
	stored   map[*azsecrets.Secret]bool     // those that came over HTTP
	deleted  map[string]bool
	tokens   map[string]string // the identity that has it
	requests []string
	faults   []http.HandlerFunc
}

// AzureKeyVault starts a vault that knows the identities of [Azure.Env].
func AzureKeyVault(t testing.TB) *Azure {
	t.Helper()
	a := &Azure{secrets: map[string][]*azsecrets.Secret{}, stored: map[*azsecrets.Secret]bool{}, deleted: map[string]bool{}, tokens: map[string]string{}}
	a.fake = fake.NewServerTransport(&fake.Server{GetSecret: a.getSecret, SetSecret: a.setSecret})
	a.server = httptest.NewUnstartedServer(a)
	a.server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that do not trust it are tested too
	a.server.StartTLS()
	t.Cleanup(a.server.Close)
	a.URL = a.server.URL
	a.CACert = filepath.Join(t.TempDir(), "ca.pem")
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.server.Certificate().Raw})
	if err := os.WriteFile(a.CACert, ca, 0o600); err != nil {
		t.Fatal(err)
	}
	return a
}

// Close stops the vault before the test ends.
func (a *Azure) Close() { a.server.Close() }

// Env returns the environment of a service principal: "writer" may read, list and
// write, "setter" read and write, "reader" read, "nobody" nothing. The password of a principal is its
// name followed by "-s3cret".
func (a *Azure) Env(identity string) map[string]string {
	return map[string]string{
		"AZURE_AUTHORITY_HOST": a.URL,
		"AZURE_TENANT_ID":      AzureTenant,
		"AZURE_CLIENT_ID":      identity,
		"AZURE_CLIENT_SECRET":  identity + "-s3cret",
		"SSL_CERT_FILE":        a.CACert,
	}
}

// Token returns an access token for identity.
func (a *Azure) Token(identity string) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	token := fmt.Sprintf("%s%d", AzureToken, len(a.tokens))
	a.tokens[token] = identity
	return token
}

// Set stores a version of a secret and returns it, for a test to change.
func (a *Azure) Set(name, value string) *azsecrets.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.add(name, &azsecrets.Secret{Value: &value})
}

func (a *Azure) add(name string, s *azsecrets.Secret) *azsecrets.Secret {
	version := make([]byte, 16)
	_, _ = rand.Read(version)
	id := azsecrets.ID(a.URL + "/secrets/" + name + "/" + hex.EncodeToString(version))
	enabled, now := true, time.Now()
	s.ID, s.Attributes = &id, &azsecrets.SecretAttributes{Enabled: &enabled, Created: &now, Updated: &now}
	a.secrets[name] = append(a.secrets[name], s)
	return s
}

// Newest returns the newest version of a secret, or nil.
func (a *Azure) Newest(name string) *azsecrets.Secret {
	a.mu.Lock()
	defer a.mu.Unlock()
	if versions := a.secrets[name]; len(versions) > 0 {
		return versions[len(versions)-1]
	}
	return nil
}

// Delete deletes a secret so that it can still be recovered.
func (a *Azure) Delete(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.secrets, name)
	a.deleted[name] = true
}

// Fail makes h answer the next request, instead of the vault.
func (a *Azure) Fail(h http.HandlerFunc) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.faults = append(a.faults, h)
}

// Requests returns the requests so far, in the form "GET /secrets/name 200".
func (a *Azure) Requests() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.requests)
}

func (a *Azure) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rec := &statusRecorder{ResponseWriter: w}
	defer func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.requests = append(a.requests, fmt.Sprintf("%s %s %d", r.Method, strings.TrimSuffix(r.URL.Path, "/"), rec.status))
	}()
	a.route(r)(rec, r)
}

func (a *Azure) route(r *http.Request) http.HandlerFunc {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.faults) > 0 {
		h := a.faults[0]
		a.faults = a.faults[1:]
		return h
	}
	if strings.HasPrefix(r.URL.Path, "/secrets/") {
		return a.serveVault
	}
	return a.serveEntra
}

// serveEntra describes the authority and issues tokens (RFC 6749, 4.4).
func (a *Azure) serveEntra(w http.ResponseWriter, r *http.Request) {
	base := a.URL + "/" + AzureTenant
	switch r.URL.Path {
	case "/" + AzureTenant + "/v2.0/.well-known/openid-configuration":
		writeJSON(w, http.StatusOK, map[string]string{
			"issuer": base + "/v2.0", "token_endpoint": base + "/oauth2/v2.0/token", "authorization_endpoint": base + "/oauth2/v2.0/authorize",
		})
	case "/" + AzureTenant + "/oauth2/v2.0/token":
		identity := r.PostFormValue("client_id")
		proof := r.PostFormValue("client_secret") + r.PostFormValue("client_assertion")
		if proof != identity+"-s3cret" {
			writeJSON(w, http.StatusUnauthorized, map[string]string{
				"error":             "invalid_client",
				"error_description": "AADSTS7000215: Invalid client secret provided, " + proof + ". Trace ID: 0 Correlation ID: 0 Timestamp: 0",
			})
			return
		}
		writeJSON(w, http.StatusOK, map[string]any{"token_type": "Bearer", "expires_in": 3600, "access_token": a.Token(identity)})
	default:
		http.NotFound(w, r)
	}
}

func (a *Azure) serveVault(w http.ResponseWriter, r *http.Request) {
	token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
	a.mu.Lock()
	identity, known := a.tokens[token]
	a.mu.Unlock()
	call := map[string]string{http.MethodGet: "GetSecret", http.MethodPut: "SetSecret"}[r.Method]
	if name, ok := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/secrets/"), "/versions"); ok && !strings.Contains(name, "/") {
		call = "list"
	}
	switch {
	case !known:
		w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer authorization="%s/%s", resource="https://vault.azure.net"`, a.URL, AzureTenant))
		refuse(w, &refusal{401, "Unauthorized", "", "AKV10000: Request is missing a Bearer or PoP token. " + token})
	case !slices.Contains(map[string][]string{
		"writer": {"GetSecret", "SetSecret", "list"}, "setter": {"GetSecret", "SetSecret"}, "reader": {"GetSecret"},
	}[identity], call):
		refuse(w, &refusal{403, "Forbidden", "ForbiddenByRbac", "Caller is not authorized to perform action on resource.\r\n" +
			"If role assignments, deny assignments or role definitions were changed recently, please observe propagation time."})
	case call == "list":
		a.listVersions(w, r)
	default:
		// The fake reads from the context what the SDK has put there.
		a.forward(w, r.WithContext(context.WithValue(r.Context(), runtime.CtxAPINameKey{}, "Client."+call)))
	}
}

func (a *Azure) forward(w http.ResponseWriter, r *http.Request) {
	resp, err := a.fake.Do(r)
	if refused, ok := errors.AsType[*refusal](err); ok {
		refuse(w, refused)
		return
	}
	if err != nil {
		refuse(w, &refusal{400, "BadParameter", "", err.Error()})
		return
	}
	defer func() { _ = resp.Body.Close() }()
	maps.Copy(w.Header(), resp.Header)
	w.WriteHeader(resp.StatusCode)
	_, _ = io.Copy(w, resp.Body)
}

func (a *Azure) getSecret(_ context.Context, name, version string, _ *azsecrets.GetSecretOptions) (resp azfake.Responder[azsecrets.GetSecretResponse], fail azfake.ErrorResponder) {
	a.mu.Lock()
	defer a.mu.Unlock()
	var found *azsecrets.Secret
	for _, s := range a.secrets[name] {
		if version == "" && !(a.Lies && a.stored[s]) || s.ID.Version() == version {
			found = s
		}
	}
	switch {
	case found == nil:
		fail.SetError(&refusal{404, "SecretNotFound", "", "A secret with (name/id) " + name + " was not found in this key vault."})
	case !*found.Attributes.Enabled:
		fail.SetError(&refusal{403, "Forbidden", "SecretDisabled", "Operation get is not allowed on a disabled secret."})
	default:
		resp.SetResponse(http.StatusOK, azsecrets.GetSecretResponse{Secret: *found}, nil)
	}
	return resp, fail
}

// listVersions lists the versions of a secret, 25 a page, by their ids. The SDK's
// fake confuses the pages of lists at the same time.
func (a *Azure) listVersions(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	versions := slices.SortedFunc(slices.Values(a.secrets[strings.Split(r.URL.Path, "/")[2]]), func(a, b *azsecrets.Secret) int {
		return strings.Compare(a.ID.Version(), b.ID.Version())
	})
	var page azsecrets.SecretPropertiesListResult
	for _, s := range versions {
		switch {
		case s.ID.Version() <= r.URL.Query().Get("$skiptoken"):
		case len(page.Value) == 25:
			next := fmt.Sprintf("%s%s?api-version=%s&$skiptoken=%s&maxresults=25", a.URL, r.URL.Path, r.URL.Query().Get("api-version"), page.Value[24].ID.Version())
			page.NextLink = &next
		default:
			page.Value = append(page.Value, &azsecrets.SecretProperties{ID: s.ID, Attributes: s.Attributes, ContentType: s.ContentType, Tags: s.Tags})
		}
	}
	writeJSON(w, http.StatusOK, page)
}

func (a *Azure) setSecret(_ context.Context, name string, p azsecrets.SetSecretParameters, _ *azsecrets.SetSecretOptions) (resp azfake.Responder[azsecrets.SetSecretResponse], fail azfake.ErrorResponder) {
	if a.Between != nil {
		a.Between(name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case p.Value == nil || len(*p.Value) > 25<<10:
		fail.SetError(&refusal{400, "BadParameter", "", "The value is missing or too long."})
	case a.deleted[name]:
		fail.SetError(&refusal{409, "Conflict", "ObjectIsDeletedButRecoverable", "Secret " + name + " is currently in a deleted but recoverable state."})
	default:
		s := a.add(name, &azsecrets.Secret{Value: p.Value, ContentType: p.ContentType, Tags: p.Tags})
		a.stored[s] = true
		resp.SetResponse(http.StatusOK, azsecrets.SetSecretResponse{Secret: *s}, nil)
	}
	return resp, fail
}

// A refusal is an error of Key Vault.
type refusal struct {
	status               int
	code, inner, message string
}

func (e *refusal) Error() string { return e.code }

func refuse(w http.ResponseWriter, e *refusal) {
	body := map[string]any{"code": e.code, "message": e.message}
	if e.inner != "" {
		body["innererror"] = map[string]string{"code": e.inner}
	}
	writeJSON(w, e.status, map[string]any{"error": body})
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (r *statusRecorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}
