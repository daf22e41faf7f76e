//go:build !no_azure

package azure_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/servertest"
	"github.com/envdrift/envdrift/vault"
)

// wrap puts before in front of the n-th request that stores a version.
func wrap(t *testing.T, a *servertest.Azure, before func(w http.ResponseWriter, n int) (answered bool)) vault.Config {
	t.Helper()
	n := 0
	front := servertest.WebTLS(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			if n++; before(w, n) {
				return
			}
		}
		a.ServeHTTP(w, r)
	}))
	cfg := config(a, a.Env("writer"))
	cfg.URL = front
	return cfg
}

// Another user stores a version after the comparison.
func TestPutInBetween(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	for i := range 60 { // three pages
		a.Set("app", fmt.Sprint("old-", i))
	}
	base := a.Newest("app").ID.Version()
	var theirs string
	s := open(t, wrap(t, a, func(_ http.ResponseWriter, n int) bool {
		if n == 1 {
			theirs = a.Set("app", "theirs").ID.Version()
		}
		return false
	}))
	v, err := s.Put(t.Context(), "app", secret.New("mine"), base)
	newest := *a.Newest("app").Value
	// Within a second, the order is that of the random ids.
	won := err == nil && newest == "mine" && a.Newest("app").ID.Version() == v && theirs > v
	if lost := errors.Is(err, vault.ErrConflict) && newest == "theirs"; !won && !lost {
		t.Errorf("Put = %v, and the newest is %q; want a conflict and theirs, or success and mine", err, newest)
	}
}

// Without permission to list, the comparison before is all there is.
func TestPutWithoutList(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	s := open(t, config(a, a.Env("setter")))
	first, err := s.Put(t.Context(), "app", secret.New("one"), "")
	if err != nil {
		t.Fatalf("Put = %v", err)
	}
	if _, err := s.Put(t.Context(), "app", secret.New("two"), first); err != nil {
		t.Errorf("Put on the newest = %v", err)
	}
	if _, err := s.Put(t.Context(), "app", secret.New("three"), first); !errors.Is(err, vault.ErrConflict) || *a.Newest("app").Value != "two" {
		t.Errorf("Put on an older version = %v; want ErrConflict", err)
	}
}

// What cannot be put back is named, with the command that does it.
func TestPutBackFails(t *testing.T) {
	t.Parallel()
	a := servertest.AzureKeyVault(t)
	base := a.Set("app", "one").ID.Version()
	var theirs string
	s := open(t, wrap(t, a, func(w http.ResponseWriter, n int) bool {
		switch n {
		case 1:
			other := a.Set("app", "theirs-s3cret")
			earlier := other.Attributes.Created.Add(-1e9) // a second, so that it is first
			other.Attributes.Created, theirs = &earlier, other.ID.Version()
			return false
		default:
			refuse(403, "Forbidden", "ForbiddenByRbac", "Not you, with theirs-s3cret or mine-s3cret")(w, nil)
			return true
		}
	}))
	_, err := s.Put(t.Context(), "app", secret.New("mine-s3cret"), base)
	e := wantKind(t, err, vault.ErrDenied)
	if want := "version " + theirs + " could not be put back: Not you"; !strings.Contains(e.Detail, want) || strings.Contains(e.Detail, "s3cret") {
		t.Errorf("Put = %v; want %q", err, want)
	}
	if want := "az keyvault secret download --vault-name 127 --name app --file key.tmp --version " + theirs +
		" && az keyvault secret set --vault-name 127 --name app --file key.tmp --output none && rm key.tmp"; e.Remedy != want {
		t.Errorf("remedy %q; want %q", e.Remedy, want)
	}
}
