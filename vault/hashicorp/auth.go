package hashicorp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

// serviceAccountToken is where Kubernetes puts the token of a pod.
const serviceAccountToken = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// A session is how a store signs in. It signs in once, and once more if the
// token ends while it is in use.
type session struct {
	client *client
	auth   string
	path   string // where to sign in; "" if the user has signed in already
	role   string
	getenv func(string) string

	lock       chan struct{} // held while signing in; waiting for it ends with the context
	generation int           // how often it has signed in
	failure    error         // why it can never sign in
}

func newSession(c *client, cfg vault.Config) (*session, error) {
	s := &session{client: c, auth: cfg.Auth, role: cfg.Role, getenv: cfg.Getenv, lock: make(chan struct{}, 1)}
	switch cfg.Auth {
	case "", "token":
		s.auth = "token"
		return s, nil
	case "approle", "kubernetes", "jwt":
	default:
		return nil, vault.NewProblem(vault.ErrConfig, fmt.Sprintf("auth is %q, not token, approle, kubernetes or jwt", cfg.Auth), "")
	}
	mount := cfg.Auth
	if cfg.AuthMount != "" {
		mount = strings.TrimPrefix(trimSlashes(cfg.AuthMount), "auth/")
	}
	if err := checkPath(mount); err != nil {
		return nil, vault.NewProblem(vault.ErrConfig, fmt.Sprintf("auth_mount %q: %s", cfg.AuthMount, err), "")
	}
	s.path = "auth/" + mount + "/login"
	return s, nil
}

// do runs request signed in. If the server no longer accepts the token, it
// signs in again and repeats the request, once.
func (s *session) do(ctx context.Context, request func() error) error {
	generation, err := s.signIn(ctx)
	if err != nil {
		return err
	}
	if err = request(); !isDenied(err) {
		return err
	}
	if renewed, renewErr := s.renew(ctx, generation); renewErr != nil || !renewed {
		return cmp.Or(renewErr, err)
	}
	return request()
}

// signIn sets a token in the client and returns its generation.
func (s *session) signIn(ctx context.Context) (int, error) {
	if err := s.acquire(ctx); err != nil {
		return 0, err
	}
	defer s.release()
	if s.generation == 0 {
		return 1, s.next(ctx)
	}
	return s.generation, s.failure
}

// renew reports whether the client has a newer token than generation, which the
// server refused. A token is valid if it may look itself up, or if only a policy
// forbids that.
func (s *session) renew(ctx context.Context, generation int) (bool, error) {
	if err := s.acquire(ctx); err != nil {
		return false, err
	}
	defer s.release()
	if s.generation > generation || s.failure != nil {
		return true, s.failure
	}
	accepted := s.client.accepted.Load()
	if _, err := s.client.read(ctx, "auth/token/lookup-self", nil); !isDenied(err) || asStatus(err).isByPolicy() {
		return false, nil
	}
	switch {
	case s.path == "" && accepted:
		s.failure = vault.NewProblem(vault.ErrUnauthenticated, "the token was accepted and is no longer: it is for one use, as a wrapping token is, or has expired",
			"get the token that it wraps: vault unwrap -field=token WRAPPING_TOKEN (a new one: this one is used up); for a token of few uses set kv_version in [vault.hashicorp]; or vault login")
		return false, s.failure
	case s.path == "":
		s.failure = vault.NewProblem(vault.ErrUnauthenticated, "the token is not valid: it has expired, was revoked, or is another server's", s.remedy())
		return false, s.failure
	}
	return true, s.next(ctx)
}

func (s *session) acquire(ctx context.Context) error {
	select {
	case s.lock <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *session) release() { <-s.lock }

// next sets the next token in the client. What cannot succeed is tried only
// once: servers lock out clients that keep trying.
func (s *session) next(ctx context.Context) error {
	if s.failure != nil {
		return s.failure
	}
	token, err := s.token(ctx)
	if err == nil && !isPrintable(token.Reveal()) {
		err = vault.NewProblem(vault.ErrUnauthenticated, "the token has a character that does not print", s.remedy())
	}
	if _, ok := errors.AsType[vault.Problem](err); ok {
		s.failure = err
	}
	if err != nil {
		return err
	}
	s.client.api.SetToken(token.Reveal())
	s.generation++
	return nil
}

// token returns the user's token or signs in for a new one.
func (s *session) token(ctx context.Context) (secret.Value, error) {
	if s.path == "" {
		return s.userToken()
	}
	body, credential, err := s.credentials()
	if err != nil {
		return secret.Value{}, err
	}
	answer, err := s.client.write(ctx, s.path, body, credential.Reveal())
	if st := asStatus(err); st != nil {
		return secret.Value{}, s.refusal(st)
	}
	switch {
	case err != nil:
		return secret.Value{}, err
	case answer.Auth == nil || answer.Auth.ClientToken == "":
		return secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, s.path+" gave no token; it may want a second factor", s.remedy())
	}
	return secret.New(answer.Auth.ClientToken), nil
}

