package azure

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/cloud"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// A source is one place that a token may come from.
type source struct {
	name     string
	remedy   string
	tenant   string // the only tenant that it signs in to; "" for any
	optional bool   // if it has none, the next one is asked
	cred     azcore.TokenCredential
}

// A signIn gets tokens from the first source that has one, and then from that
// one only. It differs from the SDK's chain in what it leaves out (asking for a
// managed identity where nothing indicates one costs ten seconds) and in its
// errors: an expired session of az does not hide azd's.
type signIn struct {
	mu      sync.Mutex
	sources []source
	secrets []string // must not be in an error
	tenant  string   // the vault's, once it is known
	last    exchange
	failure error // why there will never be a token
}

// An exchange is the last response of a token service.
type exchange struct {
	resp *http.Response
	err  error
}

var _ azcore.TokenCredential = (*signIn)(nil)

func newSignIn(cfg vault.Config, web *http.Client) (*signIn, error) {
	s := &signIn{}
	authority := cfg.Getenv("AZURE_AUTHORITY_HOST")
	b := &builder{getenv: cfg.Getenv, local: isLocal(strings.TrimRight(strings.TrimPrefix(authority, "https://"), "/"))}
	b.options = azcore.ClientOptions{
		Transport:        web,
		Cloud:            cloud.Configuration{ActiveDirectoryAuthorityHost: authority},
		Retry:            policy.RetryOptions{MaxRetries: -1}, // the caller's business
		PerRetryPolicies: []policy.Policy{(*recorder)(s)},
	}
	if tenants := cfg.Getenv("AZURE_ADDITIONALLY_ALLOWED_TENANTS"); tenants != "" {
		b.tenants = strings.Split(tenants, ";")
	}
	var err error
	s.sources, err = b.sources(cfg.Credential)
	if _, ok := errors.AsType[vault.Problem](err); err != nil && !ok {
		err = vault.NewProblem(vault.ErrConfig, vaulthttp.OneLine(err.Error()), "check the AZURE_ variables of the environment")
	}
	if password := cfg.Getenv("AZURE_CLIENT_SECRET"); password != "" {
		s.secrets = append(s.secrets, password)
	}
	return s, err
}

// A builder makes sources from the environment in the configuration. The SDK
// would read the process's.
type builder struct {
	getenv  func(string) string
	options azcore.ClientOptions
	tenants []string // allowed beside the source's own
	local   bool     // the authority is on this machine, and no cloud knows it
}

func (b *builder) sources(credential string) ([]source, error) {
	kinds := map[string]func() (source, error){
		"cli": b.cli, "devcli": b.devcli, "environment": b.environment, "workload": b.workload, "managed": b.managed,
	}
	var chosen []string
	switch credential {
	case "", "auto":
		if b.getenv("AZURE_CLIENT_SECRET") != "" || b.getenv("AZURE_CLIENT_CERTIFICATE_PATH") != "" {
			chosen = append(chosen, "environment")
		}
		if b.getenv("AZURE_FEDERATED_TOKEN_FILE") != "" {
			chosen = append(chosen, "workload")
		}
		if b.getenv("IDENTITY_ENDPOINT") != "" || b.getenv("MSI_ENDPOINT") != "" {
			chosen = append(chosen, "managed")
		}
		chosen = append(chosen, "cli", "devcli")
	default:
		chosen = []string{credential}
	}
	var all []source
	for _, kind := range chosen {
		build, ok := kinds[kind]
		if !ok {
			return nil, vault.NewProblem(vault.ErrConfig, fmt.Sprintf("credential is %q, not auto, cli, environment, workload, managed or devcli", kind), "")
		}
		s, err := build()
		if err != nil {
			return nil, err
		}
		s.optional = len(chosen) > 1 && (kind == "cli" || kind == "devcli")
		all = append(all, s)
	}
	return all, nil
}

func (b *builder) cli() (source, error) {
	cred, err := azidentity.NewAzureCLICredential(&azidentity.AzureCLICredentialOptions{AdditionallyAllowedTenants: b.tenants})
	return source{name: "az", remedy: "az login", cred: cred}, err
}

