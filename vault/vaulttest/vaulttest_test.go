package vaulttest_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

// memory is the smallest vault that passes the suite: it shows that it can be
// passed.
type memory struct {
	mu       *sync.Mutex
	versions map[string][]string // oldest first
	refuse   error               // instead of every result
}

var _ vault.BatchStore = memory{}

func (memory) String() string { return "memory" }

func (m memory) fail(op, name string, err error, detail string) error {
	e := &vault.Error{Op: op, Vault: m.String(), Name: name, Err: err, Detail: detail}
	if err == vault.ErrDenied || err == vault.ErrUnauthenticated {
		e.Remedy = "ask for it"
	}
	return e
}

// admit splits the version off name, and returns why the request cannot be
// served.
func (m memory) admit(ctx context.Context, op, name string) (base, pin string, err error) {
	for _, r := range name {
		if r < ' ' || r == utf8.RuneError {
			return "", "", m.fail(op, name, vault.ErrName, "printable characters only")
		}
	}
	base, pin, pinned := strings.Cut(name, "@")
	switch {
	case base == "", pinned && op == "put":
		return "", "", m.fail(op, name, vault.ErrName, "name or name@version to read")
	case ctx.Err() != nil:
		return "", "", m.fail(op, name, ctx.Err(), "")
	case m.refuse != nil:
		return "", "", m.fail(op, name, m.refuse, "")
	}
	return base, pin, nil
}

func (m memory) Get(ctx context.Context, name string) (vault.Secret, error) {
	base, pin, err := m.admit(ctx, "get", name)
	if err != nil {
		return vault.Secret{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.versions[base]); i > 0; i-- {
		version, text := fmt.Sprint(i), m.versions[base][i-1]
		switch {
		case pin != "" && pin != version:
			continue
		case !utf8.ValidString(text):
			return vault.Secret{}, m.fail("get", name, vault.ErrMalformed, "binary")
		}
		return vault.Secret{Name: name, Value: secret.New(text), Version: version}, nil
	}
	return vault.Secret{}, m.fail("get", name, vault.ErrNotFound, "")
}

func (memory) MaxBatch() int { return 20 }

func (m memory) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	results := make(map[string]vault.Result)
	for _, name := range names {
		s, err := m.Get(ctx, name)
		results[name] = vault.Result{Secret: s, Err: err}
	}
	return results
}

func (m memory) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	if _, _, err := m.admit(ctx, "put", name); err != nil {
		return "", err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(m.versions[name])
	switch {
	case value.IsEmpty():
		return "", m.fail("put", name, vault.ErrMalformed, "empty")
	case base == "" && n > 0, base != "" && base != fmt.Sprint(n):
		return "", m.fail("put", name, vault.ErrConflict, "")
	}
	m.versions[name] = append(m.versions[name], value.Reveal())
	return fmt.Sprint(n + 1), nil
}

func TestRun(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
		m := memory{mu: new(sync.Mutex), versions: make(map[string][]string)}
		refusing := func(err error) vault.Store { r := m; r.refuse = err; return r }
		seed := func(name, raw string) {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.versions[name] = append(m.versions[name], raw)
		}
		return vaulttest.Fixture{
			Store:           m,
			Reopen:          func() vault.Store { return m },
			Name:            func(short string) string { return "team/" + short },
			Seed:            seed,
			BadNames:        []string{"@1"},
			Credentials:     []string{"hunter2"},
			Denied:          refusing(vault.ErrDenied),
			Unauthenticated: refusing(vault.ErrUnauthenticated),
			Unavailable:     refusing(vault.ErrUnavailable),
			Malformed:       map[string]func(string){"binary": func(name string) { seed(name, "\xff\x00") }},
			Pin:             func(name, version string) string { return name + "@" + version },
		}
	})
}
