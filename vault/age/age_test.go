package age_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
	agevault "github.com/envdrift/envdrift/vault/age"
	"github.com/envdrift/envdrift/vault/vaulttest"
)

const text = "DOTENV_PRIVATE_KEY=q7vAluEmArk"

// A repo is a directory with an age vault, and the home of its user.
type repo struct {
	*testing.T
	dir, home string
}

func newRepo(t *testing.T) repo {
	t.Helper()
	return repo{t, t.TempDir(), t.TempDir()}
}

// open returns the vault as the owner of the home sees it, with env added.
func (r repo) open(env map[string]string, set ...func(*vault.Config)) *agevault.Store {
	r.Helper()
	vars := map[string]string{"HOME": r.home, "USERPROFILE": r.home, "APPDATA": filepath.Join(r.home, ".config")}
	maps.Copy(vars, env)
	cfg := vault.Config{Provider: "age", Dir: r.dir, Getenv: func(name string) string { return vars[name] }}
	for _, f := range set {
		f(&cfg)
	}
	s, err := agevault.Open(r.Context(), cfg)
	if err != nil {
		r.Fatal(err)
	}
	return s
}

func (r repo) identityFile() string {
	return filepath.Join(r.home, ".config", "envdrift", "identity.txt")
}

// join makes an identity in the home and adds it to the recipients.
func (r repo) join() (recipient string) {
	r.Helper()
	recipient, _, err := agevault.EnsureIdentity(r.identityFile())
	if err != nil {
		r.Fatal(err)
	}
	r.add(recipient)
	return recipient
}

func (r repo) add(recipient string) {
	r.Helper()
	file := filepath.Join(r.dir, agevault.DefaultRecipients)
	old, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		r.Fatal(err)
	}
	r.write(file, string(old)+recipient+"\n", 0o644)
}

func (r repo) file(name string) string {
	return filepath.Join(r.dir, agevault.DefaultDir, filepath.FromSlash(name)+".age")
}

func (r repo) write(file, content string, perm os.FileMode) {
	r.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		r.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), perm); err != nil {
		r.Fatal(err)
	}
}