func (b *builder) devcli() (source, error) {
	cred, err := azidentity.NewAzureDeveloperCLICredential(&azidentity.AzureDeveloperCLICredentialOptions{AdditionallyAllowedTenants: b.tenants})
	return source{name: "azd", remedy: "azd auth login", cred: cred}, err
}

// environment returns the source of a service principal with a secret or a
// certificate.
func (b *builder) environment() (source, error) {
	s := source{name: "environment", tenant: b.ownTenant(),
		remedy: "check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET (or AZURE_CLIENT_CERTIFICATE_PATH)"}
	if err := b.need("AZURE_TENANT_ID", "AZURE_CLIENT_ID"); err != nil {
		return s, err
	}
	tenant, client := b.getenv("AZURE_TENANT_ID"), b.getenv("AZURE_CLIENT_ID")
	var err error
	if password := b.getenv("AZURE_CLIENT_SECRET"); password != "" {
		s.cred, err = azidentity.NewClientSecretCredential(tenant, client, password, &azidentity.ClientSecretCredentialOptions{
			ClientOptions: b.options, AdditionallyAllowedTenants: b.tenants, DisableInstanceDiscovery: b.local,
		})
		return s, err
	}
	if err := b.need("AZURE_CLIENT_CERTIFICATE_PATH"); err != nil {
		return s, vault.NewProblem(vault.ErrConfig, "neither AZURE_CLIENT_SECRET nor AZURE_CLIENT_CERTIFICATE_PATH is set", "")
	}
	pem, err := secret.ReadFile("AZURE_CLIENT_CERTIFICATE_PATH", b.getenv("AZURE_CLIENT_CERTIFICATE_PATH"))
	if err != nil {
		return s, vault.NewProblem(vault.ErrConfig, err.Error(), "")
	}
	certs, key, err := azidentity.ParseCertificates(pem, []byte(b.getenv("AZURE_CLIENT_CERTIFICATE_PASSWORD")))
	if err != nil {
		return s, vault.NewProblem(vault.ErrConfig, "the file that AZURE_CLIENT_CERTIFICATE_PATH names holds no certificate with its key, or AZURE_CLIENT_CERTIFICATE_PASSWORD is not its password", "")
	}
	s.cred, err = azidentity.NewClientCertificateCredential(tenant, client, certs, key, &azidentity.ClientCertificateCredentialOptions{
		ClientOptions: b.options, AdditionallyAllowedTenants: b.tenants, DisableInstanceDiscovery: b.local,
	})
	return s, err
}

// workload returns the source of a token of an issuer that Entra trusts: a
// pod's, a CI job's.
func (b *builder) workload() (source, error) {
	s := source{name: "workload identity", tenant: b.ownTenant(),
		remedy: "check AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_FEDERATED_TOKEN_FILE and the federated credential of the application"}
	if err := b.need("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"); err != nil {
		return s, err
	}
	var err error
	// The SDK's credential for this would quote the path.
	s.cred, err = azidentity.NewClientAssertionCredential(b.getenv("AZURE_TENANT_ID"), b.getenv("AZURE_CLIENT_ID"),
		func(context.Context) (string, error) {
			token, err := secret.ReadFile("AZURE_FEDERATED_TOKEN_FILE", b.getenv("AZURE_FEDERATED_TOKEN_FILE"))
			return string(token), err
		}, &azidentity.ClientAssertionCredentialOptions{
			ClientOptions: b.options, AdditionallyAllowedTenants: b.tenants, DisableInstanceDiscovery: b.local,
		})
	return s, err
}

// managed returns the source of the identity that Azure assigns to a machine or
// a service.
func (b *builder) managed() (source, error) {
	options := &azidentity.ManagedIdentityCredentialOptions{ClientOptions: b.options}
	options.Retry = policy.RetryOptions{} // the SDK knows how often a new machine refuses
	if id := b.getenv("AZURE_CLIENT_ID"); id != "" {
		options.ID = azidentity.ClientID(id)
	}
	cred, err := azidentity.NewManagedIdentityCredential(options)
	return source{name: "managed identity", remedy: "assign a managed identity to where this runs, or set credential", cred: cred}, err
}

