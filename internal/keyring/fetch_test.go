package keyring_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// fakeStore is a vault that takes latency to answer and notes what it was
// asked.
type fakeStore struct {
	name    string
	latency time.Duration
	secrets map[string]string
	errs    map[string]error

	mu           sync.Mutex
	asked        []string
	busy, atMost int
}

func (s *fakeStore) String() string { return s.name }

func (s *fakeStore) Put(context.Context, string, secret.Value, string) (string, error) {
	panic("FetchKeys put something")
}

func (s *fakeStore) Get(ctx context.Context, name string) (vault.Secret, error) {
	s.enter(name)
	defer s.leave()
	select {
	case <-time.After(s.latency):
	case <-ctx.Done():
		return vault.Secret{}, &vault.Error{Op: "get", Vault: s.name, Name: name, Err: ctx.Err()}
	}
	text, ok := s.secrets[name]
	err := s.errs[name]
	if err == nil && !ok {
		err = vault.ErrNotFound
	}
	if err != nil {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: s.name, Name: name, Err: err}
	}
	return vault.Secret{Name: name, Value: secret.New(text), Version: "v-" + name}, nil
}

func (s *fakeStore) enter(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, name)
	s.busy++
	s.atMost = max(s.atMost, s.busy)
}

func (s *fakeStore) leave() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.busy--
}

// wanting is a target whose key is in the vault, and in the secret, so called.
func wanting(vaultName, secretName string, names ...string) mapping.Target {
	return mapping.Target{Mapping: config.Mapping{VaultName: vaultName, SecretName: secretName}, Names: names}
}

// opening opens the stores by the mapping's name for its vault.
func opening(stores map[string]*fakeStore) keyring.Opener {
	return func(_ context.Context, t mapping.Target) (vault.Store, error) {
		s, ok := stores[t.Mapping.VaultName]
		if !ok {
			return nil, fmt.Errorf("no vault %q", t.Mapping.VaultName)
		}
		return s, nil
	}
}

func TestFetchKeys(t *testing.T) {
	t.Parallel()
	k1, k2, k3 := newKey(t), newKey(t), newKey(t)
	one := &fakeStore{
		name: "vault one",
		secrets: map[string]string{
			"bare": k1.Reveal(), "list": k2.Reveal() + "," + k1.Reveal(),
			"labelled": "DOTENV_PRIVATE_KEY_CI=" + k3.Reveal(), "junk": "no key at all",
		},
		errs: map[string]error{"secret": vault.ErrDenied},
	}
	two := &fakeStore{name: "vault two", secrets: map[string]string{"bare": k3.Reveal()}}
	targets := []mapping.Target{
		wanting("one", "list", "DOTENV_PRIVATE_KEY"),
		wanting("none", "bare", "DOTENV_PRIVATE_KEY"),
		wanting("one", "bare", "DOTENV_PRIVATE_KEY"),
		wanting("two", "bare", "DOTENV_PRIVATE_KEY"),
		wanting("one", "secret", "DOTENV_PRIVATE_KEY"),
		wanting("one", "missing", "DOTENV_PRIVATE_KEY"),
		wanting("one", "labelled", "DOTENV_PRIVATE_KEY", "DOTENV_PRIVATE_KEY_CI"),
		wanting("one", "labelled", "DOTENV_PRIVATE_KEY_PRODUCTION"),
		wanting("one", "junk", "DOTENV_PRIVATE_KEY"),
		wanting("one", "bare", "DOTENV_PRIVATE_KEY_EU"),
	}
	want := []struct {
		keys           ecies.Keys
		version, vault string
		err            error
	}{
		{keys: ecies.Keys{k2, k1}, version: "v-list", vault: "vault one"},
		{err: errors.New(`no vault "none"`)},
		{keys: ecies.Keys{k1}, version: "v-bare", vault: "vault one"},
		{keys: ecies.Keys{k3}, version: "v-bare", vault: "vault two"},
		{vault: "vault one", err: vault.ErrDenied},
		{vault: "vault one", err: vault.ErrNotFound},
		{keys: ecies.Keys{k3}, version: "v-labelled", vault: "vault one"},
		{version: "v-labelled", vault: "vault one", err: vault.ErrMalformed},
		{version: "v-junk", vault: "vault one", err: vault.ErrMalformed},
		{keys: ecies.Keys{k1}, version: "v-bare", vault: "vault one"},
	}
	got := keyring.Fetch(t.Context(), opening(map[string]*fakeStore{"one": one, "two": two}), targets, 4)
	if len(got) != len(want) {
		t.Fatalf("FetchKeys = %d keys; want %d", len(got), len(want))
	}
	for i, w := range want {
		g, m := got[i], targets[i].Mapping
		if g.Keys.Reveal() != w.keys.Reveal() {
			t.Errorf("FetchKeys: %d keys for %d, %s; want %d others", len(g.Keys), i, m.SecretName, len(w.keys))
		}
		if g.Version != w.version || g.Vault != w.vault {
			t.Errorf("FetchKeys: %d, %s: version %q of %q; want %q of %q", i, m.SecretName, g.Version, g.Vault, w.version, w.vault)
		}
		if (g.Err == nil) != (w.err == nil) || w.err != nil && !errors.Is(g.Err, w.err) && g.Err.Error() != w.err.Error() {
			t.Errorf("FetchKeys: %d, %s: error %v; want %v", i, m.SecretName, g.Err, w.err)
		}
	}
	slices.Sort(one.asked)
	if asked := strings.Join(one.asked, " "); asked != "bare junk labelled list missing secret" {
		t.Errorf("FetchKeys asked vault one for %q; want each secret once", asked)
	}
	if asked := strings.Join(two.asked, " "); asked != "bare" {
		t.Errorf("FetchKeys asked vault two for %q; want bare", asked)
	}
}

