package keystore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// memory is a store that forgets nothing by itself.
type memory struct {
	called  string
	keys    map[string]string
	own     map[string]bool // put here, not by another program
	refused error           // by put
	missing bool
	asked   int
}

func (m *memory) name() string         { return m.called }
func (m *memory) limit() time.Duration { return 0 }
func (m *memory) close()               {}

func (m *memory) ready(context.Context) error {
	if m.missing {
		return ErrUnavailable
	}
	return m.refused
}

func (m *memory) get(_ context.Context, public string) (secret.Value, error) {
	m.asked++
	if key, ok := m.keys[public]; ok {
		return secret.New(key), nil
	}
	return secret.Value{}, errAbsent
}

func (m *memory) put(_ context.Context, public string, key secret.Value, _ time.Duration) error {
	if m.refused == nil {
		m.keys[public] = key.Reveal()
		if m.own == nil {
			m.own = map[string]bool{}
		}
		m.own[public] = true
	}
	return m.refused
}

func (m *memory) made(_ context.Context, public string) bool { return m.own[public] }

func (m *memory) remove(_ context.Context, public string) error {
	if _, ok := m.keys[public]; !ok {
		return errAbsent
	}
	delete(m.keys, public)
	return nil
}

// stage is a user's stores, and the time.
type stage struct {
	dir   string
	now   time.Time
	store *memory
}

func newStage(t *testing.T) *stage {
	t.Helper()
	return &stage{t.TempDir(), time.Now(), &memory{called: "store", keys: map[string]string{}}}
}

// open opens the stores as another process would.
func (s *stage) open(more ...backend) *Keys {
	k := Open(func(name string) string { return map[string]string{"XDG_STATE_HOME": s.dir}[name] })
	k.stores, k.now = append(more, s.store), func() time.Time { return s.now }
	return k
}

func (s *stage) index() string { return filepath.Join(s.dir, "envdrift", "keys.json") }

func newKeys(t *testing.T, n int) (keys ecies.Keys) {
	t.Helper()
	for range n {
		k, err := ecies.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k)
	}
	return keys
}

func put(t *testing.T, k *Keys, ttl time.Duration, keys ecies.Keys) {
	t.Helper()
	if _, errs := k.Put(t.Context(), []Item{{Keys: keys, File: "/r/.env", Vault: "v"}}, ttl); errors.Join(errs...) != nil {
		t.Fatal(errors.Join(errs...))
	}
}

func TestTimeLimit(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	put(t, s.open(), time.Hour, keys)
	public := keys[0].PublicKey()
	s.now = s.now.Add(59 * time.Minute)
	if got := s.open().Get(t.Context(), public); got.Reveal() != keys.Reveal() {
		t.Errorf("Get before the time: %d keys; want 1", len(got))
	}
	s.now = s.now.Add(time.Minute)
	if got := s.open().Get(t.Context(), public); got != nil {
		t.Errorf("Get after the time: %d keys; want none", len(got))
	}
	if len(s.store.keys) > 0 {
		t.Error("the store still has the key whose time has passed")
	}
}

func TestListForgetsWhatExpired(t *testing.T) {
	t.Parallel()
	s, short, long := newStage(t), newKeys(t, 1), newKeys(t, 1)
	put(t, s.open(), time.Minute, short)
	put(t, s.open(), 0, long)
	s.now = s.now.Add(time.Hour)
	entries, err := s.open().List(t.Context())
	if err != nil || len(entries) != 1 || entries[0].Public != long[0].PublicKey().String() || len(s.store.keys) != 1 {
		t.Errorf("List = %v, %v, with %d keys in the store; want the one without a limit", entries, err, len(s.store.keys))
	}
	if err := s.open().Forget(t.Context(), entries...); err != nil || len(s.store.keys) > 0 {
		t.Errorf("Forget = %v, with %d keys in the store; want none", err, len(s.store.keys))
	}
	if entries, err := s.open().List(t.Context()); len(entries) > 0 || err != nil {
		t.Errorf("List after Forget = %v, %v; want none", entries, err)
	}
}

func TestListOfKeys(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 2)
	put(t, s.open(), 0, keys)
	for i, want := range []ecies.Keys{{keys[0], keys[1]}, {keys[1], keys[0]}} {
		if got := s.open().Get(t.Context(), keys[i].PublicKey()); got.Reveal() != want.Reveal() {
			t.Errorf("Get of key %d: %d keys; want it, then the other", i, len(got))
		}
	}
}

// A key that dotenvx has put into the store is the user's, without a limit.
func TestOthersItem(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	s.store.keys[keys[0].PublicKey().String()] = keys[0].Reveal()
	put(t, s.open(), time.Minute, keys)
	s.now = s.now.Add(time.Hour)
	if got := s.open().Get(t.Context(), keys[0].PublicKey()); len(got) != 1 {
		t.Errorf("Get = %d keys; want the one that was there before", len(got))
	}
	if entries, _ := s.open().List(t.Context()); len(entries) != 0 {
		t.Errorf("List = %v; want nothing: it is not envdrift's", entries)
	}
}

