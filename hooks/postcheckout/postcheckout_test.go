package postcheckout_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/hooks/postcheckout"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/state"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// memory is a vault.
type memory struct {
	texts map[string]string
	asked int
}

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	m.asked++
	text, ok := m.texts[name]
	if !ok {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: "memory", Name: name, Err: vault.ErrNotFound}
	}
	return vault.Secret{Name: name, Value: secret.New(text)}, nil
}

func (m *memory) Put(context.Context, string, secret.Value, string) (string, error) {
	return "", errors.ErrUnsupported
}
func (m *memory) String() string { return "memory" }

// A desk is a repository, the process that commits there, the key that the vault
// has, and one that it has not.
type desk struct {
	t               *testing.T
	dir             string
	env             map[string]string
	store           *memory
	right, stranger *ecies.PrivateKey
}

const mapped = "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"svc\"\nenv_file = \".env\"\nactivate_to = \"copy\"\n"

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: filepath.Join(dir, "repo"), store: &memory{texts: map[string]string{}}}
	d.env = map[string]string{"HOME": dir, "PATH": os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1"}
	for _, key := range []**ecies.PrivateKey{&d.right, &d.stranger} {
		if *key, err = ecies.GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	d.store.texts["k"] = ecies.Keys{d.right}.Reveal()
	d.write("envdrift.toml", mapped)
	d.write(".gitignore", ".env.keys\n/svc/copy\n")
	d.git("init", "-q", "-b", "main")
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		d.t.Fatal(err)
	}
}

func (d *desk) read(name string) string {
	d.t.Helper()
	data, err := os.ReadFile(filepath.Join(d.dir, filepath.FromSlash(name)))
	if err != nil {
		d.t.Fatal(err)
	}
	return string(data)
}

