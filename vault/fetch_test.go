package vault_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// fake returns each name as its own value after latency, except for what fails
// says. It records its requests.
type fake struct {
	latency time.Duration
	fails   map[string][]error // what the first Gets of a name return
	down    error              // what every further Get returns

	mu           sync.Mutex
	asked        [][]string
	busy, atMost int
}

func (f *fake) String() string { return "fake" }

func (f *fake) Put(context.Context, string, secret.Value, string) (string, error) {
	panic("Fetch put something")
}

func (f *fake) Get(ctx context.Context, name string) (vault.Secret, error) {
	r := f.answer(ctx, []string{name})[name]
	return r.Secret, r.Err
}

func (f *fake) answer(ctx context.Context, names []string) map[string]vault.Result {
	f.enter(names)
	defer f.leave()
	results := make(map[string]vault.Result)
	select {
	case <-time.After(f.latency):
	case <-ctx.Done():
		for _, name := range names {
			results[name] = vault.Result{Err: &vault.Error{Op: "get", Vault: "fake", Name: name, Err: ctx.Err()}}
		}
		return results
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		if errs := f.fails[name]; len(errs) > 0 {
			f.fails[name] = errs[1:]
			results[name] = vault.Result{Err: &vault.Error{Op: "get", Vault: "fake", Name: name, Err: errs[0]}}
			continue
		}
		if f.down != nil {
			results[name] = vault.Result{Err: &vault.Error{Op: "get", Vault: "fake", Name: name, Err: f.down}}
			continue
		}
		results[name] = vault.Result{Secret: vault.Secret{Name: name, Value: secret.New(name)}}
	}
	return results
}

func (f *fake) enter(names []string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, slices.Clone(names))
	f.busy++
	f.atMost = max(f.atMost, f.busy)
}

func (f *fake) leave() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.busy--
}

type batchFake struct{ fake }

func (f *batchFake) MaxBatch() int { return 20 }

func (f *batchFake) GetBatch(ctx context.Context, names []string) map[string]vault.Result {
	return f.answer(ctx, names)
}

func requests(store vault.Store, names ...string) []vault.Request {
	var rs []vault.Request
	for _, name := range names {
		rs = append(rs, vault.Request{Store: store, Name: name})
	}
	return rs
}

func numbered(n int) []string {
	var names []string
	for i := range n {
		names = append(names, fmt.Sprint("s", i))
	}
	return names
}

func wantNames(t *testing.T, results []vault.Result, names ...string) {
	t.Helper()
	if len(results) != len(names) {
		t.Fatalf("Fetch: %d results; want %d", len(results), len(names))
	}
	for i, r := range results {
		if r.Err != nil || r.Secret.Name != names[i] || r.Secret.Value.Reveal() != names[i] {
			t.Errorf("Fetch: result %d = %q, %v; want %q", i, r.Secret.Name, r.Err, names[i])
		}
	}
}

func TestFetchEachSecretOnce(t *testing.T) {
	t.Parallel()
	one, two := new(fake), new(fake)
	rs := slices.Concat(requests(one, "b", "a", "b"), requests(two, "b"), requests(one, "a", "c"))
	wantNames(t, vault.Fetch(t.Context(), rs, 4), "b", "a", "b", "b", "a", "c")
	if len(one.asked) != 3 || len(two.asked) != 1 {
		t.Errorf("Fetch asked %d and %d times; want 3 and 1", len(one.asked), len(two.asked))
	}
	if got := vault.Fetch(t.Context(), nil, 4); len(got) != 0 {
		t.Errorf("Fetch(nothing) = %d results", len(got))
	}
}

func TestFetchUsesAllWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{latency: 100 * time.Millisecond}
		start := time.Now()
		wantNames(t, vault.Fetch(t.Context(), requests(f, numbered(200)...), 8), numbered(200)...)
		if took := time.Since(start); took != 25*f.latency || f.atMost != 8 {
			t.Errorf("200 secrets took %v, %d at a time; want 2.5s, 8 at a time", took, f.atMost)
		}
	})
}

