package azure

import (
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

func newClient(host string, web *http.Client, credential azcore.TokenCredential) (*azsecrets.Client, error) {
	options := &azsecrets.ClientOptions{
		ClientOptions: azcore.ClientOptions{
			Transport:        web,
			Telemetry:        policy.TelemetryOptions{ApplicationID: "envdrift"},
			Retry:            policy.RetryOptions{MaxRetries: -1}, // vaulthttp.Patient waits, and the caller retries
			PerRetryPolicies: []policy.Policy{&guard{host}},
		},
		// A server on this machine has no name below vault.azure.net
		// that a challenge could match.
		DisableChallengeResourceVerification: isLocal(host),
	}
	client, err := azsecrets.NewClient("https://"+host, credential, options)
	if err != nil {
		return nil, vault.NewProblem(vault.ErrConfig, vaulthttp.OneLine(err.Error()), "")
	}
	return client, nil
}

// checkAddress returns the host of a vault's URL, with its port.
func checkAddress(address string) (host string, err error) {
	const remedy = "set vault_url in [vault.azure] or --vault-url, as in https://my-keyvault.vault.azure.net/"
	address = strings.TrimSpace(address)
	if address == "" {
		return "", vault.NewProblem(vault.ErrConfig, "no vault_url", remedy)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		// The text itself may contain a password.
		return "", vault.NewProblem(vault.ErrConfig, "vault_url is not of the form https://HOST/", remedy)
	}
	if u.Scheme != "https" {
		return "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("vault_url is %s, and tokens go over https only", address), "use https://"+u.Host+"/")
	}
	return u.Host, nil
}

// isLocal reports whether host, with its port, is this machine.
func isLocal(host string) bool { return vaulthttp.IsLoopback((&url.URL{Host: host}).Hostname()) }

// newHTTPClient returns the client for the vault and for the sign-in.
func newHTTPClient(getenv func(string) string, waiting func()) (*http.Client, error) {
	transport := vaulthttp.Transport()
	if file := getenv("SSL_CERT_FILE"); file != "" {
		// crypto/x509 follows the variable on some systems only.
		pem, err := secret.ReadFile("SSL_CERT_FILE", file)
		if err != nil {
			return nil, vault.NewProblem(vault.ErrConfig, err.Error(), "")
		}
		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}
		roots.AppendCertsFromPEM(pem)
		transport.TLSClientConfig.RootCAs = roots
	}
	return &http.Client{Transport: vaulthttp.NewPatient(transport, nil, waiting), CheckRedirect: vaulthttp.CheckRedirect}, nil
}

// A transportError is why there is no response.
type transportError struct{ err error }

func (e *transportError) Error() string { return e.err.Error() }
func (e *transportError) Unwrap() error { return e.err }

// A guard is the transport between the SDK and the vault. It marks transport
// errors, and checks each challenge before the SDK, whose refusal has no type
// and whose parser panics at an authority without a path.
type guard struct{ host string }

func (g *guard) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	if err != nil {
		return nil, &transportError{err}
	}
	if resp.StatusCode == http.StatusUnauthorized {
		if err := g.check(resp.Header.Get("WWW-Authenticate")); err != nil {
			return nil, err
		}
	}
	return resp, nil
}

// check refuses a challenge that is not Key Vault's, or that asks for a token
// which is valid elsewhere.
func (g *guard) check(challenge string) error {
	stranger := vault.NewProblem(vault.ErrConfig, "it does not ask to sign in as Key Vault does", "check vault_url")
	authority := parameter(challenge, "authorization")
	if u, err := url.Parse(authority); authority != "" && (err != nil || u.Host == "" || len(u.Path) < 2) {
		return stranger
	}
	if parameter(challenge, "claims") != "" {
		return nil // a further demand, for a token that was sent
	}
	resource := parameter(challenge, "scope")
	if resource == "" {
		resource = parameter(challenge, "resource")
	}
	if authority == "" || resource == "" {
		return stranger
	}
	u, err := url.Parse(resource)
	if !isLocal(g.host) && (err != nil || u.Host == "" || !strings.HasSuffix(g.host, "."+u.Host)) {
		return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("it asks for a token for %q, which it is no part of", vaulthttp.OneLine(resource)), "check vault_url")
	}
	return nil
}

// parameter returns the value of name in a challenge; the last one counts, as
// for the SDK. Key Vault separates parameters by commas and blanks.
func parameter(challenge, name string) (value string) {
	for field := range strings.FieldsFuncSeq(challenge, func(r rune) bool { return r == ',' || r == ' ' }) {
		if v, ok := strings.CutPrefix(field, name+"="); ok {
			value = strings.Trim(v, `"`)
		}
	}
	return value
}
