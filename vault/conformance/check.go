package conformance

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Result is what became of a test.
type Result struct {
	Test     string   `json:"test"`
	What     string   `json:"what"`                 // it made sure of
	Without  string   `json:"not_tested,omitempty"` // why it was not run
	Failures []string `json:"failures,omitempty"`
}

// A Trial tests a vault that is in use, with names that nobody else uses.
type Trial struct {
	Prefix  string // of every name
	fixture Fixture

	mu    sync.Mutex
	names map[string]bool
}

// NewTrial returns a trial of a store. existing is a secret that is there, or "".
func NewTrial(store vault.Store, existing string) *Trial {
	t := &Trial{Prefix: "envdrift-test-" + strings.ToLower(rand.Text()[:8]) + "-", names: map[string]bool{}}
	t.fixture = Fixture{
		Store: store, Reopen: func() vault.Store { return store }, Name: t.name, Existing: existing, InUse: true,
		Seed: func(name, raw string) { _, _ = store.Put(context.Background(), name, secret.New(raw), "") }, // the test says if it is not there
	}
	return t
}

func (t *Trial) name(short string) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.names[t.Prefix+short] = true
	return t.Prefix + short
}

// Results runs the tests for which a vault and legal names are enough, one after
// another, but for those that put if the vault cannot be written.
func (t *Trial) Results(ctx context.Context) iter.Seq[Result] {
	return func(yield func(Result) bool) {
		_, err := t.fixture.Store.Put(ctx, t.name("first"), secret.New(mark), "")
		readOnly := errors.Is(err, vault.ErrUnsupported)
		_, batches := t.fixture.Store.(vault.BatchStore)
		for _, test := range Tests() {
			r := Result{Test: test.Name, What: test.What}
			switch {
			case test.Own:
				continue
			case test.Puts && readOnly:
				r.Without = "the vault is read-only"
			case test.Name == "Existing" && t.fixture.Existing == "":
				r.Without = "no secret was named that is there"
			case test.Name == "Batch" && !batches:
				r.Without = "the helper takes one name at a time"
			default:
				r.Failures = run(ctx, test, t.fixture)
			}
			if !yield(r) {
				return
			}
		}
	}
}

// CleanUp deletes what the trial stored, and returns the names that may still be there.
func (t *Trial) CleanUp(ctx context.Context) (left []string) {
	store, deletes := t.fixture.Store.(interface {
		Delete(ctx context.Context, name string) error
	})
	for _, name := range slices.Sorted(maps.Keys(t.names)) {
		_, err := t.fixture.Store.Get(ctx, name)
		if errors.Is(err, vault.ErrNotFound) {
			continue
		}
		if !deletes || store.Delete(ctx, name) != nil {
			left = append(left, name)
		}
	}
	return left
}

// run runs a test to its end, or to the first failure that ends it.
func run(ctx context.Context, t Test, f Fixture) []string {
	r := &recorder{ctx: ctx}
	done := make(chan struct{})
	go func() {
		defer close(done)
		t.Run(r, f)
	}()
	<-done
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.failures
}

// A recorder is the T of a test outside of Go's.
type recorder struct {
	ctx context.Context

	mu       sync.Mutex
	failures []string
}

func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Helper()                  {}
func (r *recorder) Logf(string, ...any)      {}

func (r *recorder) Failed() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.failures) > 0
}

func (r *recorder) Error(args ...any) {
	r.Errorf("%s", strings.TrimSuffix(fmt.Sprintln(args...), "\n"))
}

func (r *recorder) Errorf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(format, args...))
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}
