package keystore

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/userstate"
)

// An Entry says which key is where, and until when. It holds no key.
type Entry struct {
	Public string    `json:"-"`
	Store  string    `json:"store"`
	Files  []string  `json:"files"` // absolute: the env files that it was fetched for, also of other clones
	Vault  string    `json:"vault"` // whose key it is
	Kept   time.Time `json:"kept"`
	Until  time.Time `json:"until,omitzero"` // zero: until it is forgotten
	With   []string  `json:"with,omitempty"` // public keys of the others in its list
}

// Short returns the public key as [ecies.PublicKey.Short] does.
func (e Entry) Short() string { return e.Public[:min(8, len(e.Public))] + "…" }

// expired also reports that the clock was set back: nobody knows then how long ago it was
// kept.
func (e Entry) expired(now time.Time) bool {
	return !e.Until.IsZero() && (!now.Before(e.Until) || now.Before(e.Kept))
}

func (e Entry) list() (list []ecies.PublicKey) {
	for _, text := range e.With {
		if p, err := ecies.ParsePublicKey(text); err == nil {
			list = append(list, p)
		}
	}
	return list
}

// An index is the file that says what envdrift has put into the stores: a store does not
// tell whose an item is, and most do not forget by themselves.
type index struct {
	file  string
	err   error // why there is none
	known map[string]Entry
}

func indexAt(getenv func(string) string) *index {
	file, err := userstate.File(getenv, "keys.json")
	return &index{file: file, err: err}
}

func (x *index) read() (map[string]Entry, error) {
	if x.known != nil || x.err != nil {
		return x.known, x.err
	}
	known := map[string]Entry{}
	if err := userstate.Read(x.file, &known); err != nil {
		return nil, err
	}
	x.known = known
	return known, nil
}

func (x *index) find(public ecies.PublicKey) (Entry, bool, error) {
	known, err := x.read()
	e, ok := known[public.String()]
	e.Public = public.String()
	return e, ok, err
}

func (x *index) all() ([]Entry, error) {
	known, err := x.read()
	var list []Entry
	for public, e := range known {
		e.Public = public
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b Entry) int { return cmp.Or(slices.Compare(a.Files, b.Files), cmp.Compare(a.Public, b.Public)) })
	return list, err
}

func (x *index) add(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		_, err := x.read()
		return err
	}
	return x.change(ctx, func(known map[string]Entry) {
		for _, e := range entries {
			e.Files = append(e.Files, known[e.Public].Files...)
			slices.Sort(e.Files)
			e.Files = slices.Compact(e.Files)
			known[e.Public] = e
		}
	})
}

func (x *index) remove(ctx context.Context, public string) error {
	return x.change(ctx, func(known map[string]Entry) { delete(known, public) })
}

func (x *index) change(ctx context.Context, alter func(map[string]Entry)) error {
	if x.err != nil {
		return x.err
	}
	return userstate.Change(ctx, x.file, func() (any, error) {
		x.known = nil // another process may have changed it
		known, err := x.read()
		if err == nil {
			alter(known)
		}
		return known, err
	})
}
