package ecies

import (
	"encoding/hex"
	"errors"
	"os"
	"strings"
	"testing"
)

// TestWycheproof multiplies the points of Project Wycheproof.
func TestWycheproof(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("testdata/wycheproof.txt")
	if err != nil {
		t.Fatal(err)
	}
	tests := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if f[0] == "#" {
			continue
		}
		tests++
		k, err1 := hex.DecodeString(f[1])
		public, err2 := hex.DecodeString(f[2])
		if err := errors.Join(err1, err2); err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePublicKey(f[2]); (err != nil) != (f[3] == "invalid") {
			t.Errorf("%s: ParsePublicKey: %v; want %s", f[0], err, f[3])
		} else if err != nil {
			continue
		}
		p := parseAffine(public)
		got := toAffine([]jacobian{p.multiply((*scalar)(k)), newTable(&p).multiply((*scalar)(k))})
		if x := hex.EncodeToString(got[0].bytes()[1:33]); x != f[3] || got[1] != got[0] {
			t.Errorf("%s: x = %s; want %s", f[0], x, f[3])
		}
	}
	if tests != 491 {
		t.Errorf("%d tests", tests)
	}
}
