package precommit_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// memory is a vault.
type memory struct {
	texts map[string]string
	down  bool
	asked int

	meanwhile func() // done while the vault is asked
}

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	m.asked++
	if m.meanwhile != nil {
		m.meanwhile()
	}
	text, ok := m.texts[name]
	switch {
	case m.down:
		return vault.Secret{}, &vault.Error{Op: "get", Vault: "memory", Name: name, Err: vault.ErrTimeout} // which is not tried again
	case !ok:
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

const mapped = "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"svc\"\nenv_file = \".env\"\n"

// settings is a configuration for a file that has no name of an env file.
const settings = "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"etc\"\nenv_file = \"settings\"\n"

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

func (d *desk) remove(name string) {
	d.t.Helper()
	if err := os.Remove(filepath.Join(d.dir, filepath.FromSlash(name))); err != nil {
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

// conflict starts a merge that stops at svc/.env, theirs encrypted for a key.
func (d *desk) conflict(theirs *ecies.PrivateKey) {
	d.t.Helper()
	d.git("switch", "-q", "-c", "theirs")
	d.write("svc/.env", d.encrypted(theirs, "A=2\n"))
	d.commit()
	d.git("switch", "-q", "main")
	d.write("svc/.env", d.encrypted(d.right, "A=3\n"))
	d.commit()
	if _, err := d.try("merge", "theirs"); err == nil {
		d.t.Fatal("the merge has no conflict")
	}
}

// stage writes a file and stages it.
func (d *desk) stage(name, text string) {
	d.t.Helper()
	d.write(name, text)
	d.git("add", "-f", name)
}

// temporaryIndex makes git use an index that it drops when the hook fails.
func (d *desk) temporaryIndex() {
	d.t.Helper()
	index := filepath.Join(d.dir, ".git", "next-index-1.lock")
	data, err := os.ReadFile(filepath.Join(d.dir, ".git", "index"))
	if err := errors.Join(err, os.WriteFile(index, data, 0o600)); err != nil {
		d.t.Fatal(err)
	}
	d.env["GIT_INDEX_FILE"] = index
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

func (d *desk) check(o precommit.Options) *precommit.Check {
	d.t.Helper()
	check, err := precommit.Run(d.t.Context(), d.open(), o)
	if err != nil {
		d.t.Fatalf("Run = %v", err)
	}
	d.t.Cleanup(func() { _ = check.Close() })
	return check
}

// outcome says in a word what a staged file is.
func outcome(f *precommit.StagedFile) string {
	switch {
	case f.Err == nil && f.Verified:
		return "verified"
	case f.Err == nil && f.Unproven != nil:
		return "unproven"
	case f.Err == nil:
		return "none of ours"
	case drift.IsDrift(f.Err):
		return "drift"
	case errors.As(f.Err, new(*drift.PlaintextError)), errors.As(f.Err, new(*dotenv.FormError)):
		return "plaintext"
	case errors.As(f.Err, new(*verify.UnmappedPlaintextError)):
		return "unmapped plaintext"
	case errors.As(f.Err, new(*verify.KeysError)):
		return "private key"
	case errors.As(f.Err, new(*dotenv.ConflictError)), errors.Is(f.Err, verify.ErrConflict):
		return "conflict"
	case errors.As(f.Err, new(*keyring.UnmappedError)):
		return "unmapped"
	case errors.Is(f.Err, vault.ErrUnavailable):
		return "unreachable"
	case errors.Is(f.Err, drift.ErrNoValues):
		return "no values"
	case errors.Is(f.Err, mapping.ErrPointer):
		return "pointer"
	case errors.Is(f.Err, verify.ErrLink):
		return "link"
	case errors.As(f.Err, new(*config.Error)):
		return "broken"
	}
	return "error: " + f.Err.Error()
}

// outcomes lists the files of a check, sorted.
func outcomes(check *precommit.Check) string {
	var list []string
	for _, f := range check.Files {
		if o := outcome(f); o != "none of ours" {
			list = append(list, f.Change.Path+" "+o)
		}
	}
	slices.Sort(list)
	return strings.Join(list, "; ")
}

func TestCheck(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	tests := []struct {
		name  string
		head  func(d *desk) // what is committed before
		stage func(d *desk)
		down  bool
		want  string
		asked bool // the vault
	}{
		{name: "nothing of ours", stage: func(d *desk) { d.stage("readme", "x") }},
		{name: "nothing", stage: func(*desk) {}},
		{name: "verified", stage: func(d *desk) { d.stage("svc/.env", d.encrypted(d.right, "A=1\n")) }, want: "svc/.env verified", asked: true},
		{name: "drift", stage: func(d *desk) { d.stage("svc/.env", d.encrypted(d.stranger, "A=1\n")) }, want: "svc/.env drift", asked: true},
		{name: "plaintext", stage: func(d *desk) { d.stage("svc/.env", d.encrypted(d.right, "A=1\n")+"B=2\n") }, want: "svc/.env plaintext"},
		{name: "text behind a value", stage: func(d *desk) {
			d.stage("svc/.env", strings.TrimSpace(d.encrypted(d.right, "A=1\n"))+"B=2\n")
		}, want: "svc/.env plaintext"},
		{name: "emptied", stage: func(d *desk) { d.stage("svc/.env", "") }, want: "svc/.env no values"},
		{name: "conflict markers", stage: func(d *desk) { d.stage("svc/.env", "<<<<<<< a\nA=1\n=======\nA=2\n>>>>>>> b\n") }, want: "svc/.env conflict"},
		{name: "a pointer", stage: func(d *desk) {
			d.stage("svc/.env", "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
		}, want: "svc/.env pointer"},
		{name: "a link", stage: func(d *desk) {
			d.write("svc/real", "A=1\n")
			if err := os.Symlink("real", filepath.Join(d.dir, "svc", ".env")); err != nil {
				d.t.Skip(err)
			}
			d.git("add", "svc/.env")
		}, want: "svc/.env link"},
		{name: "keys files and keys", stage: func(d *desk) {
			d.stage("svc/.env.keys", "nothing\n")
			d.stage(".ENV.KEYS.old", "nothing\n")
			d.stage("deploy.yml", "DOTENV_PRIVATE_KEY: "+hex+"\n")
			d.stage(".env.keys.example", "DOTENV_PRIVATE_KEY=\n")
		}, want: ".ENV.KEYS.old private key; deploy.yml private key; svc/.env.keys private key"},
		{name: "unmapped, encrypted", stage: func(d *desk) { d.stage("x/.env", d.encrypted(d.stranger, "A=1\n")) }, want: "x/.env unproven"},
		{name: "unmapped, encrypted, blocked", stage: func(d *desk) {
			d.stage("envdrift.toml", mapped+"[hooks]\non_unmapped = \"block\"\n")
			d.stage("x/.env", d.encrypted(d.stranger, "A=1\n"))
		}, want: "x/.env unmapped"},
		{name: "unmapped, malformed", stage: func(d *desk) { d.stage("x/.env", "A=encrypted:zz\n") }, want: "x/.env error: encrypted values, but 0 public keys in the header; dotenvx writes one"},
		{name: "unmapped, plaintext", stage: func(d *desk) {
			d.stage("x/.env", "A=1\n")
			d.stage("x/.env.example", "A=1\n")
			d.stage("x/.env.empty", "A=\n")
		}, want: "x/.env unmapped plaintext"},
		{
			name: "unmapped, plaintext, warned of", stage: func(d *desk) { d.stage("x/.env", "A=1\n") }, want: "x/.env unproven",
			head: func(d *desk) { d.write("envdrift.toml", mapped+"[hooks]\non_plaintext = \"warn\"\n") },
		},
		{
			name: "unmapped, plaintext, off", stage: func(d *desk) { d.stage("x/.env", "A=1\n") },
			head: func(d *desk) { d.write("envdrift.toml", mapped+"[hooks]\non_plaintext = \"off\"\n") },
		},
		{name: "unmapped, plaintext, off with the same commit", want: "x/.env unmapped plaintext", stage: func(d *desk) {
			d.stage("envdrift.toml", mapped+"[hooks]\non_plaintext = \"off\"\n")
			d.stage("x/.env", "A=1\n")
		}},
		{name: "the vault is down", stage: func(d *desk) { d.stage("svc/.env", d.encrypted(d.right, "A=1\n")) }, down: true, want: "svc/.env unreachable", asked: true},
		{
			name: "the vault is down, which may be", down: true, want: "svc/.env unproven", asked: true,
			head:  func(d *desk) { d.write("envdrift.toml", mapped+"[hooks]\non_unreachable = \"warn\"\n") },
			stage: func(d *desk) { d.stage("svc/.env", d.encrypted(d.right, "A=1\n")) },
		},
		{
			name: "a local key that HEAD names", down: true, want: "svc/.env unproven", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) {
				d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+d.store.texts["k"]+"\n")
				d.stage("svc/.env", d.encrypted(d.right, "A=2\n"))
			},
		},
		{
			name: "not one that HEAD does not name", want: "svc/.env drift", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) {
				d.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{d.stranger}.Reveal()
				d.stage("svc/.env", d.encrypted(d.stranger, "A=2\n"))
			},
		},
		{
			name: "decrypted and renamed", want: "settings.txt plaintext",
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\nB=2\n")) },
			stage: func(d *desk) {
				d.git("rm", "-q", "svc/.env")
				d.stage("settings.txt", "A=1\nB=2\n")
			},
		},
		{
			name: "deleted", head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) { d.git("rm", "-q", "svc/.env") },
		},
		{
			name: "a merge stops", want: "svc/.env conflict",
			head:  func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) { d.conflict(d.stranger) },
		},
		{
			name: "a merge brings the same key", down: true, want: "svc/.env unproven", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) {
				d.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{d.right}.Reveal()
				d.conflict(d.right)
				d.stage("svc/.env", d.encrypted(d.right, "A=4\n"))
			},
		},
		{
			name: "a merge brings another key", want: "svc/.env verified", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) {
				d.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{d.right}.Reveal()
				d.conflict(d.stranger)
				d.stage("svc/.env", d.encrypted(d.right, "A=4\n"))
			},
		},
		{
			name: "a merge is resolved with the other key", want: "svc/.env drift", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) {
				d.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{d.right}.Reveal()
				d.conflict(d.stranger)
				d.stage("svc/.env", d.encrypted(d.stranger, "A=4\n"))
			},
		},
		{
			name: "an old local key", want: "svc/.env drift", asked: true,
			head: func(d *desk) { d.write("svc/.env", d.encrypted(d.stranger, "A=1\n")) },
			stage: func(d *desk) {
				d.env["DOTENV_PRIVATE_KEY"] = ecies.Keys{d.stranger}.Reveal()
				d.stage("svc/.env", d.encrypted(d.stranger, "A=2\n"))
			},
		},
		{
			name: "the mapping is dropped", want: "svc/.env drift", asked: true,
			stage: func(d *desk) {
				d.stage("envdrift.toml", strings.Replace(mapped, "svc", "other", 1))
				d.stage("svc/.env", d.encrypted(d.stranger, "A=1\n"))
			},
		},
		{
			name: "the configuration is deleted", want: "svc/.env drift", asked: true,
			stage: func(d *desk) {
				d.git("rm", "-q", "envdrift.toml")
				d.stage("svc/.env", d.encrypted(d.stranger, "A=1\n"))
			},
		},
		{
			name: "a nested configuration shadows", want: "svc/.env drift", asked: true,
			stage: func(d *desk) {
				d.stage("svc/envdrift.toml", strings.Replace(mapped, "svc", "deep", 1))
				d.stage("svc/.env", d.encrypted(d.stranger, "A=1\n"))
			},
		},
		{
			name: "a configuration that does not parse", want: "envdrift.toml broken",
			stage: func(d *desk) {
				d.stage("envdrift.toml", "[vault\n")
				d.write("envdrift.toml", mapped) // else the command itself cannot begin
			},
		},
		{
			name: "another name, in a configuration below", want: "svc/etc/settings plaintext",
			head:  func(d *desk) { d.write("svc/envdrift.toml", settings) },
			stage: func(d *desk) { d.stage("svc/etc/settings", "A=1\n") },
		},
		{
			name: "another name, in a configuration of the index alone", want: "svc/etc/settings plaintext",
			head: func(d *desk) { d.write("svc/envdrift.toml", settings) },
			stage: func(d *desk) {
				d.remove("svc/envdrift.toml")
				d.stage("svc/etc/settings", "A=1\n")
			},
		},
		{
			name: "another secret, which the vault lacks", want: "svc/.env error: memory: none: secret not found", asked: true,
			head:  func(d *desk) { d.write("svc/.env", d.encrypted(d.right, "A=1\n")) },
			stage: func(d *desk) { d.stage("envdrift.toml", strings.Replace(mapped, `"k"`, `"none"`, 1)) },
		},
		{
			name: "a mapping for a file in plaintext", want: "app/.env plaintext",
			head:  func(d *desk) { d.write("app/.env", "A=1\n") },
			stage: func(d *desk) { d.stage("envdrift.toml", mapped+strings.Replace(mapped, "svc", "app", 1)) },
		},
		{
			name: "the configuration changes what does not matter", head: func(d *desk) { d.write("svc/.env", d.encrypted(d.stranger, "A=1\n")) },
			stage: func(d *desk) { d.stage("envdrift.toml", mapped+"# a remark\n") },
		},
		{
			name: "the staged configuration counts", want: "new/.env verified", asked: true,
			stage: func(d *desk) {
				d.stage("envdrift.toml", strings.Replace(mapped, "svc", "new", 1))
				d.stage("new/.env", d.encrypted(d.right, "A=1\n"))
			},
		},
		{
			name: "a nested configuration counts", want: "sub/app/.env verified", asked: true,
			stage: func(d *desk) {
				d.stage("sub/envdrift.toml", strings.Replace(mapped, "svc", "app", 1))
				d.stage("sub/app/.env", d.encrypted(d.right, "A=1\n"))
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			if tt.head != nil {
				tt.head(d)
			}
			d.commit()
			tt.stage(d)
			d.store.down = tt.down
			check := d.check(precommit.Options{DryRun: true})
			if got := outcomes(check); got != tt.want || (d.store.asked > 0) != tt.asked {
				t.Errorf("Run = %q, the vault was asked %d times; want %q, %t", got, d.store.asked, tt.want, tt.asked)
			}
		})
	}
}

