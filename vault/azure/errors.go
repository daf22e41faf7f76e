package azure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// fail makes any err the error of an operation, without secrets.
func (s *Store) fail(op, name string, err error, secrets ...string) *vault.Error {
	var p vault.Problem
	switch refused, ok := errors.AsType[*azcore.ResponseError](err); {
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled):
		p.Kind = context.Canceled // the caller's doing, not the vault's
	case ok:
		a := parseAnswer(refused)
		credentials, remedy := s.signIn.inUse()
		a.text = vaulthttp.OneLine(vaulthttp.Redact(a.text, append(secrets, credentials...)...))
		if p = s.refusal(op, name, a); errors.Is(p.Kind, vault.ErrUnauthenticated) {
			p.Remedy = remedy
		}
	default:
		p = s.transportProblem(err)
	}
	return p.Of(op, s.String(), name)
}

// An answer is a refusal by Key Vault, or by a server in its place.
type answer struct {
	status     int
	code       string // "" if it is not from Key Vault
	inner      string // the more precise code
	text       string
	retryAfter string // the header, if that was too long to wait for
}

func parseAnswer(refused *azcore.ResponseError) answer {
	a := answer{status: refused.StatusCode}
	if refused.RawResponse == nil {
		return a
	}
	var body struct {
		Error struct {
			Code, Message string
			InnerError    struct{ Code string }
		}
	}
	a.retryAfter = refused.RawResponse.Header.Get("Retry-After")
	if data, err := runtime.Payload(refused.RawResponse); err == nil && json.Unmarshal(data, &body) == nil {
		a.code, a.inner, a.text = body.Error.Code, body.Error.InnerError.Code, body.Error.Message
	}
	return a
}

// ours reports whether the response is from Key Vault.
func (a answer) ours() bool { return a.code != "" }

// outages is the remedy if only Azure can help.
const outages = "try again; https://azure.status.microsoft tells of outages"

// refusal returns the kind of problem for the response to a get or a put.
func (s *Store) refusal(op, name string, a answer) vault.Problem {
	at, _ := s.locate(name)
	switch {
	case a.status == http.StatusTooManyRequests:
		return vault.NewProblem(vault.ErrThrottled, vaulthttp.TooMany(a.retryAfter, strings.TrimSpace("status 429 "+a.text)), vaulthttp.FewerWorkers)
	case a.status == http.StatusRequestTimeout, a.status >= 500:
		return vault.NewProblem(vault.ErrUnavailable, strings.TrimSpace(fmt.Sprintf("status %d %s", a.status, a.text)), outages)
	case a.status == http.StatusUnauthorized:
		return vault.NewProblem(vault.ErrUnauthenticated, a.text, "")
	case !a.ours():
		return vault.NewProblem(vault.ErrUnavailable, fmt.Sprintf("status %d, not an answer of Key Vault", a.status), "check vault_url and the proxy")
	case a.status == http.StatusForbidden:
		return s.denial(op, at.name, a)
	case a.status == http.StatusNotFound:
		return vault.NewProblem(vault.ErrNotFound, "", fmt.Sprintf("az keyvault secret list --vault-name %s; if it was deleted: az keyvault secret recover --vault-name %[1]s --name %s", s.shortName(), at.name))
	case a.inner == "ObjectIsDeletedButRecoverable":
		return vault.NewProblem(vault.ErrConflict, "a deleted secret still holds the name",
			fmt.Sprintf("az keyvault secret recover --vault-name %s --name %s", s.shortName(), at.name))
	case a.status == http.StatusConflict:
		return vault.NewProblem(vault.ErrConflict, a.text, "")
	case op == "put" && (a.status == http.StatusBadRequest || a.status == http.StatusRequestEntityTooLarge):
		return vault.NewProblem(vault.ErrMalformed, a.text, "")
	}
	return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("status %d: %s", a.status, a.text), "")
}

