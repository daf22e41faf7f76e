package workspace_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/state"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// memory is a vault.
type memory struct {
	texts map[string]string
	fail  error // of Put
	lies  bool  // Put keeps something else
}

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	text, ok := m.texts[name]
	if !ok {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: "memory", Name: name, Err: vault.ErrNotFound}
	}
	return vault.Secret{Name: name, Value: secret.New(text), Version: "1"}, nil
}

func (m *memory) Put(_ context.Context, name string, value secret.Value, _ string) (string, error) {
	if m.fail != nil {
		return "", m.fail
	}
	if m.texts[name] = value.Reveal(); m.lies {
		m.texts[name] = strings.Repeat("1", 64)
	}
	return "2", nil
}
func (m *memory) String() string { return "memory" }

// user is a workspace.UI that writes down what it is told.
type user struct {
	answer bool
	said   []string
}

func (u *user) Notice(format string, args ...any) {
	u.said = append(u.said, fmt.Sprintf(format, args...))
}
func (u *user) Debug(format string, args ...any) {
	u.said = append(u.said, "debug "+fmt.Sprintf(format, args...))
}
func (u *user) Progress(what string) func() { return func() {} }
func (u *user) Confirm(_ context.Context, question string) bool {
	u.said = append(u.said, "asked "+question)
	return u.answer
}

