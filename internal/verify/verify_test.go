package verify_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// memory is a vault that counts how often it is asked.
type memory struct {
	mu    sync.Mutex
	texts map[string]string
	asked []string
}

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, name)
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

// A desk is a directory, a key that the vault has, and one that it has not.
type desk struct {
	t               *testing.T
	dir             string
	env             map[string]string
	store           *memory
	right, stranger *ecies.PrivateKey
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: dir, env: map[string]string{"HOME": dir}, store: &memory{texts: map[string]string{}}}
	for _, key := range []**ecies.PrivateKey{&d.right, &d.stranger} {
		if *key, err = ecies.GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	d.store.texts["k"] = ecies.Keys{d.right}.Reveal()
	return d
}

func (d *desk) write(name, text string) {
	d.t.Helper()
	file := filepath.Join(d.dir, filepath.FromSlash(name))
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		d.t.Fatal(err)
	}
}

// encrypted makes an env file for key.
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

// git makes the directory a repository when it is first called.
func (d *desk) git(args ...string) string {
	d.t.Helper()
	d.env["PATH"], d.env["GIT_CONFIG_NOSYSTEM"] = os.Getenv("PATH"), "1"
	if _, err := os.Stat(filepath.Join(d.dir, ".git")); err != nil && args[0] != "init" {
		d.git("init", "-q", "-b", "main")
	}
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	cmd.Dir = d.dir
	for name, value := range d.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (d *desk) commit(message string) {
	d.git("add", "-A")
	d.git("commit", "-q", "-m", message)
}

// mappings is a configuration that maps secrets to folders.
func mappings(pairs ...string) string {
	var b strings.Builder
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(&b, "[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = %q\nenv_file = \".env\"\n", pairs[i], pairs[i+1])
	}
	return b.String()
}

// outcome lists what each version is.
func outcome(results []*verify.File) string {
	var list []string
	for _, r := range results {
		word := "verified"
		switch {
		case r.Err == nil:
		case drift.IsDrift(r.Err):
			word = "drift"
		case errors.As(r.Err, new(*drift.PlaintextError)):
			word = "plaintext"
		case errors.Is(r.Err, vault.ErrNotFound):
			word = "no secret"
		default:
			word = "error"
		}
		list = append(list, r.Folder()+":"+word)
	}
	return strings.Join(list, " ")
}

