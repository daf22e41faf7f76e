package workspace_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// remote is a configuration with two vaults that get credentials and one that
// gets none.
const remote = `[vault]
provider = "remote"
[vault.remote]
url = "https://a.example"
[vault.named.b]
provider = "remote"
url = "https://b.example"
[vault.named.disk]
provider = "local"
[[vault.sync.mappings]]
secret_name = "a"
folder_path = "a"
[[vault.sync.mappings]]
secret_name = "b"
folder_path = "b"
vault_name = "b"
[[vault.sync.mappings]]
secret_name = "c"
folder_path = "c"
[[vault.sync.mappings]]
secret_name = "d"
folder_path = "d"
vault_name = "disk"
`

const (
	endpointA = trust.Endpoint("remote, https://a.example")
	endpointB = trust.Endpoint("remote, https://b.example")
)

// newRemote makes a place whose configuration is remote, with its env files.
func newRemote(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	p.write("envdrift.toml", remote)
	for _, folder := range []string{"a", "b", "c", "d"} {
		p.write(folder+"/.env", "A=1\n")
	}
	for address, name := range map[string]string{"https://a.example": "a", "https://b.example": "b", "": "d"} {
		p.vaults.at(address).secrets[name] = newKey(t).Reveal()
	}
	p.vaults.at("https://a.example").secrets["c"] = newKey(t).Reveal()
	return p
}

func (p *place) pins() trust.Pins {
	p.t.Helper()
	pins, err := trust.At(func(name string) string { return p.env[name] })
	if err != nil {
		p.t.Fatal(err)
	}
	return pins
}

// pinned returns what is trusted for a repository.
func (p *place) pinned(repository string) []trust.Endpoint {
	p.t.Helper()
	got, err := p.pins().Of(repository)
	if err != nil {
		p.t.Fatal(err)
	}
	return got
}