// A desk is a directory, the process that works there, and keys.
type desk struct {
	t       *testing.T
	dir     string
	options workspace.Options
	store   *memory
	opened  int // vaults
	a, b    *ecies.PrivateKey
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	d := &desk{t: t, dir: filepath.Join(dir, "repo"), store: &memory{texts: map[string]string{}}}
	for _, key := range []**ecies.PrivateKey{&d.a, &d.b} {
		if *key, err = ecies.GenerateKey(); err != nil {
			t.Fatal(err)
		}
	}
	d.options = workspace.Options{
		Dir: d.dir, Env: map[string]string{"HOME": dir, "XDG_STATE_HOME": filepath.Join(dir, "state")}, Consent: workspace.Given, Holder: "test",
		OpenVault: func(context.Context, vault.Config) (vault.Store, error) { d.opened++; return d.store, nil },
	}
	d.options.Overrides.Providers = all.Providers()
	d.write("readme", "")
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

func (d *desk) open() *workspace.Workspace {
	d.t.Helper()
	w, err := workspace.Open(d.options)
	if err != nil {
		d.t.Fatal(err)
	}
	return w
}

// git makes the directory a repository when it is first called.
func (d *desk) git(args ...string) string {
	d.t.Helper()
	d.options.Env["PATH"], d.options.Env["GIT_CONFIG_NOSYSTEM"] = os.Getenv("PATH"), "1"
	if _, err := os.Stat(filepath.Join(d.dir, ".git")); err != nil && args[0] != "init" {
		d.git("init", "-q", "-b", "main")
	}
	cmd := exec.Command("git", append([]string{"-c", "user.name=Ann", "-c", "user.email=ann@example.com"}, args...)...)
	cmd.Dir = d.dir
	for name, value := range d.options.Env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		d.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (d *desk) commit() {
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

func text(key *ecies.PrivateKey) string { return ecies.Keys{key}.Reveal() }

// mapped is a configuration for one secret.
const mapped = "[[vault.sync.mappings]]\nsecret_name = \"k\"\nfolder_path = \"svc\"\nenv_file = \".env\"\n"

func TestOpen(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("sub/deep/x", "")
	d.write("sub/envdrift.toml", mapped)
	d.write("other/other.toml", mapped)
	d.write("broken/envdrift.toml", "nonsense = \n")
	sub := func(parts ...string) string { return filepath.Join(append([]string{d.dir}, parts...)...) }
	tests := []struct {
		name, dir, file string
		top, base, cfg  string
		fails           bool
	}{
		{name: "none", dir: ".", top: ".", base: "."},
		{name: "above", dir: "sub/deep", top: "sub", base: ".", cfg: "sub/envdrift.toml"},
		{name: "named", dir: "sub/deep", file: "../../other/other.toml", top: "other", base: ".", cfg: "other/other.toml"},
		{name: "named, missing", dir: ".", file: "nope/x.toml", fails: true},
		{name: "broken", dir: "broken", fails: true},
	}
	for _, tt := range tests {
		o := d.options
		o.Dir, o.ConfigFile = sub(tt.dir), tt.file
		w, err := workspace.Open(o)
		if tt.fails {
			if !errors.As(err, new(*config.Error)) {
				t.Errorf("%s: Open = %v; want a config.Error", tt.name, err)
			}
			continue
		}
		cfg := ""
		if tt.cfg != "" {
			cfg = sub(tt.cfg)
		}
		if err != nil || w.Top != sub(tt.top) || w.Base != tt.base || w.Config.File != cfg {
			t.Errorf("%s: Open = top %s, base %s, configuration %s, %v", tt.name, w.Top, w.Base, w.Config.File, err)
		}
	}
	// in a repository the top is that of git
	d.git("init", "-q")
	o := d.options
	o.Dir = sub("sub", "deep")
	if w, err := workspace.Open(o); err != nil || w.Top != d.dir || w.Base != "sub" {
		t.Errorf("Open in a repository = %+v, %v; want base sub", w, err)
	}
	o.Env = map[string]string{"GIT_DIR": ".git", "GIT_WORK_TREE": ".."}
	if w, err := workspace.Open(o); err != nil || w.Top != sub("sub") {
		t.Errorf("Open with GIT_WORK_TREE: top %s, %v", w.Top, err)
	}
}

func TestPaths(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("a/b", "")
	d.options.Cwd = filepath.Join(d.dir, "a")
	w := d.open()
	if got, err := w.Inside("b"); err != nil || got != "a/b" {
		t.Errorf("Inside(b) = %s, %v; want a/b", got, err)
	}
	outside := (*workspace.OutsideError)(nil)
	if _, err := w.Inside("../../x"); !errors.As(err, &outside) || outside.Dir != filepath.Dir(d.dir) || outside.Error() != "../../x is outside "+d.dir {
		t.Errorf("Inside(../../x) = %v; want an OutsideError", err)
	}
	for file, want := range map[string]string{"a/b": "b", "readme": "../readme", "": "", "/abs": "/abs"} {
		if got := w.RelPath(file); got != filepath.FromSlash(want) {
			t.Errorf("RelPath(%q) = %q; want %q", file, got, want)
		}
	}
	if w.Cwd() != d.options.Cwd || w.Absolute("b") != filepath.Join(d.dir, "a", "b") || w.Absolute("/abs") != "/abs" {
		t.Errorf("Cwd = %s, Absolute(b) = %s", w.Cwd(), w.Absolute("b"))
	}
}

func TestMappedAndTarget(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if _, err := d.open().Mapped(); !errors.Is(err, config.ErrNoConfig) {
		t.Errorf("Mapped without a configuration = %v", err)
	}
	d.write("envdrift.toml", mapped)
	d.write("svc/.env", "A=1\n")
	targets, err := d.open().Mapped()
	if err != nil || len(targets) != 1 || targets[0].File != "svc/.env" {
		t.Errorf("Mapped = %+v, %v", targets, err)
	}
	if got, ok := d.open().Target("svc/.env"); !ok || got.Mapping.SecretName != "k" {
		t.Errorf("Target = %+v, %t", got, ok)
	}
	if _, ok := d.open().Target("nope"); ok {
		t.Error("Target(nope) is mapped")
	}
	d.options.Profile = "nope"
	if _, err := d.open().Mapped(); err == nil {
		t.Error("Mapped with an unknown profile = nil error")
	}
}

const hashicorp = "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = \"https://vault.example.com\"\n" + mapped

func TestConsent(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		consent workspace.Consent
		pinned  string // an address that was trusted before
		env     string
		answer  bool
		refused bool
		asked   bool
	}{
		{name: "first use"},
		{name: "first use of another token", env: "VAULT_ADDR=https://elsewhere.example.com", refused: true},
		{name: "a change", pinned: "https://old.example.com", refused: true},
		{name: "no change", pinned: "https://vault.example.com"},
		{name: "asked: yes", consent: workspace.Ask, answer: true, asked: true},
		{name: "asked: no", consent: workspace.Ask, refused: true, asked: true},
		{name: "never", consent: workspace.Never, refused: true},
		{name: "never, but trusted before", consent: workspace.Never, pinned: "https://vault.example.com"},
		{name: "given", consent: workspace.Given, pinned: "https://old.example.com"},
		{name: "ENVDRIFT_TRUST", consent: workspace.Never, env: "ENVDRIFT_TRUST=1"},
		{name: "VAULT_ADDR names it", consent: workspace.Never, env: "VAULT_ADDR=https://vault.example.com"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := newDesk(t)
			d.options.Env["VAULT_TOKEN"] = "t"
			if tt.pinned != "" {
				d.write("envdrift.toml", strings.Replace(hashicorp, "https://vault.example.com", tt.pinned, 1))
				d.options.Consent = workspace.FirstUse
				if err := d.open().TrustAll(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			d.write("envdrift.toml", hashicorp)
			name, value, _ := strings.Cut(tt.env, "=")
			d.options.Env[name] = value
			ui := &user{answer: tt.answer}
			d.options.Consent, d.options.UI = tt.consent, ui
			w := d.open()
			targets, err := w.Mapped()
			if err != nil {
				t.Fatal(err)
			}
			d.opened = 0
			_, err = w.Vault(t.Context(), targets[0])
			_, again := w.Vault(t.Context(), targets[0])
			if got := errors.As(err, new(*workspace.TrustError)); got != tt.refused || (again != nil) != tt.refused || d.opened != map[bool]int{true: 0, false: 1}[tt.refused] {
				t.Errorf("Vault = %v, then %v, opened %d times; want it refused: %t", err, again, d.opened, tt.refused)
			}
			asked := slices.ContainsFunc(ui.said, func(s string) bool { return strings.HasPrefix(s, "asked ") })
			if asked != tt.asked {
				t.Errorf("the user was told %q; want a question: %t", ui.said, tt.asked)
			}
		})
	}
}

func TestTrustError(t *testing.T) {
	t.Parallel()
	e := &workspace.TrustError{Endpoint: "azure, x"}
	if got := e.Error(); got != "not contacted: you have not trusted azure, x in this clone" {
		t.Errorf("TrustError = %q", got)
	}
	e.Pinned = append(e.Pinned, "azure, y", "aws")
	if got := e.Error(); got != "not contacted: this repository names azure, x, but you trusted azure, y; aws" {
		t.Errorf("TrustError = %q", got)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mapped)
	d.store.texts["k"] = text(d.a)
	ui := &user{}
	d.options.UI = ui
	w := d.open()
	local := w.Request("other/.env", dotenv.Parse([]byte(d.encrypted(d.b, "A=1\n"))))
	d.write("other/.env.keys", "DOTENV_PRIVATE_KEY="+text(d.b)+"\n")
	d.write("svc/.env", d.encrypted(d.a, "A=1\n"))
	asked := w.Request("svc/.env", dotenv.Parse([]byte(d.read("svc/.env"))))
	answers := w.Keys(t.Context(), []keyring.Request{local, asked}, keyring.Auto)
	if answers[0].Err != nil || answers[0].Keys.Reveal() != text(d.b) || answers[0].Vault != "" {
		t.Errorf("Keys by a local key = %+v", answers[0])
	}
	if answers[1].Err != nil || answers[1].Keys.Reveal() != text(d.a) || answers[1].Vault != "memory" {
		t.Errorf("Keys by the vault = %+v", answers[1])
	}
	if got := w.ProgramKeys(t.Context(), []keyring.Request{local}, keyring.LocalOnly)[0]; got.Err != nil || len(got.Keys) != 1 {
		t.Errorf("ProgramKeys = %+v", got)
	}
	if !slices.Contains(ui.said, "debug key: a local one for other/.env") || !slices.Contains(ui.said, "debug vault: memory") {
		t.Errorf("the user was told %q", ui.said)
	}
	if ring := w.AllLocalKeys("other/.env"); len(ring.Keys()) != 1 {
		t.Errorf("AllLocalKeys = %d keys", len(ring.Keys()))
	}
	d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+text(d.a)+"\n")
	if ring := d.open().AllLocalKeys("other/.env"); len(ring.Keys()) != 2 {
		t.Errorf("AllLocalKeys = %d keys; want the neighbours' too", len(ring.Keys()))
	}
	if err := os.Mkdir(filepath.Join(d.dir, "dir.keys"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.write("envdrift.toml", "[vault.sync]\nenv_keys_filename = \"dir.keys\"\n"+mapped)
	if ring := d.open().LocalKeys("x"); len(ring.Invalid) == 0 {
		t.Error("LocalKeys says nothing of a keys file that is a directory")
	}
	abs := filepath.Join(d.dir, "svc", "elsewhere.env")
	d.write("svc/dir.keys", "DOTENV_PRIVATE_KEY="+text(d.a)+"\n")
	if ring := d.open().LocalKeys(abs); len(ring.Keys()) != 1 {
		t.Errorf("LocalKeys beside an absolute path = %d keys", len(ring.Keys()))
	}
}

func TestEncryptionKeys(t *testing.T) {
	t.Parallel()
	plain := dotenv.Parse([]byte("A=1\n"))
	d := newDesk(t)
	d.write("envdrift.toml", mapped+strings.NewReplacer(`"svc"`, `"eph"`, `"k"`, `"gone"`).Replace(mapped)+"ephemeral_keys = true\n")
	d.write("svc/.env", "A=1\n")
	d.write("eph/.env", d.encrypted(d.a, "A=1\n"))
	d.write("loose/.env.keys", "DOTENV_PRIVATE_KEY="+text(d.b)+"\n")
	d.store.texts["k"] = text(d.a)
	d.commit()
	w := d.open()
	requests := []keyring.Request{
		w.Request("svc/.env", plain),
		w.Request("svc/.env", dotenv.Parse([]byte(d.encrypted(d.b, "A=1\n")))),
		w.Request("eph/.env", dotenv.Parse([]byte(d.read("eph/.env")))),
		w.Request("new/.env", plain),
		w.Request("loose/.env", plain),
	}
	pairs := w.EncryptionKeys(t.Context(), requests, true)
	if p := pairs[0]; p.Err != nil || p.Public != d.a.PublicKey() {
		t.Errorf("undeclared: %+v; want the vault's", p)
	}
	if p := pairs[1]; p.Err != nil || p.Unkept != nil || p.Public != d.b.PublicKey() || p.Keys.Reveal() != text(d.a) {
		t.Errorf("declared, to compare: %+v; want the header's, and the vault's private key", p)
	}
	if p := pairs[2]; !errors.Is(p.Err, vault.ErrNotFound) {
		t.Errorf("ephemeral: %v; want the vault's error", p.Err)
	}
	if p := pairs[3]; !errors.As(p.Err, new(*keyring.UnknownKeyError)) {
		t.Errorf("unknown: %v", p.Err)
	}
	if p := pairs[4]; !errors.As(p.Err, new(*workspace.TrackedKeysError)) || !strings.Contains(p.Err.Error(), "loose/.env.keys is tracked by git") {
		t.Errorf("the keys file that git tracks: %v", p.Err)
	}
	delete(d.store.texts, "k")
	if p := d.open().EncryptionKeys(t.Context(), requests[1:2], true)[0]; p.Err != nil || !errors.Is(p.Unkept, vault.ErrNotFound) {
		t.Errorf("declared, the vault has no key: %+v; want it usable", p)
	}
	ch := w.Encrypt(requests[0], pairs[0].Pair, dotenv.Selection{})
	if ch.Action != drift.Encrypted || drift.Check(dotenv.Parse(ch.New), nil, ecies.Keys{d.a}).Err() != nil {
		t.Errorf("Encrypt = %+v", ch)
	}
}

func TestPlanRepairs(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mapped)
	d.write("svc/.env", d.encrypted(d.a, "A=1\n"))
	d.store.texts["k"] = text(d.a)
	d.commit()
	w := d.open()
	targets, _ := w.Mapped()
	if changes, err := w.PlanRepairs(t.Context(), targets); err != nil || len(changes) != 0 {
		t.Errorf("PlanRepairs without drift = %+v, %v", changes, err)
	}
	d.write("svc/.env", d.encrypted(d.b, "A=1\nB=2\n"))
	for _, tt := range []struct {
		keys string
		want drift.Action
	}{{"", drift.Restored}, {"DOTENV_PRIVATE_KEY=" + text(d.b) + "\n", drift.Repaired}} {
		d.write("svc/.env.keys", tt.keys)
		w = d.open()
		targets, _ = w.Mapped()
		changes, err := w.PlanRepairs(t.Context(), targets)
		if err != nil || len(changes) != 1 || changes[0].Action != tt.want || !changes[0].Keep {
			t.Errorf("PlanRepairs = %+v, %v; want %s", changes, err, tt.want)
		}
	}
	delete(d.store.texts, "k")
	w = d.open()
	if changes, err := w.PlanRepairs(t.Context(), targets); err != nil || !errors.Is(changes[0].Err, vault.ErrNotFound) {
		t.Errorf("PlanRepairs without the vault's key = %+v, %v", changes, err)
	}
	stranger := newDesk(t)
	if ch := w.PlanRepair(t.Context(), "new/.env", dotenv.Parse([]byte(stranger.encrypted(stranger.a, "A=1\n"))), ecies.Keys{d.a}); !errors.As(ch.Err, new(*drift.NoFittingKeyError)) {
		t.Errorf("PlanRepair of a file that no key decrypts = %+v", ch)
	}
}

func TestHead(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if doc, err := d.open().Previous(t.Context(), "a"); doc != nil || err != nil {
		t.Errorf("Previous without a repository = %v, %v", doc, err)
	}
	d.git("init", "-q")
	if doc, err := d.open().Previous(t.Context(), "a"); doc != nil || err != nil {
		t.Errorf("Previous before the first commit = %v, %v", doc, err)
	}
	d.write("a", "A=1\n")
	d.commit()
	d.write("a", "A=2\n")
	w := d.open()
	if doc, err := w.Previous(t.Context(), "a"); err != nil || string(doc.Bytes()) != "A=1\n" {
		t.Errorf("Previous = %v, %v; want HEAD's", doc, err)
	}
	if doc, err := w.Previous(t.Context(), "b"); doc != nil || err != nil {
		t.Errorf("Previous of a new file = %v, %v", doc, err)
	}
	oid := d.git("rev-parse", "HEAD:a")
	if err := os.Remove(filepath.Join(d.dir, ".git", "objects", oid[:2], oid[2:])); err != nil {
		t.Fatal(err)
	}
	if _, err := d.open().Previous(t.Context(), "a"); !errors.Is(err, gitops.ErrMissing) {
		t.Errorf("Previous of a version that is missing = %v; want ErrMissing", err)
	}
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "git"), []byte("#!/bin/sh\ncase \"$*\" in *ls-tree*) exit 128;; esac\nexec "+gitPath(t)+" \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d.options.Env["PATH"] = bin + string(os.PathListSeparator) + d.options.Env["PATH"]
	if _, err := d.open().Previous(t.Context(), "b"); !errors.As(err, new(*gitops.GitError)) {
		t.Errorf("Previous with a git that fails = %v; want a GitError", err)
	}
}

func gitPath(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("git")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestApply(t *testing.T) {
	t.Parallel()
	for _, repository := range []bool{false, true} {
		d := newDesk(t)
		if repository {
			d.git("init", "-q")
		}
		ui := &user{}
		d.options.UI = ui
		d.write("f", "old")
		d.write(".envdrift-tmp-OLD", "left behind")
		long := time.Now().Add(-time.Hour)
		if err := os.Chtimes(filepath.Join(d.dir, ".envdrift-tmp-OLD"), long, long); err != nil {
			t.Fatal(err)
		}
		changes := []drift.Change{
			{File: "f", Action: drift.Updated, Old: []byte("old"), New: []byte("new"), Write: true, Keep: true},
			{File: ".env.keys", Action: drift.Created, New: []byte("K=1\n"), Write: true, Private: true},
			{File: "gone", Action: drift.Updated, Old: []byte("x"), New: []byte("y"), Write: true},
		}
		w := d.open()
		if err := w.Apply(t.Context(), changes); err != nil {
			t.Fatal(err)
		}
		if d.read("f") != "new" || d.read(".env.keys") != "K=1\n" || !errors.As(changes[2].Err, new(*drift.ChangedError)) {
			t.Errorf("Apply wrote %q, %q, %v", d.read("f"), d.read(".env.keys"), changes[2].Err)
		}
		if _, err := os.Lstat(filepath.Join(d.dir, ".envdrift-tmp-OLD")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("Apply left what a killed run left: %v", err)
		}
		backup := changes[0].Backup
		if !filepath.IsAbs(backup) {
			backup = filepath.Join(d.dir, backup)
		}
		if kept, err := os.ReadFile(backup); err != nil || string(kept) != "old" || strings.Contains(backup, ".git") != repository {
			t.Errorf("Apply kept %q in %s, %v", kept, backup, err)
		}
		if repository && (!strings.Contains(d.read(".gitignore"), ".env.keys\n") || !slices.Contains(ui.said, "added to .gitignore: .env.keys")) {
			t.Errorf("Apply ignores %q and says %q", d.read(".gitignore"), ui.said)
		}
		if err := w.Apply(t.Context(), nil); err != nil {
			t.Errorf("Apply of nothing = %v", err)
		}
	}
}

func TestIgnore(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	if err := d.open().Ignore(t.Context(), []string{"a"}); err != nil {
		t.Errorf("Ignore without a repository = %v", err)
	}
	d.git("init", "-q")
	d.write(".gitignore", "*.log\r\nlast")
	if err := d.open().Ignore(t.Context(), []string{"x.log", "svc/.env.keys", "svc/copy", "b/.env.keys"}); err != nil {
		t.Fatal(err)
	}
	if got, want := d.read(".gitignore"), "*.log\r\nlast\r\n.env.keys\r\n/svc/copy\r\n"; got != want {
		t.Errorf("Ignore wrote %q; want %q", got, want)
	}
}

func TestLockWaits(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.git("init", "-q")
	unlock, err := d.open().Lock(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.open().Lock(ctx); err == nil {
		t.Error("Lock of what is locked = nil error")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if unlock, err = d.open().Lock(t.Context()); err != nil {
		t.Errorf("Lock after unlock = %v", err)
	} else if err := unlock(); err != nil {
		t.Error(err)
	}
}

func TestStateAndCopies(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := d.open()
	if last, err := w.State(t.Context()); err != nil || len(last.Files) != 0 {
		t.Errorf("State without a repository = %+v, %v", last, err)
	}
	if err := w.Remember(t.Context(), nil, nil); err != nil {
		t.Errorf("Remember without a repository = %v", err)
	}
	d.write("tracked", "x")
	d.commit()
	w = d.open()
	done := []drift.Change{
		{File: "a", Action: drift.Decrypted}, {File: "b", Action: drift.Encrypted}, {File: "c", Action: drift.Activated, New: []byte("copy")},
		{File: "d", Action: drift.Decrypted, Err: errors.New("failed")},
	}
	if err := w.Remember(t.Context(), done, func(s *state.State) { s.Profile = "p" }); err != nil {
		t.Fatal(err)
	}
	last, err := d.open().State(t.Context())
	if err != nil || last.Files["a"] != state.Pulled || last.Files["b"] != state.Locked || last.Files["d"] != "" || last.Activated["c"] != state.Sum([]byte("copy")) || last.Profile != "p" {
		t.Errorf("State = %+v, %v", last, err)
	}
	d.write("c", "copy")
	d.write("edited", "x")
	tests := []struct {
		file  string
		force bool
		want  drift.Action
		keep  bool
		fails bool
	}{
		{file: "new", want: drift.Activated},
		{file: "c", want: drift.Activated},
		{file: "edited", fails: true},
		{file: "edited", force: true, want: drift.Activated, keep: true},
		{file: "tracked", force: true, fails: true},
	}
	for _, tt := range tests {
		ch := drift.Change{File: tt.file, New: []byte("new")}
		err := w.PlanCopy(t.Context(), &ch, last, tt.force)
		if (err != nil) != tt.fails || !tt.fails && (ch.Action != tt.want || ch.Keep != tt.keep || !ch.Write) || tt.fails && !errors.As(err, new(*workspace.ActivateError)) {
			t.Errorf("PlanCopy of %s, force %t = %+v, %v", tt.file, tt.force, ch, err)
		}
	}
	same := drift.Change{File: "c", New: []byte("copy")}
	if err := w.PlanCopy(t.Context(), &same, last, false); err != nil || same.Action != drift.Unchanged || same.Write {
		t.Errorf("PlanCopy of what is there = %+v, %v", same, err)
	}
	target := mapping.Target{}
	if got := w.CopyOf(target); got != "" {
		t.Errorf("CopyOf without activate_to = %q", got)
	}
	target.Mapping.Folder, target.Mapping.ActivateTo = "svc", "app/.env"
	if got := w.CopyOf(target); got != "svc/app/.env" {
		t.Errorf("CopyOf = %q", got)
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	w := d.open()
	tree := fstest.MapFS{
		"envdrift.toml": {Data: []byte(mapped)}, "svc/.env": {Data: []byte("A=1\n")},
		"sub/pyproject.toml": {Data: []byte("[tool.other]\n")}, "sub/deep/.env": {},
		"own/envdrift.toml": {Data: []byte(strings.Replace(mapped, `"svc"`, `"."`, 1))}, "own/.env": {},
		"broken/envdrift.toml": {Data: []byte("x = \n")},
	}
	for dir, want := range map[string]string{".": ".", "sub/deep": ".", "own": "own"} {
		at, err := w.At(tree, dir)
		if err != nil || at.Base != want || len(at.Config.Mappings) != 1 {
			t.Errorf("At(%s) = base %s, %v; want %s", dir, at.Base, err, want)
		}
	}
	if _, err := w.At(tree, "broken"); !errors.As(err, new(*config.Error)) {
		t.Errorf("At(broken) = %v; want a config.Error", err)
	}
	at, err := w.At(fstest.MapFS{}, ".")
	if err != nil || at.Config.File != "" {
		t.Errorf("At of a tree without a configuration = %+v, %v", at.Config, err)
	}
	other, _ := w.At(tree, ".")
	if moved := other.WithTree(fstest.MapFS{}); moved.Config != other.Config || len(mapping.Resolve(moved.Tree, ".", moved.Config, moved.Config.Mappings)) != 1 {
		t.Error("WithTree has another configuration")
	}
}

func TestSilent(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	ui := &user{answer: true}
	d.options.UI, d.options.Consent = ui, workspace.Ask
	d.write("envdrift.toml", hashicorp)
	w := d.open().Silent()
	targets, _ := w.Mapped()
	ui.said = nil
	w.Debug("nothing")
	if _, err := w.Vault(t.Context(), targets[0]); !errors.As(err, new(*workspace.TrustError)) || len(ui.said) > 0 {
		t.Errorf("Silent asks: %v, %q", err, ui.said)
	}
	if err := w.TrustAll(t.Context()); err == nil {
		t.Error("Silent trusts")
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	d.write("envdrift.toml", mapped)
	d.write("svc/.env", d.encrypted(d.a, "A=1\n"))
	w := d.open()
	targets, _ := w.Mapped()
	target := targets[0]
	if _, err := w.PreparePush("svc", target, false); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("PreparePush without a keys file = %v", err)
	}
	d.write("svc/.env.keys", "OTHER=1\n")
	if _, err := w.PreparePush("svc", target, false); !errors.As(err, new(*workspace.NoSuchKeyError)) {
		t.Errorf("PreparePush without the key = %v", err)
	}
	d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY=nonsense\n")
	if _, err := w.PreparePush("svc", target, false); err == nil || errors.As(err, new(*workspace.NoSuchKeyError)) {
		t.Errorf("PreparePush of a damaged key = %v", err)
	}
	d.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+text(d.b)+"\n")
	if _, err := w.PreparePush("svc", target, false); !errors.As(err, new(*workspace.PushMismatchError)) {
		t.Errorf("PreparePush of another file's key = %v", err)
	}
	if _, err := w.PreparePushOf(secret.New("nonsense"), target, false); !errors.Is(err, vault.ErrMalformed) {
		t.Errorf("PreparePushOf nonsense = %v", err)
	}
	p, err := w.PreparePushOf(secret.New(text(d.a)), target, false)
	if err != nil {
		t.Fatal(err)
	}
	held := func() keyring.Answer { return w.Fetch(t.Context(), targets)[0] }
	if stored, version, err := w.Push(t.Context(), p, held(), false); err != nil || !stored || version != "2" || !strings.Contains(d.store.texts["k"], text(d.a)) {
		t.Errorf("Push = %t, %s, %v", stored, version, err)
	}
	if stored, _, err := w.Push(t.Context(), p, held(), false); err != nil || stored {
		t.Errorf("Push of what is there = %t, %v", stored, err)
	}
	d.store.texts["k"] = text(d.b)
	overwrite := (*workspace.OverwriteError)(nil)
	if _, _, err := w.Push(t.Context(), p, held(), false); !errors.As(err, &overwrite) || !strings.Contains(err.Error(), "already holds another key") {
		t.Errorf("Push over another key = %v", err)
	}
	d.store.texts["k"] = "nonsense"
	if _, _, err := w.Push(t.Context(), p, held(), false); err == nil {
		t.Error("Push over something else = nil error")
	}
	if stored, _, err := w.Push(t.Context(), p, keyring.Answer{Err: vault.ErrUnavailable}, true); err == nil || stored {
		t.Errorf("Push to a vault that cannot be reached = %t, %v", stored, err)
	}
	d.store.lies = true
	if _, _, err := w.Push(t.Context(), p, keyring.Answer{Err: vault.ErrNotFound}, false); !errors.Is(err, vault.ErrConflict) {
		t.Errorf("Push that reads back another key = %v", err)
	}
	d.store.fail = vault.ErrDenied
	if _, _, err := w.Push(t.Context(), p, keyring.Answer{Err: vault.ErrNotFound}, false); !errors.Is(err, vault.ErrDenied) {
		t.Errorf("Push that is denied = %v", err)
	}
}
