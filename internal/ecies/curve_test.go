package ecies

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"math/big"
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"testing"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"

	field "github.com/envdrift/envdrift/internal/ecies/secp256k1montgomery"
)

var (
	// prime is the number of elements of the field: SEC 2, 2.4.1.
	prime = number("fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f")

	// lambda is the λ of the constants in curve.go, from libsecp256k1 too.
	lambda = number("5363ad4cc05c30e0a5261c028812645a122e22ea20816678df02967c1b23bd72")
)

func elementOf(n *big.Int) element { return parseElement(n.FillBytes(make([]byte, elementSize))) }

func (d *digits) sum(column int) *big.Int {
	n := new(big.Int)
	for i := len(d) - 1; i >= 0; i-- {
		n.Add(n.Lsh(n, 1), big.NewInt(int64(d[i][column])))
	}
	return n
}

func scalarOf(n *big.Int) *scalar {
	var k scalar
	new(big.Int).Mod(n, order).FillBytes(k[:])
	return &k
}

func randomScalar(t testing.TB) *scalar {
	t.Helper()
	n, err := rand.Int(rand.Reader, order)
	if err != nil {
		t.Fatal(err)
	}
	return scalarOf(n)
}

// edges are numbers at which carries and cases of the algorithms change.
func edges() []*big.Int {
	var list []*big.Int
	around := func(n *big.Int) {
		for d := int64(-2); d <= 2; d++ {
			list = append(list, new(big.Int).Add(n, big.NewInt(d)))
		}
	}
	for _, n := range []*big.Int{new(big.Int), order, prime, lambda, a1, new(big.Int).Neg(b1), a2, new(big.Int).Rsh(order, 1)} {
		around(n)
		around(new(big.Int).Mul(n, lambda))
	}
	for bit := uint(4); bit <= 256; bit++ {
		around(new(big.Int).Lsh(big.NewInt(1), bit))
	}
	low := number("ffffffffffffffffffffffffffffffff")
	return append(list, low, new(big.Int).Lsh(low, 128), // one half zero
		number("5555555555555555555555555555555555555555555555555555555555555555"),
		number("8888888888888888888888888888888888888888888888888888888888888888"),
		number("10000000000000000ffffffffffffffff0000000000000000ffffffffffffffff"))
}

// TestConstants checks what curve.go says of its constants.
func TestConstants(t *testing.T) {
	t.Parallel()
	power := func(n, modulus *big.Int) *big.Int { return new(big.Int).Exp(n, big.NewInt(3), modulus) }
	isOne := func(n *big.Int) bool { return n.Cmp(big.NewInt(1)) == 0 }
	b := new(big.Int).SetBytes(appendElement(nil, &beta))
	if !isOne(power(lambda, order)) || isOne(lambda) || !isOne(power(b, prime)) || isOne(b) {
		t.Error("λ or β is not a third root of one")
	}
	for _, v := range [][2]*big.Int{{a1, b1}, {a2, a1}} {
		n := new(big.Int).Mul(v[1], lambda)
		if n.Add(n, v[0]).Mod(n, order).Sign() != 0 {
			t.Errorf("%x + %x·λ is not 0", v[0], v[1])
		}
	}
	params := secp256k1.Params()
	if order.Cmp(params.N) != 0 || prime.Cmp(params.P) != 0 {
		t.Error("the order or the prime is not decred's")
	}
	if want := secp256k1.PrivKeyFromBytes([]byte{1}).PubKey(); !bytes.Equal(generator.bytes(), want.SerializeUncompressed()) {
		t.Error("the generator is not decred's")
	}
	if got, want := toAffine([]jacobian{generator.multiply(scalarOf(lambda))})[0], generator; got.y != want.y || got.x == want.x {
		t.Error("λ·G has another y")
	} else if field.Mul(&want.x, &want.x, &beta); got != want {
		t.Error("λ·(x, y) is not (β·x, y)")
	}
}

