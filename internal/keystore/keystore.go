// Package keystore keeps private keys in the operating system's store of secrets, each
// under the public key that it derives: in the Secret Service or the kernel's keyring
// on Linux, in the Keychain of macOS, in the Credential Manager of Windows.
//
// Except in the kernel's keyring, the items are those that dotenvx 2.38 reads and
// writes, with the service "dotenvx", so each finds the other's. Nothing here shows a
// question: what is locked stays locked.
package keystore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// service names the items of dotenvx.
const service = "dotenvx"

// mark tells envdrift's items from dotenvx's.
const mark = "envdrift"

// patience is how long one request of a store may take.
const patience = 2 * time.Second

// ErrLocked reports a store that would ask the user for a password first.
var ErrLocked = errors.New("is locked: unlock it, for example by logging in to the desktop")

// ErrUnavailable reports that there is no such store here.
var ErrUnavailable = errors.New("is not available here")

// ErrFull reports a store that has no room for a key.
var ErrFull = errors.New("is full: the kernel allows each user so much, in /proc/sys/kernel/keys")

var errAbsent = errors.New("has no such key")

// A backend is one store of the operating system. public is in hex, as
// [ecies.PublicKey.String] returns it. Errors are ErrLocked, ErrUnavailable, errAbsent
// or the store's own, which hold no key.
type backend interface {
	name() string
	ready(ctx context.Context) error // whether keys can be put here
	get(ctx context.Context, public string) (secret.Value, error)
	// put adds or replaces a key. A store that does not forget by itself ignores ttl.
	put(ctx context.Context, public string, key secret.Value, ttl time.Duration) error
	remove(ctx context.Context, public string) error
	made(ctx context.Context, public string) bool // whether the item that it has is envdrift's
	limit() time.Duration                         // how long a key is kept for which no time is set; 0 for ever
	close()
}

// Keys are the keys in the stores of the operating system. The methods may be called
// concurrently.
type Keys struct {
	index *index
	now   func() time.Time

	mu     sync.Mutex
	stores []backend // in the order in which they are asked
	found  map[ecies.PublicKey]ecies.Keys
}

// Open returns the stores of this system. None is contacted yet.
func Open(getenv func(string) string) *Keys {
	return &Keys{index: indexAt(getenv), now: time.Now, stores: backends(getenv), found: map[ecies.PublicKey]ecies.Keys{}}
}

// Ahead begins to connect to a store that takes long, for a program that will probably
// need it.
func (k *Keys) Ahead(ctx context.Context) {
	go func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		for _, s := range k.stores {
			if slow, ok := s.(interface{ connect(context.Context) error }); ok {
				_ = slow.connect(ctx) // Get finds it out again
			}
		}
	}()
}

// Close ends the connections to the stores. It does not wait for Ahead: no other program
// inherits what that opens.
func (k *Keys) Close() {
	if !k.mu.TryLock() {
		return
	}
	defer k.mu.Unlock()
	for _, s := range k.stores {
		s.close()
	}
}

// Get returns the private key for a public key, then those that were kept with it; none
// if no store has it, or its time has passed.
func (k *Keys) Get(ctx context.Context, public ecies.PublicKey) ecies.Keys {
	k.mu.Lock()
	defer k.mu.Unlock()
	if keys, ok := k.found[public]; ok {
		return keys
	}
	keys := k.list(ctx, public)
	k.found[public] = keys
	return keys
}

func (k *Keys) list(ctx context.Context, public ecies.PublicKey) (keys ecies.Keys) {
	entry, _, err := k.index.find(public)
	if err != nil {
		return nil // nobody knows whether its time has passed
	}
	if entry.expired(k.now()) {
		_ = k.forget(ctx, entry) // again at the next look, if it fails
		return nil
	}
	for _, p := range append([]ecies.PublicKey{public}, entry.list()...) {
		key := k.one(ctx, p)
		if key == nil && len(keys) == 0 {
			return nil
		}
		if key != nil {
			keys = append(keys, key)
		}
	}
	return keys
}

// one returns one key, or nil. A key of envdrift's own that the index does not know is
// none: nobody knows whether its time has passed, unless the store itself forgets.
func (k *Keys) one(ctx context.Context, public ecies.PublicKey) *ecies.PrivateKey {
	for _, s := range k.stores {
		if key := held(ctx, s, public); key != nil && (k.isKnown(public) || s.limit() > 0 || !s.made(ctx, public.String())) {
			return key
		}
	}
	return nil
}

// held returns the key that a store has for a public key, or nil.
func held(ctx context.Context, s backend, public ecies.PublicKey) *ecies.PrivateKey {
	value, err := s.get(ctx, public.String())
	if err != nil {
		return nil
	}
	key, err := ecies.ParsePrivateKey(value.Reveal())
	if err != nil || key.PublicKey() != public {
		return nil
	}
	return key
}

// isOthers reports whether another program has put a key into a store.
func (k *Keys) isOthers(ctx context.Context, public ecies.PublicKey) bool {
	return !k.isKnown(public) && slices.ContainsFunc(k.stores, func(s backend) bool {
		return held(ctx, s, public) != nil && !s.made(ctx, public.String())
	})
}