// A verify needs no process, no terminal and no git.
func TestRunWithoutGit(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "good", "k", "drift", "k", "plain", "k", "gone", "nope", "unknown", "k", "empty"))
	d.write("good/.env", d.encrypted(d.right, "A=1\nB=2\n"))
	d.write("drift/.env", d.encrypted(d.stranger, "A=1\n"))
	d.write("plain/.env", "A=1\n")
	d.write("unknown/.env", d.encrypted(d.right, "A=1\n"))
	d.write("empty/.env", "")
	if err := os.MkdirAll(filepath.Join(d.dir, "gone"), 0o755); err != nil {
		t.Fatal(err)
	}
	results, err := verify.Run(t.Context(), d.open(), verify.Scope{})
	if got, want := outcome(results), "good:verified drift:drift plain:plaintext gone:error unknown:no secret empty:error"; err != nil || got != want {
		t.Errorf("Run = %q, %v; want %q", got, err, want)
	}
	if r := results[0]; r.Verdict.Values != 2 || r.Vault != "memory" || r.At != "" {
		t.Errorf("Run: the first result has %d values, vault %q, commit %q", r.Verdict.Values, r.Vault, r.At)
	}
	slices.Sort(d.store.asked)
	if got := strings.Join(d.store.asked, " "); got != "k nope" {
		t.Errorf("the vault was asked for %q; want each secret once", got)
	}
	if _, err := verify.Run(t.Context(), d.open(), verify.Scope{Staged: true}); !errors.Is(err, gitops.ErrNotRepository) {
		t.Errorf("Run of the index without a repository = %v; want ErrNotRepository", err)
	}
	if _, err := verify.Run(t.Context(), newDesk(t).open(), verify.Scope{}); !errors.Is(err, config.ErrNoConfig) {
		t.Errorf("Run without a configuration = %v; want ErrNoConfig", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := verify.Run(canceled, d.open(), verify.Scope{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Run with a canceled context = %v", err)
	}
}

func TestNamed(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a"))
	d.write("a/.env", d.encrypted(d.right, "A=1\n"))
	d.write("below/envdrift.toml", mappings("k", "b"))
	d.write("below/b/.env", d.encrypted(d.stranger, "A=1\n"))
	d.write("unmapped/.env", d.encrypted(d.right, "A=1\n"))
	w := d.open()
	results, err := verify.Named(t.Context(), w, []string{"a/.env", "below/b/.env"}, "")
	if got := outcome(results); err != nil || got != "a:verified below/b:drift" {
		t.Errorf("Named = %q, %v; want each by the nearest configuration", got, err)
	}
	results, err = verify.Named(t.Context(), w, []string{"unmapped/.env", "unmapped/nope"}, "k")
	if err != nil || len(results) != 2 || results[0].Err != nil || !errors.Is(results[1].Err, fs.ErrNotExist) {
		t.Errorf("Named with a secret = %+v, %v; want one verified, and fs.ErrNotExist", results, err)
	}
	for name, want := range map[string]error{"unmapped/.env": new(keyring.UnmappedError), "unmapped/nope": fs.ErrNotExist, "../.env": new(workspace.OutsideError)} {
		results, err := verify.Named(t.Context(), w, []string{"a/.env", name}, "")
		if results != nil || !errors.Is(err, want) && reflect.TypeOf(err) != reflect.TypeOf(want) {
			t.Errorf("Named(%s) = %d results, %v; want %T alone", name, len(results), err, want)
		}
	}
}

func TestRunHistory(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("readme", "before envdrift\n")
	d.commit("zero")
	d.write("envdrift.toml", mappings("k", "a", "k", "b"))
	good := d.encrypted(d.right, "A=1\nB=2\n")
	d.write("a/.env", good)
	d.write("b/.env", good)
	d.commit("one")
	d.write("a/.env", d.encrypted(d.stranger, "A=1\n"))
	d.commit("two: drift")
	d.write("a/.env", good)
	d.commit("three: back")
	d.write("b/.env", strings.Replace(good, "B=", "A_PLAIN=1\nB=", 1))
	d.git("add", "-A")
	d.write("b/.env", "B=plain in the working tree\n")
	tests := []struct {
		name  string
		scope verify.Scope
		want  string
		err   func(error) bool
	}{
		{name: "working tree", want: "a:verified b:plaintext"},
		{name: "index", scope: verify.Scope{Staged: true}, want: "a:verified b:verified"},
		{name: "commit", scope: verify.Scope{Rev: "HEAD~1"}, want: "a:drift b:verified"},
		{name: "one file of a commit", scope: verify.Scope{Rev: "HEAD~1", Files: []string{"b/.env"}}, want: "b:verified"},
		{name: "a file that is not mapped", scope: verify.Scope{Staged: true, Files: []string{"b/.env", "readme"}}, want: "b:verified", err: is[*verify.NotFoundError]},
		{name: "a range finds what came and went", scope: verify.Scope{Rev: "HEAD~2..HEAD"}, want: "a:drift a:verified b:verified"},
		{name: "each version once", scope: verify.Scope{Rev: "HEAD~3..HEAD"}, want: "a:verified b:verified a:drift"},
		{name: "before there was a configuration", scope: verify.Scope{Rev: "HEAD~3"}, err: func(err error) bool { return errors.Is(err, verify.ErrNoMapping) }},
		{name: "no commits", scope: verify.Scope{Rev: "HEAD..HEAD"}, err: func(err error) bool { return errors.Is(err, verify.ErrNoCommits) }},
		{name: "an empty side", scope: verify.Scope{Rev: "..HEAD"}, err: func(err error) bool { return errors.Is(err, verify.ErrNoRevision) }},
		{name: "the other empty side", scope: verify.Scope{Rev: "HEAD.."}, err: func(err error) bool { return errors.Is(err, verify.ErrNoRevision) }},
		{name: "unknown", scope: verify.Scope{Rev: "nope"}, err: is[*gitops.RevisionError]},
		{name: "unknown base", scope: verify.Scope{Rev: "nope..HEAD"}, err: is[*gitops.RevisionError]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			results, err := verify.Run(t.Context(), d.open(), tt.scope)
			if got := outcome(results); got != tt.want || tt.err == nil && err != nil || tt.err != nil && (err == nil || !tt.err(err)) {
				t.Errorf("Run = %q, %v; want %q, error %t", got, err, tt.want, tt.err != nil)
			}
		})
	}
}

func is[E error](err error) bool { return errors.As(err, new(E)) }

// The mappings with which a range starts count for all of it.
func TestRunDroppedMapping(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a", "k", "b"))
	d.write("a/.env", d.encrypted(d.right, "A=1\n"))
	d.write("b/.env", d.encrypted(d.right, "A=1\n"))
	d.commit("one")
	d.write("envdrift.toml", mappings("k", "b"))
	d.write("a/.env", d.encrypted(d.stranger, "A=1\n"))
	d.commit("two")
	results, err := verify.Run(t.Context(), d.open(), verify.Scope{Rev: "HEAD~1..HEAD"})
	if got, want := outcome(results), "a:drift b:verified"; err != nil || got != want {
		t.Errorf("Run = %q, %v; want %q", got, err, want)
	}
}

// Ciphertexts that are swapped are noticed by what was there before.
func TestRunWarns(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a"))
	good := d.encrypted(d.right, "A=1\nB=2\n")
	d.write("a/.env", good)
	d.commit("one")
	swapped := strings.NewReplacer("\nA=", "\nB=", "\nB=", "\nA=").Replace(good)
	d.write("a/.env", swapped)
	results, err := verify.Run(t.Context(), d.open(), verify.Scope{})
	if err != nil || results[0].Err != nil || len(results[0].Verdict.Warnings) != 2 {
		t.Fatalf("Run of the working tree: %v, warnings %q; want two", err, results[0].Verdict.Warnings)
	}
	d.commit("two")
	results, err = verify.Run(t.Context(), d.open(), verify.Scope{Rev: "HEAD~1..HEAD"})
	if err != nil || results[0].Err != nil || len(results[0].Verdict.Warnings) != 2 {
		t.Errorf("Run of the range: %v, warnings %q; want two", err, results[0].Verdict.Warnings)
	}
}

func TestRunNamesTheRevision(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a"))
	d.write("a/.env", d.encrypted(d.right, "A=1\n"))
	d.commit("one")
	d.git("branch", "feature/a-long-name")
	commit := d.git("rev-parse", "HEAD")
	for rev, want := range map[string]string{"HEAD": "HEAD", "feature/a-long-name": "feature/a-long-name", commit: commit[:12]} {
		if results, err := verify.Run(t.Context(), d.open(), verify.Scope{Rev: rev}); err != nil || len(results) != 1 || results[0].At != want {
			t.Errorf("Run of %s = %v, %v; want one result at %q", rev, outcome(results), err, want)
		}
	}
}

// A version that came back is proven once, and what follows is compared with it.
func TestRunWarnsAfterVersionThatCameBack(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a"))
	good := d.encrypted(d.right, "A=1\nB=2\n")
	swapped := strings.NewReplacer("\nA=", "\nB=", "\nB=", "\nA=").Replace(good)
	for i, version := range []string{"", good, d.encrypted(d.right, "A=3\nB=4\n"), good, swapped} {
		d.write("a/.env", version)
		d.commit(strconv.Itoa(i))
	}
	results, err := verify.Run(t.Context(), d.open(), verify.Scope{Rev: "HEAD~4..HEAD"})
	if err != nil || len(results) != 3 || len(results[2].Verdict.Warnings) != 2 {
		t.Errorf("Run = %d versions %q, %v; want three, the last one with two warnings", len(results), outcome(results), err)
	}
}

func TestRunInShallowClone(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mappings("k", "a"))
	for _, text := range []string{"A=1\n", "A=2\n", "A=3\n"} {
		d.write("a/.env", d.encrypted(d.right, text))
		d.commit(text)
	}
	clone := newDesk(t)
	clone.store = d.store
	clone.git("clone", "-q", "--depth", "2", "file://"+d.dir, "c")
	clone.dir = filepath.Join(clone.dir, "c")
	for _, rev := range []string{"HEAD~2..HEAD", "HEAD~1..HEAD"} {
		_, err := verify.Run(t.Context(), clone.open(), verify.Scope{Rev: rev})
		if want := rev == "HEAD~2..HEAD"; is[*verify.ShallowError](err) != want {
			t.Errorf("Run of %s in a clone of depth 2 = %v; want a ShallowError: %t", rev, err, want)
		}
	}
}
