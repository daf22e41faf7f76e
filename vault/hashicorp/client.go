package hashicorp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// A client sends requests to one server. Its errors are a [vault.Problem], a
// *statusError, or an error of the transport.
type client struct {
	api       *api.Client
	address   string
	namespace string
	timeout   time.Duration // of one request, including the wait that the server asks for
	accepted  atomic.Bool   // the server has accepted the token in a request
}

func newClient(cfg vault.Config) (*client, error) {
	c := &client{timeout: cfg.Timeout, namespace: trimSlashes(vaulthttp.FirstOf(cfg.Namespace, cfg.Getenv(api.EnvVaultNamespace)))}
	if c.timeout <= 0 {
		c.timeout = 10 * time.Second
	}
	var err error
	if c.address, err = checkAddress(vaulthttp.FirstOf(cfg.URL, cfg.Getenv(api.EnvVaultAddress))); err != nil {
		return nil, err
	}
	conf := &api.Config{
		Address:          c.address,
		DisableRedirects: true, // the SDK would carry the token to any host; vaulthttp.CheckRedirect does not
		MaxRetries:       0,    // vaulthttp.Patient waits, and the caller retries
	}
	if conf.HttpClient, err = newHTTPClient(cfg.Getenv); err != nil {
		return nil, err
	}
	if err := configureTLS(conf, cfg.Getenv); err != nil {
		return nil, err
	}
	conf.HttpClient.Transport = vaulthttp.NewPatient(conf.HttpClient.Transport, nil, func() { cfg.Waits("HashiCorp Vault at " + c.address) })
	if c.api, err = api.NewClient(conf); err != nil {
		return nil, vault.NewProblem(vault.ErrConfig, vaulthttp.OneLine(err.Error()), "check the VAULT_ variables of the environment")
	}
	// NewClient took token, namespace and headers from the process's
	// environment; those of this client come only from cfg.
	c.api.ClearToken()
	c.api.SetHeaders(http.Header{api.RequestHeaderName: {"true"}})
	if c.namespace != "" {
		c.api.SetNamespace(c.namespace)
	}
	c.api.SetWrappingLookupFunc(func(string, string) string { return "" })
	return c, nil
}

// checkAddress returns address as requests use it. A token is sent there with
// every request, so it must be https, or a server on this machine.
func checkAddress(address string) (string, error) {
	const remedy = "set url in [vault.hashicorp], --vault-url or VAULT_ADDR"
	if address == "" {
		return "", vault.NewProblem(vault.ErrConfig, "no address", remedy)
	}
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		// The text itself may contain a password.
		return "", vault.NewProblem(vault.ErrConfig, "the address is not of the form https://HOST[:PORT]", remedy)
	}
	if u.Scheme != "https" && (u.Scheme != "http" || !vaulthttp.IsLoopback(u.Hostname())) {
		return "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("%s would send the token in clear text", address), "use https://"+u.Host)
	}
	return strings.TrimRight(address, "/"), nil
}

func newHTTPClient(getenv func(string) string) (*http.Client, error) {
	transport := vaulthttp.Transport()
	if proxy := vaulthttp.FirstOf(getenv(api.EnvVaultProxyAddr), getenv(api.EnvHTTPProxy)); proxy != "" {
		u, err := url.Parse(proxy)
		if err != nil {
			return nil, vault.NewProblem(vault.ErrConfig, "VAULT_PROXY_ADDR is not a URL", "")
		}
		transport.Proxy = http.ProxyURL(u)
	}
	return &http.Client{Transport: transport, CheckRedirect: vaulthttp.CheckRedirect}, nil
}

// configureTLS applies the variables that the vault command reads.
func configureTLS(conf *api.Config, getenv func(string) string) error {
	t := &api.TLSConfig{
		CACert:        getenv(api.EnvVaultCACert),
		CACertBytes:   []byte(getenv(api.EnvVaultCACertBytes)),
		CAPath:        getenv(api.EnvVaultCAPath),
		ClientCert:    getenv(api.EnvVaultClientCert),
		ClientKey:     getenv(api.EnvVaultClientKey),
		TLSServerName: getenv(api.EnvVaultTLSServerName),
	}
	if skip := getenv(api.EnvVaultSkipVerify); skip != "" {
		var err error
		if t.Insecure, err = strconv.ParseBool(skip); err != nil {
			return vault.NewProblem(vault.ErrConfig, "VAULT_SKIP_VERIFY is neither true nor false", "")
		}
	}
	files := []string{api.EnvVaultCACert, api.EnvVaultCAPath, api.EnvVaultClientCert, api.EnvVaultClientKey}
	for _, name := range files {
		file := getenv(name)
		if file == "" {
			continue
		}
		if _, err := os.Stat(file); err != nil { // which the SDK would quote
			return vault.NewProblem(vault.ErrConfig, secret.HidePath(name, file, err).Error(), "")
		}
	}
	if err := conf.ConfigureTLS(t); err != nil {
		return vault.NewProblem(vault.ErrConfig, vaulthttp.OneLine(secret.NameSettings(err.Error(), getenv, files...)),
			"check "+strings.Join(files, ", "))
	}
	return nil
}

func (c *client) read(ctx context.Context, path string, query map[string][]string) (*api.Secret, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.api.Logical().ReadRawWithDataWithContext(ctx, path, query)
	return c.decode(resp, err)
}

// write sends body; the secret in it must not be in an error.
func (c *client) write(ctx context.Context, path string, body map[string]any, secrets ...string) (*api.Secret, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, vault.NewProblem(vault.ErrMalformed, "the record is no JSON", "")
	}
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	resp, err := c.api.Logical().WriteRawWithContext(ctx, path, data)
	return c.decode(resp, err, secrets...)
}

func (c *client) decode(resp *api.Response, err error, secrets ...string) (*api.Secret, error) {
	if resp == nil || resp.Response == nil {
		return nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	if refused := (*api.ResponseError)(nil); errors.As(err, &refused) {
		st := newStatusError(refused, resp, append(secrets, c.api.Token()))
		if !st.foreign && (!isDenied(st) || st.isByPolicy()) {
			c.accepted.Store(true)
		}
		return nil, st
	}
	if err != nil {
		return nil, err
	}
	c.accepted.Store(true)
	if resp.StatusCode == http.StatusNoContent {
		return &api.Secret{}, nil
	}
	answer, err := api.ParseSecret(resp.Body)
	if resp.StatusCode >= 300 || err != nil && !vaulthttp.IsTimeout(err) || err == nil && answer == nil {
		return nil, &statusError{code: resp.StatusCode, foreign: true}
	}
	return answer, err
}
