package main

import (
	"runtime"
	"sync"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// curve returns a function that does n times, shared by all cores and by decred's
// library, the scalar multiplications that are the minimum to decrypt a value
// (one) or to encrypt it (two, one of them by the base point), and nothing else.
func curve(n int, encrypt bool) func() (time.Duration, error) {
	return func() (time.Duration, error) {
		k, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return 0, err
		}
		var point secp256k1.JacobianPoint
		k.PubKey().AsJacobian(&point)
		begin := time.Now()
		var wg sync.WaitGroup
		cores := runtime.GOMAXPROCS(0)
		for i := range cores {
			wg.Go(func() {
				var r secp256k1.JacobianPoint
				for range (n + i) / cores { // of all i: n together
					if encrypt {
						secp256k1.ScalarBaseMultNonConst(&k.Key, &r)
					}
					secp256k1.ScalarMultNonConst(&k.Key, &point, &r)
				}
			})
		}
		wg.Wait()
		return time.Since(begin), nil
	}
}
