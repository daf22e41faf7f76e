package ecies

import (
	"encoding/binary"

	field "github.com/envdrift/envdrift/internal/ecies/secp256k1montgomery"
)

// An element is a number modulo p = 2^256 - 2^32 - 977. It is in Montgomery form
// and always reduced, so that equal numbers are equal arrays.
type element = field.MontgomeryDomainFieldElement

const elementSize = 32

var one = func() (e element) {
	field.SetOne(&e)
	return e
}()

// parseElement reads 32 bytes, most significant first. The number must be below
// p, as the coordinates of a checked point are.
func parseElement(b []byte) (e element) {
	var n field.NonMontgomeryDomainFieldElement
	for i := range n {
		n[len(n)-1-i] = binary.BigEndian.Uint64(b[8*i:])
	}
	field.ToMontgomery(&e, &n)
	return e
}

// appendElement appends what parseElement reads.
func appendElement(b []byte, e *element) []byte {
	var n field.NonMontgomeryDomainFieldElement
	field.FromMontgomery(&n, e)
	for i := range n {
		b = binary.BigEndian.AppendUint64(b, n[len(n)-1-i])
	}
	return b
}

// invert returns 1/e, and 0 for 0. By Fermat that is the power of p-2, whose
// binary form is blocks of 223 and 22 ones, then 0000101101; the chain of
// squarings and multiplications is libsecp256k1's.
func invert(e *element) element {
	x2 := squareMultiply(e, 1, e) // xN is e to the power of N ones
	x3 := squareMultiply(&x2, 1, e)
	x6 := squareMultiply(&x3, 3, &x3)
	x9 := squareMultiply(&x6, 3, &x3)
	x11 := squareMultiply(&x9, 2, &x2)
	x22 := squareMultiply(&x11, 11, &x11)
	x44 := squareMultiply(&x22, 22, &x22)
	x88 := squareMultiply(&x44, 44, &x44)
	x176 := squareMultiply(&x88, 88, &x88)
	x220 := squareMultiply(&x176, 44, &x44)
	x223 := squareMultiply(&x220, 3, &x3)
	power := squareMultiply(&x223, 23, &x22)
	power = squareMultiply(&power, 5, e)
	power = squareMultiply(&power, 3, &x2)
	return squareMultiply(&power, 2, e)
}

// squareMultiply squares a as often as told, then multiplies it by b.
func squareMultiply(a *element, times int, b *element) element {
	r := *a
	for range times {
		field.Square(&r, &r)
	}
	field.Mul(&r, &r, b)
	return r
}