// userToken returns the token that the vault command would use.
func (s *session) userToken() (secret.Value, error) {
	if token := vaulthttp.FirstOf(s.getenv("VAULT_TOKEN")); token != "" {
		return secret.New(token), nil
	}
	home := vaulthttp.FirstOf(s.getenv("HOME"), s.getenv("USERPROFILE"))
	none := vault.NewProblem(vault.ErrUnauthenticated, "no token in VAULT_TOKEN or ~/.vault-token", s.remedy())
	if !filepath.IsAbs(home) {
		return secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, "no token in VAULT_TOKEN; HOME is not set, so ~/.vault-token was not looked at", s.remedy())
	}
	data, err := os.ReadFile(filepath.Join(home, ".vault-token"))
	token := strings.TrimSpace(string(data))
	if errors.Is(err, os.ErrNotExist) || err == nil && token == "" {
		return secret.Value{}, none
	}
	if err != nil {
		return secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, err.Error(), s.remedy())
	}
	return secret.New(token), nil
}

// credentials returns the body of the sign-in request, and the secret in it.
func (s *session) credentials() (map[string]any, secret.Value, error) {
	if s.auth == "approle" {
		role := vaulthttp.FirstOf(s.role, s.getenv("VAULT_ROLE_ID"))
		if role == "" {
			return nil, secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, "no role id in role or VAULT_ROLE_ID", s.remedy())
		}
		body, id := map[string]any{"role_id": role}, secret.New(vaulthttp.FirstOf(s.getenv("VAULT_SECRET_ID")))
		if !id.IsEmpty() { // a role may not require one
			body["secret_id"] = id.Reveal()
		}
		return body, id, nil
	}
	jwt, err := s.jwt()
	if err != nil {
		return nil, secret.Value{}, err
	}
	return map[string]any{"role": s.role, "jwt": jwt.Reveal()}, jwt, nil
}

// jwt returns the token that identifies the client to the auth method. A file
// is read again each time: platforms replace it before it expires.
func (s *session) jwt() (secret.Value, error) {
	if jwt := vaulthttp.FirstOf(s.getenv("VAULT_JWT")); jwt != "" {
		return secret.New(jwt), nil
	}
	file := vaulthttp.FirstOf(s.getenv("VAULT_JWT_FILE"))
	read := func() ([]byte, error) { return secret.ReadFile("VAULT_JWT_FILE", file) }
	if file == "" && s.auth == "kubernetes" {
		read = func() ([]byte, error) { return os.ReadFile(serviceAccountToken) }
	} else if file == "" {
		return secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, "no token in VAULT_JWT, and no file in VAULT_JWT_FILE", s.remedy())
	}
	data, err := read()
	if err != nil {
		return secret.Value{}, vault.NewProblem(vault.ErrUnauthenticated, err.Error(), s.remedy())
	}
	return secret.New(strings.TrimSpace(string(data))), nil
}

// refusal explains why the server refused the sign-in.
func (s *session) refusal(st *statusError) error {
	switch {
	case st.noNamespace():
		return s.client.noNamespace()
	case st.unrouted():
		return vault.NewProblem(vault.ErrConfig, fmt.Sprintf("no auth method is mounted at %q", strings.TrimSuffix(s.path, "/login")), "set auth_mount, or namespace")
	case st.foreign:
	case st.code == http.StatusBadRequest, st.code == http.StatusUnauthorized, st.code == http.StatusForbidden, st.code == http.StatusNotFound:
		return vault.NewProblem(vault.ErrUnauthenticated, st.Error(), s.remedy())
	}
	return st
}

// remedy says how to sign in.
func (s *session) remedy() string {
	switch s.auth {
	case "approle":
		return "set VAULT_ROLE_ID and VAULT_SECRET_ID, and auth_mount if the method has another name"
	case "kubernetes":
		return "check role, auth_mount, and that the pod's service account is bound to the role"
	case "jwt":
		return "set VAULT_JWT to a token that the role accepts, and role and auth_mount in [vault.hashicorp]"
	}
	return "vault login, or set VAULT_TOKEN"
}
