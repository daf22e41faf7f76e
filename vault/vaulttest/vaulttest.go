// Package vaulttest runs the conformance suite of [vault.Store] as Go tests.
package vaulttest

import (
	"testing"

	"github.com/envdrift/envdrift/vault/conformance"
)

// The fixture is that of package conformance.
type (
	Fixture    = conformance.Fixture
	Capability = conformance.Capability
)

// What not every vault has.
const (
	Denied          = conformance.Denied
	Unauthenticated = conformance.Unauthenticated
	Unavailable     = conformance.Unavailable
	Malformed       = conformance.Malformed
	Pins            = conformance.Pins
)

// Run tests the vault that open returns. It calls open once per subtest; they
// run in parallel.
func Run(t *testing.T, open func(t *testing.T) Fixture) {
	t.Helper()
	for _, tt := range conformance.Tests() {
		t.Run(tt.Name, func(t *testing.T) {
			t.Parallel()
			f := open(t)
			if why, lacks := f.Lacks[tt.Needs]; lacks {
				t.Logf("not tested: %s", why)
				return
			}
			tt.Run(t, f)
		})
	}
}