// seal encrypts as "age -r RECIPIENT" does, with -a if armored.
func (r repo) seal(content, recipient string, armored bool) string {
	r.Helper()
	to, err := age.ParseX25519Recipient(recipient)
	if err != nil {
		r.Fatal(err)
	}
	var out bytes.Buffer
	var a io.WriteCloser = nopCloser{&out}
	if armored {
		a = armor.NewWriter(&out)
	}
	w, err := age.Encrypt(a, to)
	if err != nil {
		r.Fatal(err)
	}
	_, err = io.WriteString(w, content)
	if err := errors.Join(err, w.Close(), a.Close()); err != nil {
		r.Fatal(err)
	}
	return out.String()
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

func (r repo) put(s vault.Store, name, text, base string) string {
	r.Helper()
	version, err := s.Put(r.Context(), name, secret.New(text), base)
	if err != nil {
		r.Fatalf("Put(%q) = %v", name, err)
	}
	return version
}

func (r repo) wantText(s vault.Store, name, text string) {
	r.Helper()
	got, err := s.Get(r.Context(), name)
	if err != nil || got.Value.Reveal() != text {
		r.Errorf("Get(%q) = %q, %v; want %q", name, got.Value.Reveal(), err, text)
	}
}

func (r repo) wantErr(err, kind error, words ...string) {
	r.Helper()
	var e *vault.Error
	if !errors.Is(err, kind) || !errors.As(err, &e) {
		r.Fatalf("error %v; want %v", err, kind)
	}
	all := e.Detail + " | " + e.Remedy
	for _, w := range words {
		if !strings.Contains(all, w) {
			r.Errorf("error says %q; want %q in it", all, w)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		r.Errorf("error %q; want one line", err)
	}
}

func TestStore(t *testing.T) {
	t.Parallel()
	vaulttest.Run(t, func(t *testing.T) vaulttest.Fixture {
		r := newRepo(t)
		recipient := r.join()
		stranger := newRepo(t)
		stranger.dir = r.dir
		if _, _, err := agevault.EnsureIdentity(stranger.identityFile()); err != nil {
			t.Fatal(err)
		}
		nobody := newRepo(t)
		nobody.dir = r.dir

		identity, err := os.ReadFile(r.identityFile())
		if err != nil {
			t.Fatal(err)
		}
		holds := func(content string) func(string) {
			return func(name string) { r.write(r.file(name), content, 0o644) }
		}
		return vaulttest.Fixture{
			Store:  r.open(map[string]string{"ENVDRIFT_AGE_KEY": string(identity)}),
			Reopen: func() vault.Store { return r.open(map[string]string{"ENVDRIFT_AGE_KEY": string(identity)}) },
			Name:   func(short string) string { return "team/" + short },
			Seed: func(name, raw string) {
				r.write(r.file(name), r.seal(raw, recipient, !strings.Contains(name, "json")), 0o644)
			},
			BadNames: []string{
				"../x", "a/../b", "/x", "a//b", "a/", ".", "..", ".hidden", "a/.b", `a\b`, "a b", "a:b", "é",
				"-" + strings.Repeat("x", 200),
			},
			Credentials:     []string{strings.TrimSpace(string(identity[bytes.Index(identity, []byte("AGE-SECRET")):]))},
			Denied:          stranger.open(nil),
			Unauthenticated: nobody.open(nil),
			Malformed: map[string]func(string){
				"nothing":              holds(""),
				"no age file":          holds(text),
				"armor of nothing":     holds(armor.Header + "\n" + armor.Footer + "\n"),
				"half a file":          holds(r.seal(text, recipient, true)[:300]),
				"a file with a tail":   holds(r.seal(text, recipient, false) + "x"),
				"empty text":           holds(r.seal("", recipient, true)),
				"binary":               holds(r.seal("\xff\xfe\x00", recipient, true)),
				"two megabytes":        holds(strings.Repeat("x", 2<<20)),
				"a folder of its name": func(name string) { r.write(r.file(name)+"/x", "", 0o644) },
			},
			Lacks: map[vaulttest.Capability]string{
				vaulttest.Unavailable: "the vault is a directory of the clone",
				vaulttest.Pins:        "git keeps the older versions",
			},
		}
	})
}

func TestPutWritesWhatAgeReads(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	r.join()
	r.put(r.open(nil), "team/api-key", text, "")

	data, err := os.ReadFile(r.file("team/api-key"))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(data, []byte(armor.Header+"\n")) || !bytes.HasSuffix(data, []byte("\n")) {
		t.Errorf("file = %q; want armored text", data)
	}
	identity, err := os.ReadFile(r.identityFile())
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(identity))
	if err != nil {
		t.Fatal(err)
	}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), ids...)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(plain); err != nil || string(got) != text {
		t.Errorf("decrypted = %q, %v; want %q", got, err, text)
	}
}

func TestCRLFCheckout(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	recipient := r.join()
	r.write(r.file("key"), strings.ReplaceAll(r.seal(text, recipient, true), "\n", "\r\n"), 0o644)
	r.wantText(r.open(nil), "key", text)
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	for _, cfg := range []vault.Config{
		{VaultDir: "../vault"}, {VaultDir: "/vault"}, {VaultDir: "a/../../b"}, {Recipients: "../recipients"},
	} {
		cfg.Dir = t.TempDir()
		if _, err := agevault.Open(t.Context(), cfg); !errors.Is(err, vault.ErrConfig) {
			t.Errorf("Open(dir %q, recipients %q) = %v; want ErrConfig", cfg.VaultDir, cfg.Recipients, err)
		}
	}
}

