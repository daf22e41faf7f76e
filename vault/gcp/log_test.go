//go:build !no_gcp

package gcp_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"cloud.google.com/go/secretmanager/apiv1/secretmanagerpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
)

// adding calls before and after with the number of each request to add a version,
// of which after may change the response.
func adding(before func(n int32), after func(n int32) error) grpc.UnaryServerInterceptor {
	var n atomic.Int32
	return func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if _, ok := r.(*secretmanagerpb.AddSecretVersionRequest); !ok {
			return next(ctx, r)
		}
		i := n.Add(1)
		before(i)
		answer, err := next(ctx, r)
		if failed := after(i); failed != nil {
			return nil, failed
		}
		return answer, err
	}
}

func succeed(int32) error { return nil }

// Another user adds a version after the comparison.
func TestPutInBetween(t *testing.T) {
	t.Parallel()
	for base, newest := range map[string]string{"": "1", "2": "3"} {
		g := servertest.SecretManager(t)
		if base != "" {
			g.Seed("app", []byte("one"))
			g.Seed("app", []byte("two"))
		}
		s := open(t, config(t, g.Serve(t, adding(func(n int32) {
			if n == 1 {
				g.Seed("app", []byte("theirs"))
			}
		}, succeed))))
		_, err := s.Put(t.Context(), "app", secret.New("mine"), base)
		if want := "the newest version is " + newest; !errors.Is(err, vault.ErrConflict) || !strings.Contains(err.Error(), want) {
			t.Errorf("Put on %q = %v; want ErrConflict, %s", base, err, want)
		}
		if got, err := s.Get(t.Context(), "app"); err != nil || got.Value.Reveal() != "theirs" {
			t.Errorf("after a Put on %q, Get = %q, %v; want theirs", base, got.Value.Reveal(), err)
		}
	}
}

// Versions without a text are not another user's.
func TestPutPastDisabled(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	g.Seed("app", []byte("one"))
	s := open(t, config(t, g.Serve(t, adding(func(n int32) {
		if n == 1 {
			g.Seed("app", []byte("tried"))
			g.SetState("app", secretmanagerpb.SecretVersion_DESTROYED)
		}
	}, succeed))))
	if v, err := s.Put(t.Context(), "app", secret.New("mine"), "1"); v != "3" || err != nil {
		t.Errorf("Put = %q, %v; want version 3", v, err)
	}
}

// "latest" is consistent only after minutes.
func TestPutWhileLatestLags(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	for _, text := range []string{"one", "two", "three"} {
		g.Seed("app", []byte(text))
	}
	s := open(t, config(t, g.Serve(t, func(ctx context.Context, r any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
		if r, ok := r.(*secretmanagerpb.AccessSecretVersionRequest); ok {
			r.Name = strings.Replace(r.GetName(), "/latest", "/2", 1)
		}
		return next(ctx, r)
	})))
	if _, err := s.Put(t.Context(), "app", secret.New("mine"), "2"); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Put on version 2 = %v; want ErrConflict: there is a third", err)
	}
	if v, err := s.Put(t.Context(), "app", secret.New("mine"), "3"); v != "4" || err != nil {
		t.Errorf("Put on version 3 = %q, %v; want version 4", v, err)
	}
	if got, err := s.Get(t.Context(), "app"); got.Version != "4" || err != nil {
		t.Errorf("Get after it = version %q, %v; want 4", got.Version, err)
	}
	if _, err := s.Put(t.Context(), "app", secret.New("mine"), "9"); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Put on a version that is not there = %v; want ErrConflict", err)
	}
}

// The version was stored, but the response was lost, or the user interrupted.
func TestPutLosesAnswer(t *testing.T) {
	t.Parallel()
	for name, theirs := range map[string]bool{"alone": false, "another user was first": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := servertest.SecretManager(t)
			g.Seed("app", []byte("one"))
			ctx, cancel := context.WithCancel(t.Context())
			s := open(t, config(t, g.Serve(t, adding(func(n int32) {
				if n == 1 && theirs {
					g.Seed("app", []byte("theirs"))
				}
			}, func(n int32) error {
				if n == 1 {
					cancel()
					return status.Error(codes.Unavailable, "connection lost")
				}
				return nil
			}))))
			v, err := s.Put(ctx, "app", secret.New("mine"), "1")
			if !theirs && (v != "2" || err != nil) || theirs && !errors.Is(err, vault.ErrConflict) {
				t.Errorf("Put = %q, %v", v, err)
			}
			if got, err := s.Get(t.Context(), "app"); err != nil || got.Value.Reveal() != map[bool]string{true: "theirs", false: "mine"}[theirs] {
				t.Errorf("Get = %q, %v", got.Value.Reveal(), err)
			}
		})
	}
}

// What cannot be put back is named, with the command that does it.
func TestPutBackFails(t *testing.T) {
	t.Parallel()
	g := servertest.SecretManager(t)
	g.Seed("app", []byte("one"))
	s := open(t, config(t, g.Serve(t, adding(func(n int32) {
		if n == 1 {
			g.Seed("app", []byte("theirs-s3cret"))
		}
	}, func(n int32) error {
		if n > 1 {
			return status.Error(codes.PermissionDenied, "no longer, with theirs-s3cret or mine-s3cret")
		}
		return nil
	}))))
	_, err := s.Put(t.Context(), "app", secret.New("mine-s3cret"), "1")
	e, ok := errors.AsType[*vault.Error](err)
	if !ok || !errors.Is(err, vault.ErrDenied) || strings.Contains(err.Error(), "s3cret") ||
		!strings.Contains(e.Detail, "version 3 has replaced version 2, which another user or process stored at the same time, and version 2 could not be put back: no longer") {
		t.Errorf("Put = %v; want ErrDenied, with both versions", err)
	}
	if want := "gcloud secrets versions access 2 --secret=app --project=team-project | gcloud secrets versions add app --project=team-project --data-file=-"; e.Remedy != want {
		t.Errorf("remedy %q; want %q", e.Remedy, want)
	}
}