// place returns the store for new keys.
func (k *Keys) place(ctx context.Context) (backend, error) {
	for _, s := range slices.Backward(k.stores) {
		switch err := s.ready(ctx); {
		case err == nil:
			return s, nil
		case !errors.Is(err, ErrUnavailable):
			return nil, fmt.Errorf("the %s %w", s.name(), err)
		}
	}
	return nil, fmt.Errorf("a store for keys %w", ErrUnavailable)
}

// Place returns the name of the store that would take keys.
func (k *Keys) Place(ctx context.Context) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	s, err := k.place(ctx)
	if err != nil {
		return "", err
	}
	return s.name(), nil
}

// An Item is the keys of one env file, and what they are for.
type Item struct {
	Keys        ecies.Keys
	File, Vault string // as in an [Entry], which has all files of a key
}

// Put keeps the items for ttl; 0 for as long as the store does. It returns the name of
// the store, and an error for each item that is not kept. A key that is in a store but was
// not put there by envdrift stays as it is, without a limit.
func (k *Keys) Put(ctx context.Context, items []Item, ttl time.Duration) (store string, errs []error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	errs = make([]error, len(items))
	s, err := k.place(ctx)
	if err == nil {
		store = s.name()
		if ttl == 0 {
			ttl = s.limit()
		}
		// First what is to be forgotten, then the key: none is kept that
		// nothing would forget.
		err = k.index.add(ctx, k.entries(ctx, items, store, ttl))
	}
	for i, item := range items {
		for _, key := range item.Keys {
			if err == nil && errs[i] == nil && k.isKnown(key.PublicKey()) {
				errs[i] = k.put(ctx, s, key, ttl)
			}
		}
		errs[i] = cmp.Or(err, errs[i])
	}
	clear(k.found)
	return store, errs
}

func (k *Keys) put(ctx context.Context, s backend, key *ecies.PrivateKey, ttl time.Duration) error {
	if err := s.put(ctx, key.PublicKey().String(), key.Value, ttl); err != nil {
		return fmt.Errorf("the %s %w", s.name(), err)
	}
	return nil
}

func (k *Keys) isKnown(public ecies.PublicKey) bool {
	_, known, _ := k.index.find(public)
	return known
}

// entries returns what the index is to say of the items: nothing about keys that others
// have put into a store.
func (k *Keys) entries(ctx context.Context, items []Item, store string, ttl time.Duration) (entries []Entry) {
	now := k.now().UTC().Truncate(time.Second)
	for _, item := range items {
		for _, key := range item.Keys {
			public := key.PublicKey()
			if k.isOthers(ctx, public) {
				continue
			}
			e := Entry{Public: public.String(), Store: store, Files: []string{item.File}, Vault: item.Vault, Kept: now}
			if ttl > 0 {
				e.Until = now.Add(ttl)
			}
			for _, other := range item.Keys {
				if other != key {
					e.With = append(e.With, other.PublicKey().String())
				}
			}
			entries = append(entries, e)
		}
	}
	return entries
}

// List returns what envdrift has put into the stores and is still there, sorted by file.
// That whose time has passed is forgotten first.
func (k *Keys) List(ctx context.Context) (kept []Entry, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	entries, err := k.index.all()
	for _, e := range entries {
		if e.expired(k.now()) {
			err = errors.Join(err, k.forget(ctx, e))
		} else if !k.isGone(ctx, e) {
			kept = append(kept, e)
		}
	}
	return kept, err
}

// isGone reports whether the store no longer has a key, as after a restart of the machine,
// or never had it: the index is written first.
func (k *Keys) isGone(ctx context.Context, e Entry) bool {
	i := k.storeOf(e)
	if i < 0 {
		return false
	}
	_, err := k.stores[i].get(ctx, e.Public)
	return errors.Is(err, errAbsent)
}

func (k *Keys) storeOf(e Entry) int {
	return slices.IndexFunc(k.stores, func(s backend) bool { return s.name() == e.Store })
}

// Forget removes keys from their stores.
func (k *Keys) Forget(ctx context.Context, entries ...Entry) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	var errs []error
	for _, e := range entries {
		errs = append(errs, k.forget(ctx, e))
	}
	return errors.Join(errs...)
}

func (k *Keys) forget(ctx context.Context, e Entry) error {
	err := ErrUnavailable
	if i := k.storeOf(e); i >= 0 {
		err = k.stores[i].remove(ctx, e.Public)
	}
	if err != nil && !errors.Is(err, errAbsent) {
		return fmt.Errorf("%s: the %s, which has its key %s, %v", strings.Join(e.Files, ", "), e.Store, e.Short(), err)
	}
	clear(k.found)
	return k.index.remove(ctx, e.Public)
}

// Until returns when the first of some keys is forgotten; the zero time if never.
func (k *Keys) Until(keys ecies.Keys) (until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, key := range keys {
		e, _, _ := k.index.find(key.PublicKey())
		if !e.Until.IsZero() && (until.IsZero() || e.Until.Before(until)) {
			until = e.Until
		}
	}
	return until
}

// Has reports whether a store has all of some keys.
func (k *Keys) Has(ctx context.Context, keys ecies.Keys) bool {
	for _, key := range keys {
		if len(k.Get(ctx, key.PublicKey())) == 0 {
			return false
		}
	}
	return len(keys) > 0
}
