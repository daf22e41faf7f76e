package ecies

import (
	"math/big"

	field "github.com/envdrift/envdrift/internal/ecies/secp256k1montgomery"
)

// generator is the curve's base point: SEC 2, 2.4.1.
var generator = affine{
	parseElement(number("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798").Bytes()),
	parseElement(number("483ada7726a3c4655da4fbfc0e1108a8fd17b448a68554199c47d08ffb10d4b8").Bytes()),
}

// The curve's endomorphism: λ·(x, y) = (β·x, y) for a number λ, where λ³ = 1
// modulo the order and β³ = 1 modulo p. (a1, b1) and (a2, a1) are short vectors
// (a, b) for which a + b·λ = 0 modulo the order. The values are those of
// libsecp256k1, scalar_impl.h; tests check what is said of them here.
var (
	order = number("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141")
	a1    = number("3086d221a7d46bcde86c90e49284eb15")
	b1    = number("-e4437ed6010e88286f547fa90abfe4c3")
	a2    = number("114ca50f7a8e2f3f657c1108d9d44cfd8")
	beta  = parseElement(number("7ae96a2b657c07106e64479eac3434e99cf0497512f58995c1396c28719501ee").Bytes())
)

func number(hex string) *big.Int {
	n, ok := new(big.Int).SetString(hex, 16)
	if !ok {
		panic("ecies: not a number: " + hex)
	}
	return n
}

// A scalar is a number below the order, most significant byte first.
type scalar [32]byte

// split returns k1 and k2 with k = k1 + k2·λ modulo the order, so that k·P =
// k1·P + k2·(λ·P) needs half of the doublings (Gallant, Lambert, Vanstone: Faster
// Point Multiplication on Elliptic Curves with Efficient Endomorphisms, 2001; Guide
// to Elliptic Curve Cryptography, algorithm 3.74). They are at most half of the sum
// of the vectors' parts, that is, of 128 bits and a sign.
func split(k *scalar) (k1, k2 *big.Int) {
	k1, k2 = new(big.Int).SetBytes(k[:]), new(big.Int)
	c1, c2 := timesOverOrder(k1, a1), timesOverOrder(k1, new(big.Int).Neg(b1))
	subtract := func(from, c, factor *big.Int) { from.Sub(from, new(big.Int).Mul(c, factor)) }
	subtract(k1, c1, a1)
	subtract(k1, c2, a2)
	subtract(k2, c1, b1)
	subtract(k2, c2, a1)
	return k1, k2
}

// timesOverOrder returns the integer nearest to a·b / order.
func timesOverOrder(a, b *big.Int) *big.Int {
	n := new(big.Int).Mul(a, b)
	n.Add(n, new(big.Int).Rsh(order, 1))
	return n.Div(n, order)
}

const (
	window  = 5                 // bits of a digit
	entries = 1 << (window - 2) // positive digits: 1, 3, … 15
)

// digits are a scalar in the form that multiply wants: the sum over i of
// 2^i·(digits[i][0] + digits[i][1]·λ). Each digit is 0 or odd, and four zeros
// follow one that is odd.
type digits [129][2]int8

func newDigits(k *scalar) *digits {
	d := new(digits)
	k1, k2 := split(k)
	d.recode(0, k1)
	d.recode(1, k2)
	return d
}

// recode sets a column to the width-5 non-adjacent form of n (Guide to Elliptic
// Curve Cryptography, algorithm 3.35, with a carry instead of a subtraction).
func (d *digits) recode(column int, n *big.Int) {
	abs, carry := new(big.Int).Abs(n), uint(0)
	for i := 0; i < len(d); {
		if abs.Bit(i) == carry {
			i++
			continue
		}
		digit := int8(carry)
		for j := range window {
			digit += int8(abs.Bit(i+j)) << j
		}
		carry = uint(digit) >> (window - 1)
		digit -= int8(carry) << window
		d[i][column] = digit * int8(n.Sign())
		i += window
	}
}

// multiply returns the product of p and the scalar.
func (d *digits) multiply(p *affine) (sum jacobian) {
	var multiples [2][entries]affine // of p and of λ·p
	z := p.oddMultiples(&multiples[0])
	multiples[1] = multiples[0]
	for i := range multiples[1] {
		x := &multiples[1][i].x
		field.Mul(x, x, &beta)
	}
	for i := len(d) - 1; i >= 0; i-- {
		sum.double()
		for column, digit := range d[i] {
			switch {
			case digit > 0:
				sum.add(&multiples[column][digit/2])
			case digit < 0:
				negative := multiples[column][-digit/2]
				field.Opp(&negative.y, &negative.y)
				sum.add(&negative)
			}
		}
	}
	field.Mul(&sum.z, &sum.z, &z)
	return sum
}

// oddMultiples sets t to 1, 3, … 15 times p without an inversion: it returns z,
// and t has the coordinates that these points have on the curve y² = x³ + 7·z⁶,
// to which (x, y) ↦ (x·z², y·z³) maps ours. Sums of them are found there and
// mapped back at the end (the "effective affine" technique of libsecp256k1).
func (p *affine) oddMultiples(t *[entries]affine) (z element) {
	twice := jacobian{p.x, p.y, one}
	twice.double()
	step := affine{twice.x, twice.y} // 2·p where z is twice.z
	t[0] = *p
	t[0].scale(&twice.z)

	sum := jacobian{t[0].x, t[0].y, one}
	var growth [entries]element // of z in each step
	for i := 1; i < entries; i++ {
		growth[i] = sum.add(&step)
		t[i] = affine{sum.x, sum.y}
	}
	factor := one // from the z of the point to that of the last
	for i := entries - 2; i >= 0; i-- {
		field.Mul(&factor, &factor, &growth[i+1])
		t[i].scale(&factor)
	}
	field.Mul(&z, &sum.z, &twice.z)
	return z
}

// multiply returns k·p.
func (p *affine) multiply(k *scalar) jacobian { return newDigits(k).multiply(p) }

// A table has multiples of one point, so that multiplying it takes only
// additions: [i][j-1] is j·16^i times the point (fixed-base windowing, Handbook
// of Applied Cryptography, algorithm 14.109).
type table [64][15]affine

// tableRepays is the number of multiplications from which a table saves more
// than its 960 points cost.
const tableRepays = 64

func newTable(p *affine) *table {
	t := new(table)
	bases := make([]jacobian, len(t))
	base := jacobian{p.x, p.y, one}
	for i := range bases {
		bases[i] = base
		for range 4 {
			base.double()
		}
	}
	multiples := make([]jacobian, 0, len(t)*len(t[0]))
	for _, base := range toAffine(bases) {
		var sum jacobian
		for range t[0] {
			sum.add(&base)
			multiples = append(multiples, sum)
		}
	}
	flat := toAffine(multiples)
	for i := range t {
		copy(t[i][:], flat[i*len(t[i]):])
	}
	return t
}

// multiply returns k times the table's point.
func (t *table) multiply(k *scalar) (product jacobian) {
	for i := range t {
		digit := k[len(k)-1-i/2] >> (i % 2 * 4) & 15
		if digit != 0 {
			product.add(&t[i][digit-1])
		}
	}
	return product
}
