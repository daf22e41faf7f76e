package precommit_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks/precommit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/all"
)

// secretMark begins every value that must not be readable in a commit.
const secretMark = "m4rked"

// TestTruth generates commits on top of a good one and compares what the hook and
// verify say of them with the truth: if either lets a commit pass, the vault that
// is in the commit decrypts every mapped file to what was put in, and no secret
// is readable. ENVDRIFT_TRIALS is how many commits; the trial's number is its
// seed, and ENVDRIFT_TRIAL runs that one alone.
func TestTruth(t *testing.T) {
	t.Parallel()
	trials := 30
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_TRIALS")); err == nil {
		trials = n
	}
	one, oneErr := strconv.Atoi(os.Getenv("ENVDRIFT_TRIAL"))
	h := newHistory(t)
	counts := map[string]int{}
	for i := range trials {
		if oneErr == nil && i > 0 {
			break
		}
		seed := i
		if oneErr == nil {
			seed = one
		}
		counts[h.trial(seed)]++
	}
	t.Logf("%d commits: %v", trials, counts)
	if oneErr != nil && trials > 10 && (counts["passed"] == 0 || counts["stopped"] == 0) {
		t.Errorf("passed %d, stopped %d; the trials prove nothing", counts["passed"], counts["stopped"])
	}
}

// A history is a repository with a good commit, and what was put into its files.
type history struct {
	*desk
	r       *rand.Rand
	keys    []*ecies.PrivateKey // whose first is the vault's
	told    []string            // what the trial did
	renamed map[string]string   // decrypted files, and what they were
	base    string
}

func newHistory(t *testing.T) *history {
	h := &history{desk: newDesk(t)}
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	h.env["ENVDRIFT_AGE_KEY"] = identity.String()
	for range 3 {
		key, err := ecies.GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		h.keys = append(h.keys, key)
	}
	h.write("envdrift.toml", truthConfig("", "svc", ".env", "k")+strings.TrimPrefix(truthConfig("", "app", "settings.txt", "k2"), truthVault))
	h.write(".envdrift/recipients", identity.Recipient().String()+"\n")
	h.write("web/envdrift.toml", truthConfig("", ".", "", "k3"))
	h.write("web/.envdrift/recipients", identity.Recipient().String()+"\n")
	for name, file := range truthSecrets {
		h.write(file, h.sealed(identity, h.key(name)))
	}
	h.write("svc/.env", h.file("k", "A", "B"))
	h.write("app/settings.txt", h.file("k2", "A", "B", "C"))
	h.write("web/.env.production", h.file("k3", "A"))
	h.write("readme.md", "nothing of ours\n")
	h.git("add", "-A", "-f")
	h.git("commit", "-q", "-m", "base")
	h.base = strings.TrimSpace(h.git("rev-parse", "HEAD"))
	return h
}

const truthVault = "[vault]\nprovider = \"age\"\n"

var truthSecrets = map[string]string{"k": ".envdrift/vault/k.age", "k2": ".envdrift/vault/k2.age", "k3": "web/.envdrift/vault/k3.age"}

func truthConfig(hooks, folder, file, secret string) string {
	text := truthVault + hooks + fmt.Sprintf("[[vault.sync.mappings]]\nsecret_name = %q\nfolder_path = %q\n", secret, folder)
	if file != "" {
		text += fmt.Sprintf("env_file = %q\n", file)
	}
	return text
}

// key returns the key that the base's vault holds under a name.
func (h *history) key(name string) *ecies.PrivateKey {
	return h.keys[map[string]int{"k": 0, "k2": 1, "k3": 2}[name]]
}

func (h *history) sealed(identity *age.X25519Identity, key *ecies.PrivateKey) string {
	h.t.Helper()
	var b bytes.Buffer
	w, err := age.Encrypt(&b, identity.Recipient())
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := w.Write([]byte(ecies.Keys{key}.Reveal())); err != nil {
		h.t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		h.t.Fatal(err)
	}
	return b.String()
}

// file returns an env file of names, encrypted for the key of a secret.
func (h *history) file(secret string, names ...string) string {
	text := ""
	for i, name := range names {
		text += fmt.Sprintf("%s=%s-%s-%d\n", name, secretMark, name, i)
	}
	return h.encrypted(h.key(secret), text)
}