func (b *builder) need(names ...string) error {
	for _, name := range names {
		if b.getenv(name) == "" {
			return vault.NewProblem(vault.ErrConfig, name+" is not set", "")
		}
	}
	return nil
}

func (b *builder) ownTenant() string {
	if len(b.tenants) > 0 {
		return ""
	}
	return b.getenv("AZURE_TENANT_ID")
}

// failed returns why signing in was given up: servers lock out clients that
// keep trying, and az takes a second to refuse.
func (s *signIn) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failure
}

// GetToken is for the SDK, which keeps the token until it expires.
func (s *signIn) GetToken(ctx context.Context, want policy.TokenRequestOptions) (azcore.AccessToken, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.failure != nil {
		return azcore.AccessToken{}, s.failure
	}
	s.tenant = want.TenantID
	var details []string
	for _, from := range s.sources {
		token, err := s.ask(ctx, from, want)
		if err == nil {
			s.sources = []source{from}
			s.secrets = append(s.secrets, token.Token)
			return token, nil
		}
		p, final := errors.AsType[vault.Problem](err)
		if !final || !errors.Is(p.Kind, vault.ErrUnauthenticated) {
			return azcore.AccessToken{}, err
		}
		details = append(details, from.name+": "+p.Detail)
		if !from.optional {
			break
		}
	}
	s.failure = vault.NewProblem(vault.ErrUnauthenticated, strings.Join(details, "; "), s.remedy())
	return azcore.AccessToken{}, s.failure
}

// ask gets a token from one source.
func (s *signIn) ask(ctx context.Context, from source, want policy.TokenRequestOptions) (azcore.AccessToken, error) {
	if from.tenant != "" && want.TenantID != "" && !strings.EqualFold(from.tenant, want.TenantID) {
		return azcore.AccessToken{}, vault.NewProblem(vault.ErrUnauthenticated,
			fmt.Sprintf("AZURE_TENANT_ID is %s, but the vault is of the tenant %s", vaulthttp.OneLine(from.tenant), vaulthttp.OneLine(want.TenantID)), "")
	}
	s.last = exchange{}
	token, err := from.cred.GetToken(ctx, want)
	switch {
	case err == nil:
		return token, nil
	case errors.Is(ctx.Err(), context.Canceled):
		return token, ctx.Err()
	case ctx.Err() != nil:
		return token, vault.NewProblem(vault.ErrTimeout, from.name+" gave no token in time", "")
	case s.last.err != nil:
		return token, &transportError{s.last.err}
	case s.last.resp != nil && s.last.resp.StatusCode >= 400:
		return token, entraProblem(s.last.resp, s.secrets)
	}
	text, _, _ := strings.Cut(err.Error(), " To troubleshoot,") // a link about the SDK
	if _, after, ok := strings.Cut(text, "Credential: "); ok {
		text = after
	}
	return token, vault.NewProblem(vault.ErrUnauthenticated, strings.TrimSuffix(vaulthttp.OneLine(vaulthttp.Redact(text, s.secrets...)), "."), "")
}

// remedy returns what helps for the source in use, or for the one that failed.
func (s *signIn) remedy() string {
	from := s.sources[0]
	if from.name == "az" && isTenant(s.tenant) {
		return from.remedy + " --tenant " + s.tenant
	}
	return from.remedy
}

// inUse returns the credentials in use and what helps against a refusal.
func (s *signIn) inUse() (secrets []string, remedy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.secrets), s.remedy()
}

// isTenant reports whether a tenant is safe in a command line.
func isTenant(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '.')
	})
}

// A recorder records the responses that the SDK gets; the SDK's errors do not
// wrap them.
type recorder signIn

func (r *recorder) Do(req *policy.Request) (*http.Response, error) {
	resp, err := req.Next()
	r.last = exchange{resp, err}
	return resp, err
}
