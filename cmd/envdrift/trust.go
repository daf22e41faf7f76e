package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/vault"
)

type trustFlags struct {
	list, revoke bool
	move         string
}

func (c *cli) addTrust(app *kingpin.Application) (string, command) {
	var f trustFlags
	cmd := app.Command("trust", "Agree that this repository's vaults get your credentials.").HelpLong(`
The configuration lies in the repository, so a branch can name another vault.
What you agreed to is kept outside of it; a vault that you did not agree to is
never contacted. The first command you type in a clone agrees by itself, or
asks on a terminal; a change needs this command.

Statuses: 0 done · 1 could not · 2 wrong usage or configuration
Example:  envdrift trust --list`)
	cmd.Flag("list", "Print what is trusted, for every repository.").BoolVar(&f.list)
	cmd.Flag("revoke", "Forget this repository.").BoolVar(&f.revoke)
	cmd.Flag("move", "Take over what was agreed for the clone that lay at OLD.").PlaceHolder("OLD").StringVar(&f.move)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.trust(ctx, f) }
}

func (c *cli) trust(ctx context.Context, f trustFlags) error {
	pins, err := trust.At(c.getenv)
	if err != nil {
		return err
	}
	if f.list {
		return c.listTrust(pins)
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	repository, err := s.repository(ctx)
	if err != nil {
		return err
	}
	switch {
	case f.revoke:
		return pins.Revoke(ctx, repository)
	case f.move != "":
		return pins.Move(ctx, f.move, repository)
	}
	endpoints, err := s.endpoints(func(vault.Config) bool { return true })
	if err != nil {
		return err
	}
	for _, e := range endpoints {
		s.add(row{Status: "trusted", Note: string(e)})
	}
	return pins.Pin(ctx, repository, endpoints...)
}

func (c *cli) listTrust(pins trust.Pins) error {
	all, err := pins.All()
	if err != nil {
		return err
	}
	if c.json {
		c.data = all
		return nil
	}
	for _, repository := range slices.Sorted(maps.Keys(all)) {
		for _, e := range all[repository] {
			fmt.Fprintf(c.stdout, "%s  %s\n", clean(repository), clean(string(e)))
		}
	}
	return nil
}

// repository is what all work trees of a clone share, to pin by.
func (s *session) repository(ctx context.Context) (string, error) {
	repo, err := s.git(ctx)
	if err != nil {
		return "", err
	}
	if repo == nil {
		return s.top, nil
	}
	return repo.CommonDir, nil
}

// endpoints gives the vaults of the configuration's mappings that include
// wants, of those that get a credential.
func (s *session) endpoints(include func(vault.Config) bool) ([]trust.Endpoint, error) {
	var endpoints []trust.Endpoint
	for _, m := range s.cfg.Mappings {
		cfg, err := s.cfg.VaultOf(m)
		if err != nil {
			return nil, err
		}
		if e := trust.EndpointOf(cfg); e != "" && include(cfg) {
			endpoints = append(endpoints, e)
		}
	}
	slices.Sort(endpoints)
	return slices.Compact(endpoints), nil
}

// A trustError reports a vault that the user did not agree to.
type trustError struct {
	endpoint trust.Endpoint
	pinned   []trust.Endpoint
	hook     bool
}

func (e *trustError) Error() string {
	if len(e.pinned) == 0 {
		return fmt.Sprintf("not contacted: %s was never agreed to in this clone", e.endpoint)
	}
	words := make([]string, len(e.pinned))
	for i, p := range e.pinned {
		words[i] = string(p)
	}
	return fmt.Sprintf("not contacted: this repository names %s, but you agreed to %s", e.endpoint, strings.Join(words, "; "))
}

// trustAll agrees to every vault of the configuration, as far as a typed
// command does.
func (s *session) trustAll(ctx context.Context) error {
	for _, m := range s.cfg.Mappings {
		cfg, err := s.cfg.VaultOf(m)
		if err == nil {
			err = s.trusts(ctx, cfg)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// trusts returns nil if the user agreed that the vault gets credentials, or
// does so now. A hook neither asks nor agrees.
func (s *session) trusts(ctx context.Context, cfg vault.Config) error {
	endpoint := trust.EndpointOf(cfg)
	if endpoint == "" || s.ownWord(cfg) {
		return nil
	}
	pins, err := trust.At(s.getenv)
	if err != nil {
		return err
	}
	repository, err := s.repository(ctx)
	if err != nil {
		return err
	}
	pinned, err := pins.Of(repository)
	if err != nil || slices.Contains(pinned, endpoint) {
		return err
	}
	refusal := &trustError{endpoint, pinned, s.hook}
	elsewhere := s.tokenElsewhere(cfg)
	if elsewhere != "" {
		refusal.pinned = append(refusal.pinned, trust.Endpoint(elsewhere))
	}
	switch {
	case s.hook:
		return refusal
	case s.tty && !s.json:
		if !s.ask(ctx, fmt.Sprintf("This repository's configuration sends your vault credentials to:\n  %s\nAgree?", endpoint)) {
			return cmp.Or(ctx.Err(), error(refusal))
		}
	case len(refusal.pinned) > 0:
		return refusal
	default:
		return s.firstUse(ctx, pins, repository, endpoint)
	}
	return pins.Pin(ctx, repository, endpoint)
}

// firstUse agrees to endpoint and to the configuration's other vaults at once:
// after the first one, each further would look like a change.
func (s *session) firstUse(ctx context.Context, pins trust.Pins, repository string, endpoint trust.Endpoint) error {
	endpoints, err := s.endpoints(func(cfg vault.Config) bool { return s.tokenElsewhere(cfg) == "" })
	if err != nil {
		return err
	}
	if !slices.Contains(endpoints, endpoint) {
		endpoints = append(endpoints, endpoint)
	}
	for _, e := range endpoints {
		s.say("trusting %s for this clone (envdrift trust --list shows all)", e)
	}
	return pins.Pin(ctx, repository, endpoints...)
}

// ownWord reports that the user, or the platform of a CI job, named the vault,
// not the repository. A flag names one vault, not those that mappings route to.
func (s *session) ownWord(cfg vault.Config) bool {
	if s.ci || s.env["ENVDRIFT_TRUST"] == "1" {
		return true
	}
	switch cfg.Provider {
	case "azure":
		return sameAddress(s.overrides.VaultURL, cfg.URL)
	case "hashicorp":
		return sameAddress(s.overrides.VaultURL, cfg.URL) || sameAddress(s.env["VAULT_ADDR"], cfg.URL)
	case "gcp":
		return s.overrides.ProjectID != "" && s.overrides.ProjectID == cfg.ProjectID && cfg.Endpoint == ""
	}
	return false
}

// tokenElsewhere gives the address that the user's token belongs to, if it is
// another than the configuration's.
func (s *session) tokenElsewhere(cfg vault.Config) string {
	address := s.env["VAULT_ADDR"]
	if cfg.Provider != "hashicorp" || address == "" || s.env["VAULT_TOKEN"] == "" || sameAddress(address, cfg.URL) {
		return ""
	}
	return "VAULT_ADDR " + address
}

// sameAddress reports whether a, which may be missing, is the address b.
func sameAddress(a, b string) bool {
	a, b = strings.TrimRight(strings.TrimSpace(a), "/"), strings.TrimRight(b, "/")
	return a != "" && a == b
}
