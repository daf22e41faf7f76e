package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

const envFile = ".env.production"

// A bench is a clone in which the hook runs, with a home of its own.
type bench struct {
	t   *testing.T
	dir string
	env []string
}

func (b *bench) in(dir string) *bench {
	other := *b
	other.dir = filepath.Join(b.dir, dir)
	return &other
}

func (b *bench) with(env ...string) *bench {
	other := *b
	other.env = append(append([]string{}, b.env...), env...)
	return &other
}

func (b *bench) try(name string, args ...string) (string, error) {
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = b.dir, b.env
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (b *bench) run(name string, args ...string) string {
	b.t.Helper()
	out, err := b.try(name, args...)
	if err != nil {
		b.t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return out
}

func (b *bench) write(name string, data []byte) {
	b.t.Helper()
	if err := os.WriteFile(filepath.Join(b.dir, name), data, 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) read(name string) string {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(data)
}

// A fixture is a project whose key is in a vault, before git init, and edits of
// its env file.
type fixture struct {
	dir, home            string
	right, stranger      *ecies.PrivateKey
	base, edited, strays []byte // as committed first; edited with the right key; with another key
}

func newBench(t *testing.T, home string) *bench {
	t.Helper()
	b := &bench{t: t, dir: filepath.Join(t.TempDir(), "repo")}
	if err := os.Mkdir(b.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b.env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "XDG_CONFIG_HOME=" + home, "XDG_STATE_HOME=" + home,
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_ALLOW_PROTOCOL=file", "GIT_EDITOR=true",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
	}
	return b
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	b := newBench(t, t.TempDir())
	f := &fixture{dir: b.dir, home: filepath.Join(b.dir, "..", "home")}
	b.env = append(b.env, "XDG_CONFIG_HOME="+f.home)
	b.write(envFile, []byte("A=1\nB=1\n"))
	b.run("envdrift", "init")
	f.base = []byte(b.read(envFile))
	keys := dotenv.ParseKeysFile([]byte(b.read(".env.keys"))).Entries()
	var err error
	if f.right, err = ecies.ParsePrivateKey(keys[0].Value.Reveal()); err != nil {
		t.Fatal(err)
	}
	if f.stranger, err = ecies.GenerateKey(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(b.dir, ".env.keys")); err != nil {
		t.Fatal(err)
	}
	f.edited, f.strays = f.edit(t, f.right), f.edit(t, f.stranger)
	b.write(".gitignore", []byte(".env.keys\n.hooks\n"))
	b.write("other.txt", []byte("other\n"))
	return f
}

// edit returns the env file with another A, encrypted for key.
func (f *fixture) edit(t *testing.T, key *ecies.PrivateKey) []byte {
	t.Helper()
	doc, _, err := dotenv.Parse([]byte("A=2\nB=1\n")).Encrypt(key.PublicKey(), dotenv.EncryptOptions{
		Header: "DOTENV_PUBLIC_KEY_PRODUCTION", File: envFile,
		Previous: dotenv.Parse(f.base), PreviousKeys: ecies.Keys{f.right},
	})
	if err != nil {
		t.Fatal(err)
	}
	return doc.Bytes()
}

// commit makes the project a repository with one commit.
func (f *fixture) commit(t *testing.T, initArgs ...string) *bench {
	t.Helper()
	b := newBench(t, f.home)
	if err := os.CopyFS(b.dir, os.DirFS(f.dir)); err != nil {
		t.Fatal(err)
	}
	b.run("git", append([]string{"init", "-q", "-b", "main"}, initArgs...)...)
	b.run("git", "add", "-A")
	b.run("git", "commit", "-q", "-m", "first")
	return b
}

// matrixKinds are the kinds of repository that git can make.
var matrixKinds = []struct {
	name string
	make func(t *testing.T, f *fixture) *bench
}{
	{"plain", func(t *testing.T, f *fixture) *bench { return f.commit(t) }},
	{"sha256", func(t *testing.T, f *fixture) *bench { return f.commit(t, "--object-format=sha256") }},
	{"separate git dir", func(t *testing.T, f *fixture) *bench { return f.commit(t, "--separate-git-dir=../elsewhere.git") }},
	{"subdirectory", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		if err := os.Mkdir(filepath.Join(b.dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		return b
	}},
	{"index v4", configured("update-index", "--index-version=4")},
	{"split index", configured("update-index", "--split-index")},
	{"untracked cache", configured("update-index", "--untracked-cache")},
	{"no index checksum", configured("config", "index.skipHash", "true")},
	{"sparse index", configured("sparse-checkout", "set", "--cone", "--sparse-index", ".envdrift")},
	{"autocrlf", configured("config", "core.autocrlf", "true")},
	{"relative hooksPath", configured("config", "core.hooksPath", ".hooks")},
	{"executable", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("chmod", "+x", envFile)
		b.run("git", "commit", "-q", "-a", "-m", "x")
		return b
	}},
	{"linked work tree", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "worktree", "add", "-q", "../linked")
		return b.in("../linked")
	}},
	{"bare with work tree", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "clone", "-q", "--bare", ".", "../bare.git")
		b.in("../bare.git").run("git", "worktree", "add", "-q", "../work")
		return b.in("../work")
	}},
	{"submodule", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "init", "-q", "../super")
		b.in("../super").run("git", "submodule", "--quiet", "add", "../repo", "sub")
		return b.in("../super/sub")
	}},
	{"GIT_DIR and GIT_WORK_TREE", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t, "--separate-git-dir=../dot.git")
		if err := os.Remove(filepath.Join(b.dir, ".git")); err != nil {
			t.Fatal(err)
		}
		return b.with("GIT_DIR=../dot.git", "GIT_WORK_TREE=.")
	}},
	{"shallow", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "clone", "-q", "--depth=1", "file://"+b.dir, "../clone")
		return b.in("../clone")
	}},
	{"partial clone", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "config", "uploadpack.allowFilter", "true")
		b.run("git", "config", "uploadpack.allowAnySHA1InWant", "true")
		b.run("git", "clone", "-q", "--filter=blob:none", "file://"+b.dir, "../clone")
		return b.in("../clone")
	}},
	{"filter", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "config", "filter.local.clean", "sed /^#local/d")
		b.run("git", "config", "filter.local.smudge", "sed '$a #local'")
		b.write(".gitattributes", []byte(".env.* filter=local\n"))
		b.run("git", "add", "-A")
		b.run("git", "commit", "-q", "-m", "filter")
		return b
	}},
	{"conflict elsewhere", func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", "switch", "-q", "-c", "side")
		b.write("other.txt", []byte("theirs\n"))
		b.run("git", "commit", "-q", "-a", "-m", "theirs")
		b.run("git", "switch", "-q", "main")
		b.write("other.txt", []byte("ours\n"))
		b.run("git", "commit", "-q", "-a", "-m", "ours")
		if out, err := b.try("git", "merge", "side"); err == nil {
			t.Fatalf("merge made no conflict: %s", out)
		}
		b.write("other.txt", []byte("both\n"))
		b.run("git", "add", "other.txt")
		return b
	}},
}