// checkField compares the field's operations with math/big, and by its laws.
func checkField(t testing.TB, a, b *big.Int) {
	t.Helper()
	x, y := elementOf(a), elementOf(b)
	check := func(what string, got element, want *big.Int) {
		t.Helper()
		want.Mod(want, prime)
		if n := new(big.Int).SetBytes(appendElement(nil, &got)); n.Cmp(want) != 0 || got != elementOf(want) {
			t.Errorf("%s of %x and %x = %x; want %x", what, a, b, n, want)
		}
	}
	var r, s element
	field.Mul(&r, &x, &y)
	check("product", r, new(big.Int).Mul(a, b))
	field.Square(&r, &x)
	check("square", r, new(big.Int).Mul(a, a))
	field.Add(&r, &x, &y)
	check("sum", r, new(big.Int).Add(a, b))
	field.Sub(&r, &x, &y)
	check("difference", r, new(big.Int).Sub(a, b))
	field.Opp(&r, &x)
	check("negative", r, new(big.Int).Neg(a))

	field.Add(&r, &x, &y) // (a+b)² - (a-b)² = 4ab, in place
	field.Square(&r, &r)
	field.Sub(&s, &x, &y)
	field.Square(&s, &s)
	field.Sub(&r, &r, &s)
	field.Mul(&s, &x, &y)
	field.Add(&s, &s, &s)
	field.Add(&s, &s, &s)
	if r != s {
		t.Errorf("(a+b)² - (a-b)² is not 4ab for %x and %x", a, b)
	}
	want := one
	if a.Sign() == 0 {
		want = element{}
	}
	r = invert(&x)
	if field.Mul(&r, &r, &x); r != want {
		t.Errorf("1/a times a = %x for %x", r, a)
	}
}

func TestField(t *testing.T) {
	t.Parallel()
	var numbers []*big.Int
	for _, n := range edges() {
		numbers = append(numbers, new(big.Int).Mod(n, prime))
	}
	for i, a := range numbers {
		checkField(t, a, numbers[len(numbers)-1-i])
		checkField(t, a, new(big.Int).Sub(prime, big.NewInt(1)))
		random, err := rand.Int(rand.Reader, prime)
		if err != nil {
			t.Fatal(err)
		}
		checkField(t, a, random)
		checkField(t, random, a)
	}
}

// checkDigits checks that the digits of k are those of k, and few.
func checkDigits(t testing.TB, k *scalar) {
	t.Helper()
	k1, k2 := split(k)
	n := new(big.Int).Mul(k2, lambda)
	if n.Add(n, k1).Mod(n, order).Cmp(new(big.Int).SetBytes(k[:])) != 0 || k1.BitLen() > 128 || k2.BitLen() > 128 {
		t.Errorf("split of %x = %x, %x", *k, k1, k2)
	}
	d := newDigits(k)
	for column, want := range []*big.Int{k1, k2} {
		if d.sum(column).Cmp(want) != 0 {
			t.Errorf("the digits of %x are those of %x", want, d.sum(column))
		}
		last := -window
		for i := range d {
			switch digit := d[i][column]; {
			case digit == 0:
			case digit%2 == 0 || digit/2 >= entries || digit/2 <= -entries || i < last+window:
				t.Errorf("digit %d of %x is %d, the one before is at %d", i, want, digit, last)
			default:
				last = i
			}
		}
	}
}

// decredMultiply is the oracle.
func decredMultiply(k *scalar, p *affine) affine {
	public, err := secp256k1.ParsePubKey(p.bytes())
	if err != nil {
		panic(err)
	}
	var n secp256k1.ModNScalar
	n.SetBytes((*[32]byte)(k))
	var point secp256k1.JacobianPoint
	public.AsJacobian(&point)
	secp256k1.ScalarMultNonConst(&n, &point, &point)
	return fromDecred(&point)
}

// checkProduct compares k·p, computed in each way that there is, with decred's.
func checkProduct(t testing.TB, k *scalar, p *affine, more ...multiplier) {
	t.Helper()
	want := decredMultiply(k, p)
	for _, m := range append(more, p) {
		if got := toAffine([]jacobian{m.multiply(k)})[0]; got != want {
			t.Fatalf("%x times %x by %T = %x; want %x", *k, p.bytes(), m, got.bytes(), want.bytes())
		}
	}
}

