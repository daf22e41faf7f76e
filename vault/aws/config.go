package aws

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/secretsmanager"
	"github.com/aws/smithy-go/logging"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// pathVariables name files that the SDK opens. It quotes their paths.
var pathVariables = []string{"AWS_CA_BUNDLE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"}

// configure makes the client that cfg describes.
func (s *Store) configure(ctx context.Context, cfg vault.Config) error {
	if !isPrintable(cfg.Profile) {
		return vault.NewProblem(vault.ErrConfig, "the profile's name has a character that does not print", "")
	}
	for _, name := range pathVariables {
		if err := secret.CheckPath(name, cfg.Getenv(name)); err != nil {
			return vault.NewProblem(vault.ErrConfig, err.Error(), "")
		}
	}
	loaded, err := config.LoadDefaultConfig(ctx, options(cfg)...)
	if err != nil {
		return loadProblem(err, cfg)
	}
	if err := checkRegion(loaded.Region); err != nil {
		return err
	}
	s.region = loaded.Region
	s.login = newLogin(loaded)
	s.client = secretsmanager.NewFromConfig(loaded, func(o *secretsmanager.Options) {
		o.Credentials = s.login
		o.HTTPClient = newHTTPClient(loaded, func() { cfg.Waits(s.String()) })
		if endpoint := configuredEndpoint(cfg); endpoint != "" {
			o.BaseEndpoint = &endpoint
		}
	})
	// The endpoint that the client reports may also come from the profile.
	if endpoint := s.client.Options().BaseEndpoint; endpoint != nil {
		s.endpoint, err = checkEndpoint(*endpoint)
	}
	return err
}

// options passes to the SDK what cfg decides; the SDK finds the rest.
func options(cfg vault.Config) []func(*config.LoadOptions) error {
	env := func(names ...string) string {
		for _, name := range names {
			if v := strings.TrimSpace(cfg.Getenv(name)); v != "" {
				return v
			}
		}
		return ""
	}
	opts := []func(*config.LoadOptions) error{
		config.WithLogger(logging.Nop{}),
		config.WithDefaultsMode(aws.DefaultsModeStandard), // "auto" would ask the network at once
		config.WithRetryer(newRetryer),
	}
	if region := cmp.Or(cfg.Region, env("AWS_REGION", "AWS_DEFAULT_REGION")); region != "" {
		opts = append(opts, config.WithRegion(region))
	}
	id, key := env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY")
	if cfg.Profile == "" && id != "" && key != "" {
		opts = append(opts, config.WithCredentialsProvider(credentials.NewStaticCredentialsProvider(id, key, env("AWS_SESSION_TOKEN"))))
	}
	profile := cfg.Profile
	if profile == "" && env("AWS_WEB_IDENTITY_TOKEN_FILE") == "" { // which takes precedence over the profile's credentials
		profile = env("AWS_PROFILE", "AWS_DEFAULT_PROFILE")
	}
	if profile != "" {
		opts = append(opts, config.WithSharedConfigProfile(profile))
	}
	return opts
}

// configuredEndpoint returns "" if the SDK is to find the endpoint.
func configuredEndpoint(cfg vault.Config) string {
	if cfg.Endpoint != "" || strings.EqualFold(cfg.Getenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"), "true") {
		return cfg.Endpoint
	}
	return cmp.Or(cfg.Getenv("AWS_ENDPOINT_URL_SECRETS_MANAGER"), cfg.Getenv("AWS_ENDPOINT_URL"))
}

// checkEndpoint returns endpoint as messages show it. Session tokens and
// secrets are sent there, so it must be https, or a server on this machine.
func checkEndpoint(endpoint string) (string, error) {
	const remedy = "set endpoint_url in [vault.aws], or AWS_ENDPOINT_URL"
	u, err := url.Parse(endpoint)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The text itself may contain a password.
		return "", vault.NewProblem(vault.ErrConfig, "the endpoint is not of the form https://HOST[:PORT]", remedy)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !vaulthttp.IsLoopback(u.Hostname())) {
		return "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("%s would send secrets in clear text", endpoint), "use https://"+u.Host)
	}
	return endpoint, nil
}

// checkRegion keeps a region from naming another host: it becomes part of one.
func checkRegion(region string) error {
	const remedy = "set region in [vault.aws], or AWS_REGION, or the region of the profile"
	switch {
	case region == "":
		return vault.NewProblem(vault.ErrConfig, "no region", remedy)
	case !consistsOf(region, isRegionByte, 1, 32):
		return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("%q is no region", region), remedy)
	}
	return nil
}

func isPrintable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// newHTTPClient returns the client that the SDK would use, including
// AWS_CA_BUNDLE, except that it follows no redirects: they would carry the
// session token and the secret to any host.
func newHTTPClient(cfg aws.Config, waiting func()) *http.Client {
	built, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		built = awshttp.NewBuildableClient()
	}
	transport := built.GetTransport()
	transport.MaxIdleConnsPerHost = 32 // the maximum number of workers
	return &http.Client{
		Transport:     vaulthttp.NewPatient(transport, isThrottled, waiting),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// isThrottled reports whether AWS has too many requests: it says so in the body,
// with status 400.
func isThrottled(resp *http.Response) bool {
	const longest = 64 << 10
	if resp.StatusCode < 400 {
		return false
	}
	head, err := io.ReadAll(io.LimitReader(resp.Body, longest))
	if err != nil {
		return false
	}
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(head), resp.Body), resp.Body}
	var refusal struct {
		Type string `json:"__type"`
	}
	_ = json.Unmarshal(head, &refusal)
	code := refusal.Type[strings.LastIndex(refusal.Type, "#")+1:]
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	return throttled
}

// newRetryer allows one more attempt with a wrong clock, which the SDK corrects.
// vaulthttp.Patient waits for AWS, and the caller retries what else is worth it.
// A laptop does not wait for the metadata service of EC2.
func newRetryer() aws.Retryer {
	return retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = 2
		o.MaxBackoff = 200 * time.Millisecond
		o.Retryables = []retry.IsErrorRetryable{
			retry.NoRetryCanceledError{},
			retry.RetryableError{}, // the SDK's code for a wrong clock
		}
	})
}

func loadProblem(err error, cfg vault.Config) error {
	if _, ok := errors.AsType[config.AssumeRoleTokenProviderNotSetError](err); ok {
		remedy := `eval "$(aws configure export-credentials --format env` + profileFlag(cfg.Profile) + `)"`
		if cfg.Profile != "" {
			remedy += ", and leave profile out of [vault.aws]"
		}
		return vault.NewProblem(vault.ErrUnauthenticated, "the role of the profile wants a second factor (MFA)", remedy)
	}
	if e, ok := errors.AsType[config.SharedConfigProfileNotExistError](err); ok {
		return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("there is no profile %q in ~/.aws/config", e.Profile),
			"aws configure sso"+profileFlag(e.Profile)+", or choose another with profile in [vault.aws] or AWS_PROFILE")
	}
	text := secret.NameSettings(err.Error(), cfg.Getenv, pathVariables...)
	return vault.NewProblem(vault.ErrConfig, text, "check ~/.aws/config and the AWS_ variables of the environment")
}
