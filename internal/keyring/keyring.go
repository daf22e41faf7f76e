// Package keyring finds the private keys for an env file: those that are local,
// in the environment or in a keys file, and those that a vault holds.
package keyring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A LocalKey is a private key that needs no vault: one in the environment, in a keys file
// or in the operating system's store of secrets.
type LocalKey struct {
	Key    *ecies.PrivateKey
	Name   string // of the variable; "" in a store
	Origin string // "environment", [Store], or the file's path

	list ecies.Keys // those of its variable
}

// A Ring is the private keys at hand, and what looked like one but is none.
type Ring struct {
	Held    []LocalKey
	Invalid []error // each names the variable and the origin

	// More returns further keys for a public key that none of Held derives, from
	// where looking takes longer; nil if there is nowhere else to look.
	More func(ecies.PublicKey) []LocalKey

	public []ecies.PublicKey // those that the environment declares
}

// environment is the [LocalKey.Origin] of a key in a variable of the process.
const environment = "environment"

// Store is the [LocalKey.Origin] of a key in the operating system's store.
const Store = "store"

// Stored returns the keys of a list that the operating system's store has.
func Stored(keys ecies.Keys) (held []LocalKey) {
	for _, k := range keys {
		held = append(held, LocalKey{Key: k, Origin: Store, list: keys})
	}
	return held
}

// Environ collects the keys of the process environment.
func (r *Ring) Environ(environ map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(environ)) {
		switch {
		case strings.HasPrefix(name, dotenv.PrivatePrefix) && environ[name] != "":
			r.add(name, secret.New(environ[name]), environment)
		case strings.HasPrefix(name, dotenv.PublicPrefix):
			if key, err := ecies.ParsePublicKey(environ[name]); err == nil {
				r.public = append(r.public, key)
			}
		}
	}
}

// File collects the keys of a keys file.
func (r *Ring) File(origin string, file *dotenv.KeysFile) {
	for _, e := range file.Entries() {
		r.add(e.Name, e.Value, origin)
	}
}

func (r *Ring) add(name string, value secret.Value, origin string) {
	keys, err := ecies.ParsePrivateKeys(value.Reveal())
	if err != nil {
		r.Invalid = append(r.Invalid, fmt.Errorf("%s in %s: %w", name, origin, err))
		return
	}
	for _, k := range keys {
		r.Held = append(r.Held, LocalKey{k, name, origin, keys})
	}
}

// Declared gives the held keys that derive a public key which the document's
// header declares: they need no vault's word. A document without a header
// names no key, so nothing proves itself. What More finds is held from then on.
func (r *Ring) Declared(doc *dotenv.Document) ecies.Keys {
	headers, _ := doc.PublicKeys()
	var keys ecies.Keys
	for _, h := range headers {
		if r.More != nil && !slices.ContainsFunc(r.Held, func(held LocalKey) bool { return held.Key.PublicKey() == h.Key }) {
			r.Held = append(r.Held, r.More(h.Key)...)
		}
		for _, held := range r.Held {
			if held.Key.PublicKey() == h.Key && keys.Find(h.Key) == nil {
				keys = append(keys, held.Key)
			}
		}
	}
	return keys
}

// withLists adds to keys the others of their lists: a file that was edited before
// and after a rotation needs several.
func (r *Ring) withLists(keys ecies.Keys) ecies.Keys {
	for _, held := range r.Held {
		if keys.Find(held.Key.PublicKey()) == nil {
			continue
		}
		for _, k := range held.list {
			if keys.Find(k.PublicKey()) == nil {
				keys = append(keys, k)
			}
		}
	}
	return keys
}

// For gives the held keys that dotenvx would decrypt the document with, in the
// order in which it tries them: those of the environment are tried even where
// the header names another.
func (r *Ring) For(doc *dotenv.Document) ecies.Keys {
	candidates := dotenv.Candidates{Declared: r.public}
	for _, held := range r.Held {
		if held.Origin == environment {
			candidates.Environment = append(candidates.Environment, held.Key)
		} else {
			candidates.KeysFile = append(candidates.KeysFile, held.list)
		}
	}
	return doc.KeysFrom(candidates)
}

// Keys gives all held keys, each once.
func (r *Ring) Keys() ecies.Keys {
	var keys ecies.Keys
	seen := map[ecies.PublicKey]bool{} // there may be a thousand
	for _, held := range r.Held {
		if public := held.Key.PublicKey(); !seen[public] {
			seen[public], keys = true, append(keys, held.Key)
		}
	}
	return keys
}

// Named gives the keys held under name.
func (r *Ring) Named(name string) ecies.Keys {
	var keys ecies.Keys
	for _, held := range r.Held {
		if held.Name == name && keys.Find(held.Key.PublicKey()) == nil {
			keys = append(keys, held.Key)
		}
	}
	return keys
}

// An Answer is what the vault holds for a target.
type Answer struct {
	Keys    ecies.Keys // newest first
	Version string
	Vault   string // vault.Store.String
	Err     error
}

// An Opener opens the vault of a target; the same one for the same vault.
type Opener func(ctx context.Context, t mapping.Target) (vault.Store, error)

// Fetch asks the vaults for the key of each target, each secret once and
// at most workers at a time. The result is in the order of targets; an error
// concerns its target alone.
func Fetch(ctx context.Context, open Opener, targets []mapping.Target, workers int) []Answer {
	keys := make([]Answer, len(targets))
	var requests []vault.Request
	var asked []int
	for i, t := range targets {
		store, err := open(ctx, t)
		if err != nil {
			keys[i].Err = err
			continue
		}
		keys[i].Vault = store.String()
		requests = append(requests, vault.Request{Store: store, Name: t.Mapping.SecretName})
		asked = append(asked, i)
	}
	// Parsed while others are asked for: deriving the public key takes long.
	vault.FetchEach(ctx, requests, workers, func(n int, r vault.Result) {
		k := &keys[asked[n]]
		if k.Err = r.Err; k.Err == nil {
			k.Version = r.Secret.Version
			k.Keys, k.Err = ParseKey(r.Secret, k.Vault, targets[asked[n]].Names)
		}
	})
	return keys
}

// ParseKey reads the private key that a vault's secret holds, in any of the
// shapes of [vault.KeyText]. names are the labels that it may carry. An error
// is a [*vault.Error] of kind ErrMalformed.
func ParseKey(s vault.Secret, store string, names []string) (ecies.Keys, error) {
	text, _, err := vault.KeyText(s.Value, names...)
	if err == nil {
		var keys ecies.Keys
		if keys, err = ecies.ParsePrivateKeys(text.Reveal()); err == nil {
			return keys, nil
		}
		err = fmt.Errorf("%w: %w", vault.ErrMalformed, err)
	}
	return nil, &vault.Error{Op: "read", Vault: store, Name: s.Name, Err: err}
}
