package hashicorp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// A statusError is a response other than success.
type statusError struct {
	code       int
	text       string      // the server's messages; "" if foreign
	foreign    bool        // not from Vault: a proxy, or another server
	retryAfter string      // the header, if that was too long to wait for
	answer     *api.Secret // what a 404 reports about a deleted version
}

func (e *statusError) Error() string {
	switch {
	case e.foreign:
		return fmt.Sprintf("status %d, not an answer of Vault", e.code)
	case e.text == "":
		return fmt.Sprintf("status %d", e.code)
	}
	return e.text
}

// unrouted reports whether nothing is mounted at the request's path.
func (e *statusError) unrouted() bool {
	return strings.Contains(e.text, "no handler for route") || strings.Contains(e.text, "unsupported path") || e.noNamespace()
}

func (e *statusError) noNamespace() bool { return strings.Contains(e.text, "namespace not found") }

// isByPolicy reports whether a policy refuses a token that is valid. That is one
// error, in a list; for a token that is not, the server has only the words, or
// two errors.
func (e *statusError) isByPolicy() bool {
	return e.code == http.StatusForbidden && strings.HasPrefix(e.text, "1 error occurred")
}

func asStatus(err error) *statusError {
	st, _ := errors.AsType[*statusError](err)
	return st
}

func isDenied(err error) bool {
	st := asStatus(err)
	return st != nil && st.code == http.StatusForbidden && !st.foreign
}

func newStatusError(refused *api.ResponseError, resp *api.Response, secrets []string) *statusError {
	e := &statusError{code: refused.StatusCode, foreign: refused.RawError, retryAfter: resp.Header.Get("Retry-After")}
	if e.foreign {
		return e
	}
	e.text = strings.Join(refused.Errors, "; ")
	e.text = vaulthttp.OneLine(vaulthttp.Redact(e.text, secrets...))
	if e.code == http.StatusNotFound {
		e.answer, _ = api.ParseSecret(resp.Body)
	}
	return e
}

// fail makes any err the error of an operation.
func (s *Store) fail(op, name string, err error) error {
	var p vault.Problem
	switch st := asStatus(err); {
	case errors.As(err, &p):
	case st != nil:
		p = s.statusProblem(op, name, st)
	case errors.Is(err, context.Canceled):
		p.Kind = context.Canceled // the caller's doing, not the vault's
	default:
		p.Detail, p.Remedy, p.Kind = vaulthttp.Client{
			Address: "url and VAULT_ADDR", CA: "VAULT_CACERT", Timeout: s.client.timeout,
		}.Explain(err)
	}
	return p.Of(op, s.String(), name)
}

// statusProblem returns the kind of problem for a server's refusal of a get or
// a put.
func (s *Store) statusProblem(op, name string, st *statusError) vault.Problem {
	switch {
	case st.code == http.StatusTooManyRequests:
		return vault.NewProblem(vault.ErrThrottled, vaulthttp.TooMany(st.retryAfter, st.Error()), vaulthttp.FewerWorkers)
	case st.foreign:
		return vault.NewProblem(vault.ErrUnavailable, st.Error(), "check url, VAULT_ADDR and the proxy")
	case st.code == http.StatusServiceUnavailable && strings.Contains(st.text, "sealed"):
		return vault.NewProblem(vault.ErrUnavailable, "the server is sealed", "vault operator unseal")
	case st.code >= 500,
		st.code == http.StatusPreconditionFailed, // a standby that is behind
		st.code == 472, st.code == 473,           // a standby that does not serve requests
		strings.Contains(st.text, "Upgrading from non-versioned"):
		return vault.NewProblem(vault.ErrUnavailable, st.Error(), "vault status, then try again; the server's log tells more")
	case st.code == http.StatusForbidden:
		return vault.NewProblem(vault.ErrDenied, st.Error(), s.policyRemedy(op, name))
	case st.noNamespace():
		return s.client.noNamespace()
	case st.code == http.StatusNotFound && st.unrouted():
		return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("no KV engine is mounted at %q", s.mount), "set mount, or namespace")
	case st.code == http.StatusNotFound:
		return vault.NewProblem(vault.ErrNotFound, "", "")
	case strings.Contains(st.text, "check-and-set"):
		return vault.NewProblem(vault.ErrConflict, "", "")
	case st.code == http.StatusRequestEntityTooLarge:
		return vault.NewProblem(vault.ErrMalformed, "too large for the server", "")
	}
	return vault.NewProblem(vault.ErrConfig, st.Error(), "")
}

func (c *client) noNamespace() vault.Problem {
	return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("the server has no namespace %q", c.namespace), "set namespace in [vault.hashicorp], or VAULT_NAMESPACE")
}

// policyRemedy returns the line of a policy that would allow op.
func (s *Store) policyRemedy(op, name string) string {
	p, err := s.locate(name)
	if err != nil {
		return ""
	}
	at, capabilities := s.mount+"/data/"+p.data, `"read"`
	if s.kv.Load() == 1 {
		at = s.mount + "/" + p.plain
	}
	if op == "put" {
		capabilities = `"read", "create", "update"`
	}
	return fmt.Sprintf("add to a policy of the token: path %q { capabilities = [%s] }", at, capabilities)
}
