package hashicorp

import (
	"errors"
	stdpath "path"
	"testing"

	"github.com/envdrift/envdrift/vault"
)

func TestLocate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		mount string
		want  path
		bad   bool
	}{
		{name: "app", want: path{"app", "app", 0}},
		{name: "team/app", want: path{"team/app", "team/app", 0}},
		{name: "/team/app", want: path{"team/app", "team/app", 0}},
		{name: "app?version=3", want: path{"app", "app", 3}},
		{name: "me@example.org", want: path{"me@example.org", "me@example.org", 0}},
		{name: "secret/app", want: path{"app", "app", 0}},
		{name: "secret/data/app", want: path{"app", "data/app", 0}},
		{name: "secret/data/app?version=12", want: path{"app", "data/app", 12}},
		{name: "secret/secret/app", want: path{"secret/app", "secret/app", 0}},
		{name: "data/app", want: path{"data/app", "data/app", 0}},
		{name: "secretly", want: path{"secretly", "secretly", 0}},
		{name: "team/kv/app", mount: "team/kv", want: path{"app", "app", 0}},
		{name: "secret/app", mount: "team/kv", want: path{"secret/app", "secret/app", 0}},
		{name: "", bad: true},
		{name: "/", bad: true},
		{name: "secret/", bad: true},
		{name: "app/", bad: true},
		{name: "a//b", bad: true},
		{name: "../sys/seal", bad: true},
		{name: "a/../b", bad: true},
		{name: "a/./b", bad: true},
		{name: "a\nb", bad: true},
		{name: "app?", bad: true},
		{name: "app?version=", bad: true},
		{name: "app?version=0", bad: true},
		{name: "app?version=-1", bad: true},
		{name: "app?version=latest", bad: true},
		{name: "app?list=1", bad: true},
		{name: "app?version=1?version=2", bad: true},
	}
	for _, tt := range tests {
		s := &Store{mount: "secret"}
		if tt.mount != "" {
			s.mount = tt.mount
		}
		got, err := s.locate(tt.name)
		if got != tt.want || (err != nil) != tt.bad {
			t.Errorf("mount %q: locate(%q) = %+v, %v; want %+v, error %t", s.mount, tt.name, got, err, tt.want, tt.bad)
		}
	}
}

// FuzzLocate checks that no name leads out of the mount.
func FuzzLocate(f *testing.F) {
	for _, name := range []string{"app", "secret/data/app?version=3", "../sys/seal", "a/./b", "a//b", "\xff", "%2e%2e/a"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := (&Store{mount: "secret"}).locate(name)
		var p vault.Problem
		switch {
		case errors.As(err, &p) && p.Kind == vault.ErrName && p.Detail != "":
		case err != nil:
			t.Errorf("locate(%q) = %v; want the rule, as ErrName", name, err)
		case stdpath.Join("/v1/secret/data", got.data) != "/v1/secret/data/"+got.data,
			stdpath.Join("/v1/secret", got.plain) != "/v1/secret/"+got.plain, got.version < 0:
			t.Errorf("locate(%q) = %+v, which the SDK would rewrite", name, got)
		}
	})
}