func TestFetchBatches(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &batchFake{fake{latency: 100 * time.Millisecond}}
		start := time.Now()
		wantNames(t, vault.Fetch(t.Context(), requests(f, numbered(201)...), 8), numbered(201)...)
		if took := time.Since(start); took != 2*f.latency || len(f.asked) != 11 {
			t.Errorf("201 secrets took %v and %d requests; want 200ms and 11", took, len(f.asked))
		}
	})
}

func TestFetchRetries(t *testing.T) {
	t.Parallel()
	unavailable := fmt.Errorf("%w: status 503", vault.ErrUnavailable)
	tests := []struct {
		name  string
		fails []error
		want  error
		tries int
	}{
		{"once away", []error{unavailable}, nil, 2},
		{"twice away", []error{unavailable, unavailable}, nil, 3},
		{"away", slices.Repeat([]error{unavailable}, 9), vault.ErrUnavailable, 3},
		{"away, then denied", []error{unavailable, vault.ErrDenied}, vault.ErrDenied, 2},
		{"denied", []error{vault.ErrDenied}, vault.ErrDenied, 1},
		{"not found", []error{vault.ErrNotFound}, vault.ErrNotFound, 1},
		{"throttled", []error{vault.ErrThrottled}, vault.ErrUnavailable, 1},
		{"out of time", []error{errors.Join(vault.ErrUnavailable, context.DeadlineExceeded)}, vault.ErrUnavailable, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				f := &fake{fails: map[string][]error{"a": tt.fails}}
				start := time.Now()
				rs := vault.Fetch(t.Context(), requests(f, "a"), 1)
				if !errors.Is(rs[0].Err, tt.want) || len(f.asked) != tt.tries {
					t.Errorf("Fetch = %v after %d tries; want %v after %d", rs[0].Err, len(f.asked), tt.want, tt.tries)
				}
				if took := time.Since(start); took > 2*time.Second || (took > 0) != (tt.tries > 1) {
					t.Errorf("%d tries took %v; want a moment between them", tt.tries, took)
				}
			})
		})
	}
}

func TestFetchRetriesWhatFailedOfABatch(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &batchFake{fake{fails: map[string][]error{"b": {vault.ErrUnavailable}, "c": {vault.ErrDenied}}}}
		rs := vault.Fetch(t.Context(), requests(f, "a", "b", "c"), 1)
		wantNames(t, rs[:2], "a", "b")
		if !errors.Is(rs[2].Err, vault.ErrDenied) {
			t.Errorf("Fetch(c) = %v; want denied", rs[2].Err)
		}
		if len(f.asked) != 2 || !slices.Equal(f.asked[1], []string{"b"}) {
			t.Errorf("Fetch asked %q; want b alone again", f.asked)
		}
	})
}

// A vault that is down costs the time of one request, however many names there
// are, and the other vaults are asked all the same.
func TestFetchGivesUpOnAStore(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		down  error
		asked int
		took  time.Duration // at most
	}{
		"no answer":   {vault.ErrTimeout, 8, 10 * time.Second},
		"unavailable": {vault.ErrUnavailable, 24, 32 * time.Second}, // three tries each
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				down, up := &fake{latency: 10 * time.Second, down: tt.down}, new(fake)
				start := time.Now()
				rs := vault.Fetch(t.Context(), slices.Concat(requests(down, numbered(200)...), requests(up, "a")), 8)
				for i, r := range rs[:200] {
					var e *vault.Error
					if !errors.As(r.Err, &e) || !errors.Is(e, vault.ErrUnavailable) || e.Name != fmt.Sprint("s", i) {
						t.Errorf("Fetch: result %d = %v; want unavailable, by its name", i, r.Err)
					}
				}
				wantNames(t, rs[200:], "a")
				if took := time.Since(start); took > tt.took || len(down.asked) != tt.asked {
					t.Errorf("Fetch took %v and asked %d times; want %v and %d", took, len(down.asked), tt.took, tt.asked)
				}
			})
		})
	}
}

