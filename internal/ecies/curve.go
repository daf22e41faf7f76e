package ecies

import "github.com/decred/dcrd/dcrec/secp256k1/v4"

// affine normalizes points to Z = 1 with one inversion for all of them, by
// Montgomery's trick (Speeding the Pollard and Elliptic Curve Methods of
// Factorization, 1987, section 10.3.1). Points at infinity stay as they are.
func affine(points []secp256k1.JacobianPoint) {
	before := make([]secp256k1.FieldVal, len(points)) // product of the Z before each
	var product secp256k1.FieldVal
	product.SetInt(1)
	for i := range points {
		before[i] = product
		if z := &points[i].Z; !z.IsZero() {
			product.Mul(z)
		}
	}
	inverse := *product.Inverse()
	for i := len(points) - 1; i >= 0; i-- {
		p := &points[i]
		if p.Z.IsZero() {
			continue
		}
		var z, power secp256k1.FieldVal
		z.Mul2(&inverse, &before[i])
		inverse.Mul(&p.Z)
		power.SquareVal(&z)
		p.X.Mul(&power).Normalize()
		p.Y.Mul(power.Mul(&z)).Normalize()
		p.Z.SetInt(1)
	}
}

// A table has multiples of one point, so that multiplying it takes only
// additions: [i][j-1] is j·16^i times the point (fixed-base windowing, Handbook
// of Applied Cryptography, algorithm 14.109).
type table [64][15]secp256k1.JacobianPoint

// tableRepays is the number of multiplications from which a table saves more
// than its 960 points cost.
const tableRepays = 64

func newTable(q *secp256k1.PublicKey) *table {
	t := new(table)
	flat := make([]secp256k1.JacobianPoint, 0, len(t)*len(t[0]))
	var base secp256k1.JacobianPoint
	q.AsJacobian(&base)
	for range t {
		p := base
		for range t[0] {
			flat = append(flat, p)
			secp256k1.AddNonConst(&p, &base, &p)
		}
		base = p // the sixteenth
	}
	affine(flat)
	for i := range t {
		copy(t[i][:], flat[i*len(t[i]):])
	}
	return t
}

// multiply returns k times the table's point.
func (t *table) multiply(k *secp256k1.ModNScalar) (product secp256k1.JacobianPoint) {
	b := k.Bytes()
	for i := range t {
		digit := b[len(b)-1-i/2] >> (i % 2 * 4) & 15
		if digit != 0 {
			secp256k1.AddNonConst(&product, &t[i][digit-1], &product)
		}
	}
	return product
}
