package ecies

import (
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// BenchmarkMultiply measures one multiplication with its result in affine
// coordinates, by the library too, and what a value costs where 32 share an
// inversion and the digits.
func BenchmarkMultiply(b *testing.B) {
	k := randomScalar(b)
	p := toAffine([]jacobian{generator.multiply(randomScalar(b))})[0]
	b.Run("one", func(b *testing.B) {
		for b.Loop() {
			toAffine([]jacobian{p.multiply(k)})
		}
	})
	b.Run("one of 32", func(b *testing.B) {
		products := make([]jacobian, 32)
		for i := 0; i < b.N; i += len(products) {
			d := newDigits(k)
			for j := range products {
				products[j] = d.multiply(&p)
			}
			toAffine(products)
		}
	})
	b.Run("one of 32 by a table", func(b *testing.B) {
		products, table := make([]jacobian, 32), newTable(&p)
		for i := 0; i < b.N; i += len(products) {
			for j := range products {
				products[j] = table.multiply(k)
			}
			toAffine(products)
		}
	})
	b.Run("decred", func(b *testing.B) {
		var n secp256k1.ModNScalar
		n.SetBytes((*[32]byte)(k))
		var point, product secp256k1.JacobianPoint
		public, err := secp256k1.ParsePubKey(p.bytes())
		if err != nil {
			b.Fatal(err)
		}
		public.AsJacobian(&point)
		for b.Loop() {
			secp256k1.ScalarMultNonConst(&n, &point, &product)
			product.ToAffine()
		}
	})
	b.Run("digits", func(b *testing.B) {
		for b.Loop() {
			newDigits(k)
		}
	})
	b.Run("table", func(b *testing.B) {
		for b.Loop() {
			newTable(&p)
		}
	})
}
