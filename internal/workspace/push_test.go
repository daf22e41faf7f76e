package workspace_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

func TestPreparePush(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	right, wrong := newKey(t), newKey(t)
	p.write("envdrift.toml", mapped)
	p.write("api/.env", locked(t, right, "A=1\n"))
	w := p.open()
	to := target(t, w, "api/.env")
	tests := []struct {
		name, keys string
		is         func(error) bool
	}{
		{"no keys file", "", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{"no such key", "OTHER=1\n", func(err error) bool { return errors.As(err, new(*workspace.NoSuchKeyError)) }},
		{"a damaged key", "DOTENV_PRIVATE_KEY=nonsense\n", func(err error) bool { return err != nil && !errors.As(err, new(*workspace.NoSuchKeyError)) }},
		{"another file's key", assignment(wrong), func(err error) bool { return errors.As(err, new(*workspace.PushMismatchError)) }},
		{"the key", assignment(right), func(err error) bool { return err == nil }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.keys != "" {
				p.write("api/.env.keys", tt.keys)
			}
			if _, err := w.PreparePush(t.Context(), "api", to, workspace.PushOptions{}); !tt.is(err) {
				t.Errorf("PreparePush = %v", err)
			}
		})
	}
	if _, err := w.PreparePushOf(secret.New("nonsense"), to, false); !errors.Is(err, vault.ErrMalformed) {
		t.Errorf("PreparePushOf nonsense = %v; want ErrMalformed", err)
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	right, wrong := newKey(t), newKey(t)
	text := func(k *ecies.PrivateKey) string { return ecies.Keys{k}.Reveal() }
	text2 := func(name string, key, staging *ecies.PrivateKey) string {
		return name + "=" + text(key) + "\nDOTENV_PRIVATE_KEY_STAGING=" + text(staging)
	}
	nothing := keyring.Answer{Err: vault.ErrNotFound}
	tests := []struct {
		name   string
		held   string          // what the vault has
		answer *keyring.Answer // instead of asking it
		force  bool
		err    error // of writing
		lies   bool
		stored bool
		is     func(error) bool
	}{
		{name: "new", answer: &nothing, stored: true},
		{name: "there already", held: text(right)},
		{name: "another key", held: text(wrong), is: func(err error) bool {
			return errors.As(err, new(*workspace.OverwriteError)) && strings.Contains(err.Error(), "already holds another key")
		}},
		{name: "something else", held: "nonsense", is: func(err error) bool { return err != nil }},
		{name: "another key, forced", held: text(wrong), force: true, stored: true},
		{name: "beside another name's, forced", held: text2("DOTENV_PRIVATE_KEY", wrong, newKey(t)), force: true, stored: true},
		{name: "only another name's, forced", held: "DOTENV_PRIVATE_KEY_STAGING=" + text(wrong), force: true, is: func(err error) bool {
			return errors.As(err, new(*workspace.OtherKeysError)) && strings.Contains(err.Error(), "holds DOTENV_PRIVATE_KEY_STAGING")
		}},
		{name: "unavailable, forced", answer: &keyring.Answer{Err: vault.ErrUnavailable}, force: true, is: func(err error) bool { return errors.Is(err, vault.ErrUnavailable) }},
		{name: "the vault loses it", answer: &nothing, held: text(wrong), lies: true, is: func(err error) bool { return errors.Is(err, vault.ErrConflict) }},
		{name: "denied", answer: &nothing, err: vault.ErrDenied, is: func(err error) bool { return errors.Is(err, vault.ErrDenied) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("envdrift.toml", mapped)
			p.write("api/.env", locked(t, right, "A=1\n"))
			w := p.open()
			store := p.vaults.at("")
			if tt.held != "" {
				store.secrets["api"] = tt.held
			}
			all := targets(t, w)
			push, err := w.PreparePushOf(secret.New(text(right)), all[0], false)
			if err != nil {
				t.Fatal(err)
			}
			answer := tt.answer
			if answer == nil {
				answer = &w.Fetch(t.Context(), all)[0]
			}
			store.err, store.lies = tt.err, tt.lies
			stored, _, err := w.Push(t.Context(), push, *answer, tt.force)
			if stored != tt.stored || tt.is == nil && err != nil || tt.is != nil && !tt.is(err) {
				t.Errorf("Push = %t, %v; want %t", stored, err, tt.stored)
			}
			if stored && !strings.Contains(store.secrets["api"], text(right)) {
				t.Error("the vault does not hold the key")
			}
			if _, staging, had := strings.Cut(tt.held, "_STAGING="); had && !strings.HasSuffix(store.secrets["api"], staging) {
				t.Error("the vault does not hold the other name's key any more")
			}
		})
	}
}

// TestPushAll stores keys at once, and one secret that two mappings share once.
func TestPushAll(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	config := "[vault]\nprovider = \"local\"\n"
	keys := map[string]*ecies.PrivateKey{}
	for i := range 12 {
		folder := fmt.Sprint("s", i)
		name := fmt.Sprint("secret", i%11) // the last is that of the first
		if keys[name] == nil {
			keys[name] = newKey(t)
		}
		config += fmt.Sprintf("[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = %q\n", name, folder)
		p.write(folder+"/.env", locked(t, keys[name], "A=1\n"))
	}
	p.write("envdrift.toml", config)
	w := p.open()
	store := p.vaults.at("")
	var pushes []workspace.Push
	for _, target := range targets(t, w) {
		push, err := w.PreparePushOf(secret.New(ecies.Keys{keys[target.Mapping.SecretName]}.Reveal()), target, false)
		if err != nil {
			t.Fatal(err)
		}
		pushes = append(pushes, push)
	}
	for i, r := range w.PushAll(t.Context(), pushes, false) {
		if r.Err != nil || r.Stored != (i < 11) || r.Vault == "" {
			t.Errorf("PushAll: %d: stored %t, %v", i, r.Stored, r.Err)
		}
	}
	for name, key := range keys {
		if !strings.HasSuffix(store.secrets[name], key.Reveal()) {
			t.Errorf("%s has not got its key", name)
		}
	}
}

func TestKeyTarget(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", mapped+"environment = \"staging\"\n[[vault.sync.mappings]]\nsecret_name = \"api\"\nfolder_path = \"api\"\nenvironment = \"production\"\n")
	w := p.open()
	for _, tt := range []struct {
		folder, secret, environment, key string
		mapped                           bool
		name                             string
	}{
		{"api", "api", "staging", "", true, "DOTENV_PRIVATE_KEY_STAGING"},
		{"api", "api", "", "", true, "DOTENV_PRIVATE_KEY_PRODUCTION"},
		{"api", "api", "staging", "DOTENV_PRIVATE_KEY_OWN", true, "DOTENV_PRIVATE_KEY_OWN"},
		{"api", "api", "local", "", false, "DOTENV_PRIVATE_KEY_LOCAL"},
		{"api", "other", "staging", "", false, "DOTENV_PRIVATE_KEY_STAGING"},
		{".", "api", "staging", "", false, "DOTENV_PRIVATE_KEY_STAGING"},
	} {
		got := w.KeyTarget(tt.folder, tt.secret, tt.environment, tt.key)
		if got.Mapping.SecretName != tt.secret || (got.Mapping.Line > 0) != tt.mapped || got.Names[0] != tt.name || got.Folder() != tt.folder {
			t.Errorf("KeyTarget(%s, %s, %s, %s) = %q of %q in %q, line %d; want %q, mapped %t",
				tt.folder, tt.secret, tt.environment, tt.key, got.Names, got.Mapping.SecretName, got.Folder(), got.Mapping.Line, tt.name, tt.mapped)
		}
	}
}
