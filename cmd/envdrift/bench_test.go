package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// A keyVault implements as much of HashiCorp Vault's KV version 2 as reading
// takes.
type keyVault struct {
	*httptest.Server
	gate chan struct{} // if not nil, a response waits until it is closed

	mu       sync.Mutex
	secrets  map[string]string
	requests int
}

func newKeyVault(tb testing.TB) *keyVault {
	tb.Helper()
	v := &keyVault{secrets: map[string]string{}}
	v.Server = httptest.NewServer(v)
	tb.Cleanup(v.Close)
	return v
}

func (v *keyVault) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if v.gate != nil {
		select {
		case <-v.gate:
		case <-r.Context().Done():
			return
		}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.requests++
	value, ok := v.secrets[strings.TrimPrefix(r.URL.Path, "/v1/secret/data/")]
	if !ok {
		http.Error(w, `{"errors":[]}`, http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	fmt.Fprintf(w, `{"data":{"data":{"value":%q},"metadata":{"version":1}}}`, value)
}

// A team is a clone with n services, whose keys are in a vault.
type team struct {
	testing.TB
	dir   string
	vault *keyVault
	keys  []*ecies.PrivateKey
	docs  []*dotenv.Document // encrypted, as committed
	env   []string
}

// newTeam makes a team's clone: n services, each with an encrypted
// .env.production of so many values.
func newTeam(tb testing.TB, n, values int) *team {
	tb.Helper()
	t := &team{TB: tb, dir: tb.TempDir(), vault: newKeyVault(tb)}
	home := tb.TempDir()
	t.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_STATE_HOME=" + home, "XDG_CONFIG_HOME=" + home,
		"GIT_CONFIG_NOSYSTEM=1", "VAULT_ADDR=" + t.vault.URL, "VAULT_TOKEN=t0ken", "TERM=xterm",
	}
	var config strings.Builder
	fmt.Fprintf(&config, "[vault]\nprovider = \"hashicorp\"\n[vault.hashicorp]\nurl = %q\n", t.vault.URL)
	for i := range n {
		folder, secret := fmt.Sprintf("services/s%03d", i), fmt.Sprintf("s%03d-key", i)
		fmt.Fprintf(&config, "[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = %q\n", secret, folder)
		var text strings.Builder
		for j := range values {
			fmt.Fprintf(&text, "NAME_%02d=s3cr3t-%d-%d\n", j, i, j)
		}
		t.service(folder, secret, text.String())
	}
	t.write("envdrift.toml", config.String())
	t.write(".gitignore", ".env.keys\n")
	t.git("init", "-q")
	t.git("add", "-A")
	t.git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "first")
	return t
}

func (t *team) service(folder, secret, text string) {
	t.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	doc, _, err := dotenv.Parse([]byte(text)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: ".env.production"})
	if err != nil {
		t.Fatal(err)
	}
	t.write(filepath.Join(folder, ".env.production"), string(doc.Bytes()))
	t.vault.secrets[secret] = key.Reveal()
	t.keys, t.docs = append(t.keys, key), append(t.docs, doc)
}

func (t *team) write(name, text string) {
	t.Helper()
	name = filepath.Join(t.dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (t *team) git(args ...string) string {
	t.Helper()
	out, err := t.gitCommand(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("git %s: %v\n%s", args[0], err, out)
	}
	return string(out)
}

func (t *team) gitCommand(args ...string) *exec.Cmd {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env = t.dir, t.env
	return cmd
}

// command returns the program itself, in the clone.
func (t *team) command(args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), "envdrift", args...)
	cmd.Dir, cmd.Env = t.dir, t.env
	return cmd
}

func (t *team) envdrift(args ...string) string {
	t.Helper()
	out, err := t.command(args...).CombinedOutput()
	if err != nil {
		t.Fatalf("envdrift %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// BenchmarkTeam measures the whole program over 500 mappings of 20 values, and
// the cipher alone for the same work:
//
//	go test ./cmd/envdrift -run '^$' -bench Team -benchtime 3x
func BenchmarkTeam(b *testing.B) {
	t := newTeam(b, 500, 20)
	plain := make([]*dotenv.Document, len(t.docs))
	b.Run("decrypt", func(b *testing.B) {
		for b.Loop() {
			for i, doc := range t.docs {
				var err error
				if plain[i], _, err = doc.Decrypt(ecies.Keys{t.keys[i]}, dotenv.Selection{}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	b.Run("encrypt", func(b *testing.B) {
		for b.Loop() {
			for i, doc := range plain {
				if _, _, err := doc.Encrypt(t.keys[i].PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY_PRODUCTION"}); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
	// Each starts where the previous one ended. lock compares every value
	// with HEAD's, so it decrypts as well.
	measure := func(name string, before func(), args ...string) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				before()
				cmd := t.command(args...)
				b.StartTimer()
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out[:min(len(out), 1000)])
				}
			}
		})
	}
	measure("pull", func() {
		t.git("checkout", "-q", ".")
		t.git("clean", "-qfdX")
	}, "pull", "-q")
	measure("lock", func() {
		t.git("checkout", "-q", ".")
		t.envdrift("pull", "-q")
	}, "lock", "-q")
	measure("lock without keys at hand", func() {
		t.git("checkout", "-q", ".")
		t.envdrift("pull", "-q")
		t.git("clean", "-qfdX")
	}, "lock", "-q")
	measure("verify", func() {}, "verify", "-q")
	measure("status", func() {}, "status", "-q")
}
