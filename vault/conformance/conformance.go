// Package conformance checks a [vault.Store] against the interface. Package vaulttest
// runs its tests as Go tests, over a fake of a provider's SDK or a real server; a [Trial]
// runs those that any vault of a user's can pass. What only one vendor has (its error
// codes, its authentication) belongs in the provider's own tests.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Fixture is a vault for one test, and what the test must know of it. Store,
// Reopen, Name, Seed, BadNames and Credentials are always needed. Every other field
// that is not set needs a reason in Lacks.
type Fixture struct {
	Store vault.Store

	// Reopen opens the vault once more, as another process does.
	Reopen func() vault.Store

	// Name returns a legal name that no other test of this run uses. It
	// returns the same name for the same short, which is of [a-z0-9-].
	Name func(short string) string

	// Seed stores raw under name, as the vendor's own tool would, and not
	// through Store.
	Seed func(name, raw string)

	// BadNames break the vault's rules for names. The suite adds the names
	// that no vault accepts.
	BadNames []string

	// Credentials are the tokens and passwords in use, which must not be
	// shown anywhere.
	Credentials []string

	Denied          vault.Store // the vault, for a user who may not read or write
	Unauthenticated vault.Store // the vault, for a user who is not signed in
	Unavailable     vault.Store // the vault, out of reach

	// Malformed stores under name something that is not a text: binary,
	// empty, the wrong fields. The key describes it.
	Malformed map[string]func(name string)

	// Pin returns the name that pins that version of name.
	Pin func(name, version string) string

	Lacks map[Capability]string

	// Existing is a secret that is there and that nobody changes; "" for none.
	Existing string

	// InUse is a vault of a user's: fewer requests are made, and it may refuse a text
	// as malformed that is long or that it would change.
	InUse bool
}

// A Capability is something that not every vault has. A fixture says why its
// vault lacks one, so that no test is left out silently.
type Capability string

const (
	Denied          Capability = "Denied"
	Unauthenticated Capability = "Unauthenticated"
	Unavailable     Capability = "Unavailable"
	Malformed       Capability = "Malformed"
	Pins            Capability = "Pins"
)

// mark is part of every value that the suite stores, so that a leaked value is
// recognized.
const mark = "q7vAluEmArk"

// A T is what a test uses of a [testing.T].
type T interface {
	Context() context.Context
	Error(args ...any)
	Errorf(format string, args ...any)
	Failed() bool
	Fatalf(format string, args ...any)
	Helper()
	Logf(format string, args ...any)
}

// A Test is one part of the suite.
type Test struct {
	Name  string
	What  string     // it makes sure of
	Needs Capability // "" for none
	Own   bool       // needs more of the fixture than a vault and legal names
	Puts  bool       // needs a vault that can be written
	test  func(*suite)
}

// Run runs the test.
func (t Test) Run(with T, f Fixture) { t.test(&suite{with, f}) }

// Tests returns the suite.
func Tests() []Test {
	return []Test{
		{Name: "Lacks", Own: true, test: testLacks},
		{Name: "String", What: "the vault has a name of one line", test: testString},
		{Name: "Existing", What: "a secret that is there is returned, twice the same", test: testExisting},
		{Name: "GetSeeded", Own: true, test: testGetSeeded},
		{Name: "PutGet", What: "texts come back as they were stored", Puts: true, test: testPutGet},
		{Name: "NotFound", What: "a name without a secret is not_found", test: testNotFound},
		{Name: "Update", What: "a secret can be replaced", Puts: true, test: testUpdate},
		{Name: "UpdateSeeded", Own: true, test: testUpdateSeeded},
		{Name: "EmptyRefused", What: "an empty text is not stored", Puts: true, test: testEmptyRefused},
		{Name: "BadName", What: "names that no vault has are refused", test: testBadName},
		{Name: "Cancelled", What: "a cancelled request stores nothing", test: testCancelled},
		{Name: "Concurrent", What: "many requests at once are answered each", Puts: true, test: testConcurrent},
		{Name: "Batch", What: "several names at once are answered each", Puts: true, test: testBatch},
		{Name: "Versions", What: "put and get say the same version, and another after a change", Puts: true, test: testVersions},
		{Name: "Conflict", What: "a put on an old version is a conflict, and stores nothing", Puts: true, test: testConflict},
		{Name: "Atomic", What: "of several puts at once, one succeeds", Puts: true, test: testAtomic},
		{Name: "Pins", Needs: Pins, Own: true, test: testPins},
		{Name: "Malformed", Needs: Malformed, Own: true, test: testMalformed},
		{Name: "Denied", Needs: Denied, Own: true, test: func(s *suite) { testRefused(s, s.Denied, vault.ErrDenied) }},
		{Name: "Unauthenticated", Needs: Unauthenticated, Own: true, test: func(s *suite) { testRefused(s, s.Unauthenticated, vault.ErrUnauthenticated) }},
		{Name: "Unavailable", Needs: Unavailable, Own: true, test: func(s *suite) { testRefused(s, s.Unavailable, vault.ErrUnavailable) }},
	}
}