// A branch may contain a symbolic link in the place of the vault.
func TestLinkOutOfTheRepository(t *testing.T) {
	t.Parallel()
	outside := newRepo(t)
	recipient := outside.join()
	outside.write(outside.file("key"), outside.seal(text, recipient, true), 0o644)

	r := newRepo(t)
	r.home = outside.home
	r.join()
	link := filepath.Join(r.dir, agevault.DefaultDir)
	if err := os.Symlink(filepath.Join(outside.dir, agevault.DefaultDir), link); err != nil {
		t.Fatal(err)
	}
	s := r.open(nil)
	_, err := s.Get(t.Context(), "key")
	r.wantErr(err, vault.ErrConfig)
	_, err = s.Put(t.Context(), "new", secret.New(text), "")
	r.wantErr(err, vault.ErrConfig)
	if _, err := os.Stat(outside.file("new")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("outside: new.age: %v; want it not to exist", err)
	}
}

func TestPutNeedsRecipients(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	if _, _, err := agevault.EnsureIdentity(r.identityFile()); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(r.dir, agevault.DefaultRecipients)
	put := func() error {
		_, err := r.open(nil).Put(t.Context(), "key", secret.New(text), "")
		return err
	}
	r.wantErr(put(), vault.ErrConfig, "there is no .envdrift/recipients", "envdrift recipient add")
	r.write(file, "# nobody yet\n", 0o644)
	r.wantErr(put(), vault.ErrConfig, "lists no recipient")
	r.write(file, "\nage1nonsense\n", 0o644)
	r.wantErr(put(), vault.ErrConfig, "line 2 begins like an age recipient", "edit that line of .envdrift/recipients")
	if _, err := os.Stat(r.file("key")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("key.age: %v; want it not to exist", err)
	}
}

func TestPutIsNotLostOnOthers(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	other, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	r.add(other.Recipient().String())
	mine, _, err := agevault.EnsureIdentity(r.identityFile())
	if err != nil {
		t.Fatal(err)
	}
	_, err = r.open(nil).Put(t.Context(), "key", secret.New(text), "")
	r.wantErr(err, vault.ErrDenied, "envdrift recipient add "+mine)
}

func TestReadOnly(t *testing.T) {
	if os.Geteuid() == 0 || runtime.GOOS == "windows" {
		t.Log("not tested: this user may write everything")
		return
	}
	t.Parallel()
	r := newRepo(t)
	recipient := r.join()
	r.write(r.file("key"), r.seal(text, recipient, true), 0o644)
	s := r.open(nil)
	got, err := s.Get(t.Context(), "key")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(r.file("key")), 0o555); err != nil {
		t.Fatal(err)
	}
	_, err = s.Put(t.Context(), "key", secret.New(text+"2"), got.Version)
	r.wantErr(err, vault.ErrDenied)
	r.wantText(s, "key", text)
}

// sshKey returns an ed25519 key pair as ssh-keygen writes it.
func sshKey(t *testing.T, passphrase string) (private, public string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(priv, "ben@example.com")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(priv, "ben@example.com", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	sshPub, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(sshPub)))
}

const pluginIdentity = "AGE-PLUGIN-MADE-1VYSX6CTYV5KH2UPQD9JX2MN5D968JEMKRXW"