func configured(args ...string) func(*testing.T, *fixture) *bench {
	return func(t *testing.T, f *fixture) *bench {
		b := f.commit(t)
		b.run("git", args...)
		return b
	}
}

// matrixStates are what may be wrong with what is to be committed.
var matrixStates = []struct {
	name   string
	file   func(f *fixture) []byte // the env file; nil if it is not changed
	key    func(f *fixture) *ecies.PrivateKey
	away   bool   // the vault
	passes int    // at which try; 0 for never
	backup bool   // the edit is kept as a backup
	values string // of A in the working tree at the end
}{
	{name: "clean", file: func(f *fixture) []byte { return f.edited }, key: rightKey, passes: 1, values: "2"},
	{name: "drift, local key", file: func(f *fixture) []byte { return f.strays }, key: strangeKey, passes: 2, backup: true, values: "2"},
	{name: "drift, no key", file: func(f *fixture) []byte { return f.strays }, backup: true, values: "1"},
	{name: "plaintext", file: func(*fixture) []byte { return []byte("A=2\nB=1\n") }, values: "2"},
	{name: "keys file", key: rightKey, values: "1"},
	{name: "vault away", file: func(f *fixture) []byte { return f.strays }, away: true, values: "2"},
}

func rightKey(f *fixture) *ecies.PrivateKey   { return f.right }
func strangeKey(f *fixture) *ecies.PrivateKey { return f.stranger }

// matrixWays are the ways to commit.
var matrixWays = []struct {
	name string
	args []string // of git commit
	add  bool     // before
}{
	{"staged", nil, true},
	{"all", []string{"-a"}, false},
	{"path", []string{"--"}, false},
}