type suite struct {
	T
	Fixture
}

// testLacks checks that a field is set or its lack explained, not both.
func testLacks(s *suite) {
	if s.Store == nil || s.Reopen == nil || s.Name == nil || s.Seed == nil || len(s.BadNames) == 0 || len(s.Credentials) == 0 {
		s.Error("Fixture needs Store, Reopen, Name, Seed, BadNames and Credentials")
	}
	for c, set := range map[Capability]bool{
		Denied: s.Denied != nil, Unauthenticated: s.Unauthenticated != nil, Unavailable: s.Unavailable != nil,
		Malformed: len(s.Malformed) > 0, Pins: s.Pin != nil,
	} {
		if _, lacks := s.Lacks[c]; lacks == set {
			s.Errorf("Fixture.%s set: %t, lacked: %t; want one of them", c, set, lacks)
		}
	}
	known := []Capability{Denied, Unauthenticated, Unavailable, Malformed, Pins}
	for c, why := range s.Lacks {
		if !slices.Contains(known, c) || why == "" {
			s.Errorf("Fixture.Lacks[%q] = %q; want a known capability and a reason", c, why)
		}
	}
}

func testString(s *suite) {
	name := s.Store.String()
	if name == "" || strings.ContainsAny(name, "\n\r\x1b") {
		s.Errorf("String() = %q; want one line", name)
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		s.noSecret("fmt "+verb, fmt.Sprintf(verb, s.Store))
	}
}

// fewer returns how many requests a test makes.
func (s *suite) fewer(usually, inUse int) int {
	if s.InUse {
		return inUse
	}
	return usually
}

func testExisting(s *suite) {
	if s.Existing == "" {
		return
	}
	first, second := s.get(s.Existing), s.get(s.Existing)
	if first.Version != second.Version || first.Value.Reveal() != second.Value.Reveal() {
		s.Errorf("Get(%q) twice: versions %q and %q, same text %t", s.Existing, first.Version, second.Version, first.Value.Reveal() == second.Value.Reveal())
	}
}

// texts returns the shapes in which users store keys, and those that might be
// changed on the way: a vault keeps each as it is.
func texts() map[string]string {
	return map[string]string{
		"word":             mark,
		"trailing-newline": mark + "\n",
		"padded":           "  " + mark + "\t",
		"quoted":           `"` + mark + `"`,
		"assignment":       "DOTENV_PRIVATE_KEY_PRODUCTION=" + mark,
		"crlf":             "#/---/\r\nDOTENV_PRIVATE_KEY=" + mark + "\r\n",
		"json-object":      `{"DOTENV_PRIVATE_KEY": "` + mark + `",  "n": 1.0}`,
		"json-string":      `"\u0041` + mark + `"`,
		"digits":           "0123",
		"unicode":          "⛨ ключ \U0001F511 e\u0301 " + mark,
		"long":             strings.Repeat(mark+"\n", 20<<10/len(mark)),
	}
}

func testGetSeeded(s *suite) {
	for short, text := range texts() {
		name := s.Name("seeded-" + short)
		s.Seed(name, text)
		s.wantText(name, text)
	}
}

