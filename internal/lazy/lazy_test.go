package lazy_test

import (
	"testing"

	"github.com/envdrift/envdrift/internal/lazy"
)

func TestRegexp(t *testing.T) {
	t.Parallel()
	digits := lazy.Regexp(`^[0-9]+$`)
	first := digits()
	if !first.MatchString("42") || first.MatchString("x") || digits() != first {
		t.Error("Regexp does not return the one expression")
	}
	wrong := lazy.Regexp(`(`)
	defer func() {
		if recover() == nil {
			t.Error("an expression that does not parse: no panic")
		}
	}()
	wrong()
}