// denial reports what keeps the caller from the secret.
func (s *Store) denial(op, name string, a answer) vault.Problem {
	role, permissions := "Key Vault Secrets User", "get"
	if op == "put" {
		role, permissions = "Key Vault Secrets Officer", "get list set"
	}
	byRole := fmt.Sprintf("the role %q, by az role assignment create", role)
	byPolicy := fmt.Sprintf("az keyvault set-policy --name %s --secret-permissions %s --object-id ID", s.shortName(), permissions)
	switch a.inner {
	case "SecretDisabled":
		return vault.NewProblem(vault.ErrDenied, "the secret is disabled",
			fmt.Sprintf("az keyvault secret set-attributes --vault-name %s --name %s --enabled true", s.shortName(), name))
	case "ForbiddenByFirewall", "ForbiddenByConnection":
		return vault.NewProblem(vault.ErrDenied, a.text, "az keyvault network-rule add --name "+s.shortName()+" --ip-address ADDRESS, or use the vault's private network")
	case "ForbiddenByRbac":
		return vault.NewProblem(vault.ErrDenied, a.text, "grant the identity "+byRole)
	case "ForbiddenByPolicy":
		return vault.NewProblem(vault.ErrDenied, a.text, byPolicy)
	}
	return vault.NewProblem(vault.ErrDenied, a.text, "grant the identity "+byRole+"; where the vault has access policies: "+byPolicy)
}

// usable refuses a secret that the vault's owner has marked as not to be used.
func (s *Store) usable(at place, a *azsecrets.SecretAttributes, now time.Time) error {
	set := fmt.Sprintf("az keyvault secret set-attributes --vault-name %s --name %s ", s.shortName(), at.name)
	switch {
	case a == nil:
		return nil
	case a.Enabled != nil && !*a.Enabled:
		return vault.NewProblem(vault.ErrDenied, "the secret is disabled", set+"--enabled true")
	case a.Expires != nil && !a.Expires.After(now):
		return vault.NewProblem(vault.ErrDenied, "the secret expired on "+a.Expires.UTC().Format(time.RFC3339), set+"--expires DATE, or store it again")
	case a.NotBefore != nil && a.NotBefore.After(now):
		return vault.NewProblem(vault.ErrDenied, "the secret is not to be used before "+a.NotBefore.UTC().Format(time.RFC3339), set+"--not-before DATE")
	}
	return nil
}

// shortName returns the name by which the az command knows the vault.
func (s *Store) shortName() string {
	name, _, _ := strings.Cut(s.host, ".")
	return name
}

// entraProblem reports why a token was refused.
func entraProblem(resp *http.Response, secrets []string) vault.Problem {
	var body struct {
		Error       string
		Description string `json:"error_description"`
	}
	data, err := runtime.Payload(resp)
	if err == nil {
		err = json.Unmarshal(data, &body)
	}
	if err != nil || body.Error == "" || resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode >= 500 {
		return vault.NewProblem(vault.ErrUnavailable, fmt.Sprintf("signing in: %s: status %d", resp.Request.URL.Host, resp.StatusCode), outages)
	}
	text, _, _ := strings.Cut(body.Description, "Trace ID:")
	if text == "" {
		text = body.Error
	}
	return vault.NewProblem(vault.ErrUnauthenticated, vaulthttp.OneLine(vaulthttp.Redact(text, secrets...)), "")
}

// transportProblem explains why there is no response, or none that is valid.
func (s *Store) transportProblem(err error) vault.Problem {
	client := vaulthttp.Client{Address: "vault_url", CA: "SSL_CERT_FILE", Timeout: s.timeout}
	at := ""
	if _, ok := errors.AsType[*transportError](err); !ok && !vaulthttp.IsTimeout(err) {
		// What the SDK could not parse is not shown: it may be a value.
		return vault.NewProblem(vault.ErrUnavailable, "its answer is not one of Key Vault", "check vault_url and the proxy")
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		asked := ""
		if u, parseErr := url.Parse(e.URL); parseErr == nil {
			asked = u.Host
		}
		if r, ok := errors.AsType[*vaulthttp.RedirectError](err); ok {
			asked = r.From
		}
		if asked != s.host {
			at, client.Address = "signing in: "+asked+": ", "AZURE_AUTHORITY_HOST"
		}
	}
	detail, remedy, kind := client.Explain(err)
	return vault.NewProblem(kind, at+detail, remedy)
}