func TestConsent(t *testing.T) {
	t.Parallel()
	question := "This repository's configuration sends your vault credentials to:\n  remote, https://a.example\nAgree?"
	noticeA := "trusting remote, https://a.example for this clone (envdrift trust --list shows all)"
	noticeB := "trusting remote, https://b.example for this clone (envdrift trust --list shows all)"
	never := "not contacted: you have not trusted remote, https://a.example in this clone"
	changed := "not contacted: this repository names remote, https://a.example, but you trusted remote, https://old.example"
	elsewhere := "not contacted: this repository names remote, https://a.example, but you trusted REMOTE_ADDR https://mine.example"
	inCI := "not contacted: this CI job names no vault, only the repository does: remote, https://a.example"
	ofOther := map[string]string{"REMOTE_ADDR": "https://mine.example", "REMOTE_TOKEN": "t"}
	old := []trust.Endpoint{"remote, https://old.example"}

	tests := []struct {
		name    string
		consent workspace.Consent
		env     map[string]string
		flag    string
		before  []trust.Endpoint
		agrees  bool

		want      string // the error; "" if the vault is opened
		after     []trust.Endpoint
		notices   []string
		questions []string
	}{
		{name: "first use", after: []trust.Endpoint{endpointA, endpointB}, notices: []string{noticeA, noticeB}},
		{name: "first use, agreed before", before: []trust.Endpoint{endpointA}, after: []trust.Endpoint{endpointA}},
		{name: "first use, another address than before", before: old, want: changed, after: old},
		{name: "first use, the token is for another address", env: ofOther, want: elsewhere},
		{name: "first use, an address without a token", env: map[string]string{"REMOTE_ADDR": "https://mine.example"}, want: elsewhere},
		{name: "ask, yes", consent: workspace.Ask, agrees: true, after: []trust.Endpoint{endpointA}, questions: []string{question}},
		{name: "ask, no", consent: workspace.Ask, want: never, questions: []string{question}},
		{name: "ask, agreed before", consent: workspace.Ask, before: []trust.Endpoint{endpointA}, after: []trust.Endpoint{endpointA}},
		{name: "ask about another address, yes", consent: workspace.Ask, agrees: true, before: old, after: []trust.Endpoint{endpointA, old[0]}, questions: []string{question}},
		{name: "ask about another address, no", consent: workspace.Ask, before: old, want: changed, after: old, questions: []string{question}},
		{name: "ask, the token is for another address, yes", consent: workspace.Ask, agrees: true, env: ofOther, after: []trust.Endpoint{endpointA}, questions: []string{question}},
		{name: "never", consent: workspace.Never, agrees: true, want: never},
		{name: "never, agreed before", consent: workspace.Never, before: []trust.Endpoint{endpointA}, after: []trust.Endpoint{endpointA}},
		{name: "never, another address than before", consent: workspace.Never, before: old, want: changed, after: old},
		{name: "CI, only the repository names it", consent: workspace.CI, agrees: true, want: inCI},
		{name: "CI, the job names another address", consent: workspace.CI, env: ofOther, want: inCI},
		{name: "CI, the job names it", consent: workspace.CI, env: map[string]string{"REMOTE_ADDR": "https://a.example", "REMOTE_TOKEN": "t"}},
		{name: "CI, the job trusts it", consent: workspace.CI, env: map[string]string{"ENVDRIFT_TRUST": "https://x.example https://a.example"}},
		{name: "CI, the job trusts another", consent: workspace.CI, env: map[string]string{"ENVDRIFT_TRUST": "https://x.example"}, want: inCI},
		{name: "CI, named by a flag", consent: workspace.CI, flag: "https://a.example"},
		{name: "CI, agreed before", consent: workspace.CI, before: []trust.Endpoint{endpointA}, after: []trust.Endpoint{endpointA}},
		{name: "ENVDRIFT_TRUST=1", consent: workspace.Never, env: map[string]string{"ENVDRIFT_TRUST": "1"}},
		{name: "ENVDRIFT_TRUST=0", consent: workspace.Never, env: map[string]string{"ENVDRIFT_TRUST": "0"}, want: never},
		{name: "named by the environment", consent: workspace.Never, env: map[string]string{"REMOTE_ADDR": "https://a.example/"}},
		{name: "named by a flag", consent: workspace.Never, flag: "https://a.example"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newRemote(t)
			p.user.agrees = tt.agrees
			for name, value := range tt.env {
				p.env[name] = value
			}
			if len(tt.before) > 0 {
				if err := p.pins().Pin(t.Context(), p.dir, tt.before...); err != nil {
					t.Fatal(err)
				}
			}
			w := p.open(func(o *workspace.Options) {
				o.Consent = tt.consent
				if tt.flag != "" {
					o.Overrides.Flags = []*config.Flag{{Name: "--vault-url", Value: tt.flag}}
				}
			})
			_, err := w.Vault(t.Context(), target(t, w, "a/.env"))
			text := ""
			if err != nil {
				text = err.Error()
			}
			if refused := (*workspace.TrustError)(nil); text != tt.want || errors.As(err, &refused) != (tt.want != "") {
				t.Errorf("Vault = %v; want TrustError %q", err, tt.want)
			}
			if opened := len(p.vaults.opened) > 0; opened != (tt.want == "") {
				t.Errorf("vaults opened: %q; want one unless refused", p.vaults.opened)
			}
			if got := p.pinned(p.dir); !reflect.DeepEqual(got, tt.after) {
				t.Errorf("trusted afterwards: %q; want %q", got, tt.after)
			}
			if !reflect.DeepEqual(p.user.notices, tt.notices) || !reflect.DeepEqual(p.user.questions, tt.questions) {
				t.Errorf("shown %q, asked %q; want %q, %q", p.user.notices, p.user.questions, tt.notices, tt.questions)
			}
		})
	}
}