// trial makes one commit and returns whether it passed.
func (h *history) trial(seed int) string {
	h.r = rand.New(rand.NewPCG(uint64(seed), 14))
	h.told, h.renamed = nil, map[string]string{}
	h.git("reset", "-q", "--hard", h.base)
	h.git("clean", "-q", "-f", "-d", "-x")
	for range 1 + h.r.IntN(3) {
		d := truthDeeds[h.r.IntN(len(truthDeeds))]
		h.told = append(h.told, d.name)
		d.do(h)
	}
	h.git("add", "-A", "-f")
	if _, err := h.try("diff", "--cached", "--quiet"); err == nil {
		return "nothing"
	}
	hookPassed := h.hook()
	h.git("commit", "-q", "-n", "-m", "trial")
	lie := h.lie()
	switch {
	case hookPassed && lie != "":
		h.t.Errorf("trial %d, %q: the hook lets it pass, but %s", seed, h.told, lie)
	}
	for _, scope := range []verify.Scope{{Rev: "HEAD"}, {Rev: "HEAD~1..HEAD"}} {
		if h.verify(scope) && lie != "" {
			h.t.Errorf("trial %d, %q: verify --rev %s succeeds, but %s", seed, h.told, scope.Rev, lie)
		}
	}
	if hookPassed {
		return "passed"
	}
	return "stopped"
}

func (h *history) workspace() (*workspace.Workspace, error) {
	o := workspace.Options{Dir: h.dir, Env: h.env, Consent: workspace.CI}
	o.Overrides.Providers = all.Providers()
	o.OpenVault = all.Open
	return workspace.Open(o)
}

// hook reports whether the pre-commit hook lets what is staged pass.
func (h *history) hook() bool {
	w, err := h.workspace()
	if err != nil {
		return false
	}
	check, err := precommit.Run(h.t.Context(), w, precommit.Options{DryRun: true})
	if err != nil {
		return false
	}
	defer func() { _ = check.Close() }()
	return !slices.ContainsFunc(check.Files, func(f *precommit.StagedFile) bool { return f.Err != nil })
}

func (h *history) verify(scope verify.Scope) bool {
	w, err := h.workspace()
	if err != nil {
		return false
	}
	files, err := verify.Run(h.t.Context(), w, scope)
	return err == nil && !slices.ContainsFunc(files, func(f *verify.File) bool { return f.Err != nil })
}

// lie returns what is wrong with HEAD, found without the code under test but for
// the cipher and the parsers of files.
func (h *history) lie() string {
	repo, err := gitops.Open(h.t.Context(), h.dir, os.Environ())
	if err != nil {
		h.t.Fatal(err)
	}
	tree, err := repo.Tree(h.t.Context(), "HEAD", 1<<20)
	if err != nil {
		h.t.Fatal(err)
	}
	defer func() { _ = tree.Close() }()
	for _, entry := range tree.Files() {
		if !entry.Mode.IsFile() {
			continue
		}
		data, err := readTree(tree, entry.Path)
		if err != nil {
			h.t.Fatal(err)
		}
		// Beside the encrypted file, one with another name is a copy, which is not
		// noticed: only the values would tell.
		_, copied := tree.File(h.renamed[entry.Path])
		if strings.Contains(string(data), secretMark) && !copied {
			return entry.Path + " shows a secret"
		}
		for _, key := range h.keys {
			if strings.Contains(string(data), ecies.Keys{key}.Reveal()) {
				return entry.Path + " holds a private key"
			}
		}
		if strings.Contains(string(data), h.env["ENVDRIFT_AGE_KEY"]) {
			return entry.Path + " holds the identity"
		}
		if filepath.Base(entry.Path) == "envdrift.toml" {
			if lie := h.lieOf(tree, entry.Path, data); lie != "" {
				return lie
			}
		}
	}
	return ""
}

func readTree(tree *gitops.Tree, name string) ([]byte, error) {
	f, err := tree.Open(name)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	_, err = b.ReadFrom(f)
	return b.Bytes(), errors.Join(err, f.Close())
}