// rsaKey returns an RSA key as ssh-keygen writes it.
func rsaKey(t *testing.T, bits int) string {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

func TestIdentities(t *testing.T) {
	t.Parallel()
	private, public := sshKey(t, "")
	locked, lockedPublic := sshKey(t, "correct horse")
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	const ssh = ".ssh/id_ed25519"
	tests := []struct {
		name      string
		recipient string
		files     map[string]string // in the home
		env       map[string]string // "~" is the home
		identity  string            // configured
		perm      os.FileMode
		kind      error
		words     []string
	}{
		{name: "own file", recipient: id.Recipient().String(), files: map[string]string{".config/envdrift/identity.txt": id.String()}},
		{name: "XDG_CONFIG_HOME", recipient: id.Recipient().String(), files: map[string]string{"x/envdrift/identity.txt": id.String()}, env: map[string]string{"XDG_CONFIG_HOME": "~/x"}},
		{name: "ENVDRIFT_AGE_IDENTITY", recipient: id.Recipient().String(), files: map[string]string{"k": "# mine\n\n" + id.String()}, env: map[string]string{"ENVDRIFT_AGE_IDENTITY": "~/k"}},
		{name: "ENVDRIFT_AGE_KEY", recipient: id.Recipient().String(), env: map[string]string{"ENVDRIFT_AGE_KEY": id.String()}},
		{name: "ENVDRIFT_AGE_KEY of SSH", recipient: public, env: map[string]string{"ENVDRIFT_AGE_KEY": private}},
		{name: "configured", recipient: id.Recipient().String(), files: map[string]string{"k": id.String()}, identity: "~/k"},
		{name: "SSH key", recipient: public, files: map[string]string{ssh: private}},
		{name: "SSH key beside another identity", recipient: public, files: map[string]string{ssh: private, ".config/envdrift/identity.txt": newIdentity(t)}},
		{name: "identity beside a locked SSH key", recipient: id.Recipient().String(), files: map[string]string{ssh: locked, ".config/envdrift/identity.txt": id.String()}},
		{name: "environment before configuration", recipient: id.Recipient().String(), env: map[string]string{"ENVDRIFT_AGE_KEY": id.String()}, identity: "~/none"},

		{name: "none", recipient: public, kind: vault.ErrUnauthenticated, words: []string{"identity.txt", ".ssh", "envdrift recipient show"}},
		{name: "locked SSH key", recipient: lockedPublic, files: map[string]string{ssh: locked}, kind: vault.ErrUnauthenticated, words: []string{"id_ed25519 has a passphrase", "envdrift recipient show"}},
		{name: "locked SSH key beside another identity", recipient: lockedPublic, files: map[string]string{ssh: locked, ".config/envdrift/identity.txt": id.String()}, kind: vault.ErrDenied, words: []string{id.Recipient().String(), "has a passphrase"}},
		{name: "another's SSH key", recipient: lockedPublic, files: map[string]string{ssh: private}, kind: vault.ErrDenied, words: []string{"envdrift recipient add '" + public + "'"}},
		{name: "open to others", recipient: public, files: map[string]string{ssh: private}, perm: 0o644, kind: vault.ErrUnauthenticated, words: []string{"other users", "chmod 600 "}},
		{name: "named file missing", recipient: public, env: map[string]string{"ENVDRIFT_AGE_IDENTITY": "~/none"}, kind: vault.ErrUnauthenticated, words: []string{"the file that ENVDRIFT_AGE_IDENTITY names cannot be used: no such file"}},
		{name: "identity in place of its file", recipient: public, env: map[string]string{"ENVDRIFT_AGE_IDENTITY": id.String()}, kind: vault.ErrUnauthenticated, words: []string{"ENVDRIFT_AGE_IDENTITY holds the secret itself, not a path", "ENVDRIFT_AGE_KEY"}},
		{name: "identity in place of its file, configured", recipient: public, identity: id.String(), kind: vault.ErrUnauthenticated, words: []string{"identity in [vault.age] holds the secret itself"}},
		{name: "configured file missing", recipient: public, files: map[string]string{ssh: private}, identity: "~/none", kind: vault.ErrUnauthenticated, words: []string{"the file that identity in [vault.age] names"}},
		{name: "a plugin's identity beside it", recipient: id.Recipient().String(), files: map[string]string{".config/envdrift/identity.txt": pluginIdentity + "\n" + id.String()}},
		{name: "only a plugin's identity", recipient: public, files: map[string]string{".config/envdrift/identity.txt": pluginIdentity}, kind: vault.ErrUnauthenticated, words: []string{"age-plugin-made is not in the PATH"}},
		{name: "RSA key that is too short", recipient: public, files: map[string]string{".ssh/id_rsa": rsaKey(t, 1024)}, kind: vault.ErrUnauthenticated, words: []string{"2048 bits"}},
		{name: "in CI", recipient: public, env: map[string]string{"CI": "true"}, kind: vault.ErrUnauthenticated, words: []string{"ENVDRIFT_AGE_KEY", "forks"}},
		{name: "damaged", recipient: public, env: map[string]string{"ENVDRIFT_AGE_KEY": strings.Replace(id.String(), "1", "1Q", 1)}, kind: vault.ErrUnauthenticated, words: []string{"ENVDRIFT_AGE_KEY holds no age identity"}},
		{name: "a path in place of the identity", recipient: public, env: map[string]string{"ENVDRIFT_AGE_KEY": "~/.config/envdrift/identity.txt"}, kind: vault.ErrUnauthenticated, words: []string{"ENVDRIFT_AGE_KEY holds no age identity", "set ENVDRIFT_AGE_IDENTITY"}},
		{name: "damaged SSH key", recipient: public, files: map[string]string{ssh: private[:len(private)/2] + private[len(private)/2+9:]}, kind: vault.ErrUnauthenticated, words: []string{"is no SSH key"}},
	}
	for _, tt := range tests {
		if tt.perm != 0 && runtime.GOOS == "windows" {
			continue // the mode does not decide about access there
		}
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := newRepo(t)
			r.add(tt.recipient)
			writer := newRepo(t)
			writer.dir = r.dir
			writer.join()
			r.put(writer.open(nil), "key", text, "")

			for file, content := range tt.files {
				perm := tt.perm
				if perm == 0 {
					perm = 0o600
				}
				r.write(filepath.Join(r.home, filepath.FromSlash(file)), content, perm)
			}
			env := map[string]string{}
			for name, v := range tt.env {
				env[name] = strings.Replace(v, "~", r.home, 1)
			}
			s := r.open(env, func(c *vault.Config) { c.Identity = tt.identity })
			got, err := s.Get(t.Context(), "key")
			if tt.kind == nil {
				r.wantText(s, "key", text)
				return
			}
			if !got.Value.IsEmpty() {
				t.Errorf("Get gave a value beside %v", err)
			}
			r.wantErr(err, tt.kind, tt.words...)
			var e *vault.Error
			errors.As(err, &e)
			for _, secret := range []string{id.String(), private[100:200], locked[100:200]} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, e, e), secret) {
					t.Errorf("error %v shows an identity", err)
				}
			}
		})
	}
}

