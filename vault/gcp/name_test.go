package gcp

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

// A name that parse accepts must identify that secret and no other.
func FuzzParse(f *testing.F) {
	for _, name := range []string{
		"app", "app?version=3", "projects/p/secrets/app", "projects/12/secrets/app/versions/3",
		"projects/p/secrets/app?version=latest", "projects/p-evil/secrets/..", "a?version=1?version=2", "projects/p/locations/l/secrets/a", "",
	} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		r, err := parse(name)
		if err != nil {
			if p := (vault.Problem{}); !errors.As(err, &p) || p.Kind != vault.ErrName || p.Detail == "" || r != (ref{}) {
				t.Errorf("parse(%q) = %+v, %v; want ErrName and the rule", name, r, err)
			}
			return
		}
		if r.check("p") != nil {
			return
		}
		full := r.versionName("p")
		if project, version := splitName(full); project != "p" || version == "" || strings.Count(full, "/") != 5 {
			t.Errorf("parse(%q) leads to %q", name, full)
		}
		if again, err := parse(full); err != nil || again.secret != r.secret {
			t.Errorf("parse(%q) = %+v, %v; want the secret of %q", full, again, err, name)
		}
	})
}
