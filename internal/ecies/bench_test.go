package ecies_test

import (
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	"github.com/envdrift/envdrift/internal/ecies"
)

const bulk = 10_000

func bulkPlaintexts() [][]byte {
	list := make([][]byte, bulk)
	for i := range list {
		list[i] = fmt.Appendf(nil, "postgres://user:password@db-%d.example.com:5432/app", i)
	}
	return list
}

func reportRate(b *testing.B) {
	b.ReportMetric(float64(b.N)*bulk/b.Elapsed().Seconds(), "values/s")
}

func BenchmarkDecrypt(b *testing.B) {
	k := generate(b)
	ciphertext, err := k.PublicKey().Encrypt([]byte("postgres://user:password@db.example.com:5432/app"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := (ecies.Keys{k}).Decrypt(ciphertext); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncrypt(b *testing.B) {
	p := generate(b).PublicKey()
	for b.Loop() {
		if _, err := p.Encrypt([]byte("postgres://user:password@db.example.com:5432/app")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt10000(b *testing.B) {
	k := generate(b)
	ciphertexts, err := k.PublicKey().EncryptAll(bulkPlaintexts())
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if r := (ecies.Keys{k}).DecryptAll(ciphertexts); r[bulk-1].Err != nil {
			b.Fatal(r[bulk-1].Err)
		}
	}
	reportRate(b)
}

func BenchmarkEncrypt10000(b *testing.B) {
	p, plaintexts := generate(b).PublicKey(), bulkPlaintexts()
	for b.Loop() {
		if _, err := p.EncryptAll(plaintexts); err != nil {
			b.Fatal(err)
		}
	}
	reportRate(b)
}

// BenchmarkCurve10000 is the reference for the two above: what the curve alone
// costs decred's library on all cores, for decrypting ("multiply") and for
// encrypting ("multiply twice", once by the base point). More than 0.5 times that
// is a regression.
func BenchmarkCurve10000(b *testing.B) {
	k, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		b.Fatal(err)
	}
	var point secp256k1.JacobianPoint
	k.PubKey().AsJacobian(&point)
	run := func(work func(r *secp256k1.JacobianPoint)) func(b *testing.B) {
		return func(b *testing.B) {
			cores := runtime.GOMAXPROCS(0)
			for b.Loop() {
				var wg sync.WaitGroup
				for range cores {
					wg.Go(func() {
						for range bulk / cores {
							var r secp256k1.JacobianPoint
							work(&r)
						}
					})
				}
				wg.Wait()
			}
			reportRate(b)
		}
	}
	b.Run("multiply", run(func(r *secp256k1.JacobianPoint) { secp256k1.ScalarMultNonConst(&k.Key, &point, r) }))
	b.Run("multiply twice", run(func(r *secp256k1.JacobianPoint) {
		secp256k1.ScalarBaseMultNonConst(&k.Key, r)
		secp256k1.ScalarMultNonConst(&k.Key, &point, r)
	}))
}