// TestEdgeScalars multiplies by scalars of all kinds; 0 gives infinity.
func TestEdgeScalars(t *testing.T) {
	t.Parallel()
	p := toAffine([]jacobian{generator.multiply(randomScalar(t))})[0]
	tables := map[*affine]*table{&p: newTable(&p), &generator: newTable(&generator)}
	for _, n := range edges() {
		k := scalarOf(n)
		checkDigits(t, k)
		for p, table := range tables {
			checkProduct(t, k, p, table)
		}
	}
	for range 200 {
		k := randomScalar(t)
		checkDigits(t, k)
		checkProduct(t, k, &p, tables[&p])
	}
	for p, table := range tables {
		if a, b := p.multiply(new(scalar)), table.multiply(new(scalar)); !a.isInfinity() || !b.isInfinity() {
			t.Error("0 times a point is not infinity")
		}
	}
}

// TestEdgePoints multiplies points with coordinates near 0, near p and near the
// order, the generator's multiples, and the negatives and images of them.
func TestEdgePoints(t *testing.T) {
	t.Parallel()
	var points []affine
	for _, n := range edges() {
		x := new(big.Int).Mod(n, prime)
		compressed := append([]byte{2}, x.FillBytes(make([]byte, 32))...)
		if public, err := secp256k1.ParsePubKey(compressed); err == nil {
			points = append(points, parseAffine(public.SerializeUncompressed()))
		}
	}
	for n := range int64(40) {
		points = append(points, toAffine([]jacobian{generator.multiply(scalarOf(big.NewInt(n + 1)))})...)
	}
	if len(points) < 300 {
		t.Errorf("%d points", len(points))
	}
	for _, p := range points {
		negative, image := p, p
		field.Opp(&negative.y, &negative.y)
		field.Mul(&image.x, &image.x, &beta)
		for _, p := range []affine{p, negative, image} {
			checkProduct(t, randomScalar(t), &p)
		}
	}
}

// TestAdd adds what the formula does not cover: equal and opposite points and
// infinity, with all z.
func TestAdd(t *testing.T) {
	t.Parallel()
	p := toAffine([]jacobian{generator.multiply(randomScalar(t))})[0]
	negative := p
	field.Opp(&negative.y, &negative.y)
	double := toAffine([]jacobian{p.multiply(scalarOf(big.NewInt(2)))})[0]
	minus := toAffine([]jacobian{p.multiply(scalarOf(big.NewInt(-1)))})[0]
	if minus != negative {
		t.Error("-1 times a point is not its negative")
	}
	for _, z := range []*big.Int{big.NewInt(1), big.NewInt(2), new(big.Int).Sub(prime, big.NewInt(1)), new(big.Int).SetBytes(randomScalar(t)[:])} {
		e := elementOf(z)
		start := p
		start.scale(&e)
		sums := make([]jacobian, 5)
		for i := range 4 {
			sums[i] = jacobian{start.x, start.y, e}
		}
		sums[0].add(&p)        // 2p
		sums[1].add(&negative) // infinity
		sums[2].add(&negative)
		sums[2].double()
		sums[2].add(&p) // p, from infinity
		sums[3].add(&double)
		sums[3].add(&negative)
		sums[3].add(&negative) // p
		sums[4].double()       // infinity
		if want := []affine{double, {}, p, p, {}}; !slices.Equal(toAffine(sums), want) || !sums[1].isInfinity() {
			t.Errorf("z = %x: the sums are %x; want %x", z, toAffine(sums), want)
		}
	}
	if got := toAffine(nil); len(got) != 0 {
		t.Errorf("toAffine(nil) = %x", got)
	}
	if got := toAffine(make([]jacobian, 2)); !slices.Equal(got, make([]affine, 2)) {
		t.Errorf("toAffine of infinity = %x", got)
	}
}