// A vault that fails for one secret is asked for the others.
func TestFetchGoesOnAfterAnAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := &fake{fails: map[string][]error{"b": slices.Repeat([]error{vault.ErrUnavailable}, 3)}}
		rs := vault.Fetch(t.Context(), requests(f, "a", "b", "c"), 1)
		wantNames(t, []vault.Result{rs[0], rs[2]}, "a", "c")
		if !errors.Is(rs[1].Err, vault.ErrUnavailable) {
			t.Errorf("Fetch(b) = %v; want unavailable", rs[1].Err)
		}
	})
}

// BenchmarkFetch reports how far 200 secrets, 8 at a time, 20 ms each, are from
// the minimum.
func BenchmarkFetch(b *testing.B) {
	const latency, least = 20 * time.Millisecond, 200 / 8 * 20 * time.Millisecond
	for b.Loop() {
		vault.Fetch(b.Context(), requests(&fake{latency: latency}, numbered(200)...), 8)
	}
	b.ReportMetric(float64(b.Elapsed())/float64(b.N)/float64(least), "×least")
}

func TestFetchEndsWithItsContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
		defer cancel()
		f := &fake{latency: 100 * time.Millisecond, fails: map[string][]error{"a": {vault.ErrUnavailable}}}
		start := time.Now()
		rs := vault.Fetch(ctx, requests(f, "a", "b", "c"), 1)
		if took := time.Since(start); took != 150*time.Millisecond {
			t.Errorf("Fetch took %v; want 150ms", took)
		}
		if !errors.Is(rs[0].Err, vault.ErrUnavailable) {
			t.Errorf("Fetch(a) = %v; want the vault's answer", rs[0].Err)
		}
		for _, r := range rs[1:] {
			if e := (*vault.Error)(nil); !errors.Is(r.Err, context.DeadlineExceeded) || !errors.As(r.Err, &e) || e.Vault != "fake" {
				t.Errorf("Fetch = %v; want a *vault.Error, deadline exceeded", r.Err)
			}
		}
		if len(f.asked) != 1 {
			t.Errorf("Fetch asked %q; want nothing after the end", f.asked)
		}
	})
}

// waiting answers "second" only after the result of "first" was passed on.
type waiting struct{ passed chan struct{} }

func (s *waiting) String() string { return "waiting" }

func (s *waiting) Put(context.Context, string, secret.Value, string) (string, error) { return "", nil }

func (s *waiting) Get(ctx context.Context, name string) (vault.Secret, error) {
	if name == "second" {
		select {
		case <-s.passed:
		case <-time.After(10 * time.Second):
			return vault.Secret{}, errors.New("the first result was not passed on")
		}
	}
	return vault.Secret{Name: name}, nil
}

// A result is passed on, once for each request, while others are asked for.
func TestFetchEachPassesResultsOn(t *testing.T) {
	t.Parallel()
	s := &waiting{make(chan struct{})}
	requests := []vault.Request{{Store: s, Name: "first"}, {Store: s, Name: "second"}, {Store: s, Name: "first"}}
	var mu sync.Mutex
	calls := map[int]int{}
	vault.FetchEach(t.Context(), requests, 2, func(i int, r vault.Result) {
		mu.Lock()
		defer mu.Unlock()
		if calls[i]++; r.Err != nil || r.Secret.Name != requests[i].Name {
			t.Errorf("result %d = %q, %v; want that of %q", i, r.Secret.Name, r.Err, requests[i].Name)
		}
		if i == 0 {
			close(s.passed)
		}
	})
	if want := map[int]int{0: 1, 1: 1, 2: 1}; !maps.Equal(calls, want) {
		t.Errorf("calls by request = %v; want %v", calls, want)
	}
}
