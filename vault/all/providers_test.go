package all_test

import (
	"slices"
	"testing"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for _, p := range all.Providers() {
		var keys []string
		for _, s := range p.Settings {
			checkSetting(t, p.Name, s)
			keys = append(keys, s.Key)
		}
		slices.Sort(keys)
		if len(slices.Compact(keys)) != len(p.Settings) {
			t.Errorf("%s has a setting twice: %q", p.Name, keys)
		}
		if p.Local != slices.Contains([]string{"age"}, p.Name) {
			t.Errorf("%s: Local is %t; a vault that is sent credentials needs the user's trust", p.Name, p.Local)
		}
	}
}

func checkSetting(t *testing.T, provider string, s vault.Setting) {
	t.Helper()
	switch {
	case (s.Kind == vault.Enum) != (len(s.Values) > 0):
		t.Errorf("%s.%s: only an Enum has values, and it has at least one", provider, s.Key)
	case s.Kind == vault.Number && (s.Least < 1 || s.Most < s.Least):
		t.Errorf("%s.%s: a Number is from %d to %d; want a range above 0", provider, s.Key, s.Least, s.Most)
	case s.Int != nil && (s.Kind != vault.Number || s.Field != nil):
		t.Errorf("%s.%s: Int is for a Number, which has no Field", provider, s.Key)
	case s.Token != "" && s.Env == "":
		t.Errorf("%s.%s: a token belongs to the address in Env", provider, s.Key)
	case s.Harmless && (s.Names || s.Diverts || s.Kind == vault.URL):
		t.Errorf("%s.%s: decides where a credential goes and is called harmless", provider, s.Key)
	}
	var cfg vault.Config
	if s.Set(&cfg, "2"); s.Of(cfg) != "2" {
		t.Errorf("%s.%s: after Set to 2 it is %q", provider, s.Key, s.Of(cfg))
	}
}
