package ecies

import (
	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	field "github.com/envdrift/envdrift/internal/ecies/secp256k1montgomery"
)

// An affine is a point (x, y) of the curve y² = x³ + 7.
type affine struct{ x, y element }

// parseAffine reads an uncompressed point that is known to be on the curve.
func parseAffine(b []byte) affine {
	return affine{parseElement(b[1:]), parseElement(b[1+elementSize:])}
}

// bytes returns p uncompressed.
func (p *affine) bytes() []byte {
	b := append(make([]byte, 0, pointSize), uncompressed)
	return appendElement(appendElement(b, &p.x), &p.y)
}

// compressed returns p as a public key.
func (p *affine) compressed() PublicKey {
	b := p.bytes()
	sign := secp256k1.PubKeyFormatCompressedEven | b[len(b)-1]&1
	return PublicKey(append([]byte{sign}, b[1:1+elementSize]...))
}

// scale multiplies x by z² and y by z³.
func (p *affine) scale(z *element) {
	var power element
	field.Square(&power, z)
	field.Mul(&p.x, &p.x, &power)
	field.Mul(&power, &power, z)
	field.Mul(&p.y, &p.y, &power)
}

// A jacobian is the point (x/z², y/z³), and the point at infinity if z is 0. The
// formulas are from the Explicit-Formulas Database, hyperelliptic.org/EFD. None
// contains the 7, and all work for any curve y² = x³ + b.
type jacobian struct{ x, y, z element }

func (p *jacobian) isInfinity() bool { return p.z == element{} }

// double sets p to 2p: dbl-2009-l, with products where it has squares and
// additions. The curve has no point with y = 0, and infinity stays infinity.
func (p *jacobian) double() {
	var a, b, c, d, e element
	field.Square(&a, &p.x)
	field.Add(&e, &a, &a)
	field.Add(&e, &e, &a) // 3·x²
	field.Add(&a, &p.y, &p.y)
	field.Mul(&b, &a, &p.y)
	field.Add(&c, &b, &b)
	field.Mul(&d, &p.x, &c) // 4·x·y²
	field.Mul(&c, &b, &c)   // 8·y⁴

	field.Mul(&p.z, &a, &p.z) // z = 2·y·z
	field.Square(&p.x, &e)    // x = e² - 2·d
	field.Sub(&p.x, &p.x, &d)
	field.Sub(&p.x, &p.x, &d)
	field.Sub(&d, &d, &p.x) // y = e·(d - x) - c
	field.Mul(&p.y, &e, &d)
	field.Sub(&p.y, &p.y, &c)
}

// add sets p to p + q: madd-2004-hmv, and what it does not cover. It returns h,
// by which it multiplies z if p is neither infinity nor ±q.
func (p *jacobian) add(q *affine) (h element) {
	if p.isInfinity() {
		*p = jacobian{q.x, q.y, one}
		return h
	}
	var r, a, b element
	field.Square(&a, &p.z) // h = q.x·z² - x, r = q.y·z³ - y
	field.Mul(&h, &q.x, &a)
	field.Sub(&h, &h, &p.x)
	field.Mul(&a, &a, &p.z)
	field.Mul(&r, &q.y, &a)
	field.Sub(&r, &r, &p.y)
	if h == (element{}) { // the same x
		if r == (element{}) {
			p.double()
		} else {
			*p = jacobian{}
		}
		return h
	}

	field.Mul(&p.z, &p.z, &h) // z = z·h
	field.Square(&a, &h)
	field.Mul(&b, &a, &h)   // h³
	field.Mul(&a, &a, &p.x) // x·h²
	field.Square(&p.x, &r)  // x = r² - h³ - 2·x·h²
	field.Sub(&p.x, &p.x, &b)
	field.Sub(&p.x, &p.x, &a)
	field.Sub(&p.x, &p.x, &a)
	field.Sub(&a, &a, &p.x) // y = r·(x·h² - x) - y·h³
	field.Mul(&a, &a, &r)
	field.Mul(&b, &b, &p.y)
	field.Sub(&p.y, &a, &b)
	return h
}

// toAffine returns the points with one inversion for all of them, by Montgomery's
// trick (Speeding the Pollard and Elliptic Curve Methods of Factorization, 1987,
// section 10.3.1). Infinity becomes (0, 0), which is not on the curve.
func toAffine(points []jacobian) []affine {
	out := make([]affine, len(points))
	before := make([]element, len(points)) // product of the z before each
	product := one
	for i := range points {
		before[i] = product
		if p := &points[i]; !p.isInfinity() {
			field.Mul(&product, &product, &p.z)
		}
	}
	inverse := invert(&product)
	for i := len(points) - 1; i >= 0; i-- {
		p := &points[i]
		if p.isInfinity() {
			continue
		}
		out[i] = affine{p.x, p.y}
		field.Mul(&before[i], &before[i], &inverse) // 1/z
		out[i].scale(&before[i])
		field.Mul(&inverse, &inverse, &p.z)
	}
	return out
}
