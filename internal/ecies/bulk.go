package ecies

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/envdrift/envdrift/internal/secret"
)

// A Decrypted is the outcome for one value of [Keys.DecryptAll]. The plaintext
// is a [secret.Value], as it lies in structures that may be printed.
type Decrypted struct {
	Plaintext secret.Value
	Used      PublicKey // whose private key decrypted it
	Err       error     // as of Keys.Decrypt
}

// DecryptAll decrypts values on all cores. The results are in the order of the
// ciphertexts; one failure does not stop the others.
func (ks Keys) DecryptAll(ciphertexts []string) []Decrypted {
	out := make([]Decrypted, len(ciphertexts))
	parallel(len(out), func(i int) {
		plaintext, used, err := ks.Decrypt(ciphertexts[i])
		out[i] = Decrypted{secret.New(string(plaintext)), used, err}
	})
	return out
}

// EncryptAll encrypts values on all cores, as [PublicKey.Encrypt] does. The
// results are in the order of the plaintexts.
func (p PublicKey) EncryptAll(plaintexts [][]byte) ([]string, error) {
	q, err := p.point()
	if err != nil {
		return nil, err
	}
	out, errs := make([]string, len(plaintexts)), make([]error, len(plaintexts))
	parallel(len(out), func(i int) { out[i], errs[i] = encrypt(q, plaintexts[i]) })
	return out, errors.Join(errs...)
}

// parallel calls do for 0 to n-1 on as many goroutines as Go runs at once.
// Values differ in size and in the number of keys they need, so each goroutine
// takes the next one when it is done. The multiplications take four fifths of
// the time; nothing else would repay sharing among values.
func parallel(n int, do func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				do(i)
			}
		})
	}
	wg.Wait()
}
