package ecies

import (
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
)

// TestTable compares the table's multiplication with the library's, for random
// scalars and for those with digits of all kinds.
func TestTable(t *testing.T) {
	t.Parallel()
	key, err := secp256k1.GeneratePrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	table := newTable(key.PubKey())
	scalars := []*secp256k1.ModNScalar{
		new(secp256k1.ModNScalar).SetInt(1), new(secp256k1.ModNScalar).SetInt(15),
		new(secp256k1.ModNScalar).SetInt(16), new(secp256k1.ModNScalar).SetInt(1).Negate(), new(secp256k1.ModNScalar).SetInt(2).Negate(),
	}
	for range 200 {
		random, err := secp256k1.GeneratePrivateKey()
		if err != nil {
			t.Fatal(err)
		}
		scalars = append(scalars, &random.Key)
	}
	for _, k := range scalars {
		var want secp256k1.JacobianPoint
		key.PubKey().AsJacobian(&want)
		secp256k1.ScalarMultNonConst(k, &want, &want)
		want.ToAffine()
		got := []secp256k1.JacobianPoint{{}, table.multiply(k), {}} // with others at infinity
		affine(got)
		if got[1] != want {
			t.Errorf("%v times a point = %v, %v; want %v, %v", k, got[1].X, got[1].Y, want.X, want.Y)
		}
	}
}
