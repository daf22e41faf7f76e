package vault_test

import (
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

func TestMark(t *testing.T) {
	t.Parallel()
	one, two := vault.Mark("one"), vault.Mark("two")
	if one == two || one != vault.Mark("one") || !vault.IsMark(one) || vault.IsMark("1") || vault.IsMark("") {
		t.Errorf("marks %q, %q; want one for each text, told from versions", one, two)
	}
	// sha256("one") begins with 7692c3ad.
	if strings.Contains(one, "7692") {
		t.Errorf("Mark = %q, by which the text can be guessed", one)
	}
	for _, p := range []vault.Problem{vault.Stale("newest", one, two), vault.Stale("newest", "", one), vault.Stale("newest", one, "")} {
		if strings.Contains(p.Detail, one) || strings.Contains(p.Detail, two) {
			t.Errorf("Stale = %q; a mark tells users nothing", p.Detail)
		}
	}
}
