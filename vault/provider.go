package vault

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
)

// A Provider is one kind of vault: its name, its settings, and how it is
// opened. Code that reads, writes, documents or trusts a configuration uses the
// Settings. They need no SDK, so a build without the provider's SDK still
// understands a configuration that has them.
type Provider struct {
	Name     string
	Settings []Setting // the keys of [vault.NAME], in the order of a trusted endpoint
	Local    bool      // is sent no credential
	Env      []string  // how the names of its variables begin, credentials among them
	Open     OpenFunc  // nil in a description without one

	// Check returns why Open would not start its program. It is nil if there is none.
	Check func(Config) error

	// Many providers have one description: that of "exec" is for "exec:pass", too, and
	// each name a user gave to a program. Program returns that program's path, "" for none.
	Many    bool
	Program func(provider string) string
}

// An OpenFunc returns the store that a configuration describes. It sends
// nothing. Its errors are [*Error] of kind ErrConfig.
type OpenFunc func(context.Context, Config) (Store, error)

// Opener makes an OpenFunc of a provider's own Open. If that fails, it returns
// no store: a nil *S in a Store would not be nil.
func Opener[S Store](open func(context.Context, Config) (S, error)) OpenFunc {
	return func(ctx context.Context, cfg Config) (Store, error) {
		s, err := open(ctx, cfg)
		if err != nil {
			return nil, err
		}
		return s, nil
	}
}

// A Kind determines which values a [Setting] accepts.
type Kind int

// The kinds of settings.
const (
	Text   Kind = iota
	Mount       // text; slashes at its ends do not count
	URL         // https, or http on this machine
	Path        // below the configuration's directory
	Enum        // one of Values
	Number      // a whole number from Least to Most, above 0
	Table       // texts by their keys; its value is a JSON object
)

// A Setting is one key of a provider's section.
type Setting struct {
	Key         string
	Kind        Kind
	Values      []string // of an Enum
	Least, Most int64    // of a Number

	// Field returns the address of the value in a Config, Int that of a
	// Number. If neither is set, the value is in Config.Extra.
	Field func(*Config) *string
	Int   func(*Config) *int

	Required bool   // the provider's own tools cannot supply it
	Flag     string // that sets it, such as "--region"
	Env      string // the variable that is read if nothing else sets it
	Token    string // the variable with the credential for the address in Env
	Example  string // for a new configuration; "" to leave the key out

	// ByName returns the value for the vault called name. like is the value
	// of a vault that is already configured, or "". ByName is nil if names
	// do not determine vaults.
	ByName func(name, like string) (value string, ok bool)

	// For trust: every setting is part of a trusted endpoint unless it is
	// Harmless.
	Label    string // in the endpoint; default its key
	Harmless bool   // has no influence on where a credential goes
	Names    bool   // a user who sets it by Flag or Env has named the vault
	Diverts  bool   // sends the credential to another address than Names says

	// Vendor reports whether a credential that goes where value says reaches
	// nobody but the vendor. If it is nil, that is so unless the setting is a
	// URL or Diverts.
	Vendor func(value string) bool
}

// Of returns the setting's value in cfg, or "".
func (s Setting) Of(cfg Config) string {
	switch {
	case s.Field != nil:
		return *s.Field(&cfg)
	case s.Int == nil:
		return cfg.Extra[s.Key]
	}
	if n := *s.Int(&cfg); n != 0 {
		return strconv.Itoa(n)
	}
	return ""
}

// Set changes the setting's value in cfg. That of an Int is a whole number.
func (s Setting) Set(cfg *Config, value string) {
	switch {
	case s.Field != nil:
		*s.Field(cfg) = value
	case s.Int != nil:
		*s.Int(cfg), _ = strconv.Atoi(value) // 0, as if not set, for anything else
	default:
		extra := maps.Clone(cfg.Extra) // another Config may share it
		if extra == nil {
			extra = map[string]string{}
		}
		extra[s.Key] = value
		cfg.Extra = extra
	}
}

// Providers are the kinds of vaults that a program knows. The first one is the
// default.
type Providers []Provider

// Names returns the providers' names in their order, and "exec:NAME" for many.
func (ps Providers) Names() []string {
	names := make([]string, len(ps))
	for i, p := range ps {
		if names[i] = p.Name; p.Many {
			names[i] += ":NAME"
		}
	}
	return names
}

// Default returns the name of the first provider.
func (ps Providers) Default() string {
	if len(ps) == 0 {
		return ""
	}
	return ps[0].Name
}

// Find returns the provider of that name. Of many, it has the name that was asked for.
func (ps Providers) Find(name string) (Provider, bool) {
	section, program, many := strings.Cut(name, ":")
	i := slices.IndexFunc(ps, func(p Provider) bool { return p.Name == section && p.Many == many })
	if i < 0 || many && !IsProgramName(program) {
		return Provider{}, false
	}
	p := ps[i]
	p.Name = name
	return p, true
}

// SectionOf returns the section of a configuration that has a provider's settings.
func SectionOf(provider string) string {
	section, _, _ := strings.Cut(provider, ":")
	return section
}

// IsProgramName reports whether a user may give a program that name.
func IsProgramName(name string) bool {
	for i, r := range name {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		if !letter && (i == 0 || !strings.ContainsRune("._-", r)) {
			return false
		}
	}
	return name != "" && len(name) <= 64
}

// Open returns the store of cfg.Provider. It sends nothing. Errors are
// [*Error] of kind ErrConfig.
func (ps Providers) Open(ctx context.Context, cfg Config) (Store, error) {
	p, known := ps.Find(cfg.Provider)
	switch {
	case !known:
		return nil, notOpened(cfg.Provider, "envdrift knows "+list(ps.Names()))
	case p.Open == nil:
		return nil, notOpened(cfg.Provider, "nothing here opens it")
	}
	// net/http and gRPC read this when the process starts, before anything
	// could unset it.
	if !p.Local && strings.Contains(os.Getenv("GODEBUG"), "http2debug=") {
		return nil, notOpened(cfg.Provider, "GODEBUG=http2debug would print tokens and keys; unset it")
	}
	return p.Open(ctx, cfg)
}

func notOpened(provider, why string) error {
	return NewProblem(ErrConfig, why, "").Of("open", fmt.Sprintf("provider %q", provider), "")
}

// list joins words as in a sentence: a, b and c.
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
