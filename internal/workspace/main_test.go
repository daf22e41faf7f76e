package workspace_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// providers are two that are sent credentials and one that is not.
var providers = vault.Providers{
	{Name: "remote", Settings: []vault.Setting{{
		Key: "url", Kind: vault.URL, Field: func(c *vault.Config) *string { return &c.URL },
		Flag: "--vault-url", Env: "REMOTE_ADDR", Token: "REMOTE_TOKEN", Names: true,
	}}},
	{Name: "tokenless"},
	{Name: "local", Local: true, Settings: []vault.Setting{{
		Key: "vault_dir", Field: func(c *vault.Config) *string { return &c.VaultDir },
	}}},
}

// mapped is a configuration whose vault needs no consent, with one mapping:
// api/.env is encrypted for the key in the secret "api".
const mapped = `[vault]
provider = "local"
[[vault.sync.mappings]]
secret_name = "api"
folder_path = "api"
`

// A place is a directory with its own HOME, in which workspaces are opened.
type place struct {
	t      *testing.T
	dir    string // absolute, without links
	env    map[string]string
	vaults *vaults
	user   *user
}

// newPlace makes a place without a repository, where no git is to be found.
func newPlace(t *testing.T) *place {
	t.Helper()
	home, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	p := &place{
		t: t, dir: filepath.Join(home, "repo"), env: map[string]string{"HOME": home},
		vaults: &vaults{stores: map[string]*memory{}}, user: &user{},
	}
	p.mkdir(".")
	return p
}

// newClone makes a place that is a repository of git's, still without a commit.
func newClone(t *testing.T) *place {
	t.Helper()
	p := newPlace(t)
	for name, value := range map[string]string{
		"PATH": os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1",
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	} {
		p.env[name] = value
	}
	p.git("init", "-q", "-b", "main")
	return p
}

func (p *place) path(name string) string { return filepath.Join(p.dir, filepath.FromSlash(name)) }