func testPutGet(s *suite) {
	var wg sync.WaitGroup
	for short, text := range texts() {
		if s.InUse && slices.Contains([]string{"padded", "quoted", "json-string", "digits", "assignment"}, short) {
			continue // much like another
		}
		wg.Go(func() {
			name := s.Name("put-" + short)
			_, err := s.Store.Put(s.Context(), name, secret.New(text), "")
			switch {
			case err == nil:
				s.wantText(name, text)
			case short == "word" || !s.InUse || !errors.Is(err, vault.ErrMalformed):
				s.Errorf("Put(%q) = %v", name, err)
			}
		})
	}
	wg.Wait()
}

func testNotFound(s *suite) {
	name := s.Name("not-there")
	_, err := s.Store.Get(s.Context(), name)
	s.wantErr(err, s.Store, "get", name, vault.ErrNotFound)
}

func testUpdate(s *suite) {
	name := s.Name("updated")
	s.put(name, mark+"-1", "")
	s.put(name, mark+"-2", s.get(name).Version)
	s.wantText(name, mark+"-2")
}

func testUpdateSeeded(s *suite) {
	name := s.Name("seeded-then-updated")
	s.Seed(name, mark+"-1")
	s.put(name, mark+"-2", s.get(name).Version)
	s.wantText(name, mark+"-2")
}

func testEmptyRefused(s *suite) {
	name := s.Name("empty")
	_, err := s.Store.Put(s.Context(), name, secret.Value{}, "")
	s.wantErr(err, s.Store, "put", name, vault.ErrMalformed)
	_, err = s.Store.Get(s.Context(), name)
	s.wantErr(err, s.Store, "get", name, vault.ErrNotFound)
}

func testBadName(s *suite) {
	for _, name := range append([]string{"", "a\x00b", "a\nb", "a\x1bb", "a\xffb"}, s.BadNames...) {
		_, err := s.Store.Get(s.Context(), name)
		s.wantErr(err, s.Store, "get", name, vault.ErrName)
		if e := (*vault.Error)(nil); errors.As(err, &e) && e.Detail == "" {
			s.Errorf("Get(%q) = %v; want the rule in its Detail", name, err)
		}
		_, err = s.Store.Put(s.Context(), name, secret.New(mark), "")
		s.wantErr(err, s.Store, "put", name, vault.ErrName)
	}
}

func testCancelled(s *suite) {
	ctx, cancel := context.WithCancel(s.Context())
	cancel()
	name := s.Name("cancelled")
	_, err := s.Store.Put(ctx, name, secret.New(mark), "")
	s.wantErr(err, s.Store, "put", name, context.Canceled)
	_, err = s.Store.Get(ctx, name)
	s.wantErr(err, s.Store, "get", name, context.Canceled)

	_, err = s.Store.Get(s.Context(), name)
	s.wantErr(err, s.Store, "get", name, vault.ErrNotFound)
}

func testConcurrent(s *suite) {
	shared := s.Name("shared")
	s.Seed(shared, mark+"-shared")
	var wg sync.WaitGroup
	for i := range s.fewer(8, 3) {
		wg.Go(func() {
			own, text := s.Name(fmt.Sprintf("own-%d", i)), fmt.Sprintf("%s-%d", mark, i)
			s.wantText(shared, mark+"-shared")
			if _, err := s.Store.Put(s.Context(), own, secret.New(text), ""); err != nil {
				s.Errorf("Put(%q) = %v", own, err)
				return
			}
			s.wantText(own, text)
		})
	}
	wg.Wait()
}

func testBatch(s *suite) {
	b, ok := s.Store.(vault.BatchStore)
	if !ok {
		return // a store without GetBatch promises nothing about it
	}
	one, two, gone := s.Name("batch-1"), s.Name("batch-2"), s.Name("batch-gone")
	s.Seed(one, mark+"-1")
	s.Seed(two, mark+"-2")
	if b.MaxBatch() < 4 {
		s.Fatalf("MaxBatch() = %d; want at least 4", b.MaxBatch())
	}
	got := b.GetBatch(s.Context(), []string{one, gone, two, "a\x00b"})
	if len(got) != 4 {
		s.Errorf("GetBatch: %d results; want one for each of 4 names", len(got))
	}
	for name, want := range map[string]string{one: mark + "-1", two: mark + "-2"} {
		if r := got[name]; r.Err != nil || r.Secret.Name != name || r.Secret.Value.Reveal() != want {
			s.Errorf("GetBatch: %q = name %q, error %v, right value %t", name, r.Secret.Name, r.Err, r.Secret.Value.Reveal() == want)
		}
		if v := s.get(name).Version; got[name].Secret.Version != v {
			s.Errorf("GetBatch: %q has version %q; Get says %q", name, got[name].Secret.Version, v)
		}
	}
	s.wantErr(got[gone].Err, s.Store, "get", gone, vault.ErrNotFound)
	s.wantErr(got["a\x00b"].Err, s.Store, "get", "a\x00b", vault.ErrName)
	if r := b.GetBatch(s.Context(), nil); len(r) != 0 {
		s.Errorf("GetBatch(no names): %d results; want none", len(r))
	}
}

