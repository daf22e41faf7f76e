package vaulthttp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// maxAnswer is how many bytes of an answer are read. The longest that a vault
// has a reason to give is a batch of twenty secrets.
const maxAnswer = 8 << 20

// Transport returns a transport for as many requests at a time as there may be
// workers.
func Transport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = 32
	t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
	return t
}

// Patient is a transport that bounds the answers, and waits if the server has
// too many requests: as long as the server asks, and within the deadline of the
// request, which is sent again. For a moment after such an answer requests go one
// by one, in their order: otherwise one that is not waiting would take what the
// server allows, each time, and one that waits would never get a turn.
type Patient struct {
	next      http.RoundTripper
	throttled func(*http.Response) bool
	waiting   func()

	turn    chan struct{} // held by the request that may be sent
	refused atomic.Int64  // when the server had too many, in Unix milliseconds
}

// NewPatient returns a Patient that sends through next. throttled reports what
// means too many requests beside status 429; it may be nil. waiting is called once,
// before the first wait.
func NewPatient(next http.RoundTripper, throttled func(*http.Response) bool, waiting func()) *Patient {
	return &Patient{next: next, throttled: throttled, waiting: sync.OnceFunc(waiting), turn: make(chan struct{}, 1)}
}

// RoundTrip implements [http.RoundTripper].
func (p *Patient) RoundTrip(req *http.Request) (*http.Response, error) {
	body, err := bodyOf(req)
	if err != nil {
		return nil, err
	}
	ctx, inTurn := req.Context(), false
	defer func() {
		if inTurn {
			<-p.turn
		}
	}()
	for {
		const moment = 2 * time.Second
		if !inTurn && time.Since(time.UnixMilli(p.refused.Load())) < moment {
			select {
			case p.turn <- struct{}{}:
				inTurn = true
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		sent := req.WithContext(ctx)
		if body != nil {
			sent.Body = io.NopCloser(bytes.NewReader(body))
		}
		resp, err := p.next.RoundTrip(sent)
		if err != nil {
			return nil, err
		}
		resp.Body = &boundedBody{resp.Body, maxAnswer}
		if !p.tooMany(resp) {
			return resp, nil
		}
		p.refused.Store(time.Now().UnixMilli())
		if !p.wait(ctx, retryAfter(resp)) {
			return resp, nil
		}
		_ = resp.Body.Close()
	}
}

// bodyOf returns the body of a request, which may have to be sent more than
// once; nil for none.
func bodyOf(req *http.Request) ([]byte, error) {
	if req.Body == nil || req.Body == http.NoBody {
		return nil, nil
	}
	body, err := io.ReadAll(req.Body)
	return body, errors.Join(err, req.Body.Close())
}

func (p *Patient) tooMany(resp *http.Response) bool {
	return resp.StatusCode == http.StatusTooManyRequests ||
		resp.StatusCode == http.StatusServiceUnavailable && retryAfter(resp) >= 0 ||
		p.throttled != nil && p.throttled(resp)
}

// wait waits before the next attempt. It reports whether there may be one.
func (p *Patient) wait(ctx context.Context, asked time.Duration) bool {
	deadline, ok := ctx.Deadline()
	pause := Pause(asked)
	if !ok || !Fits(pause, deadline) {
		return false
	}
	p.waiting()
	select {
	case <-time.After(pause):
		return true
	case <-ctx.Done():
		return false
	}
}

// Pause returns how long to wait before a throttled request is repeated. asked
// is what the server asks for; negative if it does not. Servers count per second
// and round down, so 0 means less than a second. The pause is random, so that
// requests that were refused together do not come back together.
func Pause(asked time.Duration) time.Duration {
	return max(asked, 0) + 100*time.Millisecond + rand.N(500*time.Millisecond)
}

// Fits reports whether there is time for another request after a pause. One that
// has no time would turn the refusal into a timeout.
func Fits(pause time.Duration, deadline time.Time) bool {
	const request = 300 * time.Millisecond
	return pause+request < time.Until(deadline)
}

// retryAfter returns how long resp asks to wait; negative if it does not.
func retryAfter(resp *http.Response) time.Duration {
	seconds, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31)
	if err != nil {
		return -1
	}
	return time.Duration(seconds) * time.Second
}

// A TooLongError reports an answer that is longer than any of a vault.
type TooLongError struct{}

func (*TooLongError) Error() string {
	return fmt.Sprintf("its answer is longer than %d MiB", maxAnswer>>20)
}

// A boundedBody fails where an answer is too long.
type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	if len(p) > b.left+1 {
		p = p[:b.left+1]
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		return 0, &TooLongError{}
	}
	return n, err
}
