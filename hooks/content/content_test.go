package content_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/all"
)

// A clone is a repository in a temporary directory, with a configuration.
type clone struct {
	*testing.T
	dir string
	env map[string]string
}

func newClone(t *testing.T, files map[string]string) *clone {
	t.Helper()
	home := t.TempDir()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := &clone{t, dir, map[string]string{
		"HOME": home, "PATH": os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM": "1", "XDG_CONFIG_HOME": filepath.Join(home, ".config"),
		"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@b", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@b",
	}}
	c.git("init", "-q", "-b", "main")
	for name, text := range files {
		c.write(name, text)
	}
	return c
}

func (c *clone) write(name, text string) {
	c.Helper()
	file := filepath.Join(c.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		c.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.Fatal(err)
	}
}

func (c *clone) git(args ...string) string {
	c.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = c.dir
	for name, value := range c.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		c.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

func (c *clone) open(string) (*workspace.Workspace, error) {
	o := workspace.Options{Dir: c.dir, Env: c.env, Consent: workspace.Never, OpenVault: all.Open}
	o.Overrides.Providers = all.Providers()
	return workspace.Open(o)
}

func (c *clone) setup(shared bool) content.Setup {
	c.Helper()
	w, err := c.open("")
	if err != nil {
		c.Fatal(err)
	}
	repo, err := w.Git(c.Context())
	if err != nil {
		c.Fatal(err)
	}
	return content.Setup{Workspace: w, Repo: repo, Self: "/opt/100% 'mine'/envdrift", Shared: shared}
}

const mapped = `[vault]
provider = "age"
[[vault.sync.mappings]]
secret_name = "one"
folder_path = "."
env_file = ".env.production"
[[vault.sync.mappings]]
secret_name = "two"
folder_path = "a folder/[x]*"
env_file = "od\"d.env"
`

// TestInstallNamesFiles: git finds the drivers for the mapped files, whatever their
// names, and for no others.
func TestInstallNamesFiles(t *testing.T) {
	t.Parallel()
	const odd = `a folder/[x]*/od"d.env`
	c := newClone(t, map[string]string{
		"envdrift.toml": mapped, ".env.production": "A=1\n", odd: "A=1\n", "a folder/xyz/.env.production": "",
	})
	if err := os.MkdirAll(filepath.Join(c.dir, ".git", "info"), 0o755); err != nil {
		t.Fatal(err)
	}
	c.write(".git/info/attributes", "*.png binary")
	for _, shared := range []bool{false, true} {
		s := c.setup(shared)
		state, err := s.Install(t.Context())
		if err != nil || state.Condition() != content.Installed || state.Shared != shared {
			t.Fatalf("Install, shared %t = %+v, %v; want it installed", shared, state, err)
		}
		for file, want := range map[string]string{
			".env.production":              "envdrift",
			odd:                            "envdrift",
			"a folder/xyz/.env.production": "unspecified",
			"sub/.env.production":          "unspecified",
			".envdrift/recipients":         "envdrift-recipients",
			".envdrift/vault/one.age":      "envdrift-vault",
			".envdrift/vault/a/b.age":      "envdrift-vault",
			".envdrift/vault/note":         "unspecified",
		} {
			if got := c.git("check-attr", "-z", "merge", "--", file); strings.Split(got, "\x00")[2] != want {
				t.Errorf("shared %t: %s has merge=%s; want %s", shared, file, strings.Split(got, "\x00")[2], want)
			}
		}
	}
	c.git("config", "diff.envdrift.xfuncname", "mine")
	if err := c.setup(false).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := c.git("config", "--get-regexp", `^(diff|merge)\.`); got != "diff.envdrift.xfuncname mine\n" {
		t.Errorf("Uninstall left %q; want the user's own setting", got)
	}
	data, _ := os.ReadFile(filepath.Join(c.dir, ".git", "info", "attributes"))
	if strings.TrimSpace(string(data)) != "*.png binary" {
		t.Errorf("Uninstall left attributes %q", data)
	}
	if _, err := os.Stat(filepath.Join(c.dir, ".gitattributes")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Uninstall left .gitattributes: %v", err)
	}
}

// TestInstallKeepsEditedBlock: lines of which the end is gone are the user's.
func TestInstallKeepsEditedBlock(t *testing.T) {
	t.Parallel()
	c := newClone(t, map[string]string{"envdrift.toml": mapped, ".env.production": "A=1\n"})
	if _, err := c.setup(true).Install(t.Context()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(c.dir, ".gitattributes"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(data), "# envdrift ends\n", "*.jpg binary\n", 1)
	c.write(".gitattributes", text)
	if err := c.setup(true).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	if data, _ := os.ReadFile(filepath.Join(c.dir, ".gitattributes")); string(data) != text {
		t.Errorf("Uninstall changed %q to %q", text, data)
	}
}

// TestDriversWithoutEnvdrift runs the commands as git does, where there is no
// envdrift, and one that fails or is killed: git's own merge and the file itself are left.
func TestDriversWithoutEnvdrift(t *testing.T) {
	t.Parallel()
	c := newClone(t, map[string]string{"envdrift.toml": mapped, ".env.production": "A=0\n"})
	bin := t.TempDir()
	for i, failing := range []string{"", "exit 2", "kill -9 $$"} {
		if failing != "" {
			if err := os.WriteFile(filepath.Join(bin, "envdrift"), []byte("#!/bin/sh\n"+failing+"\n"), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		c.env["PATH"] = bin + string(filepath.ListSeparator) + os.Getenv("PATH")
		if _, err := c.setup(false).Install(t.Context()); err != nil {
			t.Fatal(err)
		}
		c.git("checkout", "-q", "--orphan", fmt.Sprint("start", i))
		c.git("add", "-A")
		c.git("commit", "-q", "-m", "base", "--allow-empty")
		c.git("branch", "-f", "theirs")
		c.write(".env.production", "A=1\n")
		c.git("commit", "-q", "-a", "-m", "ours")
		c.git("checkout", "-q", "theirs")
		c.write(".env.production", "A=2\n")
		if diff := c.git("diff"); !strings.Contains(diff, "+A=2") {
			t.Errorf("envdrift does %q: git diff = %q; want the file itself", failing, diff)
		}
		c.git("commit", "-q", "-a", "-m", "theirs")
		cmd := exec.Command("git", "merge", "-q", "-")
		cmd.Dir = c.dir
		for name, value := range c.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		if out, err := cmd.CombinedOutput(); err == nil {
			t.Errorf("envdrift does %q: git merge succeeded: %s", failing, out)
		}
		want := "<<<<<<< ours\nA=2\n=======\nA=1\n>>>>>>> theirs\n"
		if data, _ := os.ReadFile(filepath.Join(c.dir, ".env.production")); string(data) != want {
			t.Errorf("envdrift does %q: merged %q; want %q", failing, data, want)
		}
		c.git("reset", "-q", "--hard")
		c.write(".env.production", "A=0\n")
	}
}

// TestTextconv: no value is shown, and tags say nothing to who has not the key.
func TestTextconv(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c := newClone(t, map[string]string{"envdrift.toml": mapped, ".env.keys": "DOTENV_PRIVATE_KEY_PRODUCTION=" + key.Reveal() + "\n"})
	encrypt := func(key *ecies.PrivateKey, text string) []byte {
		doc, _, err := dotenv.Parse([]byte(text)).Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: ".env.production"})
		if err != nil {
			t.Fatal(err)
		}
		return doc.Bytes()
	}
	const text = "# note\nA=s3cret # why\nexport B='s3cret'\nC=\"s3cret\nmore\"\nD=\n"
	lines := func(data []byte, values bool) string {
		out := string(content.Textconv(context.Background(), c.open, "/tmp/xyz/.env.production", data, values))
		_, out, _ = strings.Cut(out, "# .env.production\n")
		return out
	}
	first, second := lines(encrypt(key, text), false), lines(encrypt(key, text), false)
	want := regexp.MustCompile(`^# note\nA=(‹[0-9a-f]{12}›) # why\nexport B=(‹[0-9a-f]{12}›)\nC=(‹[0-9a-f]{12}›)\nD=‹empty›\n$`)
	m := want.FindStringSubmatch(first)
	if m == nil || m[1] != m[2] || m[1] == m[3] || first != second {
		t.Errorf("Textconv = %q and %q; want equal tags for equal values", first, second)
	}
	if got := lines(encrypt(key, text), true); got != "# note\nA=s3cret # why\nexport B=s3cret\nC=s3cret\\nmore\nD=\n" {
		t.Errorf("Textconv with values = %q", got)
	}
	if got := lines(encrypt(other, text), false); strings.Contains(got, "‹") || !regexp.MustCompile(`A=encrypted:.{12}… # why`).MatchString(got) {
		t.Errorf("Textconv without the key = %q; want the beginning of ciphertexts", got)
	}
	if got := lines(encrypt(key, "A=\x1b[31mred\n"), true); strings.Contains(got, "\x1b") {
		t.Errorf("Textconv with values = %q; want nothing that controls a terminal", got)
	}
	plain := string(content.Textconv(t.Context(), c.open, ".env.production", []byte(text+"junk s3cret\n<<<<<<< x\n"), false))
	if strings.Contains(plain, "s3cret") || !strings.Contains(plain, "\n<<<<<<< x\n") {
		t.Errorf("Textconv of plaintext = %q", plain)
	}
	c.write(".env.keys", "")
	plain = string(content.Textconv(t.Context(), c.open, ".env.production", []byte("A=s3cret\nB=s3cret\n"), false))
	if plain != "A=‹not encrypted, 6 characters›\nB=‹not encrypted, 6 characters›\n" {
		t.Errorf("Textconv of plaintext without a key = %q", plain)
	}
	broken := func(string) (*workspace.Workspace, error) { return nil, errors.New("no configuration") }
	if got := content.Textconv(t.Context(), broken, "x", encrypt(key, text), false); !bytes.Contains(got, []byte("A=encrypted:")) {
		t.Errorf("Textconv without a workspace = %q", got)
	}
}

// TestShowsValues: the user's own configuration alone decides, wherever it is.
func TestShowsValues(t *testing.T) {
	t.Parallel()
	c := newClone(t, nil)
	shows := func(more ...string) bool {
		env := maps.Clone(c.env)
		for i := 0; i < len(more); i += 2 {
			env[more[i]] = more[i+1]
		}
		return content.ShowsValues(t.Context(), c.dir, env)
	}
	c.write(".gitconfig", "[envdrift]\n\tdiff = values\n")
	if shows() {
		t.Error("ShowsValues: a file of the repository is enough")
	}
	for _, tt := range []struct{ file, text string }{
		{filepath.Join(c.env["HOME"], ".gitconfig"), "[EnvDrift]\n\tDiff = values\n"},
		{filepath.Join(c.env["HOME"], ".config", "git", "config"), "[envdrift]\n\tdiff=values\n"},
		{filepath.Join(c.dir, ".git", "config"), "[core]\n\trepositoryformatversion = 0\n[envdrift]\n\tdiff = tags\n\tdiff = values\n"},
	} {
		old, _ := os.ReadFile(tt.file)
		if err := os.MkdirAll(filepath.Dir(tt.file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(tt.file, []byte(tt.text), 0o600); err != nil {
			t.Fatal(err)
		}
		if !shows() {
			t.Errorf("ShowsValues: false with %q in %s", tt.text, tt.file)
		}
		if err := os.WriteFile(tt.file, old, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if shows() {
		t.Error("ShowsValues: true without a setting")
	}
	if !shows("GIT_CONFIG_COUNT", "1", "GIT_CONFIG_KEY_0", "envdrift.diff", "GIT_CONFIG_VALUE_0", "values") {
		t.Error("ShowsValues: false with the setting in the environment")
	}
	if shows("GIT_DIR", "/nowhere") {
		t.Error("ShowsValues: true without a repository")
	}
}

// TestMergeWritesOnlyItsResult: a file that cannot be merged stays as it is, and so
// do the others.
func TestMergeWritesOnlyItsResult(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	name := func(n string) string { return filepath.Join(dir, n) }
	write := func(n, text string) {
		if err := os.WriteFile(name(n), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	never := func(string) (*workspace.Workspace, error) {
		t.Error("the workspace was opened")
		return nil, errors.New("no")
	}
	tests := []struct {
		name, base, ours, theirs, want string
		kind                           content.Kind
		conflicts                      int
		err                            bool
	}{
		{"merged", "A=1\n", "A=1\nB=1\n", "A=1\nC=1\n", "A=1\nB=1\nC=1\n", content.EnvFile, 0, false},
		{"in conflict", "A=1\n", "A=2\n", "A=3\n", "<<<<<<< ours\nA=2\n=======\nA=3\n>>>>>>> theirs\n", content.EnvFile, 1, false},
		{"no variables", "x y\n", "x z\n", "x a\n", "x z\n", content.EnvFile, 0, true},
		{"no recipients", "", "nonsense\n", "age1x\n", "nonsense\n", content.Recipients, 0, true},
	}
	for _, tt := range tests {
		write("O", tt.base)
		write("A", tt.ours)
		write("B", tt.theirs)
		m := content.Merge{Kind: tt.kind, Base: name("O"), Ours: name("A"), Theirs: name("B"), Path: ".env", MarkerSize: 7, OursLabel: "%X", TheirsLabel: "%Y"}
		result, err := m.Run(t.Context(), never)
		if (err != nil) != tt.err || len(result.Conflicts) != tt.conflicts {
			t.Errorf("%s: %d conflicts, %v", tt.name, len(result.Conflicts), err)
		}
		for n, want := range map[string]string{"O": tt.base, "A": tt.want, "B": tt.theirs} {
			if data, _ := os.ReadFile(name(n)); string(data) != want {
				t.Errorf("%s: %s = %q; want %q", tt.name, n, data, want)
			}
		}
		entries, _ := os.ReadDir(dir)
		if names := slices.Collect(func(yield func(string) bool) {
			for _, e := range entries {
				if !yield(e.Name()) {
					return
				}
			}
		}); !slices.Equal(names, []string{"A", "B", "O"}) {
			t.Errorf("%s: left %q", tt.name, names)
		}
	}
}
