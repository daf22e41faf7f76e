package vault

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"golang.org/x/sync/errgroup"
)

// A Request asks for the secret that Store holds under Name.
type Request struct {
	Store Store // a comparable one, as pointers are
	Name  string
}

// Fetch answers requests, in their order, with at most workers requests to
// vaults at a time. What several of them ask for is fetched once, and in
// batches where the store is a [BatchStore].
//
// ErrUnavailable is tried again, twice, after a moment; not so if the store's
// own deadline ran out, since that time is gone already. When ctx ends, what
// has no answer yet fails with its error.
func Fetch(ctx context.Context, requests []Request, workers int) []Result {
	jobs, places := plan(requests)
	var g errgroup.Group
	g.SetLimit(max(workers, 1))
	for _, j := range jobs {
		g.Go(func() error { j.run(ctx); return nil })
	}
	_ = g.Wait()

	results := make([]Result, len(requests))
	for i, r := range requests {
		results[i] = jobs[places[i]].results[r.Name]
	}
	return results
}

// A job is one request to a vault.
type job struct {
	store   Store
	names   []string // each once; more than one only for a BatchStore
	results map[string]Result
}

// plan makes the jobs that answer requests. places tells for each request
// which job that is.
func plan(requests []Request) (jobs []*job, places []int) {
	seen := make(map[Request]int)
	filling := make(map[Store]int) // the job of a store that has room
	for _, r := range requests {
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
		places = append(places, place)
	}
	return jobs, places
}

func maxBatch(s Store) int {
	if b, ok := s.(BatchStore); ok {
		return b.MaxBatch()
	}
	return 1
}

// run fills in the results.
func (j *job) run(ctx context.Context) {
	for _, name := range j.names {
		j.results[name] = Result{Err: &Error{Op: "get", Vault: j.store.String(), Name: name, Err: context.Cause(ctx)}}
	}
	if ctx.Err() != nil {
		return
	}
	wait := backoff.NewExponentialBackOff()
	wait.InitialInterval = 200 * time.Millisecond
	wait.Multiplier = 3
	pending := j.names
	// What Retry returns is in the results already.
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

func worthRetry(err error) bool {
	return errors.Is(err, ErrUnavailable) && !errors.Is(err, context.DeadlineExceeded)
}

func ask(ctx context.Context, s Store, names []string) map[string]Result {
	if b, ok := s.(BatchStore); ok && len(names) > 1 {
		return b.GetBatch(ctx, names)
	}
	secret, err := s.Get(ctx, names[0])
	return map[string]Result{names[0]: {Secret: secret, Err: err}}
}