func testVersions(s *suite) {
	name := s.Name("versions")
	first := s.put(name, mark+"-1", "")
	if got := s.get(name).Version; first == "" || got != first {
		s.Errorf("Get: version %q; Put said %q; want the same, not empty", got, first)
	}
	second := s.put(name, mark+"-2", first)
	if got := s.get(name).Version; second == first || got != second {
		s.Errorf("after the update, Get: version %q; Put said %q; want the same, other than %q", got, second, first)
	}
}

func testConflict(s *suite) {
	name := s.Name("conflict")
	first := s.put(name, mark+"-1", "")
	second := s.put(name, mark+"-2", first)
	for base, meaning := range map[string]string{first: "older version", "": "nothing there"} {
		_, err := s.Store.Put(s.Context(), name, secret.New(mark+"-3"), base)
		s.wantErr(err, s.Store, "put", name, vault.ErrConflict)
		s.wantText(name, mark+"-2")
		if got := s.get(name).Version; got != second {
			s.Errorf("after a Put that was refused, Get: version %q; want %q", got, second)
		}
		if s.Failed() {
			s.Logf("base was: %s", meaning)
		}
	}
}

// testAtomic puts several values on one base at once, as processes of their own
// do, on a name that is there and on one that is not. ENVDRIFT_ROUNDS sets how
// often.
func testAtomic(s *suite) {
	rounds := s.fewer(6, 2)
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	var stores []vault.Store
	for range s.fewer(4, 2) {
		stores = append(stores, s.Reopen())
	}
	var wg sync.WaitGroup
	running := make(chan struct{}, 6)
	for i := range rounds {
		wg.Go(func() {
			running <- struct{}{}
			defer func() { <-running }()
			name := s.Name(fmt.Sprintf("atomic-%d", i))
			if i%2 == 0 {
				s.Seed(name, mark+"-0")
			}
			s.race(name, stores)
		})
	}
	wg.Wait()
}

// race checks that one of several Puts at once succeeds, and that its value
// stays. It may be called by any goroutine.
func (s *suite) race(name string, stores []vault.Store) {
	s.Helper()
	before, err := s.Store.Get(s.Context(), name)
	if err != nil && !errors.Is(err, vault.ErrNotFound) {
		s.Errorf("Get(%q) = %v", name, err)
		return
	}
	won := make([]bool, len(stores))
	var wg sync.WaitGroup
	for i, store := range stores {
		wg.Go(func() {
			_, err := store.Put(s.Context(), name, secret.New(fmt.Sprintf("%s-by-%d", mark, i)), before.Version)
			if won[i] = err == nil; !won[i] {
				s.wantErr(err, store, "put", name, vault.ErrConflict)
			}
		})
	}
	wg.Wait()
	winner := slices.Index(won, true)
	if winner < 0 || slices.Contains(won[winner+1:], true) {
		s.Errorf("%q: Puts on base %q succeeded: %v; want one", name, before.Version, won)
		return
	}
	s.wantText(name, fmt.Sprintf("%s-by-%d", mark, winner))
}