// TestHookMatrix commits in every kind of repository, whatever may be wrong, in
// every way, and checks the result: nothing may be committed that the vault's
// key does not decrypt, no edit lost, and the repository not damaged. The 348
// cells take a while, so all of them run only with "-tags integration".
func TestHookMatrix(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, kind := range matrixKinds {
		for _, state := range matrixStates {
			for _, way := range matrixWays {
				if kind.name == "conflict elsewhere" && way.name != "staged" {
					continue // git does not commit parts of a merge
				}
				if !fullMatrix && kind.name != "plain" && state.name != "drift, local key" {
					continue
				}
				t.Run(fmt.Sprintf("%s/%s/%s", kind.name, state.name, way.name), func(t *testing.T) {
					t.Parallel()
					b := kind.make(t, f)
					b.run("envdrift", "hook", "install")
					file := envFile
					if state.key != nil {
						b.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+state.key(f).Reveal()+"\n"))
					}
					if state.file == nil {
						file = ".env.keys"
						b.run("git", "add", "-f", file)
					} else {
						b.write(envFile, state.file(f))
					}
					if way.add {
						b.run("git", "add", "-f", file)
					}
					if state.away {
						b = b.with("XDG_CONFIG_HOME=" + t.TempDir())
					}
					args := append([]string{"commit", "-m", "m"}, way.args...)
					if way.name == "path" {
						args = append(args, file)
					}
					if kind.name == "subdirectory" {
						args = append([]string{"-C", "sub"}, args...)
						if way.name == "path" {
							args[len(args)-1] = "../" + file
						}
					}
					before := b.run("git", "rev-parse", "HEAD")
					passed := commitTwice(b, args)
					check := matrixCheck{b, f, kind.name, before}
					merges := kind.name == "conflict elsewhere" && state.name == "drift, no key"
					if merges { // HEAD's version is restored, so the merge can be made
						passed = 0
					}
					if passed != state.passes {
						t.Errorf("the commit passed at try %d; want %d", passed, state.passes)
					}
					check.committed(state.passes > 0, merges)
					check.edit(state.values)
					check.repository()
					if state.backup {
						check.backup(state.file(f))
					}
				})
			}
		}
	}
}

// commitTwice returns the try at which the commit passed, 0 for none.
func commitTwice(b *bench, args []string) int {
	for try := 1; try <= 2; try++ {
		out, err := b.try("git", args...)
		b.t.Logf("git %q: %v\n%s", args, err, out)
		if err == nil {
			return try
		}
	}
	return 0
}

type matrixCheck struct {
	*bench
	*fixture
	kind, before string
}

// value returns A of an env file.
func (c matrixCheck) value(data string, keys ...*ecies.PrivateKey) string {
	c.t.Helper()
	values, err := dotenv.Parse([]byte(data)).Reveal(keys)
	if err != nil {
		c.t.Errorf("the file does not decrypt: %v", err)
	}
	for _, v := range values {
		if v.Name == "A" {
			return v.Plaintext.Reveal()
		}
	}
	return ""
}

// committed checks the first promise: what is in HEAD decrypts with the vault's
// key, and is the edit if the commit passed.
func (c matrixCheck) committed(passed, merges bool) {
	c.t.Helper()
	want := map[bool]string{true: "2", false: "1"}[passed]
	if got := c.value(c.run("git", "show", "HEAD:"+envFile), c.right); got != want {
		c.t.Errorf("committed A = %q; want %q", got, want)
	}
	if moved := c.run("git", "rev-parse", "HEAD") != c.before; moved != (passed || merges) {
		c.t.Errorf("HEAD moved: %t; want %t", moved, passed || merges)
	}
	if out := c.run("git", "ls-tree", "--name-only", "HEAD", ".env.keys"); out != "" {
		c.t.Error("private keys were committed")
	}
}

func (c matrixCheck) edit(want string) {
	c.t.Helper()
	if got := c.value(c.bench.read(envFile), c.right, c.stranger); got != want {
		c.t.Errorf("A in the working tree = %q; want %q", got, want)
	}
}

func (c matrixCheck) repository() {
	c.t.Helper()
	if out, err := c.try("git", "fsck", "--strict", "--no-dangling"); err != nil {
		c.t.Errorf("fsck: %v\n%s", err, out)
	}
	dir := strings.TrimSpace(c.run("git", "rev-parse", "--absolute-git-dir"))
	if locks, _ := filepath.Glob(filepath.Join(dir, "*.lock")); locks != nil {
		c.t.Errorf("locks left: %q", locks)
	}
	if c.kind == "executable" && !strings.HasPrefix(c.run("git", "ls-files", "-s", envFile), "100755") {
		c.t.Error("the file is executable no more")
	}
	if c.kind == "filter" && c.bench.read(envFile) != "" && strings.Contains(c.run("git", "show", "HEAD:"+envFile), "#local") {
		c.t.Error("what the filter adds was committed")
	}
}

// backup checks that the drifted bytes are kept.
func (c matrixCheck) backup(want []byte) {
	c.t.Helper()
	common := strings.TrimSpace(c.run("git", "rev-parse", "--path-format=absolute", "--git-common-dir"))
	kept, _ := filepath.Glob(filepath.Join(common, "envdrift", "backup", "*"))
	for _, name := range kept {
		if data, err := os.ReadFile(name); err == nil && bytes.Equal(data, want) {
			return
		}
	}
	c.t.Errorf("none of the backups %q holds the edit", kept)
}