func (p *place) mkdir(name string) {
	p.t.Helper()
	if err := os.MkdirAll(p.path(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) write(name, content string) {
	p.t.Helper()
	p.mkdir(filepath.Dir(name))
	if err := os.WriteFile(p.path(name), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// read returns what a file holds, or "" if there is none.
func (p *place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(p.path(name))
	if err != nil && !os.IsNotExist(err) {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *place) git(args ...string) string {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = p.dir
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		p.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

func (p *place) commit(name, content string) {
	p.t.Helper()
	p.write(name, content)
	p.git("add", "-f", name)
	p.git("commit", "-q", "-m", "change "+name)
}

// breakGit lets git fail whose arguments match the shell's pattern.
func (p *place) breakGit(pattern string) {
	p.t.Helper()
	real, err := exec.LookPath("git")
	if err != nil {
		p.t.Fatal(err)
	}
	bin := p.t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\ncase \"$*\" in %s) echo 'fatal: out of order' >&2; exit 3;; esac\nexec '%s' \"$@\"\n", pattern, real)
	syscall.ForkLock.RLock() // a process forked while the file is open would keep others from running it
	err = os.WriteFile(filepath.Join(bin, "git"), []byte(script), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		p.t.Fatal(err)
	}
	p.env["PATH"] = bin
}

func (p *place) options() workspace.Options {
	return workspace.Options{
		Dir: p.dir, Command: "test", Env: p.env, UI: p.user,
		Overrides: config.Overrides{Providers: providers}, OpenVault: p.vaults.open,
	}
}

// open opens a workspace, with other options than usual.
func (p *place) open(alter ...func(*workspace.Options)) *workspace.Workspace {
	p.t.Helper()
	o := p.options()
	for _, a := range alter {
		a(&o)
	}
	w, err := workspace.Open(o)
	if err != nil {
		p.t.Fatalf("Open(%s) = %v", o.Dir, err)
	}
	return w
}

// A memory is a vault that holds what a test puts there.
type memory struct {
	name    string
	secrets map[string]string
	err     error // of every request
	lies    bool  // loses what is written
	onPut   func()

	mu    sync.Mutex
	asked []string
}

func (m *memory) String() string { return "vault " + m.name }

func (m *memory) Get(_ context.Context, name string) (vault.Secret, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.asked = append(m.asked, name)
	value, ok := m.secrets[name]
	err := m.err
	if err == nil && !ok {
		err = vault.ErrNotFound
	}
	if err != nil {
		return vault.Secret{}, &vault.Error{Op: "get", Vault: m.String(), Name: name, Err: err}
	}
	return vault.Secret{Name: name, Value: secret.New(value), Version: "1"}, nil
}

func (m *memory) Put(_ context.Context, name string, value secret.Value, _ string) (string, error) {
	if m.onPut != nil {
		m.onPut()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.err == nil && !m.lies {
		m.secrets[name] = value.Reveal()
	}
	return "2", m.err
}

// vaults are what a configuration can lead to, by address.
type vaults struct {
	stores map[string]*memory
	err    error // of opening any

	opened []string
}

// at returns the vault at an address; "" is that of [mapped].
func (v *vaults) at(address string) *memory {
	if v.stores[address] == nil {
		v.stores[address] = &memory{name: address, secrets: map[string]string{}}
	}
	return v.stores[address]
}

func (v *vaults) open(_ context.Context, cfg vault.Config) (vault.Store, error) {
	address := cfg.URL + cfg.VaultDir
	v.opened = append(v.opened, address)
	if v.err != nil {
		return nil, v.err
	}
	return v.at(address), nil
}

// A user notes what is shown, and answers.
type user struct {
	agrees     bool
	onProgress func(what string)
	onNotice   func()

	mu                                 sync.Mutex
	notices, debugs, waited, questions []string
}

func (u *user) note(list *[]string, text string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	*list = append(*list, text)
}

func (u *user) Notice(format string, args ...any) {
	u.note(&u.notices, fmt.Sprintf(format, args...))
	if u.onNotice != nil {
		u.onNotice()
	}
}

func (u *user) Debug(format string, args ...any) { u.note(&u.debugs, fmt.Sprintf(format, args...)) }

func (u *user) Progress(what string) func() {
	if u.onProgress != nil {
		u.onProgress(what)
	}
	return func() { u.note(&u.waited, what) }
}

func (u *user) Confirm(_ context.Context, lines ...string) bool {
	question := strings.Join(lines, "\n")
	u.note(&u.questions, question)
	return u.agrees
}

func newKey(t *testing.T) *ecies.PrivateKey {
	t.Helper()
	k, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// locked encrypts an env file for k, with a header.
func locked(t *testing.T, k *ecies.PrivateKey, text string) string {
	t.Helper()
	doc, _, err := dotenv.Parse([]byte(text)).Encrypt(k.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
	if err != nil {
		t.Fatal(err)
	}
	return string(doc.Bytes())
}

// values returns what keys make of an env file, the header left out.
func values(t *testing.T, data string, keys ...*ecies.PrivateKey) string {
	t.Helper()
	all, err := dotenv.Parse([]byte(data)).Reveal(keys)
	if err != nil {
		t.Fatalf("Reveal(%q) = %v", data, err)
	}
	var b strings.Builder
	for _, r := range all {
		if !strings.HasPrefix(r.Name, dotenv.PublicPrefix) {
			fmt.Fprintf(&b, "%s=%s\n", r.Name, r.Plaintext.Reveal())
		}
	}
	return b.String()
}

// target returns the mapped target of a file.
func target(t *testing.T, w *workspace.Workspace, file string) mapping.Target {
	t.Helper()
	got, ok := w.Target(file)
	if !ok {
		t.Fatalf("Target(%s): no mapping names it", file)
	}
	return got
}

// request asks for the keys of a file of the working tree.
func request(t *testing.T, w *workspace.Workspace, file string) keyring.Request {
	t.Helper()
	doc, err := mapping.ReadEnvFile(w.Tree, file)
	if err != nil {
		t.Fatal(err)
	}
	return w.Request(file, doc)
}

// targets returns all mapped targets.
func targets(t *testing.T, w *workspace.Workspace) []mapping.Target {
	t.Helper()
	got, err := w.Mapped()
	if err != nil {
		t.Fatal(err)
	}
	return got
}