func testPins(s *suite) {
	name := s.Name("pinned")
	first := s.put(name, mark+"-1", "")
	s.put(name, mark+"-2", first)
	pinned := s.Pin(name, first)
	if got := s.get(pinned); got.Version != first || got.Value.Reveal() != mark+"-1" {
		s.Errorf("Get(%q): version %q, right value %t; want version %q", pinned, got.Version, got.Value.Reveal() == mark+"-1", first)
	}
	_, err := s.Store.Put(s.Context(), pinned, secret.New(mark+"-3"), first)
	s.wantErr(err, s.Store, "put", pinned, vault.ErrName)
	s.wantText(name, mark+"-2")
}

func testMalformed(s *suite) {
	n := 0
	for what, seed := range s.Malformed {
		n++
		name := s.Name(fmt.Sprintf("malformed-%d", n))
		seed(name)
		_, err := s.Store.Get(s.Context(), name)
		s.wantErr(err, s.Store, "get", name, vault.ErrMalformed)
		if s.Failed() {
			s.Logf("%q held: %s", name, what)
		}
	}
}

// testRefused checks that store returns an error of kind, that the error helps,
// and that nothing was written.
func testRefused(s *suite, store vault.Store, kind error) {
	name := s.Name("refused")
	s.Seed(name, mark)
	_, err := store.Get(s.Context(), name)
	s.wantErr(err, store, "get", name, kind)
	if e := (*vault.Error)(nil); errors.As(err, &e) && e.Remedy == "" && kind != vault.ErrUnavailable {
		s.Errorf("Get = %v; want a Remedy", err)
	}
	_, err = store.Put(s.Context(), name, secret.New(mark+"-2"), "")
	s.wantErr(err, store, "put", name, kind)
	s.wantText(name, mark)
}

func (s *suite) get(name string) vault.Secret {
	s.Helper()
	got, err := s.Store.Get(s.Context(), name)
	if err != nil {
		s.Fatalf("Get(%q) = %v", name, err)
	}
	return got
}

func (s *suite) put(name, text, base string) (version string) {
	s.Helper()
	version, err := s.Store.Put(s.Context(), name, secret.New(text), base)
	if err != nil {
		s.Fatalf("Put(%q, base %q) = %v", name, base, err)
	}
	return version
}

// wantText may be called by any goroutine.
func (s *suite) wantText(name, text string) {
	s.Helper()
	got, err := s.Store.Get(s.Context(), name)
	if err != nil || got.Name != name || got.Value.Reveal() != text {
		s.Errorf("Get(%q) = name %q, %q, %v; want %q", name, got.Name, abridge(got.Value.Reveal()), err, abridge(text))
	}
}

func abridge(text string) string { return text[:min(len(text), 200)] }

// wantErr may be called by any goroutine.
func (s *suite) wantErr(err error, store vault.Store, op, name string, kind error) {
	s.Helper()
	var e *vault.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		s.Errorf("%s %q = %v; want a *vault.Error, %v", op, name, err, kind)
		return
	}
	if e.Vault != store.String() || e.Name != name || e.Op != op {
		s.Errorf("%s %q = Error{Op: %q, Vault: %q, Name: %q}; want Vault %q and this name", op, name, e.Op, e.Vault, e.Name, store)
	}
	for _, other := range kinds {
		if other != kind && errors.Is(err, other) {
			s.Errorf("%s %q = %v, which is %v and %v; want one kind", op, name, err, kind, other)
		}
	}
	s.noSecret("the error's remedy", e.Remedy)
	for _, verb := range []string{"%v", "%+v", "%#v", "%q"} {
		walk(err, func(err error) { s.noSecret("the error", fmt.Sprintf(verb, err)) })
	}
}

var kinds = []error{
	vault.ErrNotFound, vault.ErrDenied, vault.ErrUnauthenticated, vault.ErrUnavailable,
	vault.ErrMalformed, vault.ErrConflict, vault.ErrName, vault.ErrConfig,
}

// walk calls f for err and everything that it wraps.
func walk(err error, f func(error)) {
	if err == nil {
		return
	}
	f(err)
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		walk(e.Unwrap(), f)
	case interface{ Unwrap() []error }:
		for _, err := range e.Unwrap() {
			walk(err, f)
		}
	}
}

func (s *suite) noSecret(where, text string) {
	s.Helper()
	for _, c := range append([]string{mark}, s.Credentials...) {
		if strings.Contains(text, c) {
			s.Errorf("%s holds a value or a credential", where)
		}
	}
}