// lieOf returns what is wrong with the mapped files of one configuration.
func (h *history) lieOf(tree *gitops.Tree, file string, data []byte) string {
	cfg, err := config.Parse("/"+file, data, config.Overrides{Providers: all.Providers()})
	if err != nil {
		return file + " does not parse"
	}
	dir := filepath.Dir(file)
	for _, t := range mapping.Resolve(tree, dir, cfg, cfg.Mappings) {
		if _, there := tree.File(t.File); !there {
			continue
		}
		sealed, err := readTree(tree, filepath.Join(dir, ".envdrift/vault", t.Mapping.SecretName+".age"))
		if err != nil {
			return t.File + " has no secret in the commit"
		}
		identity, err := age.ParseX25519Identity(h.env["ENVDRIFT_AGE_KEY"])
		if err != nil {
			h.t.Fatal(err)
		}
		in, err := age.Decrypt(bytes.NewReader(sealed), identity)
		if err != nil {
			return t.File + ": its secret is damaged"
		}
		var text bytes.Buffer
		if _, err := text.ReadFrom(in); err != nil {
			return t.File + ": its secret is damaged"
		}
		keys, err := ecies.ParsePrivateKeys(text.String())
		if err != nil || t.Doc == nil {
			return t.File + " has no key, or no content"
		}
		seen := 0
		for _, e := range t.Doc.Entries() {
			if !strings.HasPrefix(e.Value, ecies.Prefix) {
				continue
			}
			seen++
			value, _, err := keys.Decrypt(e.Value)
			if err != nil {
				return fmt.Sprintf("%s: %s does not decrypt", t.File, e.Name)
			}
			if !strings.HasPrefix(string(value), secretMark) {
				return fmt.Sprintf("%s: %s is not what was put in", t.File, e.Name)
			}
		}
		if seen == 0 {
			return t.File + " holds nothing"
		}
	}
	return ""
}

// target picks one of the mapped files, with the name of its secret.
func (h *history) target() (file, secret string) {
	i := h.r.IntN(3)
	return []string{"svc/.env", "app/settings.txt", "web/.env.production"}[i], []string{"k", "k2", "k3"}[i]
}

// rewrite changes the text of a mapped file.
func (h *history) rewrite(change func(text string) string) {
	file, _ := h.target()
	if text, ok := h.text(file); ok {
		h.write(file, change(text))
	}
}

func (h *history) text(file string) (string, bool) {
	data, err := os.ReadFile(filepath.Join(h.dir, file))
	return string(data), err == nil
}

// stranger returns a key that is not the one of a secret.
func (h *history) stranger(secret string) *ecies.PrivateKey {
	for {
		if key := h.keys[h.r.IntN(len(h.keys))]; key != h.key(secret) {
			return key
		}
	}
}

const plaintext = "A=" + secretMark + "-A\nB=" + secretMark + "-B\n"