func TestRunWithoutRepository(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := os.RemoveAll(filepath.Join(d.dir, ".git")); err != nil {
		t.Fatal(err)
	}
	if _, err := precommit.Run(t.Context(), d.open(), precommit.Options{}); !errors.Is(err, gitops.ErrNotRepository) {
		t.Errorf("Run = %v; want ErrNotRepository", err)
	}
}

// drifted commits an env file and stages an edit that another key encrypted,
// which is local if known.
func drifted(t *testing.T, known bool) *desk {
	d := newDesk(t)
	d.write("svc/.env", d.encrypted(d.right, "A=1\n"))
	d.commit()
	if known {
		d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+ecies.Keys{d.stranger}.Reveal()+"\n")
	}
	d.stage("svc/.env", d.encrypted(d.stranger, "A=1\nB=2\n"))
	return d
}

// values is what the vault's key makes of a file's content.
func (d *desk) values(content string) string {
	all, err := dotenv.Parse([]byte(content)).Reveal(ecies.Keys{d.right})
	if err != nil {
		return err.Error()
	}
	var list []string
	for _, r := range all {
		if !strings.HasPrefix(r.Name, "DOTENV_PUBLIC_KEY") {
			list = append(list, r.Name+"="+r.Plaintext.Reveal())
		}
	}
	return strings.Join(list, " ")
}

