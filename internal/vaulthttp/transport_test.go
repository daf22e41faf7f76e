package vaulthttp_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/envdrift/envdrift/internal/vaulthttp"
)

// A quota answers as a server does that allows so many requests a second.
type quota struct {
	perSecond int
	header    string // Retry-After

	mu     sync.Mutex
	window time.Time
	left   int
	bodies []string
}

func (q *quota) RoundTrip(req *http.Request) (*http.Response, error) {
	time.Sleep(time.Millisecond)
	q.mu.Lock()
	defer q.mu.Unlock()
	if now := time.Now(); now.Sub(q.window) >= time.Second {
		q.window, q.left = now, q.perSecond
	}
	resp := &http.Response{StatusCode: 429, Header: http.Header{}, Body: http.NoBody, Request: req}
	if q.header != "" {
		resp.Header.Set("Retry-After", q.header)
	}
	if q.left--; q.left >= 0 {
		body, _ := io.ReadAll(req.Body)
		q.bodies = append(q.bodies, string(body))
		resp.StatusCode = 200
	}
	return resp, nil
}

// Two hundred requests, eight at a time, all succeed under a quota of twenty a
// second, and the user is told once that they wait.
func TestPatient(t *testing.T) {
	t.Parallel()
	for _, header := range []string{"", "0", "soon"} {
		synctest.Test(t, func(t *testing.T) {
			q, said := &quota{perSecond: 20, header: header}, 0
			client := &http.Client{Transport: vaulthttp.NewPatient(q, nil, func() { said++ })}
			var wg sync.WaitGroup
			for range 8 {
				wg.Go(func() {
					for range 25 {
						ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
						req, _ := http.NewRequestWithContext(ctx, "PUT", "http://x", struct{ io.Reader }{strings.NewReader("body")})
						resp, err := client.Do(req)
						if err != nil || resp.StatusCode != 200 {
							t.Errorf("Retry-After %q: %v, %v; want 200", header, resp, err)
						}
						cancel()
					}
				})
			}
			wg.Wait()
			if said != 1 || len(q.bodies) != 200 || strings.Trim(strings.Join(q.bodies, ""), "body") != "" {
				t.Errorf("Retry-After %q: said %d times, %d requests; want 1 and 200, with their bodies", header, said, len(q.bodies))
			}
		})
	}
}

// A wait that does not fit into the deadline is not begun.
func TestPatientGivesUp(t *testing.T) {
	t.Parallel()
	for header, atMost := range map[string]time.Duration{"": 2 * time.Second, "3600": 10 * time.Millisecond} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
			defer cancel()
			start := time.Now()
			req, _ := http.NewRequestWithContext(ctx, "GET", "http://x", nil)
			resp, err := vaulthttp.NewPatient(&quota{header: header}, nil, func() {}).RoundTrip(req)
			if err != nil || resp.StatusCode != 429 || time.Since(start) >= atMost {
				t.Errorf("Retry-After %q: %v, %v after %v; want the refusal within %v", header, resp, err, time.Since(start), atMost)
			}
		})
	}
}

// An answer without an end is not read into memory.
func TestPatientBounds(t *testing.T) {
	t.Parallel()
	sent := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for chunk := make([]byte, 1<<20); r.Context().Err() == nil && sent < 1<<30; sent += len(chunk) {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	t.Cleanup(server.Close)
	resp, err := (&http.Client{Transport: vaulthttp.NewPatient(vaulthttp.Transport(), nil, func() {})}).Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if tooLong := (*vaulthttp.TooLongError)(nil); !errors.As(err, &tooLong) || len(data) > 8<<20 {
		t.Errorf("read %d bytes, %v; want at most 8 MiB and a *TooLongError", len(data), err)
	}
	detail, _, _ := vaulthttp.Client{}.Explain(err)
	if detail != "its answer is longer than 8 MiB" {
		t.Errorf("Explain = %q", detail)
	}
}