// What was refused once in a run is not asked about for each further file.
func TestRefusedVaultIsAskedAboutOnce(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	w := p.open(func(o *workspace.Options) { o.Consent = workspace.Ask })
	answers := w.Fetch(t.Context(), targets(t, w))
	if n := len(p.user.questions); n != 2 {
		t.Errorf("asked %d times; want once for each of the two vaults", n)
	}
	refused := (*workspace.TrustError)(nil)
	for i, a := range answers {
		if errors.As(a.Err, &refused) != (i < 3) {
			t.Errorf("Fetch, target %d: %v; want a TrustError of all but the local vault", i, a.Err)
		}
	}
}

// A user who interrupts the question did not say no.
func TestInterruptedQuestion(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	w := p.open(func(o *workspace.Options) { o.Consent = workspace.Ask })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := w.Vault(ctx, target(t, w, "a/.env")); !errors.Is(err, context.Canceled) {
		t.Errorf("Vault = %v; want context.Canceled", err)
	}
}

func TestFirstUseOfOneVaultForOtherAddress(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	p.env["REMOTE_ADDR"], p.env["REMOTE_TOKEN"] = "https://b.example", "t"
	w := p.open()
	// b is named by the user, and a is not the token's: nothing is trusted.
	if _, err := w.Vault(t.Context(), target(t, w, "b/.env")); err != nil {
		t.Errorf("Vault of the address that REMOTE_ADDR names = %v; want nil", err)
	}
	if _, err := w.Vault(t.Context(), target(t, w, "a/.env")); err == nil {
		t.Error("Vault of another address than the token's = nil; want a TrustError")
	}
	if got := p.pinned(p.dir); got != nil {
		t.Errorf("trusted %q; want nothing", got)
	}
}

// The first use of one vault agrees to the others too, but not to one that the
// user has a token of another address for.
func TestFirstUseLeavesOutOtherAddress(t *testing.T) {
	t.Parallel()
	p := newPlace(t)
	p.write("envdrift.toml", remote+"[vault.named.plain]\nprovider = \"tokenless\"\n[[vault.sync.mappings]]\nsecret_name = \"e\"\nfolder_path = \"e\"\nvault_name = \"plain\"\n")
	p.write("e/.env", "A=1\n")
	p.env["REMOTE_ADDR"], p.env["REMOTE_TOKEN"] = "https://mine.example", "t"
	w := p.open()
	if _, err := w.Vault(t.Context(), target(t, w, "e/.env")); err != nil {
		t.Errorf("Vault = %v; want nil", err)
	}
	if got, want := p.pinned(p.dir), []trust.Endpoint{"tokenless"}; !reflect.DeepEqual(got, want) {
		t.Errorf("trusted %q; want %q", got, want)
	}
}

func TestTrustAll(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	if err := p.open().TrustAll(t.Context()); err != nil {
		t.Fatalf("TrustAll = %v", err)
	}
	if got, want := p.pinned(p.dir), []trust.Endpoint{endpointA, endpointB}; !reflect.DeepEqual(got, want) {
		t.Errorf("trusted %q; want %q", got, want)
	}
	if want := []string{""}; !reflect.DeepEqual(p.vaults.opened, want) {
		t.Errorf("TrustAll opened %q; want only the one that gets no credential", p.vaults.opened)
	}
}

func TestTrustAllFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		alter   func(*place)
		consent workspace.Consent
		want    string
	}{
		{"a refused vault", func(*place) {}, workspace.Never, "you have not trusted"},
		{"an unknown vault", func(p *place) { p.write("envdrift.toml", mapped+"vault_name = \"none\"\n") }, workspace.FirstUse, `no vault is called "none"`},
		{"no place to remember", func(p *place) { delete(p.env, "HOME") }, workspace.FirstUse, "neither XDG_STATE_HOME nor HOME"},
		{"damaged memory", func(p *place) { p.write("../.local/state/envdrift/trust.json", "{") }, workspace.FirstUse, "trust.json"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newRemote(t)
			tt.alter(p)
			err := p.open(func(o *workspace.Options) { o.Consent = tt.consent }).TrustAll(t.Context())
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("TrustAll = %v; want an error with %q", err, tt.want)
			}
		})
	}
}

