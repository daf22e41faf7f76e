package aws

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/processcreds"
	"github.com/aws/smithy-go"

	"github.com/envdrift/envdrift/vault"
)

// A login gets credentials as the SDK's chain does, and reports why there are
// none. What cannot succeed is tried only once.
type login struct {
	provider aws.CredentialsProvider
	profile  config.SharedConfig
	sources  []aws.CredentialSource

	mu      sync.Mutex
	failure error           // why there will never be any
	last    aws.Credentials // which must not be shown anywhere
}

func newLogin(cfg aws.Config) *login {
	l := &login{provider: cfg.Credentials}
	for _, source := range cfg.ConfigSources {
		if profile, ok := source.(config.SharedConfig); ok {
			l.profile = profile
		}
	}
	if p, ok := cfg.Credentials.(aws.CredentialProviderSource); ok {
		l.sources = p.ProviderSources()
	}
	return l
}

// Retrieve returns credentials, a [vault.Problem], or the error of ctx.
func (l *login) Retrieve(ctx context.Context) (aws.Credentials, error) {
	if _, failure := l.state(); failure != nil {
		return aws.Credentials{}, failure
	}
	got, err := l.provider.Retrieve(ctx)
	if ctx.Err() != nil {
		return aws.Credentials{}, ctx.Err()
	}
	var p vault.Problem
	if err != nil {
		p = l.problem(err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil:
		l.last = got
		return got, nil
	case p.Kind == vault.ErrUnauthenticated:
		l.failure = p
	}
	return aws.Credentials{}, p
}

func (l *login) state() (last aws.Credentials, failure error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.last, l.failure
}

// problem explains why the chain returned no credentials. It repeats the
// messages of a service but not those of the SDK, which may quote what it read.
func (l *login) problem(err error) vault.Problem {
	if e := smithy.APIError(nil); errors.As(err, &e) {
		if isOverload(e.ErrorCode(), statusOf(err)) {
			return vault.NewProblem(vault.ErrUnavailable, "signing in: "+e.ErrorMessage(), outages)
		}
		return vault.NewProblem(vault.ErrUnauthenticated, strings.TrimPrefix(e.ErrorCode()+": "+e.ErrorMessage(), ": "), l.remedy())
	}
	if slices.Contains(l.sources, aws.CredentialSourceIMDS) {
		// This is the last resort. No response means that this is not
		// such a machine.
		return vault.NewProblem(vault.ErrUnauthenticated, "no credentials in the environment or the profile, and no EC2 instance role", l.remedy())
	}
	if _, ok := errors.AsType[*url.Error](err); ok {
		p := transportProblem(err, 0)
		p.Detail = "signing in: " + p.Detail
		return p
	}
	detail := "the credentials cannot be read"
	switch {
	case l.isSSO():
		detail = "the SSO session has ended, or never began"
	case l.profile.LoginSession != "":
		detail = "the login session has ended, or never began"
	case isProcess(err):
		detail = "the profile's credential_process failed"
	}
	return vault.NewProblem(vault.ErrUnauthenticated, detail, l.remedy())
}

func isProcess(err error) bool {
	_, ok := errors.AsType[*processcreds.ProviderError](err)
	return ok
}

// isSSO reports whether the profile, or one that it builds on, uses SSO.
func (l *login) isSSO() bool {
	for p := &l.profile; p != nil; p = p.Source {
		if p.SSOSessionName != "" || p.SSOStartURL != "" {
			return true
		}
	}
	return false
}

// remedy returns the command that signs in.
func (l *login) remedy() string {
	flag := profileFlag(l.profile.Profile)
	switch {
	case slices.Contains(l.sources, aws.CredentialSourceCode): // which options takes from the environment
		return "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN anew, or unset them"
	case slices.Contains(l.sources, aws.CredentialSourceEnvVarsSTSWebIDToken):
		return "check AWS_WEB_IDENTITY_TOKEN_FILE, AWS_ROLE_ARN and the trust policy of the role"
	case l.isSSO():
		return "aws sso login" + flag
	case l.profile.LoginSession != "":
		return "aws login" + flag
	case l.profile.CredentialProcess != "":
		return "run the profile's credential_process by hand to see why"
	}
	return "aws configure" + flag + ", or aws sso login --profile NAME and AWS_PROFILE=NAME"
}

func profileFlag(profile string) string {
	switch {
	case profile == "" || profile == "default":
		return ""
	case consistsOf(profile, isNameByte, 1, len(profile)):
		return " --profile " + profile
	}
	return " --profile '" + strings.ReplaceAll(profile, "'", `'\''`) + "'"
}
