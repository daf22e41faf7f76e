package hashicorp

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/hashicorp/vault/api"

	"github.com/envdrift/envdrift/vault"
)

// A problem is a failure whose kind is known where it happens.
type problem struct {
	kind   error
	detail string
	remedy string
}

func (p problem) Error() string { return p.detail }

// A statusError is an answer other than success.
type statusError struct {
	code       int
	text       string      // the server's messages; "" where foreign
	foreign    bool        // not a word of Vault: a proxy, or another server
	retryAfter string      // the header, where it was too long to wait for
	answer     *api.Secret // what a 404 says about a deleted version
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

// unrouted reports whether nothing is mounted where the request went.
func (e *statusError) unrouted() bool {
	return strings.Contains(e.text, "no handler for route") || strings.Contains(e.text, "unsupported path")
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
	for _, s := range secrets {
		if s != "" {
			e.text = strings.ReplaceAll(e.text, s, "[redacted]")
		}
	}
	e.text = oneLine(e.text)
	if e.code == http.StatusNotFound {
		e.answer, _ = api.ParseSecret(resp.Body)
	}
	return e
}

// oneLine makes a server's or a library's words fit for a message.
func oneLine(s string) string {
	const limit = 300
	s = strings.ToValidUTF8(strings.Join(strings.Fields(s), " "), "")
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "") + "…"
	}
	return s
}

// fail makes err, whatever it is, the error of an operation.
func (s *Store) fail(op, name string, err error) error {
	e := &vault.Error{Op: op, Vault: s.String(), Name: name}
	var p problem
	switch st := asStatus(err); {
	case errors.As(err, &p):
	case st != nil:
		p = s.statusProblem(op, name, st)
	case errors.Is(err, context.Canceled):
		p.kind = context.Canceled // the caller's doing, not the vault's
	default:
		p = s.transportProblem(err)
	}
	e.Err, e.Detail, e.Remedy = p.kind, p.detail, p.remedy
	return e
}

// statusProblem gives a server's refusal of a get or a put its kind.
func (s *Store) statusProblem(op, name string, st *statusError) problem {
	switch {
	case st.code == http.StatusTooManyRequests && st.retryAfter != "":
		return problem{vault.ErrUnavailable, "too many requests; it asks to wait " + oneLine(st.retryAfter) + " s", ""}
	case st.code == http.StatusServiceUnavailable && strings.Contains(st.text, "sealed"):
		return problem{vault.ErrUnavailable, "the server is sealed", "vault operator unseal"}
	case st.foreign, st.code >= 500, st.code == http.StatusTooManyRequests,
		st.code == http.StatusPreconditionFailed, // a standby that is behind
		st.code == 472, st.code == 473,           // a standby that does not serve requests
		strings.Contains(st.text, "Upgrading from non-versioned"):
		return problem{vault.ErrUnavailable, st.Error(), ""}
	case st.code == http.StatusForbidden:
		return problem{vault.ErrDenied, st.Error(), s.policyRemedy(op, name)}
	case st.code == http.StatusNotFound && st.unrouted():
		return problem{vault.ErrConfig, fmt.Sprintf("no KV engine is mounted at %q", s.mount), "set mount, or namespace"}
	case st.code == http.StatusNotFound:
		return problem{vault.ErrNotFound, "", ""}
	case strings.Contains(st.text, "check-and-set"):
		return problem{vault.ErrConflict, "", ""}
	case st.code == http.StatusRequestEntityTooLarge:
		return problem{vault.ErrMalformed, "too large for the server", ""}
	}
	return problem{vault.ErrConfig, st.Error(), ""}
}

// policyRemedy shows the line of a policy that would allow op.
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

// transportProblem explains why there is no answer at all.
func (s *Store) transportProblem(err error) problem {
	if e, ok := errors.AsType[*redirectError](err); ok {
		return problem{vault.ErrUnavailable, "it redirects to " + e.to + ", which is not followed", "set url to the address that serves the requests"}
	}
	if _, ok := errors.AsType[x509.UnknownAuthorityError](err); ok {
		return problem{vault.ErrUnavailable, "its certificate is signed by an unknown authority", "set VAULT_CACERT to the file of the authority's certificate"}
	}
	if e, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return problem{vault.ErrUnavailable, oneLine(e.Err.Error()), "check url, VAULT_CACERT, VAULT_TLS_SERVER_NAME and the clock"}
	}
	if isTimeout(err) {
		return problem{vault.ErrTimeout, fmt.Sprintf("no answer within %v", s.client.timeout), ""}
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return problem{vault.ErrUnavailable, "no such host: " + e.Name, "check url, VAULT_ADDR and the network"}
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return problem{vault.ErrUnavailable, "connection refused", "check url, VAULT_ADDR and the network"}
	}
	if e, ok := errors.AsType[*url.Error](err); ok {
		err = e.Err // without the URL, which the message has
	}
	return problem{vault.ErrUnavailable, oneLine(err.Error()), ""}
}

func isTimeout(err error) bool {
	e, ok := errors.AsType[net.Error](err)
	return errors.Is(err, context.DeadlineExceeded) || ok && e.Timeout()
}
