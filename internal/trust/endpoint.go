package trust

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/envdrift/envdrift/vault"
)

// An Endpoint describes in text where a credential is sent: the provider, the
// address, and what selects an account there.
type Endpoint string

// EndpointOf describes the vault of cfg. It is empty for a vault that is sent
// no credential, also because its program is not registered, and only the name for an
// unknown provider.
func EndpointOf(known vault.Providers, cfg vault.Config) Endpoint {
	if p, _ := known.Find(cfg.Provider); p.Local || p.Program != nil && p.Program(cfg.Provider) == "" {
		return ""
	}
	return Endpoint(Place(known, cfg))
}

// Place describes where the vault of cfg keeps its secrets.
func Place(known vault.Providers, cfg vault.Config) string {
	p, _ := known.Find(cfg.Provider)
	words := []string{cfg.Provider}
	if p.Program != nil {
		words[0] = strings.TrimSpace(words[0] + " " + p.Program(cfg.Provider))
	}
	for _, s := range p.Settings {
		if value := s.Of(cfg); value != "" && !s.Harmless {
			words = append(words, strings.TrimSpace(label(s)+" "+value))
		}
	}
	return strings.Join(words, ", ")
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

// AddressOf returns the address that a credential for the vault of cfg is sent
// to, if the configuration says it.
func AddressOf(known vault.Providers, cfg vault.Config) string {
	p, _ := known.Find(cfg.Provider)
	if p.Many {
		return cfg.Provider
	}
	address := ""
	for _, s := range p.Settings {
		value := s.Of(cfg)
		if s.Diverts && value != "" {
			return value
		}
		if s.Names {
			address = value
		}
	}
	return address
}

// Listed reports whether the address of the vault of cfg is one of a list with
// commas or blanks.
func Listed(known vault.Providers, cfg vault.Config, list string) bool {
	address := AddressOf(known, cfg)
	return slices.ContainsFunc(strings.FieldsFunc(list, func(r rune) bool { return r == ',' || unicode.IsSpace(r) }), func(word string) bool {
		return same(word, address)
	})
}

// AtVendor reports whether a credential for the vault of cfg can only reach the
// vendor itself, whatever the configuration says.
func AtVendor(known vault.Providers, cfg vault.Config) bool {
	p, ok := known.Find(cfg.Provider)
	for _, s := range p.Settings {
		value := s.Of(cfg)
		switch {
		case value == "":
		case s.Vendor != nil:
			ok = ok && s.Vendor(value)
		case s.Kind == vault.URL, s.Diverts:
			return false
		}
	}
	return ok
}

// TokenForOtherAddress returns the variable and the address that the user's
// token belongs to, if that is another address than the one in cfg. The token
// may be in a variable or where the vault's own login keeps it.
func TokenForOtherAddress(known vault.Providers, cfg vault.Config, getenv func(string) string) string {
	p, _ := known.Find(cfg.Provider)
	for _, s := range p.Settings {
		if address := getenv(s.Env); s.Token != "" && address != "" && !same(address, s.Of(cfg)) {
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
