package rotate_test

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/rotate"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

const configuration = `[vault]
provider = "memory"
[[vault.sync.mappings]]
secret_name = "api"
folder_path = "."
`

// A memory is a vault with one secret. What goes wrong is done by before and after.
type memory struct {
	text    string
	version int

	beforePut, afterPut func(*memory) error
}

func (m *memory) String() string { return "memory" }

func (m *memory) Get(context.Context, string) (vault.Secret, error) {
	return vault.Secret{Name: "api", Value: secret.New(m.text), Version: strconv.Itoa(m.version)}, nil
}

func (m *memory) Put(_ context.Context, _ string, value secret.Value, _ string) (string, error) {
	if m.beforePut != nil {
		if err := m.beforePut(m); err != nil {
			return "", err
		}
	}
	m.text, m.version = value.Reveal(), m.version+1
	stored := strconv.Itoa(m.version)
	if m.afterPut != nil {
		return stored, m.afterPut(m)
	}
	return stored, nil
}

// A place is a repository with one env file, whose key is in a memory.
type place struct {
	t    *testing.T
	dir  string
	env  map[string]string
	key  *ecies.PrivateKey
	held *memory
}

func newPlace(t *testing.T, plaintext string) *place {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	p := &place{t: t, dir: dir, key: key, held: &memory{text: "DOTENV_PRIVATE_KEY=" + key.Reveal() + " # ours", version: 1}, env: map[string]string{
		"HOME": dir + "/home", "PATH": os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.DevNull,
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.com", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.com",
	}}
	doc, _, err := dotenv.Parse([]byte(plaintext)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
	if err != nil {
		t.Fatal(err)
	}
	p.write(".env", string(doc.Bytes()))
	p.write(".env.keys", "DOTENV_PRIVATE_KEY="+key.Reveal()+"\n")
	p.write("envdrift.toml", configuration)
	p.write(".gitignore", ".env.keys\n/home\n")
	p.git("init", "-q", "-b", "main")
	p.git("add", "-A")
	p.git("commit", "-q", "-m", "first")
	return p
}

func (p *place) write(name, text string) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) read(name string) string {
	p.t.Helper()
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data)
}

func (p *place) git(args ...string) {
	p.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = p.dir
	for name, value := range p.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
}

// secret reads the state of the only secret.
func (p *place) secret() *rotate.Secret {
	p.t.Helper()
	return p.secrets()[0]
}

func (p *place) secrets() []*rotate.Secret {
	p.t.Helper()
	w, err := workspace.Open(workspace.Options{Dir: p.dir, Env: p.env,
		Overrides: config.Overrides{Providers: vault.Providers{{Name: "memory", Local: true}}},
		OpenVault: func(context.Context, vault.Config) (vault.Store, error) { return p.held, nil }})
	if err != nil {
		p.t.Fatal(err)
	}
	targets, err := w.Mapped()
	if err != nil {
		p.t.Fatal(err)
	}
	return rotate.Secrets(p.t.Context(), w, targets)
}

