// Package hashicorp keeps secrets in HashiCorp Vault, or in OpenBao, which has
// the same API: in a KV secrets engine of version 1 or 2. If the configuration
// does not set address, namespace, token and TLS settings, they come from where
// the vault command takes them.
//
// # Names
//
// A name is a path below the mount: myapp/key. The whole path, as "vault kv get
// secret/myapp/key" or the HTTP API writes it (secret/myapp/key,
// secret/data/myapp/key), is accepted too: the mount at its beginning is
// removed, once. With version 2, myapp/key?version=3 pins a version, as in the
// HTTP API. The "@3" of other vendors would be ambiguous, because a path may
// contain an @.
//
// # Fields
//
// A record has fields, a secret is one text. The text is that of the configured
// field; else of the only field called DOTENV_PRIVATE_KEY or
// DOTENV_PRIVATE_KEY_…, as NAME=text; else of the field "value"; else the whole
// record as JSON. [Store.Put] changes that one field and keeps the others.
package hashicorp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/api"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Store is one KV engine of one server. It signs in with the first request.
type Store struct {
	client  *client
	session *session
	mount   string
	field   string
	kv      atomic.Int32 // version of the engine; 0 until the first response shows it
}

var _ vault.Store = (*Store)(nil)

// Open returns the store that cfg describes. It sends nothing: a wrong
// address or token shows with the first Get. Errors wrap [vault.ErrConfig].
func Open(_ context.Context, cfg vault.Config) (*Store, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = func(string) string { return "" }
	}
	s := &Store{mount: "secret", field: cfg.Field}
	if cfg.Mount != "" {
		s.mount = trimSlashes(cfg.Mount)
	}
	if err := checkPath(s.mount); err != nil {
		return nil, s.fail("open", "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("mount %q: %s", cfg.Mount, err), ""))
	}
	if cfg.KVVersion < 0 || cfg.KVVersion > 2 {
		return nil, s.fail("open", "", vault.NewProblem(vault.ErrConfig, fmt.Sprintf("kv_version is %d, not 1 or 2", cfg.KVVersion), ""))
	}
	s.kv.Store(int32(cfg.KVVersion))

	var err error
	if s.client, err = newClient(cfg); err != nil {
		return nil, s.fail("open", "", err)
	}
	if s.session, err = newSession(s.client, cfg); err != nil {
		return nil, s.fail("open", "", err)
	}
	return s, nil
}

// String names the server, as in "HashiCorp Vault at https://vault:8200".
func (s *Store) String() string {
	switch {
	case s.client == nil:
		return "HashiCorp Vault"
	case s.client.namespace != "":
		return fmt.Sprintf("HashiCorp Vault at %s, namespace %s", s.client.address, s.client.namespace)
	}
	return "HashiCorp Vault at " + s.client.address
}

// Get returns the text under name and the number of its version, or a
// [vault.Mark] from an engine of version 1.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	p, err := s.locate(name)
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	var found vault.Secret
	err = s.session.do(ctx, func() error {
		r, err := s.read(ctx, p)
		if err != nil {
			return err
		}
		if r.gone {
			return p.goneProblem(s.mount, r)
		}
		text, err := r.text(s.field)
		found = vault.Secret{Name: name, Value: secret.New(text), Version: r.seen(s.field)}
		return err
	})
	if err != nil {
		return vault.Secret{}, s.fail("get", name, err)
	}
	return found, nil
}

// Put stores value under name and keeps the record's other fields. It returns
// ErrConflict if the newest version is not base. A version 2 engine compares
// while it writes, with the version of the whole record. Version 1 cannot: see
// putV1.
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	p, err := s.locate(name)
	switch {
	case err != nil:
	case p.version != 0:
		err = vault.NewProblem(vault.ErrName, "a pinned version cannot be written", "")
	case value.IsEmpty():
		err = vault.NewProblem(vault.ErrMalformed, "the text to store is empty", "")
	}
	if err != nil {
		return "", s.fail("put", name, err)
	}
	var version string
	err = s.session.do(ctx, func() error {
		var err error
		version, err = s.put(ctx, p, value.Reveal(), base)
		return err
	})
	if err != nil {
		return "", s.fail("put", name, err)
	}
	return version, nil
}

func (s *Store) put(ctx context.Context, p path, value, base string) (string, error) {
	r, err := s.read(ctx, p)
	if st := asStatus(err); st != nil && st.code == http.StatusNotFound && !st.unrouted() {
		r, err = record{}, nil
	}
	if err != nil {
		return "", err
	}
	if seen := r.seen(s.field); seen != base {
		return "", vault.Stale("newest", seen, base)
	}
	fields, err := r.with(s.field, value)
	if err != nil {
		return "", err
	}
	if s.kv.Load() == 1 {
		return s.putV1(ctx, p, fields, value, base)
	}
	answer, err := s.client.write(ctx, s.mount+"/data/"+p.data, map[string]any{
		"data":    fields,
		"options": map[string]any{"cas": r.version},
	}, value)
	if err != nil {
		return "", err
	}
	return record{version: number(answer.Data["version"])}.versionText(), nil
}

// settle is longer than a check and a write take.
const settle = time.Second

