package gcp

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/googleapis/gax-go/v2/apierror"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// fail makes any err the error of an operation, without the secrets of the
// request.
func (s *Store) fail(op, name string, err error, secrets ...secret.Value) *vault.Error {
	var p vault.Problem
	switch code := status.Code(err); {
	case errors.As(err, &p):
	case errors.Is(err, context.Canceled), code == codes.Canceled:
		p.Kind = context.Canceled // the caller's doing, not the vault's
	case errors.Is(err, context.DeadlineExceeded), code == codes.DeadlineExceeded:
		p = vault.NewProblem(vault.ErrTimeout, fmt.Sprintf("no answer within %v", s.link.timeout), check+", or raise timeout in [vault]")
	default:
		p = s.statusProblem(op, name, code, status.Convert(err).Message(), err)
	}
	for _, v := range secrets {
		p.Detail = vaulthttp.Redact(p.Detail, v.Reveal())
	}
	p.Detail = vaulthttp.OneLine(p.Detail)
	return p.Of(op, s.String(), name)
}

// statusProblem returns the kind of problem for a server's refusal.
func (s *Store) statusProblem(op, name string, code codes.Code, text string, err error) vault.Problem {
	r, _ := parse(name) // it was good enough to be sent
	text = plain(text)
	switch code {
	case codes.NotFound:
		return vault.NewProblem(vault.ErrNotFound, text, "")
	case codes.PermissionDenied:
		return vault.NewProblem(vault.ErrDenied, text, s.grant(op, r, reason(err)))
	case codes.Unauthenticated:
		return vault.NewProblem(vault.ErrUnauthenticated, text, s.link.remedy())
	case codes.FailedPrecondition:
		if op == "put" { // a policy on where secrets may be stored, or a key of Cloud KMS
			return vault.NewProblem(vault.ErrDenied, text, "make the secret yourself, as the policy wants it: gcloud secrets create "+s.flags(r))
		}
		return vault.NewProblem(vault.ErrNotFound, text, s.enable(r))
	case codes.InvalidArgument:
		if op == "put" {
			return vault.NewProblem(vault.ErrMalformed, text, "")
		}
		return vault.NewProblem(vault.ErrName, text, "")
	case codes.ResourceExhausted:
		return vault.NewProblem(vault.ErrThrottled, text, vaulthttp.FewerWorkers)
	case codes.Unimplemented:
		return vault.NewProblem(vault.ErrConfig, "not an answer of Secret Manager: "+text, "check endpoint in [vault.gcp]")
	}
	return vault.NewProblem(vault.ErrUnavailable, text, check+"; https://status.cloud.google.com tells of outages")
}

const check = "check endpoint in [vault.gcp], SSL_CERT_FILE, the proxy and the network"

// plain removes what gRPC adds to the message of the transport, which has no
// type of its own, and the page that another server sent.
func plain(text string) string {
	if quoted, ok := strings.CutPrefix(text, "connection error: desc = "); ok {
		if words, err := strconv.Unquote(quoted); err == nil {
			text = strings.TrimPrefix(words, "transport: ")
		}
	}
	for _, end := range []string{"connection reset by peer", "broken pipe", "EOF", "use of closed network connection"} {
		if strings.HasSuffix(text, end) { // which one depends on timing
			return "the connection was broken off"
		}
	}
	text, _, _ = strings.Cut(text, "\ndata: ")
	return text
}

// grant returns the command that would allow op.
func (s *Store) grant(op string, r ref, reason string) string {
	switch {
	case reason == "SERVICE_DISABLED":
		return "gcloud services enable secretmanager.googleapis.com --project=" + s.link.knownProject()
	case op == "put":
		return "ask for roles/secretmanager.secretVersionManager on the secret and roles/secretmanager.secretAccessor; to make new ones, roles/secretmanager.admin on the project"
	}
	return fmt.Sprintf("gcloud secrets add-iam-policy-binding %s --member=user:YOU --role=roles/secretmanager.secretAccessor", s.flags(r))
}

// enable returns the command that enables a disabled version.
func (s *Store) enable(r ref) string {
	if r.version == "" {
		return "pin another version (" + r.secret + "?version=N), or find and enable it: gcloud secrets versions list " + s.flags(r)
	}
	return fmt.Sprintf("gcloud secrets versions enable %s --secret=%s, unless it was destroyed", r.version, s.flags(r))
}

func (s *Store) flags(r ref) string { return r.secret + " --project=" + s.link.knownProject() }

// reason returns Google's own code for why a request was refused.
func reason(err error) string {
	if e, ok := errors.AsType[*apierror.APIError](err); ok {
		return e.Reason()
	}
	return ""
}

// retryAfter returns how long the server asks to wait; negative if it does not.
func retryAfter(err error) time.Duration {
	e, ok := errors.AsType[*apierror.APIError](err)
	code := status.Code(err)
	if !ok || e.Details().RetryInfo == nil || code != codes.ResourceExhausted && code != codes.Unavailable {
		return -1
	}
	return e.Details().RetryInfo.GetRetryDelay().AsDuration()
}