func TestRepair(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name                string
		known               bool
		prepare             func(d *desk)
		options             precommit.Options
		action              drift.Action
		index, tree, backup bool
		inIndex, inTree     string // values; "" if the vault's key does not decrypt them
		err                 func(error) bool
	}{
		{name: "repaired", known: true, action: drift.Repaired, index: true, tree: true, backup: true, inIndex: "A=1 B=2", inTree: "A=1 B=2"},
		{name: "restored", action: drift.Restored, index: true, tree: true, backup: true, inIndex: "A=1", inTree: "A=1"},
		{name: "further edits stay", known: true, prepare: func(d *desk) { d.write("svc/.env", "A=7\n") }, action: drift.Repaired, index: true, backup: true, inIndex: "A=1 B=2", inTree: "A=7"},
		{name: "planned", known: true, options: precommit.Options{DryRun: true}, action: drift.Repaired},
		{name: "no key and no HEAD", prepare: func(d *desk) { d.git("update-ref", "-d", "HEAD") }, action: drift.Failed, err: is[*drift.NoFittingKeyError]},
		{name: "blocked", known: true, prepare: func(d *desk) { d.stage("envdrift.toml", mapped+"[hooks]\non_drift = \"block\"\n") }},
		{
			name: "blocked, but by hand", known: true, prepare: func(d *desk) { d.stage("envdrift.toml", mapped+"[hooks]\non_drift = \"block\"\n") },
			options: precommit.Options{ByHand: true}, action: drift.Repaired, index: true, tree: true, backup: true, inIndex: "A=1 B=2", inTree: "A=1 B=2",
		},
		{
			name: "an index that git drops, but the working tree lasts", known: true, action: drift.Repaired, tree: true, backup: true, inIndex: "A=1 B=2", inTree: "A=1 B=2",
			prepare: func(d *desk) { d.temporaryIndex() },
		},
		{
			name: "an index that git drops", known: true, action: drift.Failed, err: func(err error) bool { return errors.Is(err, precommit.ErrEdited) },
			prepare: func(d *desk) {
				d.temporaryIndex()
				d.write("svc/.env", "A=7\n")
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := drifted(t, tt.known)
			if tt.prepare != nil {
				tt.prepare(d)
			}
			check := d.check(tt.options)
			f := check.Files[slices.IndexFunc(check.Files, func(f *precommit.StagedFile) bool { return f.Change.Path == "svc/.env" })]
			if outcome(f) != "drift" {
				t.Fatalf("the file is %s; want drift", outcome(f))
			}
			r := f.Repair
			if (r == nil) != (tt.action == "") {
				t.Fatalf("Repair = %+v; want %q", r, tt.action)
			}
			if r == nil {
				return
			}
			failed := tt.err != nil
			if (r.Err != nil) != failed || failed && !tt.err(r.Err) || r.Index != tt.index || r.Tree != tt.tree || (r.Backup != "") != tt.backup || !failed && r.Action != tt.action {
				t.Errorf("Repair = %s, %v, index %t, tree %t, backup %q", r.Action, r.Err, r.Index, r.Tree, r.Backup)
			}
			if tt.inIndex != "" && d.values(d.git("show", ":svc/.env")) != tt.inIndex {
				t.Errorf("the index holds %q; want %q", d.values(d.git("show", ":svc/.env")), tt.inIndex)
			}
			if tt.inTree != "" && d.values(d.read("svc/.env")) != tt.inTree {
				t.Errorf("the working tree holds %q; want %q", d.values(d.read("svc/.env")), tt.inTree)
			}
			if tt.backup {
				kept, err := os.ReadFile(r.Backup)
				if err != nil || len(kept) == 0 {
					t.Errorf("the backup holds %q, %v", kept, err)
				}
			}
		})
	}
}

