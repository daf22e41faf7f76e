package workspace_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// remoteMapped is like mapped, with a vault outside of the repository.
const remoteMapped = `[vault]
provider = "remote"
[vault.remote]
url = "https://a.example"
[[vault.sync.mappings]]
secret_name = "api"
folder_path = "api"
`

// agreed returns what was agreed to for api/.env.
func (p *place) agreed() trust.Agreement {
	p.t.Helper()
	all, err := p.pins().Agreements()
	if err != nil {
		p.t.Fatal(err)
	}
	return all[p.dir]["api/.env"]
}

// A vault's key and the file's header are changed together after the first use.
func TestChangedKey(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		config  string
		consent workspace.Consent
		agrees  bool
		expect  bool // the environment demands the first key
		taken   bool
		pinned  bool // both keys afterwards, else the first
	}{
		{name: "no terminal", config: mapped},
		{name: "a hook", config: mapped, consent: workspace.Never, agrees: true},
		{name: "CI", config: mapped, consent: workspace.CI, agrees: true},
		{name: "no", config: mapped, consent: workspace.Ask},
		{name: "yes", config: mapped, consent: workspace.Ask, agrees: true, taken: true, pinned: true},
		{name: "a key is demanded, yes", config: mapped, consent: workspace.Ask, agrees: true, expect: true},
		{name: "a vault elsewhere decides", config: remoteMapped, taken: true},
		{name: "a vault elsewhere, a hook", config: remoteMapped, consent: workspace.Never, taken: true},
		{name: "a vault elsewhere, a key is demanded", config: remoteMapped, expect: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, first, second := newPlace(t), newKey(t), newKey(t)
			address := ""
			if tt.config == remoteMapped {
				address = "https://a.example"
			}
			set := func(key *ecies.PrivateKey) {
				p.vaults.at(address).secrets["api"] = key.Reveal()
				p.write("api/.env", locked(t, key, "A=1\n"))
			}
			p.write("envdrift.toml", tt.config)
			set(first)
			w := p.open()
			if answer := w.Fetch(t.Context(), targets(t, w))[0]; answer.Err != nil {
				t.Fatalf("first use: %v", answer.Err)
			}
			if got := p.agreed().Keys; len(got) != 1 || got[0] != first.PublicKey().String() {
				t.Fatalf("agreed at first use: %q; want the vault's key", got)
			}

			set(second)
			p.user.agrees = tt.agrees
			if tt.expect {
				p.env["ENVDRIFT_EXPECT_PUBLIC_KEYS"] = " " + first.PublicKey().String() + ","
			}
			w = p.open(func(o *workspace.Options) { o.Consent = tt.consent })
			answer := w.Fetch(t.Context(), targets(t, w))[0]
			changed := (*workspace.AgreementError)(nil)
			if taken := answer.Err == nil; taken != tt.taken || !taken && (!errors.As(answer.Err, &changed) || len(answer.Keys) > 0) {
				t.Errorf("Fetch = %d keys, %v; taken: want %t", len(answer.Keys), answer.Err, tt.taken)
			}
			if asked := len(p.user.questions) > 0; asked != (tt.consent == workspace.Ask && !tt.expect) {
				t.Errorf("asked %q", p.user.questions)
			}
			if got := p.agreed().Keys; tt.pinned != (len(got) == 2) {
				t.Errorf("agreed afterwards: %q; want both: %t", got, tt.pinned)
			}
		})
	}
}

// Nothing is encrypted for a header's key that this clone did not agree to.
func TestChangedHeader(t *testing.T) {
	t.Parallel()
	p, first, second := newPlace(t), newKey(t), newKey(t)
	p.vaults.at("").secrets["api"] = first.Reveal()
	p.write("envdrift.toml", mapped)
	p.write("api/.env", locked(t, first, "A=1\n"))
	w := p.open()
	if answer := w.Fetch(t.Context(), targets(t, w))[0]; answer.Err != nil {
		t.Fatal(answer.Err)
	}
	p.write("api/.env", locked(t, second, "A=1\n")+"B=2\n")
	encrypt := func() error {
		plan, err := p.open().PlanEncryption(t.Context(), targets(t, w))
		return errors.Join(err, plan[0].Err)
	}
	w = p.open()
	if err := encrypt(); err == nil || !strings.Contains(err.Error(), "its public key is now "+second.PublicKey().Short()) {
		t.Errorf("PlanEncryption for another key = %v; want an AgreementError", err)
	}
	// the user's own key needs no question
	p.write("api/.env.keys", "DOTENV_PRIVATE_KEY="+second.Reveal()+"\n")
	if err := encrypt(); err != nil {
		t.Errorf("PlanEncryption for a key of one's own = %v; want nil", err)
	}
}

// Another vault for a file is a change even if it holds the same key.
func TestChangedVault(t *testing.T) {
	t.Parallel()
	p, key := newPlace(t), newKey(t)
	p.vaults.at("").secrets["api"] = key.Reveal()
	p.write("envdrift.toml", mapped)
	p.write("api/.env", locked(t, key, "A=1\n"))
	w := p.open()
	if answer := w.Fetch(t.Context(), targets(t, w))[0]; answer.Err != nil {
		t.Fatal(answer.Err)
	}
	p.write("envdrift.toml", strings.Replace(mapped, "[[", "[vault.local]\nvault_dir = \"other\"\n[[", 1))
	w = p.open()
	answer := w.Fetch(t.Context(), targets(t, w))[0]
	if want := "its vault is now local, vault_dir other; this clone last agreed to local"; answer.Err == nil || answer.Err.Error() != want {
		t.Errorf("Fetch = %v; want %q", answer.Err, want)
	}
	if _, err := w.TrustKeys(t.Context()); err != nil {
		t.Fatal(err)
	}
	if answer := p.open().Fetch(t.Context(), targets(t, w))[0]; !errors.Is(answer.Err, vault.ErrNotFound) {
		t.Errorf("Fetch after TrustKeys = %v; want the other vault's answer", answer.Err)
	}
}
