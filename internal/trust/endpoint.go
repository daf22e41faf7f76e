package trust

import (
	"cmp"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// An Endpoint describes in text where a credential is sent: the provider, the
// address, and what selects an account there.
type Endpoint string

// EndpointOf describes the vault of cfg. It is empty for a vault that is sent
// no credential, and only the name for an unknown provider.
func EndpointOf(known vault.Providers, cfg vault.Config) Endpoint {
	p, _ := known.Find(cfg.Provider)
	if p.Local {
		return ""
	}
	words := []string{cfg.Provider}
	for _, s := range p.Settings {
		if value := s.Of(cfg); value != "" && !s.Harmless {
			words = append(words, strings.TrimSpace(label(s)+" "+value))
		}
	}
	return Endpoint(strings.Join(words, ", "))
}

// label returns the text before a setting's value. The vault's own address
// needs none.
func label(s vault.Setting) string {
	if s.Names && s.Kind == vault.URL {
		return ""
	}
	return cmp.Or(s.Label, s.Key)
}

// NamedByUser reports whether the user named the vault of cfg, by a flag or an
// environment variable, and not only the repository. stated returns the value
// of a flag.
func NamedByUser(known vault.Providers, cfg vault.Config, stated, getenv func(string) string) bool {
	p, _ := known.Find(cfg.Provider)
	named := false
	for _, s := range p.Settings {
		value := s.Of(cfg)
		if s.Diverts && value != "" {
			return false
		}
		if s.Names && (s.Flag != "" && same(stated(s.Flag), value) || s.Env != "" && same(getenv(s.Env), value)) {
			named = true
		}
	}
	return named
}

// TokenForOtherAddress returns the variable and the address that the user's
// token belongs to, if that is another address than the one in cfg.
func TokenForOtherAddress(known vault.Providers, cfg vault.Config, getenv func(string) string) string {
	p, _ := known.Find(cfg.Provider)
	for _, s := range p.Settings {
		if s.Token == "" || getenv(s.Token) == "" {
			continue
		}
		if address := getenv(s.Env); address != "" && !same(address, s.Of(cfg)) {
			return s.Env + " " + address
		}
	}
	return ""
}

// same reports whether a, which may be missing, is the address b.
func same(a, b string) bool {
	a, b = strings.TrimRight(strings.TrimSpace(a), "/"), strings.TrimRight(b, "/")
	return a != "" && a == b
}
