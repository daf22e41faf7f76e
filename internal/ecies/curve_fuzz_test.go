package ecies

import (
	"math/big"
	"testing"
)

// FuzzField compares the field's operations with math/big.
func FuzzField(f *testing.F) {
	for _, n := range edges() {
		b := new(big.Int).Mod(n, prime).Bytes()
		f.Add(b, b)
	}
	f.Fuzz(func(t *testing.T, a, b []byte) {
		number := func(b []byte) *big.Int { return new(big.Int).Mod(new(big.Int).SetBytes(b), prime) }
		checkField(t, number(a), number(b))
	})
}

// FuzzMultiply compares products with decred's; the point is a multiple of the
// generator.
func FuzzMultiply(f *testing.F) {
	for _, n := range edges() {
		k := scalarOf(n)
		f.Add(k[:], k[:])
	}
	f.Fuzz(func(t *testing.T, k, point []byte) {
		n := scalarOf(new(big.Int).SetBytes(k))
		checkDigits(t, n)
		product := generator.multiply(scalarOf(new(big.Int).SetBytes(point)))
		if *n != (scalar{}) && !product.isInfinity() {
			checkProduct(t, n, &toAffine([]jacobian{product})[0])
		}
	})
}
