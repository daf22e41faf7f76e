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
	scalars := make([]*digits, len(ks))
	for i, k := range ks {
		scalars[i] = newDigits(k.scalar())
	}
	parallel(len(out), func(from, to int) { ks.decryptSome(scalars, ciphertexts[from:to], out[from:to]) })
	return out
}

// decryptSome tries the first key on all values together, the next on those that
// are left, and so on.
func (ks Keys) decryptSome(scalars []*digits, ciphertexts []string, out []Decrypted) {
	messages := make([]*message, len(out))
	var left []int
	for i, c := range ciphertexts {
		if messages[i], out[i].Err = parse(c); out[i].Err == nil {
			out[i].Err = ErrNoKey
			left = append(left, i)
		}
	}
	for i, k := range ks {
		products := make([]jacobian, len(left))
		for j, at := range left {
			products[j] = scalars[i].multiply(&messages[at].ephemeral)
		}
		failed := left[:0]
		for j, shared := range toAffine(products) {
			at := left[j]
			plaintext, err := messages[at].open(&shared)
			if err != nil {
				out[at].Err = err
				failed = append(failed, at)
				continue
			}
			out[at] = Decrypted{secret.New(string(plaintext)), k.public, nil}
		}
		left = failed
	}
}

// EncryptAll encrypts values on all cores, as [PublicKey.Encrypt] does. The
// results are in the order of the plaintexts.
func (p PublicKey) EncryptAll(plaintexts [][]byte) ([]string, error) {
	q, err := p.point()
	if err != nil {
		return nil, err
	}
	s := &sender{&generator, q}
	if len(plaintexts) >= tableRepays {
		s = &sender{newTable(&generator), newTable(q)}
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
type sender struct{ generator, public multiplier }

// A multiplier multiplies a point by scalars: an affine, or a table of it.
type multiplier interface {
	multiply(k *scalar) jacobian
}

func (s *sender) encrypt(plaintexts [][]byte, out []string) error {
	products := make([]jacobian, 2*len(out))
	for i := range out {
		r, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			return err
		}
		k := scalar(r.Key.Bytes())
		products[2*i], products[2*i+1] = s.generator.multiply(&k), s.public.multiply(&k)
		r.Zero()
		clear(k[:])
	}
	points := toAffine(products)
	for i, plaintext := range plaintexts {
		var err error
		if out[i], err = seal(&points[2*i], &points[2*i+1], plaintext); err != nil {
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