// truthDeeds are what people, tools and attackers do to a repository.
var truthDeeds = []struct {
	name string
	do   func(h *history)
}{
	{"a good edit", func(h *history) { f, k := h.target(); h.write(f, h.file(k, "A", "NEW")) }},
	{"another file", func(h *history) { h.write("readme.md", fmt.Sprint(h.r.Int())) }},
	{"encrypted for another key", func(h *history) {
		f, k := h.target()
		h.write(f, h.encrypted(h.stranger(k), plaintext))
	}},
	{"one value for another key", func(h *history) {
		f, k := h.target()
		other := h.encrypted(h.stranger(k), "B="+secretMark+"\n")
		text, _ := h.text(f)
		h.write(f, text+other[strings.Index(other, "B="):])
	}},
	{"a header of another key", func(h *history) {
		f, k := h.target()
		other := h.encrypted(h.stranger(k), "Z="+secretMark+"\n")
		text := h.file(k, "A")
		h.write(f, other[:strings.Index(other, "Z=")]+text[strings.Index(text, "A="):])
	}},
	{"no header", func(h *history) {
		h.rewrite(func(s string) string { return s[max(strings.Index(s, "A="), 0):] })
	}},
	{"a value in plaintext", func(h *history) { h.rewrite(func(s string) string { return s + "P=" + secretMark + "\n" }) }},
	{"a value behind a missing line end", func(h *history) {
		h.rewrite(func(s string) string { return strings.TrimRight(s, "\n") + "P=" + secretMark + "\n" })
	}},
	{"text behind a value", func(h *history) {
		h.rewrite(func(s string) string { return strings.TrimRight(s, "\n") + " " + secretMark + "\n" })
	}},
	{"a line that is no assignment", func(h *history) { h.rewrite(func(s string) string { return s + secretMark + "\n" }) }},
	{"a PEM block", func(h *history) {
		h.rewrite(func(s string) string { return s + "PEM=-----BEGIN KEY-----\n" + secretMark + "\n-----END KEY-----\n" })
	}},
	{"conflict markers", func(h *history) {
		h.rewrite(func(s string) string { return "<<<<<<< a\n" + s + "=======\n" + s + ">>>>>>> b\n" })
	}},
	{"emptied", func(h *history) { h.rewrite(func(string) string { return "" }) }},
	{"JSON", func(h *history) { h.rewrite(func(string) string { return `{"A":"` + secretMark + `"}` }) }},
	{"CRLF", func(h *history) { h.rewrite(func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }) }},
	{"quotes and export", func(h *history) {
		h.rewrite(func(s string) string { return strings.ReplaceAll(s, "A=encrypted:", "export A = encrypted:") })
	}},
	{"cut short", func(h *history) { h.rewrite(func(s string) string { return s[:len(s)*2/3] }) }},
	{"a value that only looks encrypted", func(h *history) { h.rewrite(func(s string) string { return s + "P=encrypted:" + secretMark + "\n" }) }},
	{"decrypted", func(h *history) { f, _ := h.target(); h.write(f, plaintext) }},
	{"decrypted and renamed", func(h *history) {
		f, _ := h.target()
		if _, there := h.text(f); !there {
			return
		}
		h.remove(f)
		name := filepath.Join(filepath.Dir(f), []string{".envrc", "app.properties", "dotenv", ".env.bak", "env.production"}[h.r.IntN(5)])
		h.write(name, plaintext)
		h.renamed[name] = f
	}},
	{"renamed", func(h *history) {
		f, _ := h.target()
		if text, there := h.text(f); there {
			h.remove(f)
			h.write(filepath.Join(filepath.Dir(f), "other.txt"), text)
		}
	}},
	{"deleted", func(h *history) {
		f, _ := h.target()
		_ = os.Remove(filepath.Join(h.dir, f))
	}},
	{"a link", func(h *history) {
		f, _ := h.target()
		_ = os.Remove(filepath.Join(h.dir, f))
		_ = os.Symlink("../readme.md", filepath.Join(h.dir, f))
	}},
	{"an env file that nobody mapped", func(h *history) { h.write([]string{".env.local", "new/.env", "prod.env"}[h.r.IntN(3)], plaintext) }},
	{"one that is encrypted", func(h *history) { h.write("new/.env.staging", h.encrypted(h.keys[0], plaintext)) }},
	{"no configuration", func(h *history) { _ = os.Remove(filepath.Join(h.dir, "envdrift.toml")) }},
	{"a dropped mapping", func(h *history) { h.write("envdrift.toml", truthConfig("", "app", "settings.txt", "k2")) }},
	{"a mapping for another file", func(h *history) { h.write("envdrift.toml", truthConfig("", "svc", "other.txt", "k")) }},
	{"another secret", func(h *history) {
		h.write("envdrift.toml", truthConfig("", "svc", ".env", []string{"k2", "none"}[h.r.IntN(2)]))
	}},
	{"a nested configuration", func(h *history) {
		h.write([]string{"svc", "app"}[h.r.IntN(2)]+"/envdrift.toml", truthConfig("", "deep", ".env", "k"))
	}},
	{"weaker settings", func(h *history) {
		h.write("envdrift.toml", truthConfig("[hooks]\non_plaintext = \"off\"\non_unreachable = \"warn\"\n", "svc", ".env", "k"))
	}},
	{"a broken configuration", func(h *history) { h.write("envdrift.toml", "[vault\n") }},
	{"another key in the vault", func(h *history) {
		_, k := h.target()
		h.write(truthSecrets[k], h.sealedAgain(h.stranger(k)))
	}},
	{"a secret deleted", func(h *history) {
		_, k := h.target()
		_ = os.Remove(filepath.Join(h.dir, truthSecrets[k]))
	}},
	{"a damaged secret", func(h *history) { _, k := h.target(); h.write(truthSecrets[k], "<<<<<<< a\nx\n") }},
	{"a rotation", func(h *history) {
		f, k := h.target()
		key := h.stranger(k)
		h.write(truthSecrets[k], h.sealedAgain(key))
		h.write(f, h.encrypted(key, plaintext))
	}},
	{"a keys file", func(h *history) { h.write("svc/.env.keys", "DOTENV_PRIVATE_KEY="+ecies.Keys{h.keys[0]}.Reveal()+"\n") }},
	{"a key in a script", func(h *history) {
		h.write("ci.sh", "export DOTENV_PRIVATE_KEY_PRODUCTION='"+ecies.Keys{h.keys[0]}.Reveal()+"'\n")
	}},
	{"an identity", func(h *history) { h.write("id.txt", h.env["ENVDRIFT_AGE_KEY"]+"\n") }},
}

func (h *history) sealedAgain(key *ecies.PrivateKey) string {
	identity, err := age.ParseX25519Identity(h.env["ENVDRIFT_AGE_KEY"])
	if err != nil {
		h.t.Fatal(err)
	}
	return h.sealed(identity, key)
}