func TestFetchKeysKeepsToItsWorkers(t *testing.T) {
	t.Parallel()
	key := newKey(t).Reveal()
	for _, workers := range []int{1, 3} {
		synctest.Test(t, func(t *testing.T) {
			s := &fakeStore{name: "v", latency: time.Second, secrets: map[string]string{}}
			var targets []mapping.Target
			for i := range 9 {
				name := fmt.Sprint("s", i)
				s.secrets[name] = key
				targets = append(targets, wanting("v", name, "DOTENV_PRIVATE_KEY"))
			}
			for i, k := range keyring.Fetch(t.Context(), opening(map[string]*fakeStore{"v": s}), targets, workers) {
				if k.Err != nil || len(k.Keys) != 1 {
					t.Errorf("FetchKeys: %d = %v, %v; want a key", i, k.Keys, k.Err)
				}
			}
			if s.atMost != workers {
				t.Errorf("FetchKeys with %d workers asked %d at a time", workers, s.atMost)
			}
		})
	}
}

func TestFetchKeysEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := &fakeStore{name: "v", latency: time.Hour}
	for i, k := range keyring.Fetch(ctx, opening(map[string]*fakeStore{"v": s}), []mapping.Target{wanting("v", "a"), wanting("v", "b")}, 1) {
		if !errors.Is(k.Err, context.Canceled) || k.Keys != nil {
			t.Errorf("FetchKeys: %d = %v, %v; want %v", i, k.Keys, k.Err, context.Canceled)
		}
	}
}

func TestFetchKeysOpensWithItsContext(t *testing.T) {
	t.Parallel()
	type mark struct{}
	ctx := context.WithValue(t.Context(), mark{}, "here")
	var opened []string
	open := func(ctx context.Context, t mapping.Target) (vault.Store, error) {
		opened = append(opened, fmt.Sprint(t.Mapping.SecretName, " ", ctx.Value(mark{})))
		return nil, errors.New("closed")
	}
	keyring.Fetch(ctx, open, []mapping.Target{wanting("", "a"), wanting("", "b")}, 1)
	if want := []string{"a here", "b here"}; !slices.Equal(opened, want) {
		t.Errorf("FetchKeys opened %q; want %q", opened, want)
	}
	if got := keyring.Fetch(ctx, open, nil, 1); len(got) != 0 {
		t.Errorf("FetchKeys of no targets = %v; want none", got)
	}
}

func TestParseKey(t *testing.T) {
	t.Parallel()
	a, b := newKey(t), newKey(t)
	const notOnTheCurve = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
	tests := []struct {
		name, text string
		names      []string
		want       ecies.Keys
	}{
		{"bare", a.Reveal() + "\n", []string{"DOTENV_PRIVATE_KEY"}, ecies.Keys{a}},
		{"upper case", strings.ToUpper(a.Reveal()), nil, ecies.Keys{a}},
		{"newest first", a.Reveal() + "," + b.Reveal(), nil, ecies.Keys{a, b}},
		{"under a fitting name", "DOTENV_PRIVATE_KEY_B=" + b.Reveal(), []string{"DOTENV_PRIVATE_KEY", "DOTENV_PRIVATE_KEY_B"}, ecies.Keys{b}},
		{"the preferred of two names", "DOTENV_PRIVATE_KEY_A=" + a.Reveal() + "\nDOTENV_PRIVATE_KEY_B=" + b.Reveal(), []string{"DOTENV_PRIVATE_KEY_B", "DOTENV_PRIVATE_KEY_A"}, ecies.Keys{b}},
		{"under another name", "DOTENV_PRIVATE_KEY_B=" + b.Reveal(), []string{"DOTENV_PRIVATE_KEY"}, nil},
		{"no key", "s3cr3t", nil, nil},
		{"nothing", "", nil, nil},
		{"a number that is no key", notOnTheCurve, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := keyring.ParseKey(vault.Secret{Name: "api-key", Value: secret.New(tt.text)}, "vault one", tt.names)
			if tt.want != nil {
				if err != nil || got.Reveal() != tt.want.Reveal() {
					t.Errorf("ParseKey = %d keys, %v; want %d", len(got), err, len(tt.want))
				}
				return
			}
			e := (*vault.Error)(nil)
			if got != nil || !errors.Is(err, vault.ErrMalformed) || !errors.As(err, &e) || e.Op != "read" || e.Vault != "vault one" || e.Name != "api-key" {
				t.Errorf("ParseKey = %d keys, %#v; want a vault.Error that names vault and secret", len(got), err)
			}
			if err != nil && (strings.Contains(err.Error(), "s3cr3t") || strings.Contains(err.Error(), b.Reveal()) || strings.Contains(err.Error(), notOnTheCurve)) {
				t.Errorf("ParseKey: error %q; want no part of the value", err)
			}
		})
	}
}