func TestEndpoints(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	w := p.open()
	got, err := w.Endpoints(func(vault.Config) bool { return true })
	if want := []trust.Endpoint{endpointA, endpointB}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Endpoints(all) = %q, %v; want %q: each once, none for a local vault", got, err, want)
	}
	got, err = w.Endpoints(func(cfg vault.Config) bool { return cfg.Name == "b" })
	if want := []trust.Endpoint{endpointB}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Endpoints(b) = %q, %v; want %q", got, err, want)
	}
	p.write("envdrift.toml", mapped+"vault_name = \"none\"\n")
	if got, err := p.open().Endpoints(func(vault.Config) bool { return true }); err == nil {
		t.Errorf("Endpoints with an unknown vault = %q, nil; want an error", got)
	}
}

func TestTrustError(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		err  workspace.TrustError
		want string
	}{
		{"never", workspace.TrustError{Endpoint: "x"}, "not contacted: you have not trusted x in this clone"},
		{"one", workspace.TrustError{Endpoint: "x", Pinned: []trust.Endpoint{"y"}}, "not contacted: this repository names x, but you trusted y"},
		{"several", workspace.TrustError{Endpoint: "x", Pinned: []trust.Endpoint{"y", "z"}}, "not contacted: this repository names x, but you trusted y; z"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.err.Error(); got != tt.want {
				t.Errorf("Error() = %q; want %q", got, tt.want)
			}
		})
	}
}

// All working trees of a clone share what was trusted.
func TestRepositoryID(t *testing.T) {
	t.Parallel()
	p := newClone(t)
	p.commit("a.txt", "x")
	p.git("worktree", "add", "-q", "../tree")
	for _, dir := range []string{p.dir, p.path("../tree")} {
		w := p.open(func(o *workspace.Options) { o.Dir = dir })
		if got, err := w.RepositoryID(t.Context()); err != nil || got != p.path(".git") {
			t.Errorf("RepositoryID() in %s = %s, %v; want %s", dir, got, err, p.path(".git"))
		}
	}
	outside := newPlace(t)
	if got, err := outside.open().RepositoryID(t.Context()); err != nil || got != outside.dir {
		t.Errorf("RepositoryID() without a repository = %s, %v; want %s", got, err, outside.dir)
	}
}

func TestRepositoryThatGitRefuses(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("the git that fails is a shell script")
	}
	p := newRemote(t)
	p.mkdir(".git")
	p.breakGit("*")
	w := p.open()
	if got, err := w.RepositoryID(t.Context()); err == nil {
		t.Errorf("RepositoryID() = %s, nil; want git's error", got)
	}
	if _, err := w.Vault(t.Context(), target(t, w, "a/.env")); err == nil {
		t.Error("Vault = nil; want git's error: it is not known what was trusted")
	}
	if len(p.vaults.opened) > 0 {
		t.Errorf("opened %q; want none", p.vaults.opened)
	}
}

func TestFetch(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	p.env["ENVDRIFT_TRUST"] = "1"
	w := p.open()
	all := targets(t, w)
	answers := w.Fetch(t.Context(), all)
	_ = w.Fetch(t.Context(), all[:1])
	if want := []string{"https://a.example", "https://b.example", ""}; !reflect.DeepEqual(p.vaults.opened, want) {
		t.Errorf("vaults opened: %q; want each once, %q", p.vaults.opened, want)
	}
	for i, a := range answers {
		address := []string{"https://a.example", "https://b.example", "https://a.example", ""}[i]
		store := p.vaults.at(address)
		name := all[i].Mapping.SecretName
		if a.Err != nil || a.Keys.Reveal() != store.secrets[name] || a.Vault != store.String() {
			t.Errorf("Fetch, %s: key of %q, %v; want that of %q", name, a.Vault, a.Err, store)
		}
	}
	want := []string{"configuration: " + filepath.Join(p.dir, "envdrift.toml"), "vault: vault https://a.example", "vault: vault https://b.example", "vault: vault "}
	if !reflect.DeepEqual(p.user.debugs, want) {
		t.Errorf("shown %q; want %q", p.user.debugs, want)
	}
	if want := []string{"asking the vault", "asking the vault"}; !reflect.DeepEqual(p.user.waited, want) {
		t.Errorf("progress %q; want %q", p.user.waited, want)
	}
}

