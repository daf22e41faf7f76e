package workspace

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
)

// Consent says how the user agrees that a vault gets credentials.
type Consent int

const (
	// FirstUse agrees to the vaults of a clone that has agreed to none.
	FirstUse Consent = iota
	// Ask asks for each.
	Ask
	// Never agrees to nothing new, as in a hook.
	Never
	// CI agrees to what the job itself names, and asks nothing: a branch can
	// change the configuration, but not the job's environment. A vault that
	// only the vendor serves gets no credential that it could misuse.
	CI
)

// RepositoryID returns what all working trees of a clone share. Pins are kept
// under it.
func (w *Workspace) RepositoryID(ctx context.Context) (string, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return "", err
	}
	if repo == nil {
		return w.Top, nil
	}
	return repo.CommonDir, nil
}

// Endpoints returns the vaults of the configuration's mappings that get a
// credential, those for which include is true.
func (w *Workspace) Endpoints(include func(vault.Config) bool) ([]trust.Endpoint, error) {
	var endpoints []trust.Endpoint
	for _, m := range w.Config.Mappings {
		cfg, err := w.Config.VaultOf(m)
		if err != nil {
			return nil, err
		}
		if e := trust.EndpointOf(w.options.Overrides.Providers, cfg); e != "" && include(cfg) {
			endpoints = append(endpoints, e)
		}
	}
	slices.Sort(endpoints)
	return slices.Compact(endpoints), nil
}

// Trusted yields each of the Endpoints, and a [*TrustError] for one that was not
// agreed to in this clone.
func (w *Workspace) Trusted(ctx context.Context) iter.Seq2[trust.Endpoint, error] {
	return func(yield func(trust.Endpoint, error) bool) {
		endpoints, err := w.Endpoints(func(vault.Config) bool { return true })
		if err != nil || len(endpoints) == 0 {
			return // a wrong vault is reported with the configuration
		}
		pinned, err := w.pinned(ctx)
		for _, e := range endpoints {
			problem := err
			if err == nil && !slices.Contains(pinned, e) {
				problem = &TrustError{Endpoint: e, Pinned: pinned}
			}
			if !yield(e, problem) {
				return
			}
		}
	}
}

// pinned returns what this clone agreed to.
func (w *Workspace) pinned(ctx context.Context) ([]trust.Endpoint, error) {
	pins, err := trust.At(w.Getenv)
	if err != nil {
		return nil, err
	}
	repository, err := w.RepositoryID(ctx)
	if err != nil {
		return nil, err
	}
	return pins.Of(repository)
}

// A TrustError reports a vault that the user did not agree to.
type TrustError struct {
	Endpoint trust.Endpoint
	Pinned   []trust.Endpoint // what the user agreed to
	Setting  string           // the variable that a CI job needs; "" elsewhere
}

func (e *TrustError) Error() string {
	if e.Setting != "" {
		return fmt.Sprintf("not contacted: this CI job names no vault, only the repository does: %s", e.Endpoint)
	}
	if len(e.Pinned) == 0 {
		return fmt.Sprintf("not contacted: you have not trusted %s in this clone", e.Endpoint)
	}
	words := make([]string, len(e.Pinned))
	for i, p := range e.Pinned {
		words[i] = string(p)
	}
	return fmt.Sprintf("not contacted: this repository names %s, but you trusted %s", e.Endpoint, strings.Join(words, "; "))
}

// TrustAll agrees to every vault of the configuration, and to the keys of those in
// the repository, as far as a typed command does.
func (w *Workspace) TrustAll(ctx context.Context) error {
	for _, m := range w.Config.Mappings {
		cfg, err := w.Config.VaultOf(m)
		if err == nil {
			err = w.trusts(ctx, cfg)
		}
		if err != nil {
			return err
		}
	}
	return w.trustLocal(ctx)
}

// TrustNamed agrees to the vault that the command line names, for later commands:
// whoever types its address has agreed to it.
func (w *Workspace) TrustNamed(ctx context.Context) error {
	if !w.options.Overrides.NamesVault() || w.options.Consent == CI {
		return nil
	}
	endpoints, incomplete := w.Endpoints(w.userNamedVault) // which the first use reports
	pins, noPlace := trust.At(w.Getenv)
	if len(endpoints) == 0 || incomplete != nil || noPlace != nil {
		return nil
	}
	repository, err := w.RepositoryID(ctx)
	if err != nil {
		return err
	}
	return pins.Pin(ctx, repository, endpoints...)
}