// The version to start from is the newest that the vault's key decrypts. One in
// plaintext is none.
func TestLastRight(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	commit := func(text string) string {
		d.stage("svc/.env", text)
		d.commit()
		return strings.TrimSpace(d.git("rev-parse", "--short=12", "HEAD"))
	}
	last := func() string {
		t.Helper()
		d.stage("svc/.env", d.encrypted(d.stranger, "A=1\nB=2\n"))
		check := d.check(precommit.Options{DryRun: true})
		repo, err := d.open().Git(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return check.Files[0].LastRight(t.Context(), repo)
	}
	commit("A=1\n")
	commit(d.encrypted(d.stranger, "A=1\n"))
	if got := last(); got != "" {
		t.Errorf("LastRight without a right version = %q", got)
	}
	commit(d.encrypted(d.right, "A=2\n"))
	if got := last(); got != "HEAD" {
		t.Errorf("LastRight = %q; want HEAD", got)
	}
	want := commit(d.encrypted(d.right, "A=3\n"))
	commit(d.encrypted(d.stranger, "A=4\n"))
	d.git("rm", "-q", "-f", "svc/.env")
	d.commit()
	commit(d.encrypted(d.stranger, "A=5\n"))
	if got := last(); got != want {
		t.Errorf("LastRight = %q; want %s", got, want)
	}
}

// What is staged while the vault is asked is neither replaced nor passed.
func TestStagedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, drifts := range []bool{true, false} {
		d := drifted(t, true)
		if !drifts {
			d.stage("svc/.env", d.encrypted(d.right, "A=1\nB=3\n"))
		}
		late := d.encrypted(d.stranger, "A=1\nB=late\n")
		d.store.meanwhile = func() {
			d.stage("svc/.env", late)
			d.stage("svc/.env.more", "A=secret\n")
		}
		check := d.check(precommit.Options{})
		var got []string
		for _, f := range check.Files {
			if errors.Is(f.Err, precommit.ErrStagedLate) {
				got = append(got, f.Change.Path)
			}
		}
		want := "svc/.env svc/.env.more"
		if drifts {
			want = "svc/.env.more" // the other one is wrong anyhow
		}
		if strings.Join(got, " ") != want {
			t.Errorf("drift %t: %q were staged late; want %s", drifts, got, want)
		}
		if d.git("show", ":svc/.env") != late || d.read("svc/.env") != late {
			t.Errorf("drift %t: what was staged is gone", drifts)
		}
		for _, f := range check.Files {
			if r := f.Repair; r != nil && (!errors.Is(r.Err, precommit.ErrStaged) || r.Index || r.Tree || r.Backup != "") {
				t.Errorf("Repair = %+v; want nothing to be done", r)
			}
		}
	}
}

