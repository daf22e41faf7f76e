package aws

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// fail makes any err the error of an operation. Secrets, in addition to the
// credentials, are kept out of it.
func (s *Store) fail(op, name string, err error, secrets ...string) error {
	var p vault.Problem
	var api smithy.APIError
	switch {
	case errors.As(err, &p):
	case errors.As(err, &api):
		p = s.apiProblem(op, name, api, err)
	case errors.Is(err, context.Canceled):
		p.Kind = context.Canceled // the caller's doing, not the vault's
	default:
		p = transportProblem(err, s.timeout)
	}
	if s.login != nil {
		used, _ := s.login.state()
		secrets = append(secrets, used.SecretAccessKey, used.SessionToken)
	}
	p.Detail = vaulthttp.OneLine(vaulthttp.Redact(p.Detail, secrets...))
	return p.Of(op, s.String(), name)
}

// apiProblem returns the kind of problem for a refusal by AWS.
func (s *Store) apiProblem(op, name string, e smithy.APIError, err error) vault.Problem {
	code, text := e.ErrorCode(), e.ErrorMessage()
	id, _ := s.parse(name)
	switch code {
	case "ResourceNotFoundException":
		return vault.NewProblem(vault.ErrNotFound, fmt.Sprintf("region %s: %s", s.region, text), "check the name, and region in [vault.aws] or AWS_REGION")
	case "InvalidRequestException":
		// The code is not specific; only the message identifies a
		// deleted secret.
		if strings.Contains(text, "delet") {
			return vault.NewProblem(vault.ErrNotFound, "it is scheduled for deletion", s.command("restore-secret", id))
		}
	case "ResourceExistsException":
		return vault.NewProblem(vault.ErrConflict, "", "")
	case "AccessDeniedException", "AccessDenied", "UnauthorizedException", "UnauthorizedOperation", "OptInRequired":
		if strings.Contains(text, "KMS") { // only the message says so
			return vault.NewProblem(vault.ErrDenied, text, kmsRemedy)
		}
		return vault.NewProblem(vault.ErrDenied, text, policyRemedy(op))
	case "DecryptionFailure", "EncryptionFailure":
		return vault.NewProblem(vault.ErrDenied, text, kmsRemedy)
	case "ExpiredToken", "ExpiredTokenException":
		return vault.NewProblem(vault.ErrUnauthenticated, "the session has expired", s.login.remedy())
	case "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure", "InvalidToken":
		return vault.NewProblem(vault.ErrUnauthenticated, "AWS does not know the access key ("+code+")", s.login.remedy())
	case "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException",
		"MissingAuthenticationToken", "MissingAuthenticationTokenException",
		"RequestExpired", "RequestTimeTooSkewed", "RequestInTheFuture":
		// The message may quote the request's headers, with the token.
		return s.signatureProblem(code, err)
	case "InvalidParameterException", "ValidationException":
		return vault.NewProblem(vault.ErrName, text, "")
	case "UnknownError": // the SDK's code for a response that is not from AWS
		return foreignProblem(err)
	}
	if _, throttled := retry.DefaultThrottleErrorCodes[code]; throttled || statusOf(err) == http.StatusTooManyRequests {
		return vault.NewProblem(vault.ErrThrottled, code+": "+text, vaulthttp.FewerWorkers)
	}
	if isOverload(code, statusOf(err)) {
		return vault.NewProblem(vault.ErrUnavailable, code+": "+text, outages)
	}
	return vault.NewProblem(vault.ErrConfig, code+": "+text, "")
}

// outages is the remedy if only AWS can help.
const outages = "try again; https://health.aws.amazon.com tells of outages"

// isOverload reports whether the service is overloaded or has a fault.
func isOverload(code string, status int) bool {
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	switch code {
	case "InternalServiceError", "InternalFailure", "ServiceUnavailable", "ServiceUnavailableException", "RequestTimeout":
		return true // in a batch, where there is no status
	}
	return throttled || status >= 500 || status == http.StatusTooManyRequests
}

// command returns the AWS CLI command line that does verb to a secret.
func (s *Store) command(verb string, id id) string {
	return "aws secretsmanager " + verb + " --secret-id " + id.secret + " --region " + s.region + profileFlag(s.login.profile.Profile)
}

const kmsRemedy = "allow kms:Decrypt and kms:GenerateDataKey on the secret's KMS key, and see that it is enabled"

func policyRemedy(op string) string {
	if op == "put" {
		return "allow secretsmanager:CreateSecret, PutSecretValue, UpdateSecretVersionStage and GetSecretValue on it in the policy of the identity"
	}
	return "allow secretsmanager:GetSecretValue on it in the policy of the identity"
}

// signatureProblem distinguishes a wrong clock, by the time of the response,
// from a wrong key.
func (s *Store) signatureProblem(code string, err error) vault.Problem {
	detail := "the signature is not right (" + code + "): the secret access key is wrong, or this machine's clock"
	if ahead, ok := clockSkew(err); ok && ahead.Abs() > 4*time.Minute {
		word := "ahead"
		if ahead < 0 {
			word = "behind"
		}
		return vault.NewProblem(vault.ErrUnauthenticated, fmt.Sprintf("this machine's clock is %v %s (%s)", ahead.Abs(), word, code), "set the clock")
	}
	return vault.NewProblem(vault.ErrUnauthenticated, detail, s.login.remedy())
}

// clockSkew returns how far the clock that signed the request is ahead of the
// server's.
func clockSkew(err error) (time.Duration, bool) {
	e, ok := errors.AsType[*smithyhttp.ResponseError](err)
	if !ok || e.Response == nil || e.Response.Request == nil {
		return 0, false
	}
	sent, err1 := time.Parse("20060102T150405Z", e.Response.Request.Header.Get("X-Amz-Date"))
	received, err2 := http.ParseTime(e.Response.Header.Get("Date"))
	return sent.Sub(received), err1 == nil && err2 == nil
}

// statusOf returns the status of the response; 0 if there is none.
func statusOf(err error) int {
	if e := interface{ HTTPStatusCode() int }(nil); errors.As(err, &e) {
		return e.HTTPStatusCode()
	}
	return 0
}

// foreignProblem explains a response from a proxy or another server.
func foreignProblem(err error) vault.Problem {
	const check = "check endpoint_url, AWS_ENDPOINT_URL and the proxy"
	if e, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && e.Response != nil {
		if to, err := e.Response.Location(); err == nil {
			return vault.NewProblem(vault.ErrUnavailable, "it redirects to "+to.Scheme+"://"+to.Host+", which is not followed", check)
		}
	}
	return vault.NewProblem(vault.ErrUnavailable, fmt.Sprintf("status %d, not an answer of AWS", statusOf(err)), check)
}

// transportProblem explains why there is no response, or none from AWS. timeout
// is 0 if it is not known.
func transportProblem(err error, timeout time.Duration) vault.Problem {
	if _, ok := errors.AsType[*smithy.DeserializationError](err); ok && !vaulthttp.IsTimeout(err) {
		return foreignProblem(err)
	}
	detail, remedy, kind := vaulthttp.Client{Address: "region, endpoint_url", CA: "AWS_CA_BUNDLE", Timeout: timeout}.Explain(err)
	return vault.NewProblem(kind, detail, remedy)
}