func TestFetchFails(t *testing.T) {
	t.Parallel()
	unreachable := errors.New("unreachable")
	tests := []struct {
		name  string
		alter func(*place)
		want  error
		text  string
	}{
		{name: "vault does not open", alter: func(p *place) { p.vaults.err = unreachable }, want: unreachable},
		{name: "no such secret", alter: func(p *place) { delete(p.vaults.at("").secrets, "api") }, want: vault.ErrNotFound},
		{name: "no access", alter: func(p *place) { p.vaults.at("").err = vault.ErrDenied }, want: vault.ErrDenied},
		{name: "no key in the secret", alter: func(p *place) { p.vaults.at("").secrets["api"] = "x" }, want: vault.ErrMalformed},
		{name: "unknown vault", alter: func(p *place) { p.write("envdrift.toml", mapped+"vault_name = \"none\"\n") }, text: `no vault is called "none"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t)
			p.write("envdrift.toml", mapped)
			p.write("api/.env", "A=1\n")
			p.vaults.at("").secrets["api"] = newKey(t).Reveal()
			tt.alter(p)
			w := p.open()
			got := w.Fetch(t.Context(), targets(t, w))
			if err := got[0].Err; err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("Fetch = %v; want %v%s", err, tt.want, tt.text)
			}
			if len(p.vaults.opened) > 1 {
				t.Errorf("vaults opened: %q; want at most one try", p.vaults.opened)
			}
		})
	}
}

// Silent neither shows anything nor agrees to anything; the original still does.
func TestSilent(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	p.user.agrees = true
	w := p.open(func(o *workspace.Options) { o.Consent = workspace.Ask })
	before := len(p.user.debugs)
	quiet := w.Silent()
	if refused := (*workspace.TrustError)(nil); !errors.As(quiet.TrustAll(t.Context()), &refused) {
		t.Error("Silent().TrustAll: no TrustError; want one")
	}
	quiet.Debug("nobody sees it")
	if len(p.user.questions) > 0 || len(p.user.debugs) != before {
		t.Errorf("Silent asked %q, showed %q; want nothing", p.user.questions, p.user.debugs[before:])
	}
	if err := w.TrustAll(t.Context()); err != nil || len(p.user.questions) != 2 {
		t.Errorf("TrustAll afterwards = %v, %d questions; want nil, 2", err, len(p.user.questions))
	}
	if _, err := os.Stat(p.path("../.local/state/envdrift/trust.json")); err != nil {
		t.Errorf("what was trusted: %v; want it in HOME", err)
	}
}

// TestOpenAhead: a vault is opened ahead, once, if it is known that the user agreed.
func TestOpenAhead(t *testing.T) {
	t.Parallel()
	p := newRemote(t)
	w := p.open()
	w.OpenAhead(t.Context())
	if len(p.vaults.opened)+len(p.user.notices)+len(p.user.questions) > 0 {
		t.Errorf("nothing is trusted, but opened %q, said %q, asked %q", p.vaults.opened, p.user.notices, p.user.questions)
	}

	p.env["ENVDRIFT_TRUST"] = "https://a.example"
	w = p.open()
	w.OpenAhead(t.Context())
	w.OpenAhead(t.Context())
	store, err := w.Vault(t.Context(), target(t, w, "a/.env"))
	again, _ := w.Vault(t.Context(), target(t, w, "c/.env"))
	if want := []string{"https://a.example"}; err != nil || again != store || !reflect.DeepEqual(p.vaults.opened, want) {
		t.Errorf("Vault = %v, %v; then %v; opened %q, want %q", store, err, again, p.vaults.opened, want)
	}
	if want := "vault: vault https://a.example"; p.user.debugs[len(p.user.debugs)-1] != want {
		t.Errorf("shown %q; want %q last, and once", p.user.debugs, want)
	}
}