// What is in the store under a public key is used only if it derives it.
func TestWrongItem(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 2)
	for _, text := range []string{keys[1].Reveal(), "", "no key", keys[0].Reveal()[:63]} {
		s.store.keys[keys[0].PublicKey().String()] = text
		if got := s.open().Get(t.Context(), keys[0].PublicKey()); got != nil {
			t.Errorf("Get with another item: %d keys; want none", len(got))
		}
	}
}

func TestPlace(t *testing.T) {
	t.Parallel()
	keys := newKeys(t, 1)
	tests := []struct {
		name    string
		desktop *memory
		want    string
		err     error
	}{
		{name: "a desktop", desktop: &memory{}, want: "desktop"},
		{name: "none", desktop: &memory{missing: true}, want: "store"},
		{name: "a locked one", desktop: &memory{refused: ErrLocked}, err: ErrLocked},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tt.desktop.called, tt.desktop.keys = "desktop", map[string]string{}
			k := s.open()
			k.stores = append(k.stores, tt.desktop)
			got, errs := k.Put(t.Context(), []Item{{Keys: keys}}, time.Hour)
			if got != tt.want && tt.err == nil || !errors.Is(errs[0], tt.err) {
				t.Errorf("Put = %q, %v; want %q, %v", got, errs[0], tt.want, tt.err)
			}
			if tt.err != nil && len(s.store.keys) > 0 {
				t.Error("Put used another store than the locked one")
			}
			if errs[0] != nil && strings.Contains(errs[0].Error(), keys.Reveal()) {
				t.Error("the error holds the key")
			}
		})
	}
}

// A kill between the two writes leaves no key that nothing would forget.
func TestIndexFirst(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	s.store.refused = errors.New("dies")
	k := s.open()
	k.stores = []backend{&dying{s.store}}
	_, errs := k.Put(t.Context(), []Item{{Keys: keys}}, time.Hour)
	if errs[0] == nil {
		t.Fatal("Put = nil; want the store's error")
	}
	if entries, err := s.open().index.all(); len(entries) != 1 || err != nil {
		t.Errorf("the index after a put that failed has %v, %v; want the entry", entries, err)
	}
	if entries, err := s.open().List(t.Context()); len(entries) != 0 || err != nil {
		t.Errorf("List after a put that failed = %v, %v; want none", entries, err)
	}
}

type dying struct{ *memory }

func (dying) ready(context.Context) error { return nil }

// Without the index nobody knows whether the time of envdrift's own items has passed.
func TestLostIndex(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	put(t, s.open(), time.Hour, keys)
	if err := os.Remove(s.index()); err != nil {
		t.Fatal(err)
	}
	if got := s.open().Get(t.Context(), keys[0].PublicKey()); got != nil {
		t.Error("Get = a key whose time is not known")
	}
	put(t, s.open(), time.Hour, keys)
	if entries, err := s.open().List(t.Context()); err != nil || len(entries) != 1 || entries[0].Until.IsZero() {
		t.Errorf("List after another Put = %v, %v; want the key, with its time", entries, err)
	}
}

func TestClockSetBack(t *testing.T) {
	t.Parallel()
	s, short, long := newStage(t), newKeys(t, 1), newKeys(t, 1)
	put(t, s.open(), time.Hour, short)
	put(t, s.open(), 0, long)
	s.now = s.now.Add(-time.Minute)
	if got := s.open().Get(t.Context(), short[0].PublicKey()); got != nil || len(s.store.keys) != 1 {
		t.Errorf("Get = %d keys, with %d in the store; want none: how long it was kept is not known", len(got), len(s.store.keys))
	}
	if got := s.open().Get(t.Context(), long[0].PublicKey()); got == nil {
		t.Error("Get = none; want the key without a limit")
	}
}

// What a store no longer has, as after a restart of the machine, is not listed.
func TestListOfGone(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	put(t, s.open(), time.Hour, keys)
	clear(s.store.keys)
	if entries, err := s.open().List(t.Context()); len(entries) != 0 || err != nil {
		t.Errorf("List = %v, %v; want none", entries, err)
	}
}

// Several files, also of several clones, have one key: each can be named to forget it.
func TestFilesOfKey(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	for _, files := range [][]string{{"/b/.env", "/a/.env"}, {"/a/.env"}} {
		var items []Item
		for _, file := range files {
			items = append(items, Item{Keys: keys, File: file, Vault: "v"})
		}
		if _, errs := s.open().Put(t.Context(), items, time.Hour); errors.Join(errs...) != nil {
			t.Fatal(errs)
		}
	}
	entries, err := s.open().List(t.Context())
	if err != nil || len(entries) != 1 || !slices.Equal(entries[0].Files, []string{"/a/.env", "/b/.env"}) {
		t.Errorf("List = %v, %v; want one key with both files", entries, err)
	}
}

