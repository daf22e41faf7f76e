package verify_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// remote is a configuration whose vault is elsewhere.
const remote = "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"https://vault.example.com\"\n"

// push returns what a push of main to a new branch does, from what origin has.
func (d *desk) push(received bool) verify.Push {
	d.t.Helper()
	null := gitops.OID(strings.Repeat("0", 40))
	ref := gitops.RefUpdate{Name: "refs/heads/new", Old: null, New: gitops.OID(d.git("rev-parse", "main"))}
	return verify.Push{Refs: []gitops.RefUpdate{ref}, Remote: "origin", Received: received}
}

// pushed marks what main is now as known: to origin, or as a branch.
func (d *desk) pushed() {
	d.git("update-ref", "refs/remotes/origin/main", "main")
}

func TestPushed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		do   func(d *desk)
		want string
	}{
		{name: "nothing new", do: func(*desk) {}},
		{name: "nothing that concerns envdrift", do: func(d *desk) {
			d.write("other", "A=1\n")
			d.commit("other")
		}},
		{name: "an edit", do: func(d *desk) {
			d.write(".env", d.encrypted(d.right, "A=1\nB=2\n"))
			d.commit("edit")
		}, want: ".:verified"},
		{name: "drift that came and went", do: func(d *desk) {
			d.write(".env", d.encrypted(d.stranger, "A=2\n"))
			d.commit("drift")
			d.write(".env", d.encrypted(d.right, "A=2\n"))
			d.commit("repaired")
		}, want: ".:drift .:verified"},
		{name: "a mapped name that is none of an env file", do: func(d *desk) {
			d.write("settings", "A=plain\n")
			d.commit("plain")
		}, want: ".:plaintext"},
		{name: "a mapping that an earlier commit of the push brings", do: func(d *desk) {
			d.write("envdrift.toml", remote+mappings("k", ".")+"[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \".\"\nenv_file = \"later\"\n")
			d.commit("mapping")
			d.write("later", "A=plain\n")
			d.commit("plain")
		}, want: ".:plaintext"},
		{name: "a mapping of a configuration with a copy", do: func(d *desk) {
			config := remote + "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \".\"\nenv_file = \"later\"\n"
			d.write("sub/envdrift.toml", config)
			d.write("sub/example.txt", config)
			d.commit("mapping")
			d.write("sub/later", "A=plain\n")
			d.commit("plain")
		}, want: "sub:plaintext"},
		{name: "a merge that decrypts what the other side has encrypted", do: func(d *desk) {
			d.git("checkout", "-q", "-b", "side")
			d.write("app.conf", d.encrypted(d.right, "A=1\n"))
			d.commit("encrypted")
			d.git("update-ref", "refs/remotes/origin/side", "side")
			d.git("checkout", "-q", "main")
			d.git("merge", "-q", "--no-ff", "--no-commit", "side")
			d.write("app.conf", "A=1\n")
			d.commit("merge")
		}, want: ".:plaintext"},
		{name: "a dropped mapping", do: func(d *desk) {
			d.write("envdrift.toml", remote)
			d.commit("dropped")
			d.write("settings", "A=plain\n")
			d.commit("plain")
		}, want: ".:plaintext"},
		{name: "what origin has already", do: func(d *desk) {
			d.write(".env", d.encrypted(d.stranger, "A=2\n"))
			d.commit("drift")
			d.pushed()
			d.write("other", "A=1\n")
			d.commit("other")
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.env["ENVDRIFT_TRUST"] = "1"
			d.write("envdrift.toml", remote+mappings("k", ".")+"[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \".\"\nenv_file = \"settings\"\n")
			d.write(".env", d.encrypted(d.right, "A=1\n"))
			d.commit("one")
			d.pushed()
			tt.do(d)
			files, err := verify.Pushed(t.Context(), d.open(), d.push(false))
			if got := outcome(files); err != nil || got != tt.want {
				t.Errorf("Pushed = %q, %v; want %q", got, err, tt.want)
			}
			// To a server the same is new, if it has no other ref.
			d.git("update-ref", "refs/heads/known", "refs/remotes/origin/main")
			tip := d.push(true)
			d.git("checkout", "-q", "--detach")
			d.git("branch", "-q", "-f", "main", "known")
			d.git("symbolic-ref", "HEAD", "refs/heads/known")
			files, err = verify.Pushed(t.Context(), d.bare(), tip)
			if got := outcome(files); err != nil || got != tt.want {
				t.Errorf("Pushed to a server = %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

// bare opens the git directory as that of a server.
func (d *desk) bare() *workspace.Workspace {
	d.t.Helper()
	o := workspace.Options{Dir: d.dir + "/.git", Bare: true, Env: d.env, Consent: workspace.CI, OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return d.store, nil }}
	o.Env["ENVDRIFT_TRUST"] = "1"
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

// Before a push a local key is enough, but only one that the vault has given to this
// clone: whoever re-encrypts a file with another key has that one too.
func TestPushedOffline(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.env["ENVDRIFT_TRUST"] = "1"
	d.write("envdrift.toml", remote+mappings("k", "."))
	d.write(".env", d.encrypted(d.right, "A=1\n"))
	d.write(".gitignore", ".env.keys\n")
	d.write(".env.keys", fmt.Sprintf("DOTENV_PRIVATE_KEY=%s\nDOTENV_PRIVATE_KEY_OTHER=%s\n", ecies.Keys{d.right}.Reveal(), ecies.Keys{d.stranger}.Reveal()))
	d.commit("one")
	push := func(want string, asked int) {
		t.Helper()
		d.store.asked = nil
		files, err := verify.Pushed(t.Context(), d.open(), d.push(false))
		if got := outcome(files); err != nil || got != want || len(d.store.asked) != asked {
			t.Errorf("Pushed = %q, %v, having asked for %q; want %q and %d questions", got, err, d.store.asked, want, asked)
		}
	}
	push(".:verified", 1)
	o := workspace.Options{Dir: d.dir, Env: d.env, Consent: workspace.FirstUse, OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return d.store, nil }}
	o.Overrides.Providers = all.Providers()
	w, err := workspace.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	targets, err := w.Mapped()
	if err != nil {
		t.Fatal(err)
	}
	w.Fetch(t.Context(), targets) // as sync does
	push(".:verified", 0)
	d.write(".env", d.encrypted(d.stranger, "A=1\n"))
	d.commit("drift")
	push(".:verified .:drift", 1)
}

// A server without credentials checks the form, and that the public key stays.
func TestPushedByForm(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", remote+mappings("k", "."))
	d.commit("one")
	d.git("branch", "known")
	commit := func(key *ecies.PrivateKey, text string) {
		d.write(".env", d.encrypted(key, text))
		d.commit("edit")
	}
	denied := error(&vault.Error{Op: "open", Vault: "v", Err: vault.ErrUnauthenticated})
	receive := func(expect string) *verify.File {
		t.Helper()
		o := workspace.Options{Dir: d.dir + "/.git", Bare: true, Env: map[string]string{"HOME": d.dir, "PATH": d.env["PATH"], "ENVDRIFT_TRUST": "1", "ENVDRIFT_EXPECT_PUBLIC_KEYS": expect}, Consent: workspace.CI,
			OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return nil, denied }}
		o.Overrides.Providers = all.Providers()
		w, err := workspace.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		push := d.push(true)
		push.Refs[0].Old = gitops.OID(d.git("rev-parse", "known"))
		d.git("symbolic-ref", "HEAD", "refs/heads/known")
		d.git("branch", "-q", "-D", "main")
		defer d.git("symbolic-ref", "HEAD", "refs/heads/main")
		defer d.git("branch", "-q", "main", string(push.Refs[0].New))
		files, err := verify.Pushed(t.Context(), w, push)
		if err != nil || len(files) != 1 {
			t.Fatalf("Pushed = %d files, %v; want 1", len(files), err)
		}
		return files[0]
	}
	commit(d.right, "A=1\n")
	if f := receive(""); f.Err != nil || f.Verified || !errors.As(f.Unproven, new(*verify.FormError)) {
		t.Errorf("a new file: %v, not proven because of %v; want a FormError", f.Err, f.Unproven)
	}
	d.git("branch", "-f", "known", "main")
	commit(d.right, "A=2\n")
	if f := receive(""); f.Err != nil || f.Verified || f.Unproven == nil {
		t.Errorf("the same key: %v, not proven because of %v", f.Err, f.Unproven)
	}
	if f := receive(d.stranger.PublicKey().String()); !errors.As(f.Err, new(*workspace.AgreementError)) {
		t.Errorf("a key that is not expected: %v; want an AgreementError", f.Err)
	}
	denied = &vault.Error{Op: "open", Vault: "v", Err: vault.ErrUnavailable}
	if f := receive(""); !errors.Is(f.Err, vault.ErrUnavailable) {
		t.Errorf("a vault that is down: %v; want ErrUnavailable", f.Err)
	}
	denied = &vault.Error{Op: "open", Vault: "v", Err: vault.ErrUnauthenticated}
	d.git("branch", "-f", "known", "main")
	commit(d.stranger, "A=2\n")
	if f := receive(""); !errors.As(f.Err, new(*verify.NewKeyError)) {
		t.Errorf("another key: %v; want a NewKeyError", f.Err)
	}
	if f := receive(d.right.PublicKey().String() + ", " + d.stranger.PublicKey().String()); f.Err != nil || f.Unproven == nil {
		t.Errorf("another key that is expected: %v, not proven because of %v", f.Err, f.Unproven)
	}
}

// A server may have one hook for all of its repositories.
func TestPushedWithoutConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, file, text, want string }{
		{name: "a repository that has nothing to do with envdrift"},
		{name: "a configuration anywhere", file: "svc/envdrift.toml", text: mappings("k", "."), want: ".:error"},
		{name: "a private key", file: "notes", text: "DOTENV_PRIVATE_KEY=" + strings.Repeat("1", 64), want: ".:error"},
	} {
		d := newDesk(t)
		d.write(".env", "A=plain\n")
		if tt.file != "" {
			d.write(tt.file, tt.text)
		}
		d.commit("one")
		push := d.push(true)
		d.git("symbolic-ref", "HEAD", "refs/heads/known")
		d.git("branch", "-q", "-D", "main")
		files, err := verify.Pushed(t.Context(), d.bare(), push)
		if got := outcome(files); err != nil || got != tt.want {
			t.Errorf("%s: Pushed = %q, %v; want %q", tt.name, got, err, tt.want)
		}
	}
}
