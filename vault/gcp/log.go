//go:build !no_gcp

package gcp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A versionLog is the versions of one secret, which have serial numbers. Only
// access by number is consistent at once: "latest" may be an older version for
// minutes. That is why it is asked for once, and versions after it by number.
type versionLog struct {
	s      *Store
	r      ref
	name   string
	base   string       // of the Put
	newest vault.Secret // the last one known; none if it has no text
	number int          // of it; 0 if it has no text
	sent   []secret.Value
}

var _ vault.Log = (*versionLog)(nil)

// Newest implements [vault.Log].
func (l *versionLog) Newest(ctx context.Context) (vault.Secret, error) {
	if l.number == 0 {
		if err := l.latest(ctx); err != nil || l.number == 0 {
			return vault.Secret{}, err
		}
	}
	for {
		next, err := l.read(ctx, l.number+1)
		switch {
		case status.Code(err) == codes.NotFound:
			return l.newest, nil
		case err != nil && !holdsNoText(err):
			return vault.Secret{}, err
		}
		l.newest, l.number = next, l.number+1
	}
}

// latest finds the version that the caller of Put saw, or one near it.
func (l *versionLog) latest(ctx context.Context) error {
	seen, err := l.s.seen(ctx, l.r)
	if err != nil {
		return err
	}
	l.newest, l.number = seen, number(seen.Version)
	if base := number(l.base); 0 < l.number && l.number < base {
		if later, err := l.read(ctx, base); err == nil {
			l.newest, l.number = later, base
		}
	}
	return nil
}

// Unsettled implements [vault.Log]: a version has no time that an accessor may
// see. A writer who withdraws makes four requests.
func (l *versionLog) Unsettled() time.Duration { return 500 * time.Millisecond }

// Add implements [vault.Log]. If there is no such secret, it creates one.
func (l *versionLog) Add(ctx context.Context, value secret.Value) (string, error) {
	l.sent = append(l.sent, value)
	version, err := l.s.add(ctx, l.r, value)
	if status.Code(err) != codes.NotFound {
		return version, err
	}
	// Only now: permission to add versions does not include permission to
	// create secrets.
	if err := l.s.create(ctx, l.r); err != nil && status.Code(err) != codes.AlreadyExists {
		return "", err
	}
	return l.s.add(ctx, l.r, value)
}

// Added implements [vault.Log]. A version without a text, such as a disabled one,
// is not one that another user put: below it, if nothing else was known, is what
// was there before.
func (l *versionLog) Added(ctx context.Context, version string) ([]vault.Secret, error) {
	last := vault.Secret{Version: version, Value: l.sent[len(l.sent)-1]}
	if version == "" {
		ahead := *l
		newest, err := ahead.Newest(ctx)
		if err != nil || newest.Version == "" || newest.Version == l.newest.Version {
			return nil, err
		}
		last = newest
	}
	n, added := number(last.Version), []vault.Secret{last}
	for i := n - 1; i > l.number; i-- {
		other, err := l.read(ctx, i)
		switch {
		case err == nil:
			added = append(added, other)
			continue
		case !holdsNoText(err) && status.Code(err) != codes.NotFound:
			return nil, err
		}
		if l.number == 0 {
			break
		}
	}
	slices.Reverse(added)
	l.newest, l.number = added[len(added)-1], n
	return added, nil
}

// PutBack implements [vault.Log].
func (l *versionLog) PutBack(version string) string {
	return fmt.Sprintf("gcloud secrets versions access %s --secret=%s | gcloud secrets versions add %[2]s --data-file=-", version, l.s.flags(l.r))
}

// Fail implements [vault.Log].
func (l *versionLog) Fail(err error) *vault.Error { return l.s.fail("put", l.name, err, l.sent...) }

func (l *versionLog) read(ctx context.Context, n int) (vault.Secret, error) {
	r := l.r
	r.version = strconv.Itoa(n)
	return l.s.read(ctx, r)
}

// holdsNoText reports whether a version is there, but none that Get returns.
func holdsNoText(err error) bool {
	p, ok := errors.AsType[vault.Problem](err)
	return ok && p.Kind == vault.ErrMalformed || status.Code(err) == codes.FailedPrecondition
}

// number returns the number of a version; 0 if it is none.
func number(version string) int {
	n, _ := strconv.Atoi(version)
	return n
}
