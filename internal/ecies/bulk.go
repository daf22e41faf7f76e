package ecies

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/envdrift/envdrift/internal/secret"
)

// A Decrypted is the result for one value of [Keys.DecryptAll]. The plaintext
// is a [secret.Value], as it is in structures that may be printed.
type Decrypted struct {
	Plaintext secret.Value
	Used      PublicKey // whose private key decrypted it
	Err       error     // as from Keys.Decrypt
}

// DecryptAll decrypts values on all cores. The results are in the order of the
// ciphertexts; one failure does not stop the others.
func (ks Keys) DecryptAll(ciphertexts []string) []Decrypted {
	out := make([]Decrypted, len(ciphertexts))
	parallel(len(out), func(from, to int) { ks.decryptSome(ciphertexts[from:to], out[from:to]) })
	return out
}

// decryptSome tries the first key on all values together, and the others only
// on those that are left.
func (ks Keys) decryptSome(ciphertexts []string, out []Decrypted) {
	messages, shared := make([]*message, len(out)), make([]secp256k1.JacobianPoint, len(out))
	for i, c := range ciphertexts {
		m, err := parse(c)
		switch {
		case err != nil:
			out[i].Err = err
		case len(ks) == 0:
			out[i].Err = ErrNoKey
		default:
			messages[i], shared[i] = m, m.multiply(ks[0].scalar())
		}
	}
	affine(shared)
	for i, m := range messages {
		if m == nil {
			continue
		}
		plaintext, err := m.open(&shared[i])
		used := ks[0].public
		if err != nil && len(ks) > 1 {
			plaintext, used, err = ks[1:].Decrypt(ciphertexts[i])
		}
		if err != nil {
			used = PublicKey{}
		}
		out[i] = Decrypted{secret.New(string(plaintext)), used, err}
	}
}

// EncryptAll encrypts values on all cores, as [PublicKey.Encrypt] does. The
// results are in the order of the plaintexts.
func (p PublicKey) EncryptAll(plaintexts [][]byte) ([]string, error) {
	q, err := p.point()
	if err != nil {
		return nil, err
	}
	s := &sender{q: q}
	if len(plaintexts) >= tableRepays {
		s.table = newTable(q)
	}
	out := make([]string, len(plaintexts))
	var mu sync.Mutex
	parallel(len(out), func(from, to int) {
		if some := s.encrypt(plaintexts[from:to], out[from:to]); some != nil {
			mu.Lock()
			err = errors.Join(err, some)
			mu.Unlock()
		}
	})
	return out, err
}

// A sender encrypts to one public key.
type sender struct {
	q     *secp256k1.PublicKey
	table *table // of q; nil if it would not pay off
}

func (s *sender) encrypt(plaintexts [][]byte, out []string) error {
	ephemeral := make([]secp256k1.JacobianPoint, 2*len(out))
	shared := ephemeral[len(out):]
	for i := range out {
		r, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return err
		}
		secp256k1.ScalarBaseMultNonConst(&r.Key, &ephemeral[i])
		if s.table != nil {
			shared[i] = s.table.multiply(&r.Key)
		} else {
			s.q.AsJacobian(&shared[i])
			secp256k1.ScalarMultNonConst(&r.Key, &shared[i], &shared[i])
		}
		r.Zero()
	}
	affine(ephemeral)
	for i, plaintext := range plaintexts {
		var err error
		if out[i], err = seal(&ephemeral[i], &shared[i], plaintext); err != nil {
			return err
		}
	}
	return nil
}

// parallel calls do for all of 0 to n-1, some at a time, on as many goroutines
// as Go runs at once. Values differ in size and in the number of keys they
// need, so each goroutine takes the next ones when it is done.
func parallel(n int, do func(from, to int)) {
	const most = 32 // values that share an inversion; more would save little
	workers := runtime.GOMAXPROCS(0)
	size := max(1, min(most, n/(2*workers)))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, workers) {
		wg.Go(func() {
			for {
				to := int(next.Add(int64(size)))
				if to-size >= n {
					return
				}
				do(to-size, min(to, n))
			}
		})
	}
	wg.Wait()
}