// A repair that could not be made is not reported as one.
func TestRepairStopped(t *testing.T) {
	t.Parallel()
	for name, hinder := range map[string]func(d *desk){
		"state directory": func(d *desk) { d.write(".git/envdrift", "") },
		"backup":          func(d *desk) { d.write(".git/envdrift/backup", "") },
		"index":           func(d *desk) { d.write(".git/index.lock", "") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := drifted(t, true)
			hinder(d)
			before := d.read("svc/.env")
			check, err := precommit.Run(t.Context(), d.open(), precommit.Options{})
			if err == nil {
				t.Fatal("Run = nil; want an error")
			}
			defer func() { _ = check.Close() }()
			if r := check.Files[0].Repair; !errors.Is(r.Err, precommit.ErrStopped) || r.Index || r.Tree || r.Backup != "" {
				t.Errorf("Repair = %+v; want nothing to be done", r)
			}
			if d.read("svc/.env") != before || d.git("show", ":svc/.env") != before {
				t.Error("the file was changed")
			}
		})
	}
}

func is[E error](err error) bool { return errors.As(err, new(E)) }

func TestOwnersAndRest(t *testing.T) {
	t.Parallel()
	d := drifted(t, true)
	check := d.check(precommit.Options{})
	if got := strings.Join(check.Files[0].Owners, "; "); got != "DOTENV_PRIVATE_KEY (svc/.env.keys)" {
		t.Errorf("Owners = %q", got)
	}
	if check.Files[0].Head == nil || check.Framework() || check.NothingStaged(t.Context()) {
		t.Errorf("no head %t, Framework %t, NothingStaged %t", check.Files[0].Head == nil, check.Framework(), check.NothingStaged(t.Context()))
	}
	restored := drifted(t, false).check(precommit.Options{})
	if !restored.NothingStaged(t.Context()) {
		t.Error("NothingStaged after HEAD's version came back = false")
	}
	only := drifted(t, true).check(precommit.Options{Only: func(string) bool { return false }})
	if len(only.Files) != 0 || only.Close() != nil {
		t.Errorf("with Only the check has %d files", len(only.Files))
	}
}