// putV1 stores fields in a version 1 engine, where base was found. It cannot
// compare while it writes, nor tell what it has replaced. So it waits, and looks
// whether the text is still there, as in Fischer's algorithm for mutual exclusion:
// of several Puts at once, all who have seen base have written by then. The last
// one has succeeded, and the others see that they have not. If a Put takes longer,
// or another tool writes in between, what that wrote is replaced unseen.
func (s *Store) putV1(ctx context.Context, p path, fields map[string]any, value, base string) (string, error) {
	if _, err := s.client.write(ctx, s.mount+"/"+p.plain, fields, value); err != nil {
		return "", err
	}
	stored := record{fields: fields, unversioned: true}.seen(s.field)
	time.Sleep(settle)
	r, err := s.read(context.WithoutCancel(ctx), p)
	if err != nil {
		return "", err
	}
	// A standby may still have what was there before.
	if seen := r.seen(s.field); seen != stored && seen != base {
		return "", vault.Stale("newest", seen, base)
	}
	return stored, nil
}

// read returns the record at p. If the engine's version is not known, the
// response shows it: version 2 is asked first, and if it refuses, the same path
// of version 1. A version 2 engine responds to that with a warning.
func (s *Store) read(ctx context.Context, p path) (record, error) {
	switch s.kv.Load() {
	case 1:
		return s.readV1(ctx, p)
	case 2:
		return s.readV2(ctx, p)
	}
	if p.isAPI() {
		if err := s.lookUpMount(ctx, p); err != nil {
			return record{}, err
		}
		return s.read(ctx, p)
	}
	r, err := s.readV2(ctx, p)
	if err == nil {
		s.kv.Store(2)
		return r, nil
	}
	if st := asStatus(err); st != nil && st.code != http.StatusNotFound && st.code != http.StatusForbidden ||
		st == nil && !errors.Is(err, errNotV2) {
		return record{}, err
	}
	r, err1 := s.readV1(ctx, p)
	st := asStatus(err1)
	switch {
	case err1 == nil, st != nil && st.code == http.StatusNotFound && !st.unrouted():
		s.kv.Store(1)
		return r, err1
	case errors.Is(err1, errNotV1):
		s.kv.Store(2)
		return record{}, err
	case st != nil && st.isByPolicy():
		return record{}, err // the policy names the path of one version only
	}
	return record{}, err1
}

// lookUpMount asks the server for the engine's version, as the vault command does.
// A token that has no access to the engine does not learn it, and gets the refusal
// of version 2.
func (s *Store) lookUpMount(ctx context.Context, p path) error {
	answer, err := s.client.read(ctx, "sys/internal/ui/mounts/"+s.mount, nil)
	switch st := asStatus(err); {
	case err == nil:
		options, _ := answer.Data["options"].(map[string]any)
		s.kv.Store(1)
		if options["version"] == "2" {
			s.kv.Store(2)
		}
		return nil
	case st != nil && (st.isByPolicy() || strings.Contains(st.text, "preflight")):
		if _, err := s.readV2(ctx, p); isDenied(err) {
			return err
		}
	case st == nil || st.code != http.StatusNotFound || st.noNamespace():
		return err
	}
	return vault.NewProblem(vault.ErrConfig, "the server does not say of which version the KV engine is, and the name is a path of both", "set kv_version in [vault.hashicorp]")
}

// The response of an engine of the other version.
var (
	errNotV1 = vault.NewProblem(vault.ErrConfig, "this is a KV engine of version 2", "set kv_version = 2, or leave it out")
	errNotV2 = vault.NewProblem(vault.ErrConfig, "this is not a KV engine of version 2", "set kv_version = 1, or leave it out")
)

func (s *Store) readV1(ctx context.Context, p path) (record, error) {
	answer, err := s.client.read(ctx, s.mount+"/"+p.plain, nil)
	if st := asStatus(err); st != nil && st.answer != nil && len(st.answer.Warnings) > 0 {
		return record{}, errNotV1
	}
	if err != nil {
		return record{}, err
	}
	if p.version != 0 {
		return record{}, vault.NewProblem(vault.ErrName, "a KV engine of version 1 keeps no versions", "")
	}
	return record{fields: answer.Data, unversioned: true}, nil
}

func (s *Store) readV2(ctx context.Context, p path) (record, error) {
	var query map[string][]string
	if p.version != 0 {
		query = map[string][]string{"version": {strconv.Itoa(p.version)}}
	}
	answer, err := s.client.read(ctx, s.mount+"/data/"+p.data, query)
	if st := asStatus(err); st != nil && st.answer != nil {
		if r, ok := recordV2(st.answer); ok {
			return r, nil // a version that was deleted comes with status 404
		}
	}
	if err != nil {
		return record{}, err
	}
	r, ok := recordV2(answer)
	if !ok {
		return record{}, errNotV2
	}
	return r, nil
}

func recordV2(answer *api.Secret) (record, bool) {
	meta, ok := answer.Data["metadata"].(map[string]any)
	if !ok {
		return record{}, false
	}
	fields, ok := answer.Data["data"].(map[string]any)
	destroyed, _ := meta["destroyed"].(bool)
	return record{fields: fields, version: number(meta["version"]), gone: !ok, destroyed: destroyed}, true
}