// TestNoFileIsWritten: whatever the vault does wrong, the files stay as they are.
func TestNoFileIsWritten(t *testing.T) {
	t.Parallel()
	other := "DOTENV_PRIVATE_KEY=" + strings.Repeat("1f", 32)
	overwrite := func(m *memory) error { m.text, m.version = other, m.version+1; return nil }
	tests := []struct {
		name          string
		before, after func(*memory) error
		want          error
	}{
		{name: "denies", before: func(*memory) error { return &vault.Error{Err: vault.ErrDenied} }, want: vault.ErrDenied},
		{name: "stores it and says that it did not", after: func(*memory) error { return &vault.Error{Err: vault.ErrUnavailable} }, want: vault.ErrUnavailable},
		{name: "returns the old value", after: func(m *memory) error { m.text, _, _ = strings.Cut(m.text, ","); return nil }, want: vault.ErrConflict},
		{name: "is changed right after", after: overwrite, want: vault.ErrConflict},
		{name: "loses the old key", after: func(m *memory) error { _, m.text, _ = strings.Cut(m.text, ","); return nil }, want: vault.ErrConflict},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, "A=1\n")
			env, keys := p.read(".env"), p.read(".env.keys")
			s := p.secret()
			p.held.beforePut, p.held.afterPut = tt.before, tt.after
			if changes, err := s.Rotate(t.Context()); !errors.Is(err, tt.want) || len(changes) > 0 {
				t.Errorf("Rotate = %v, %v; want %v", changes, err, tt.want)
			}
			if p.read(".env") != env || p.read(".env.keys") != keys {
				t.Error("Rotate wrote a file")
			}
		})
	}
	t.Run("is changed since it was read", func(t *testing.T) {
		t.Parallel()
		p := newPlace(t, "A=1\n")
		env := p.read(".env")
		s := p.secret()
		_ = overwrite(p.held)
		if _, err := s.Rotate(t.Context()); !errors.Is(err, vault.ErrConflict) || p.held.text != other || p.read(".env") != env {
			t.Errorf("Rotate = %v; want %v, and nothing written anywhere", err, vault.ErrConflict)
		}
	})
}

// TestKeysFile: each key of a keys file in the vault is rotated, in one run.
func TestKeysFile(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "A=1\n")
	other, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	doc, _, err := dotenv.Parse([]byte("B=2\n")).Encrypt(other.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY_STAGING", File: ".env.staging"})
	if err != nil {
		t.Fatal(err)
	}
	p.write(".env.staging", string(doc.Bytes()))
	p.write("envdrift.toml", configuration+"[[vault.sync.mappings]]\nsecret_name = \"api\"\nfolder_path = \".\"\nenvironment = \"staging\"\n")
	p.held.text += "\nDOTENV_PRIVATE_KEY_STAGING=" + other.Reveal() + "\n"
	secrets := p.secrets()
	if len(secrets) != 2 {
		t.Fatalf("%d secrets; want 2", len(secrets))
	}
	for _, s := range secrets {
		if changes, err := s.Rotate(t.Context()); err != nil || len(changes) == 0 || s.Step != rotate.Encrypted {
			t.Errorf("Rotate of %s = %v, %v", s.Targets[0].File, changes, err)
		}
	}
	if n := strings.Count(p.held.text, ","); n != 2 {
		t.Errorf("%d new keys in the vault; want 2", n)
	}
}

// TestGoesOn: after a run that ended before the files were written, the next one takes
// the same key.
func TestGoesOn(t *testing.T) {
	t.Parallel()
	p := newPlace(t, "A=1\nB='$x'\nC=\"two\\nlines\"\n")
	p.held.afterPut = func(*memory) error { return &vault.Error{Err: vault.ErrUnavailable} }
	if _, err := p.secret().Rotate(t.Context()); err == nil {
		t.Fatal("Rotate: no error")
	}
	p.held.afterPut = nil
	begun := p.held.text
	s := p.secret()
	if s.Err != nil || s.Step != rotate.Begun || len(s.Keys) != 2 {
		t.Fatalf("after the run: %s, %v", s.Step, s.Err)
	}
	if _, err := s.Rotate(t.Context()); err != nil || p.held.text != begun {
		t.Fatalf("Rotate = %v; want the same keys in the vault", err)
	}
	if !strings.HasSuffix(begun, " # ours") || !strings.HasPrefix(begun, "DOTENV_PRIVATE_KEY="+p.key.Reveal()+",") {
		t.Error("the vault's text is not the old key, the new one and the comment")
	}
	doc := dotenv.Parse([]byte(p.read(".env")))
	plain, _, err := doc.Decrypt(ecies.Keys{s.Newest}, dotenv.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"A": "1", "B": "$x", "C": "two\nlines"} {
		if e, _ := plain.Get(name); e.Value != want {
			t.Errorf("%s = %q; want %q", name, e.Value, want)
		}
	}
	if !strings.Contains(p.read(".env.keys"), s.Keys.Reveal()) {
		t.Error("the keys file has not got both keys")
	}
}
