// Package azure keeps secrets in Azure Key Vault. Microsoft Entra ID identifies
// the caller: by a signed-in az or azd, by a service principal or a federated
// token that the environment describes, or by a managed identity.
//
// # Names
//
// A name consists of letters, digits and "-". Azure's own notation pins a
// version, name/0123456789abcdef0123456789abcdef; so does name?version=…, as
// for other vaults. The secret's identifier is a name too, if it is in this
// vault: https://myvault.vault.azure.net/secrets/name.
package azure

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/log"
	"github.com/Azure/azure-sdk-for-go/sdk/security/keyvault/azsecrets"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Store is one key vault. It signs in with the first request.
type Store struct {
	client  *azsecrets.Client
	signIn  *signIn
	host    string
	timeout time.Duration // of one request, including the sign-in that it needs

	first chan struct{} // held by the first request, which runs alone
	begun atomic.Bool   // the first request has completed
}

var _ vault.Store = (*Store)(nil)

// silence turns off what AZURE_SDK_GO_LOGGING turns on: the SDK prints the body
// of a refusal, in which a server may quote a secret.
var silence = sync.OnceFunc(func() { log.SetListener(nil) })

// Open returns the store that cfg describes. It sends nothing: a wrong address
// or a missing sign-in shows with the first Get. Errors wrap [vault.ErrConfig].
func Open(_ context.Context, cfg vault.Config) (*Store, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	silence()
	s := &Store{timeout: cfg.Timeout, first: make(chan struct{}, 1)}
	if s.timeout <= 0 {
		s.timeout = 10 * time.Second
	}
	if err := s.open(cfg); err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

func (s *Store) open(cfg vault.Config) error {
	host, err := checkAddress(cfg.URL)
	if err != nil {
		return err
	}
	web, err := newHTTPClient(cfg.Getenv, func() { cfg.Waits(s.String()) })
	if err != nil {
		return err
	}
	if s.signIn, err = newSignIn(cfg, web); err != nil {
		return err
	}
	s.host = host
	s.client, err = newClient(host, web, s.signIn)
	return err
}

// String names the vault, as in "Azure Key Vault at https://team.vault.azure.net".
func (s *Store) String() string {
	if s.host == "" {
		return "Azure Key Vault"
	}
	return "Azure Key Vault at https://" + s.host
}

// Get returns the text under name and its version. A secret that is disabled,
// has expired or is not valid yet is ErrDenied: Key Vault itself returns the
// latter two to anyone who may read, and leaves it to the client to refuse
// them.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	at, err := s.locate(name)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	var found vault.Secret
	err = s.do(ctx, func(ctx context.Context) error {
		got, err := s.client.GetSecret(ctx, at.name, at.version, nil)
		if err != nil {
			return err
		}
		if err := s.usable(at, got.Attributes, time.Now()); err != nil {
			return err
		}
		if got.ID == nil || got.Value == nil || *got.Value == "" {
			return vault.NewProblem(vault.ErrMalformed, "the secret is empty", "")
		}
		found = vault.Secret{Name: name, Value: secret.New(*got.Value), Version: got.ID.Version()}
		return nil
	})
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	return found, nil
}

// Put stores value under name as a new version, with the content type and the
// tags of the newest, and returns it. It returns ErrConflict if the newest
// version is not base, or if a deleted secret still has the name. Key Vault
// cannot compare while it writes; see [vault.Append]. An identity that may not
// list versions compares only before.
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	at, err := s.locate(name)
	switch {
	case err != nil:
	case at.version != "":
		err = vault.NewProblem(vault.ErrName, "a pinned version cannot be written", "")
	case value.IsEmpty():
		err = vault.NewProblem(vault.ErrMalformed, "the text to store is empty", "")
	}
	if err != nil {
		return "", s.fail("put", name, err)
	}
	return vault.Append(ctx, &versionLog{s: s, name: name, secret: at.name, sent: []string{value.Reveal()}}, value, base)
}

// do runs request within its timeout. The store's first request runs alone: it
// learns from a refused attempt which tenant to sign in to, and the others need
// no such attempt of their own. If they were refused too, the SDK would discard
// the token that the first one has just got.
func (s *Store) do(ctx context.Context, request func(context.Context) error) error {
	if !s.begun.Load() {
		select {
		case s.first <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
		if s.begun.Load() {
			<-s.first
		} else {
			defer func() { s.begun.Store(true); <-s.first }()
		}
	}
	if err := s.signIn.failed(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return request(ctx)
}
