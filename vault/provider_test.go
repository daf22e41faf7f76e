package vault_test

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

type store struct{ vault.Store }

func (*store) String() string { return "a store" }

func known() vault.Providers {
	opens := func(_ context.Context, cfg vault.Config) (*store, error) {
		if cfg.URL == "" {
			return nil, errors.New("no address")
		}
		return &store{}, nil
	}
	return vault.Providers{
		{Name: "first", Open: vault.Opener(opens)},
		{Name: "second"},
		{Name: "third", Open: vault.Opener(opens)},
	}
}

func TestProviders(t *testing.T) {
	t.Parallel()
	if got, want := known().Names(), []string{"first", "second", "third"}; !slices.Equal(got, want) {
		t.Errorf("Names() = %q; want %q", got, want)
	}
	if got, none := known().Default(), (vault.Providers{}).Default(); got != "first" || none != "" {
		t.Errorf("Default() = %q, and %q of none; want first and nothing", got, none)
	}
	if p, ok := known().Find("third"); !ok || p.Name != "third" {
		t.Errorf("Find(third) = %q, %t; want it", p.Name, ok)
	}
	if p, ok := known().Find("Third"); ok || p.Name != "" {
		t.Errorf("Find(Third) = %q, %t; want none", p.Name, ok)
	}
}

func TestOpen(t *testing.T) {
	t.Parallel()
	tests := []struct {
		cfg  vault.Config
		want string
	}{
		{vault.Config{Provider: "first", URL: "u"}, ""},
		{vault.Config{Provider: "third"}, "no address"},
		{vault.Config{Provider: "second"}, `provider "second": vault configuration: nothing here opens it`},
		{vault.Config{Provider: "fourth"}, `provider "fourth": vault configuration: envdrift knows first, second and third`},
	}
	for _, tt := range tests {
		s, err := known().Open(t.Context(), tt.cfg)
		switch {
		case tt.want == "":
			if err != nil || s.String() != "a store" {
				t.Errorf("Open(%+v) = %v, %v; want a store", tt.cfg, s, err)
			}
		case s != nil || err == nil || err.Error() != tt.want:
			t.Errorf("Open(%+v) = %v, %v; want no store and %s", tt.cfg, s, err, tt.want)
		}
	}
	_, err := vault.Providers{}.Open(t.Context(), vault.Config{})
	if e, ok := errors.AsType[*vault.Error](err); !ok || !errors.Is(err, vault.ErrConfig) || e.Op != "open" {
		t.Errorf("Open without providers = %v; want an *Error of kind ErrConfig", err)
	}
}

func TestSetting(t *testing.T) {
	t.Parallel()
	settings := map[string]vault.Setting{
		"a field":   {Key: "region", Field: func(c *vault.Config) *string { return &c.Region }},
		"a number":  {Key: "kv", Int: func(c *vault.Config) *int { return &c.KVVersion }},
		"the extra": {Key: "team"},
	}
	want := map[string]vault.Config{
		"a field":   {Region: "2"},
		"a number":  {KVVersion: 2},
		"the extra": {Extra: map[string]string{"team": "2"}},
	}
	for name, s := range settings {
		var cfg vault.Config
		if got := s.Of(cfg); got != "" {
			t.Errorf("%s: Of nothing = %q", name, got)
		}
		s.Set(&cfg, "2")
		if got := s.Of(cfg); got != "2" || !reflect.DeepEqual(cfg, want[name]) {
			t.Errorf("%s: after Set, Of = %q in %+v; want 2 in %+v", name, got, cfg, want[name])
		}
	}
}

// Configurations are copied: changing one does not change the other.
func TestSetLeavesCopiesAlone(t *testing.T) {
	t.Parallel()
	s := vault.Setting{Key: "team"}
	var a vault.Config
	s.Set(&a, "a")
	b := a
	s.Set(&b, "b")
	if s.Of(a) != "a" || s.Of(b) != "b" {
		t.Errorf("after Set in a copy: %q and %q; want a and b", s.Of(a), s.Of(b))
	}
}

// HTTP/2 prints what it sends, so nothing is sent.
func TestOpenWithHTTP2Debug(t *testing.T) {
	local := vault.Provider{Name: "local", Local: true, Open: vault.Opener(func(context.Context, vault.Config) (*store, error) { return &store{}, nil })}
	providers := append(known(), local)
	t.Setenv("GODEBUG", "gctrace=0,http2debug=2")
	s, err := providers.Open(t.Context(), vault.Config{Provider: "first", URL: "u"})
	if s != nil || !errors.Is(err, vault.ErrConfig) || !strings.Contains(err.Error(), "GODEBUG=http2debug would print tokens and keys; unset it") {
		t.Errorf("Open = %v, %v; want that it be unset", s, err)
	}
	if _, err := providers.Open(t.Context(), vault.Config{Provider: "local"}); err != nil {
		t.Errorf("Open of a local vault = %v; want nil: it sends nothing", err)
	}
}

// One description is of many providers, each with a name that a user may give.
func TestManyProviders(t *testing.T) {
	t.Parallel()
	ps := vault.Providers{{Name: "one"}, {Name: "exec", Many: true}}
	if got := ps.Names(); !slices.Equal(got, []string{"one", "exec:NAME"}) {
		t.Errorf("Names() = %q", got)
	}
	for name, want := range map[string]bool{
		"exec:a": true, "exec:a.b_c-1": true, "exec": false, "exec:": false, "exec:-a": false, "exec:a b": false, "exec:a/b": false,
		"exec:a:b": false, "exec:ä": false, "one:a": false, "one": true, "EXEC:a": false,
	} {
		if p, ok := ps.Find(name); ok != want || ok && p.Name != name {
			t.Errorf("Find(%q) = %q, %t; want %t", name, p.Name, ok, want)
		}
	}
}
