package runner_test

import (
	"slices"

	"testing"

	"github.com/envdrift/envdrift/runner"
)

func TestEnviron(t *testing.T) {
	t.Parallel()
	e := runner.FromList([]string{"B=1", "A=x=y", "B=2", "", "=", "=drive", "junk", "C="})
	e.Set("D", "multi\nline")
	e.Set("C", "3")
	e.Delete("A")
	e.Delete("none")
	if got, want := e.List(), []string{"B=2", "C=3", "D=multi\nline"}; !slices.Equal(got, want) {
		t.Errorf("List = %q; want %q", got, want)
	}
	if v, ok := e.Lookup("B"); v != "2" || !ok {
		t.Errorf("Lookup(B) = %q, %t; want 2", v, ok)
	}
	if v, ok := e.Lookup("A"); v != "" || ok {
		t.Errorf("Lookup(A) = %q, %t; want nothing", v, ok)
	}
	clone := e.Clone()
	clone.Delete("B")
	if got := e.Names(); !slices.Equal(got, []string{"B", "C", "D"}) {
		t.Errorf("Names = %q after a change of the clone", got)
	}
}

func TestZeroEnviron(t *testing.T) {
	t.Parallel()
	var e runner.Environ
	e.Delete("A")
	if got := e.List(); got == nil || len(got) != 0 {
		t.Errorf("List of the zero Environ = %#v; want an empty list, since nil means to inherit", got)
	}
	clone := e.Clone()
	clone.Set("A", "1")
	e.Set("A", "2")
	if got := e.List(); !slices.Equal(got, []string{"A=2"}) {
		t.Errorf("List = %q; want A=2", got)
	}
}

func TestValidName(t *testing.T) {
	t.Parallel()
	tests := map[string]bool{
		"A": true, "_": true, "a1_B": true,
		"": false, "1A": false, "A-B": false, "A.B": false, "A=": false, "É": false, "A B": false, "A\x00": false,
	}
	for name, want := range tests {
		if got := runner.ValidName(name); got != want {
			t.Errorf("ValidName(%q) = %t; want %t", name, got, want)
		}
	}
}
