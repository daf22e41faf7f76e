//go:build integration && unix

package helpers_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A passStore is a password store with a key of its own.
type passStore struct {
	t    *testing.T
	home string // short: sockets of the agent are in it
	env  []string
}

func newPassStore(t *testing.T) passStore {
	t.Helper()
	if os.Getenv("PASS") == "" {
		t.Fatal(`PASS is not set: eval "$(scripts/install-pass)"`)
	}
	home, err := os.MkdirTemp("/tmp", "pass")
	if err != nil {
		t.Fatal(err)
	}
	p := passStore{t, home, []string{
		"HOME=" + home, "GNUPGHOME=" + filepath.Join(home, "gnupg"), "PASSWORD_STORE_DIR=" + filepath.Join(home, "store"), "PATH=" + os.Getenv("PATH"),
	}}
	t.Cleanup(func() {
		p.run("gpgconf", "--kill", "all")
		if err := os.RemoveAll(home); err != nil {
			t.Error(err)
		}
	})
	if err := os.Mkdir(filepath.Join(home, "gnupg"), 0o700); err != nil {
		t.Fatal(err)
	}
	p.run("gpg", "--batch", "--passphrase", "", "--quick-generate-key", "ann@example.com", "default", "default", "never")
	return p
}

func (p passStore) run(name string, args ...string) {
	p.t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = p.env
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
}

// TestPass uses the real pass.
func TestPass(t *testing.T) {
	t.Parallel()
	p := newPassStore(t)
	store, err := open(t, "pass", map[string]string{"folder": "team/keys"}, p.env...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = store.Put(t.Context(), "app", secret.New("x"), "")
	if e := (*vault.Error)(nil); !errors.Is(err, vault.ErrConfig) || !errors.As(err, &e) || e.Remedy != "pass init YOUR-GPG-ID" {
		t.Errorf("Put without a store = %v; want ErrConfig, and pass init", err)
	}
	p.run("pass", "init", "ann@example.com")
	if without := strings.Join(try(t, store, ""), " "); without != "Existing Batch" {
		t.Errorf("left out: %s", without)
	}
	if _, err := store.Put(t.Context(), "app", secret.New("text\n"), ""); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("pass", "show", "team/keys/app")
	cmd.Env = p.env
	if out, err := cmd.Output(); err != nil || string(out) != "text\n" {
		t.Errorf("pass shows %q, %v; want what was stored", out, err)
	}
	// A folder, of which pass prints the entries, is no secret; nor is anything outside.
	above, err := open(t, "pass", map[string]string{"folder": "team"}, p.env...)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]error{"keys": vault.ErrNotFound, "keys/app": nil, "../team/keys/app": vault.ErrName, "-c": vault.ErrName, "/etc/x": vault.ErrName, ".gpg-id": vault.ErrName} {
		if _, err := above.Get(t.Context(), name); !errors.Is(err, want) {
			t.Errorf("Get(%q) = %v; want %v", name, err, want)
		}
	}
	// Without the key.
	if err := os.RemoveAll(filepath.Join(p.home, "gnupg", "private-keys-v1.d")); err != nil {
		t.Fatal(err)
	}
	p.run("gpgconf", "--kill", "all")
	if _, err := store.Get(t.Context(), "app"); !errors.Is(err, vault.ErrUnauthenticated) || !strings.Contains(err.Error(), "decryption failed") {
		t.Errorf("Get without the key = %v; want ErrUnauthenticated, with gpg's words", err)
	}
}