func TestDamagedIndex(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	put(t, s.open(), time.Hour, keys)
	if err := os.WriteFile(s.index(), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := s.open().Get(t.Context(), keys[0].PublicKey()); got != nil {
		t.Error("Get = a key whose time is not known")
	}
	if _, err := s.open().List(t.Context()); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("List = %v; want an error that says what is damaged", err)
	}
	if _, errs := s.open().Put(t.Context(), []Item{{Keys: keys}}, 0); errs[0] == nil {
		t.Error("Put = nil; want an error")
	}
}

func TestNothingForOthers(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("modes mean nothing here")
	}
	s, keys := newStage(t), newKeys(t, 1)
	put(t, s.open(), time.Hour, keys)
	for name, want := range map[string]os.FileMode{s.index(): 0o600, filepath.Dir(s.index()): 0o700} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: mode %v, %v; want %v", name, info.Mode().Perm(), err, want)
		}
	}
	data, err := os.ReadFile(s.index())
	if err != nil || strings.Contains(string(data), keys.Reveal()) {
		t.Errorf("the index holds the key, or %v", err)
	}
}

func TestTogether(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 8)
	var g sync.WaitGroup
	for _, key := range keys {
		g.Go(func() {
			k := s.open()
			k.stores = []backend{&memory{called: "store", keys: map[string]string{}}}
			_, errs := k.Put(t.Context(), []Item{{Keys: ecies.Keys{key}, File: fmt.Sprint("/r/", key.PublicKey())}}, time.Hour)
			if errs[0] != nil {
				t.Error(errs[0])
			}
		})
	}
	g.Wait()
	if entries, err := s.open().index.all(); len(entries) != len(keys) || err != nil {
		t.Errorf("the index has %d entries, %v; want %d", len(entries), err, len(keys))
	}
}

func TestAskedOnce(t *testing.T) {
	t.Parallel()
	s, keys := newStage(t), newKeys(t, 1)
	k := s.open()
	for range 3 {
		k.Get(t.Context(), keys[0].PublicKey())
	}
	if s.store.asked != 1 {
		t.Errorf("the store was asked %d times; want once", s.store.asked)
	}
}

// TestKeychain runs a program that stands for security(1): it keeps its items in files
// and notes its arguments.
func TestKeychain(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("no shell")
	}
	dir := t.TempDir()
	program := filepath.Join(dir, "security")
	const script = `#!/bin/sh
cd "$(dirname "$0")" || exit
echo "$*" >>args
case $1 in
-i) read -r command update s service a account j comment w key && echo "$key" >"$service-$account" && echo "    \"icmt\"<blob>=\"$comment\"" >"comment-$account" ;;
find-generic-password) [ -e "$3-$5" ] || exit 44; if [ "$6" ]; then cat "$3-$5"; else cat "comment-$5"; fi ;;
delete-generic-password) rm "$3-$5" 2>/dev/null || exit 44 ;;
esac
`
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	key := newKeys(t, 1)[0]
	testBackend(t, keychain{program}, key)
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || strings.Contains(string(args), key.Reveal()) || !slices.Contains(strings.Split(string(args), "\n"), "-i") {
		t.Errorf("security was started with the key in its arguments, or not at all: %v", err)
	}
	if _, err := (keychain{filepath.Join(dir, "none")}).get(t.Context(), "00"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("get without the program = %v; want %v", err, ErrUnavailable)
	}
}

// testBackend checks what every store must do.
func testBackend(t *testing.T, b backend, key *ecies.PrivateKey) {
	t.Helper()
	ctx, public := t.Context(), key.PublicKey().String()
	if _, err := b.get(ctx, public); !errors.Is(err, errAbsent) {
		t.Errorf("%s: get of nothing = %v; want %v", b.name(), err, errAbsent)
	}
	if err := b.remove(ctx, public); !errors.Is(err, errAbsent) {
		t.Errorf("%s: remove of nothing = %v; want %v", b.name(), err, errAbsent)
	}
	if err := b.ready(ctx); err != nil {
		t.Errorf("%s: ready = %v", b.name(), err)
	}
	for range 2 { // a second time it is replaced
		if err := b.put(ctx, public, key.Value, time.Hour); err != nil {
			t.Fatalf("%s: put = %v", b.name(), err)
		}
		if got, err := b.get(ctx, public); err != nil || !got.Equal(key.Value) {
			t.Errorf("%s: get = another value, %v", b.name(), err)
		}
	}
	if !b.made(ctx, public) {
		t.Errorf("%s: made = false for what was put; want true", b.name())
	}
	if err := b.remove(ctx, public); err != nil {
		t.Errorf("%s: remove = %v", b.name(), err)
	}
	if _, err := b.get(ctx, public); !errors.Is(err, errAbsent) {
		t.Errorf("%s: get after remove = %v; want %v", b.name(), err, errAbsent)
	}
}