// trusts returns nil if the user agreed that the vault gets credentials, or
// does so now. A hook neither asks nor agrees.
func (w *Workspace) trusts(ctx context.Context, cfg vault.Config) error {
	if w.trustsAlready(cfg) {
		return nil
	}
	endpoint := trust.EndpointOf(w.options.Overrides.Providers, cfg)
	pins, err := trust.At(w.Getenv)
	if err != nil {
		return err
	}
	repository, err := w.RepositoryID(ctx)
	if err != nil {
		return err
	}
	pinned, err := pins.Of(repository)
	if err != nil || slices.Contains(pinned, endpoint) {
		return err
	}
	refused := &TrustError{Endpoint: endpoint, Pinned: pinned}
	elsewhere := w.tokenForOtherAddress(cfg)
	if elsewhere != "" {
		refused.Pinned = append(refused.Pinned, trust.Endpoint(elsewhere))
	}
	switch {
	case w.options.Consent == CI:
		if trust.AtVendor(w.options.Overrides.Providers, cfg) {
			return nil
		}
		refused.Setting = "ENVDRIFT_TRUST=" + trust.AddressOf(w.options.Overrides.Providers, cfg)
		return refused
	case w.options.Consent == Never:
		return refused
	case w.options.Consent == Ask:
		if !w.options.UI.Confirm(ctx, "This repository's configuration sends your vault credentials to:", "  "+string(endpoint), "Agree?") {
			return cmp.Or(ctx.Err(), error(refused))
		}
		w.agreed.granted[string(endpoint)] = true
	case len(refused.Pinned) > 0:
		return refused
	default:
		return w.firstUse(ctx, pins, repository, endpoint)
	}
	return pins.Pin(ctx, repository, endpoint)
}

// trustsAlready reports whether it is known without git that the user agreed.
func (w *Workspace) trustsAlready(cfg vault.Config) bool {
	endpoint := trust.EndpointOf(w.options.Overrides.Providers, cfg)
	if endpoint == "" || w.userNamedVault(cfg) {
		return true
	}
	pins, err := trust.At(w.Getenv)
	dir, plain := w.plainGitDir()
	if err != nil || !plain || !isOwn(w.Top) || !isOwn(dir) { // git decides whose it is
		return false
	}
	pinned, err := pins.Of(dir)
	return err == nil && slices.Contains(pinned, endpoint)
}

// firstUse agrees to endpoint and to the configuration's other vaults at once:
// after the first one, each further would look like a change.
func (w *Workspace) firstUse(ctx context.Context, pins trust.Pins, repository string, endpoint trust.Endpoint) error {
	endpoints, err := w.Endpoints(func(cfg vault.Config) bool { return w.tokenForOtherAddress(cfg) == "" })
	if err != nil {
		return err
	}
	if !slices.Contains(endpoints, endpoint) {
		endpoints = append(endpoints, endpoint)
	}
	for _, e := range endpoints {
		w.options.UI.Notice("trusting %s for this clone (envdrift trust --list shows all)", e)
	}
	return pins.Pin(ctx, repository, endpoints...)
}

// userNamedVault reports that the user, or the platform of a CI job, named the vault,
// not the repository. A flag names one vault, not those that mappings route to.
func (w *Workspace) userNamedVault(cfg vault.Config) bool {
	list := w.Getenv("ENVDRIFT_TRUST")
	if list == "1" || trust.Listed(w.options.Overrides.Providers, cfg, list) {
		return true
	}
	return trust.NamedByUser(w.options.Overrides.Providers, cfg, w.options.Overrides.Stated, w.Getenv)
}

// tokenForOtherAddress returns the address that the user's token belongs to, if
// it is another than the configuration's.
func (w *Workspace) tokenForOtherAddress(cfg vault.Config) string {
	return trust.TokenForOtherAddress(w.options.Overrides.Providers, cfg, w.Getenv)
}
