package vault

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"
)

// A Request asks Store for the secret under Name.
type Request struct {
	Store Store // of a comparable type, such as a pointer
	Name  string
}

// Fetch returns the results of requests, in their order, with at most workers
// requests to vaults at a time. A secret that several of them ask for is
// fetched once. Secrets are fetched in batches if the store is a [BatchStore].
//
// ErrUnavailable is retried twice, after a moment, unless the store's own
// deadline was exceeded or the request has waited for a throttled vault, since
// that time is gone already. If a store is down,
// the remaining names fail as the first did, without a request: 200 of them
// take no longer than one. When ctx ends, requests without a result fail with
// its error.
func Fetch(ctx context.Context, requests []Request, workers int) []Result {
	results := make([]Result, len(requests))
	FetchEach(ctx, requests, workers, func(i int, r Result) { results[i] = r })
	return results
}

// FetchEach is Fetch for a caller who works on results while others are asked for: it
// calls got, once for each request and several at a time, and returns after the last.
func FetchEach(ctx context.Context, requests []Request, workers int, got func(i int, r Result)) {
	stores := outages{down: make(map[Store]*Error), answered: make(map[Store]bool)}
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for _, j := range plan(requests) {
		g.Go(func() error {
			j.run(ctx, &stores)
			for _, i := range j.requests {
				got(i, j.results[requests[i].Name])
			}
			return nil
		})
	}
	_ = g.Wait()
}

// A job is one request to a vault.
type job struct {
	store    Store
	names    []string // each once; more than one only for a BatchStore
	requests []int    // that it serves
	results  map[string]Result
}

// plan makes the jobs that serve requests.
func plan(requests []Request) (jobs []*job) {
	seen := make(map[Request]int)
	filling := make(map[Store]int) // a job of the store that is not full
	for i, r := range requests {
		place, ok := seen[r]
		if !ok {
			place, ok = filling[r.Store]
			if !ok || len(jobs[place].names) >= maxBatch(r.Store) {
				place = len(jobs)
				jobs = append(jobs, &job{store: r.Store, results: make(map[string]Result)})
				filling[r.Store] = place
			}
			jobs[place].names = append(jobs[place].names, r.Name)
			seen[r] = place
		}
		jobs[place].requests = append(jobs[place].requests, i)
	}
	return jobs
}

func maxBatch(s Store) int {
	if b, ok := s.(BatchStore); ok {
		return b.MaxBatch()
	}
	return 1
}

// run fills in the results.
func (j *job) run(ctx context.Context, stores *outages) {
	defer func() { stores.note(j) }()
	for _, name := range j.names {
		j.results[name] = Result{Err: &Error{Op: "get", Vault: j.store.String(), Name: name, Err: context.Cause(ctx)}}
	}
	if ctx.Err() != nil {
		return
	}
	if why := stores.of(j.store); why != nil {
		for _, name := range j.names {
			e := *why
			e.Name = name
			j.results[name] = Result{Err: &e}
		}
		return
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.Multiplier = 3
	pending := j.names
	// The error of Retry is in the results already.
	_, _ = backoff.Retry(ctx, func() (struct{}, error) {
		for name, r := range ask(ctx, j.store, pending) {
			j.results[name] = r
		}
		pending = slices.DeleteFunc(slices.Clone(pending), func(name string) bool {
			return !worthRetry(j.results[name].Err)
		})
		if len(pending) > 0 {
			return struct{}{}, ErrUnavailable
		}
		return struct{}{}, nil
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(3))
}

// outages are the stores that are down: those where a request timed out, or
// that were unavailable to the last try and have answered nothing yet.
type outages struct {
	mu       sync.Mutex
	down     map[Store]*Error
	answered map[Store]bool
}

func (o *outages) of(s Store) *Error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.down[s]
}

// note records the outcome of a job.
func (o *outages) note(j *job) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, name := range j.names {
		err, _ := errors.AsType[*Error](j.results[name].Err)
		switch {
		case err == nil || !errors.Is(err, ErrUnavailable):
			o.answered[j.store] = true
		case errors.Is(err, context.DeadlineExceeded) || !o.answered[j.store]:
			o.down[j.store] = err
		}
	}
}

func worthRetry(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, ErrThrottled)
}

func ask(ctx context.Context, s Store, names []string) map[string]Result {
	if b, ok := s.(BatchStore); ok && len(names) > 1 {
		return b.GetBatch(ctx, names)
	}
	secret, err := s.Get(ctx, names[0])
	return map[string]Result{names[0]: {Secret: secret, Err: err}}
}