func newIdentity(t *testing.T) string {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id.String()
}

func TestEnsureIdentity(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	recipient, created, err := agevault.EnsureIdentity(r.identityFile())
	if err != nil || !created || !strings.HasPrefix(recipient, "age1") {
		t.Fatalf("EnsureIdentity = %q, %t, %v; want a new one", recipient, created, err)
	}
	info, err := os.Stat(r.identityFile())
	if err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", info.Mode(), err)
	}
	again, created, err := agevault.EnsureIdentity(r.identityFile())
	if again != recipient || created || err != nil {
		t.Errorf("EnsureIdentity, twice = %q, %t, %v; want %q again", again, created, err, recipient)
	}
}

// A file that cannot be read must not be overwritten by a new identity.
func TestEnsureIdentityKeepsWhatIsThere(t *testing.T) {
	t.Parallel()
	r := newRepo(t)
	for _, content := range []string{"", "junk", "AGE-SECRET-KEY-1JUNK\n"} {
		r.write(r.identityFile(), content, 0o600)
		recipient, created, err := agevault.EnsureIdentity(r.identityFile())
		if err == nil || created || recipient != "" {
			t.Errorf("EnsureIdentity over %q = %q, %t, %v; want an error", content, recipient, created, err)
		}
		if got, err := os.ReadFile(r.identityFile()); err != nil || string(got) != content {
			t.Errorf("file = %q, %v; want %q", got, err, content)
		}
	}
}

func TestEnsureIdentityOfSSH(t *testing.T) {
	t.Parallel()
	private, public := sshKey(t, "")
	r := newRepo(t)
	r.write(r.identityFile(), private, 0o600)
	if got, created, err := agevault.EnsureIdentity(r.identityFile()); got != public || created || err != nil {
		t.Errorf("EnsureIdentity = %q, %t, %v; want %q", got, created, err, public)
	}
}