// TestBatch multiplies equal and opposite points together, and others that share
// a coordinate, with infinity among them.
func TestBatch(t *testing.T) {
	t.Parallel()
	k := randomScalar(t)
	p := toAffine([]jacobian{generator.multiply(randomScalar(t))})[0]
	negative, image := p, p
	field.Opp(&negative.y, &negative.y)
	field.Mul(&image.x, &image.x, &beta)
	var products []jacobian
	var want []affine
	for _, p := range []affine{p, negative, p, image, generator, negative} {
		products = append(products, newDigits(k).multiply(&p), p.multiply(new(scalar)))
		want = append(want, decredMultiply(k, &p), affine{})
	}
	if got := toAffine(products); !slices.Equal(got, want) {
		t.Errorf("the products are %x; want %x", got, want)
	}
}

// TestUnreducedPoint refuses points of the curve whose x is given as x + p.
func TestUnreducedPoint(t *testing.T) {
	t.Parallel()
	found := 0
	for n := range int64(20) {
		x := big.NewInt(n)
		public, err := secp256k1.ParsePubKey(append([]byte{2}, x.FillBytes(make([]byte, 32))...))
		if err != nil {
			continue
		}
		found++
		message := append(public.SerializeUncompressed(), make([]byte, nonceSize+tagSize)...)
		if _, err := parse(Prefix + base64.StdEncoding.EncodeToString(message)); err != nil {
			t.Errorf("x = %d: %v", n, err)
		}
		x.Add(x, prime).FillBytes(message[1:33])
		_, err = parse(Prefix + base64.StdEncoding.EncodeToString(message))
		if want := "malformed encrypted value: its ephemeral key is not on the curve"; fmt.Sprint(err) != want {
			t.Errorf("x = p + %d: %v; want %s", n, err, want)
		}
	}
	if found < 5 {
		t.Errorf("%d points have a small x", found)
	}
}

// TestProducts compares random products with decred's: as many as the
// environment's ECIES_PRODUCTS says, and otherwise a few thousand. Only the first
// of 1,000 is decred's multiplication, since that takes most of the time; from
// there decred adds, to k·P either d·P, and k becomes k + d, or k·R, and P becomes
// P + R. The last is multiplied again.
func TestProducts(t *testing.T) {
	t.Parallel()
	products, chain := 4000, 1000
	if s := os.Getenv("ECIES_PRODUCTS"); s != "" {
		var err error
		if products, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	var wg sync.WaitGroup
	chains := make(chan bool)
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for scalars := range chains {
				checkChain(t, chain, scalars)
			}
		})
	}
	for i := range (products + chain - 1) / chain {
		chains <- i%2 == 0
	}
	close(chains)
	wg.Wait()
}

func checkChain(t *testing.T, n int, scalars bool) {
	var p, r, sum, step secp256k1.JacobianPoint
	secp256k1.PrivKeyFromBytes(randomScalar(t)[:]).PubKey().AsJacobian(&p)
	k, d := secp256k1.PrivKeyFromBytes(randomScalar(t)[:]).Key, secp256k1.PrivKeyFromBytes(randomScalar(t)[:])
	d.PubKey().AsJacobian(&r)
	secp256k1.ScalarMultNonConst(&k, &p, &sum)
	if scalars {
		secp256k1.ScalarMultNonConst(&d.Key, &p, &step)
	} else {
		secp256k1.ScalarMultNonConst(&k, &r, &step)
	}
	products, want := make([]jacobian, n), make([]affine, n)
	for i := range n {
		point, number := fromDecred(&p), scalar(k.Bytes())
		products[i], want[i] = point.multiply(&number), fromDecred(&sum)
		if i == n-1 {
			secp256k1.ScalarMultNonConst(&k, &p, &sum)
			if fromDecred(&sum) != want[i] {
				t.Error("decred's sums are not its products")
			}
			break
		}
		secp256k1.AddNonConst(&sum, &step, &sum)
		if scalars {
			k.Add(&d.Key)
		} else {
			secp256k1.AddNonConst(&p, &r, &p)
		}
	}
	for i, got := range toAffine(products) {
		if got != want[i] {
			t.Errorf("a product of a chain is %x; want %x", got.bytes(), want[i].bytes())
		}
	}
}

// fromDecred returns p, after making it affine.
func fromDecred(p *secp256k1.JacobianPoint) affine {
	p.ToAffine()
	return parseAffine(secp256k1.NewPublicKey(&p.X, &p.Y).SerializeUncompressed())
}