func (d *desk) try(args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	cmd.Dir = d.dir
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (d *desk) git(args ...string) string {
	d.t.Helper()
	out, err := d.try(args...)
	if err != nil {
		d.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (d *desk) commit() {
	d.t.Helper()
	d.git("add", "-A")
	d.git("commit", "-q", "-m", "x")
}

func (d *desk) encrypted(key *ecies.PrivateKey, text string) string {
	d.t.Helper()
	doc, _, err := dotenv.Parse([]byte(text)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
	if err != nil {
		d.t.Fatal(err)
	}
	return string(doc.Bytes())
}

func (d *desk) open() *workspace.Workspace {
	d.t.Helper()
	o := workspace.Options{Dir: d.dir, Env: d.env, Consent: workspace.CI, OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return d.store, nil }}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

// update runs the hook for the last commit.
func (d *desk) update(args ...string) *postcheckout.Update {
	d.t.Helper()
	event, err := hooks.EventNamed("post-checkout")
	if err != nil {
		d.t.Fatal(err)
	}
	if len(args) == 0 {
		args = []string{strings.TrimSpace(d.git("rev-parse", "HEAD~1")), strings.TrimSpace(d.git("rev-parse", "HEAD")), "1"}
	}
	u, err := postcheckout.Run(d.t.Context(), d.open(), event, args)
	if err != nil {
		d.t.Fatalf("Run = %v", err)
	}
	return u
}

// summary lists what was done, and what was left.
func summary(u *postcheckout.Update) string {
	var list []string
	for _, done := range u.Done {
		deed := map[postcheckout.Deed]string{postcheckout.BroughtKeys: "keys", postcheckout.Decrypted: "decrypted", postcheckout.Refreshed: "refreshed"}[done.Deed]
		list = append(list, strings.TrimSpace(done.File+" "+deed+" "+strings.Join(done.Names, ",")))
	}
	for _, left := range u.Left {
		why := "error: " + left.Err.Error()
		for err, word := range map[error]string{postcheckout.ErrEdited: "edited", postcheckout.ErrStashed: "stashed", postcheckout.ErrBusy: "busy", postcheckout.ErrNotIgnored: "not ignored", vault.ErrNotFound: "no secret"} {
			if errors.Is(left.Err, err) {
				why = word
			}
		}
		if errors.As(left.Err, new(*drift.DiffersError)) {
			why = "differs"
		}
		list = append(list, strings.TrimSpace("left "+left.File+" "+why))
	}
	return strings.Join(list, "; ")
}

// remember notes what the last pull did.
func (d *desk) remember(changes ...drift.Change) {
	d.t.Helper()
	if err := d.open().Remember(d.t.Context(), changes, nil); err != nil {
		d.t.Fatal(err)
	}
}

func TestHasWork(t *testing.T) {
	t.Parallel()
	event, _ := hooks.EventNamed("post-checkout")
	tests := []struct {
		args string
		env  string
		want bool
	}{
		{args: "a b 1", want: true},
		{args: "a a 1"},
		{args: "a b 0"},
		{args: "a b 1", env: "_PRE_COMMIT_SKIP_POST_CHECKOUT"},
	}
	for _, tt := range tests {
		getenv := func(name string) string {
			if name == tt.env {
				return "1"
			}
			return ""
		}
		if got := postcheckout.HasWork(event, strings.Fields(tt.args), getenv); got != tt.want {
			t.Errorf("HasWork(%s, %s) = %t; want %t", tt.args, tt.env, got, tt.want)
		}
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	pulled := drift.Change{File: "svc/.env", Action: drift.Decrypted}
	tests := []struct {
		name   string
		before func(d *desk) // the checkout
		after  func(d *desk) // the checkout
		want   string
		asked  bool
		tree   string // svc/.env afterwards, if it is plaintext
	}{
		{name: "a missing key", want: "svc/.env.keys keys DOTENV_PRIVATE_KEY", asked: true},
		{name: "a key that is there", after: func(d *desk) { d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+d.store.texts["k"]+"\n") }},
		{name: "another key there: it stays", asked: true, want: "left svc/.env.keys differs",
			after: func(d *desk) {
				d.write("svc/.env", d.encrypted(d.stranger, "A=1\n"))
				d.git("commit", "-q", "-a", "-m", "drift")
				d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+strings.Repeat("12", 32)+"\n")
			}},
		{name: "a stale key: the vault's fits", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY",
			after: func(d *desk) { d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+strings.Repeat("12", 32)+"\n") }},
		{name: "the vault has none", asked: true, want: "left svc/.env.keys no secret", after: func(d *desk) { delete(d.store.texts, "k") }},
		{name: "git would add the key", asked: true, want: "left svc/.env.keys not ignored", after: func(d *desk) { d.write(".gitignore", "") }},
		{name: "pulled: decrypted again", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; svc/.env decrypted A", tree: "A=2",
			before: func(d *desk) { d.remember(pulled) }},
		{name: "locked: not", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY",
			before: func(d *desk) { d.remember(drift.Change{File: "svc/.env", Action: drift.Encrypted}) }},
		{name: "edited", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; left svc/.env edited",
			before: func(d *desk) { d.remember(pulled) },
			after:  func(d *desk) { d.write("svc/.env", d.read("svc/.env")+"B=3\n") }},
		{name: "edited, and stashed", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; left svc/.env stashed",
			before: func(d *desk) {
				d.remember(pulled)
				d.write("svc/.env", "A=mine\n")
				d.git("stash", "-q")
				d.write("envdrift.toml", mapped+"\n")
				d.git("stash", "-q")
			}},
		{name: "a stash of another file", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; svc/.env decrypted A", tree: "A=2",
			before: func(d *desk) { d.remember(pulled); d.write("envdrift.toml", mapped+"\n"); d.git("stash", "-q") }},
		{name: "a merge goes on", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; left  busy",
			before: func(d *desk) { d.remember(pulled) }, after: func(d *desk) { d.write(".git/MERGE_HEAD", "x") }},
		{name: "a rebase goes on", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; left  busy",
			before: func(d *desk) { d.remember(pulled) }, after: func(d *desk) { d.write(".git/rebase-merge/done", "x") }},
		{name: "a bisect goes on", after: func(d *desk) { d.write(".git/BISECT_LOG", "x") }},
		{name: "a copy for programs", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; svc/copy refreshed",
			before: func(d *desk) {
				d.write("svc/copy", "old")
				d.remember(drift.Change{File: "svc/copy", Action: drift.Activated, New: []byte("old")})
			}},
		{name: "a copy that was edited", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY; left svc/copy error: svc/copy was not written by envdrift, or was edited since",
			before: func(d *desk) {
				d.write("svc/copy", "edited")
				d.remember(drift.Change{File: "svc/copy", Action: drift.Activated, New: []byte("old")})
			}},
		{name: "keys only", asked: true, want: "svc/.env.keys keys DOTENV_PRIVATE_KEY",
			before: func(d *desk) {
				d.remember(pulled)
				d.write("envdrift.toml", mapped+"[hooks]\npost_checkout = \"sync\"\n")
			}},
		{name: "off", before: func(d *desk) { d.write("envdrift.toml", mapped+"[hooks]\npost_checkout = \"off\"\n") }},
		{name: "an ephemeral key is fetched for what was pulled alone",
			before: func(d *desk) { d.write("envdrift.toml", mapped+"ephemeral_keys = true\n") }},
		{name: "an ephemeral key", asked: true, want: "svc/.env decrypted A", tree: "A=2",
			before: func(d *desk) { d.remember(pulled); d.write("envdrift.toml", mapped+"ephemeral_keys = true\n") }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.write("svc/.env", d.encrypted(d.right, "A=1\n"))
			d.commit()
			if tt.before != nil {
				tt.before(d)
			}
			d.write("svc/.env", d.encrypted(d.right, "A=2\n"))
			d.commit()
			if tt.after != nil {
				tt.after(d)
			}
			u := d.update()
			if got := summary(u); got != strings.TrimSpace(tt.want) || (d.store.asked > 0) != tt.asked {
				t.Errorf("Run: %q, the vault was asked %d times; want %q, %t", got, d.store.asked, tt.want, tt.asked)
			}
			if tt.tree != "" && !strings.Contains(d.read("svc/.env"), tt.tree) {
				t.Errorf("svc/.env holds %q; want %s", d.read("svc/.env"), tt.tree)
			}
		})
	}
}

// What changed decides: other files are no concern, a configuration concerns all.
func TestRunConcerns(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("svc/.env", d.encrypted(d.right, "A=1\n"))
	d.commit()
	d.write("readme", "x")
	d.commit()
	if got := summary(d.update()); got != "" {
		t.Errorf("Run after a checkout of a readme: %q", got)
	}
	d.write("envdrift.toml", mapped+"\n# edited\n")
	d.commit()
	if got := summary(d.update()); got != "svc/.env.keys keys DOTENV_PRIVATE_KEY" {
		t.Errorf("Run after a checkout of the configuration: %q", got)
	}
	for _, name := range []string{"post-merge", "post-rewrite"} {
		event, _ := hooks.EventNamed(name)
		if u, err := postcheckout.Run(t.Context(), d.open(), event, []string{"rebase"}); err != nil || summary(u) != "" {
			t.Errorf("Run of %s without ORIG_HEAD: %q, %v", name, summary(u), err)
		}
	}
	event, _ := hooks.EventNamed("post-merge")
	if err := os.Remove(filepath.Join(d.dir, "svc", ".env.keys")); err != nil {
		t.Fatal(err)
	}
	d.write("svc/.env", d.encrypted(d.right, "A=9\n"))
	d.git("add", "-A")
	if u, err := postcheckout.Run(t.Context(), d.open(), event, []string{"1"}); err != nil || summary(u) != "svc/.env.keys keys DOTENV_PRIVATE_KEY" {
		t.Errorf("Run after a squash merge: %q, %v", summary(u), err)
	}
	last, err := d.open().State(t.Context())
	if err != nil || slices.Contains([]state.Intent{state.Pulled}, last.Files["svc/.env"]) {
		t.Errorf("State = %+v, %v", last, err)
	}
}
