//go:build integration

package main

import (
	"cmp"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Each manager of git hooks at work, with envdrift installed beside it or in it:
// what is bad is not committed, what is good is, no edit is lost, and the message
// is true about where a repair is and what to type.
//
//	eval "$(scripts/install-pre-commit)" && eval "$(scripts/install-managers)" &&
//		go test -tags integration -run Managers ./cmd/envdrift
func TestManagers(t *testing.T) {
	t.Parallel()
	template := newManaged(t)
	for _, m := range managers {
		t.Run(m.name, func(t *testing.T) {
			t.Parallel()
			installed := template.copy(t)
			for name, text := range m.files {
				installed.write("repo/"+name, text)
			}
			installed.must(m.install)
			installed.must("git add -A && git commit -q --no-verify --allow-empty -m managed")
			for _, c := range commits {
				if m.variant && !strings.HasPrefix(c.name, "drift, ") {
					continue
				}
				t.Run(c.name, func(t *testing.T) { installed.copy(t).commits(c, m.undoes) })
			}
		})
	}
}

const (
	frameworkHook = "repos: [{repo: local, hooks: [{id: e, name: e, entry: envdrift hook run pre-commit, language: system, pass_filenames: false, always_run: true}]}]\n"
	frameworkNone = "repos: [{repo: local, hooks: [{id: e, name: e, entry: 'true', language: system, pass_filenames: false, always_run: true}]}]\n"
	lefthookJob   = "  jobs:\n    - {name: other, glob: '*.txt', run: 'true {staged_files}', stage_fixed: true}\n"
)

// A manager is installed with a configuration of the repository.
type manager struct {
	name, install string
	files         map[string]string
	undoes        bool // what a hook repairs
	variant       bool // of another one: less is tried
}

var managers = []manager{
	{name: "none", install: "envdrift hook install"},
	{name: "husky", install: "husky && envdrift hook install"},
	{
		name: "husky and lint-staged", install: "husky && envdrift hook install",
		files: map[string]string{".husky/pre-commit": "lint-staged\n", ".lintstagedrc": `{"*": "true"}`},
	},
	{
		name: "lint-staged", install: "husky", undoes: true,
		files: map[string]string{".husky/pre-commit": "lint-staged\n", ".lintstagedrc": `{"*": "envdrift hook run pre-commit"}`},
	},
	{name: "lefthook", install: "lefthook install && envdrift hook install", files: map[string]string{"lefthook.yml": "pre-commit:\n" + lefthookJob}},
	{name: "lefthook, parallel", variant: true, install: "lefthook install && envdrift hook install", files: map[string]string{"lefthook.yml": "pre-commit:\n  parallel: true\n" + lefthookJob}},
	{name: "lefthook, piped", variant: true, install: "lefthook install && envdrift hook install", files: map[string]string{"lefthook.yml": "pre-commit:\n  piped: true\n" + lefthookJob}},
	{
		name: "lefthook, by hand", variant: true, install: "lefthook install",
		files: map[string]string{"lefthook.yml": "pre-commit:\n" + lefthookJob + "    - {name: envdrift, run: envdrift hook run pre-commit}\n"},
	},
	{name: "pre-commit", install: "pre-commit install", files: map[string]string{".pre-commit-config.yaml": frameworkHook}},
	{name: "pre-commit, legacy", variant: true, install: "pre-commit install && envdrift hook install", files: map[string]string{".pre-commit-config.yaml": frameworkNone}},
	{name: "prek", install: "prek install", files: map[string]string{".pre-commit-config.yaml": frameworkHook}},
	{name: "prek, legacy", variant: true, install: "prek install && envdrift hook install", files: map[string]string{".pre-commit-config.yaml": frameworkNone}},
	{
		name: "simple-git-hooks", install: "simple-git-hooks",
		files: map[string]string{"package.json": `{"simple-git-hooks": {"pre-commit": "envdrift hook run pre-commit"}}`},
	},
}

// A commitCase is one version that is staged, one that is in the working tree, and
// what is there after "git commit". The versions are files of the template.
type commitCase struct {
	name, staged, tree string
	nokey              bool   // no local key decrypts the drift
	keys               bool   // the keys file is staged
	commit             string // default: git commit -m change
	index, after       string // index and working tree when it was stopped; "" if it is not
	says               []string
	next               string // what to type before the commit is tried again
	undone             string // the same under a manager that undoes a repair
}

// repaired is neither of the versions of the template.
const repaired = "repaired"

const repair = "envdrift repair .env"

var commits = []commitCase{
	{name: "good", staged: "edit", tree: "edit"},
	{name: "good, edits", staged: "edit", tree: "edit-more"},
	{
		name: "drift", staged: "drift", tree: "drift", index: repaired, after: repaired, undone: repair,
		says: []string{"in the index and in the working tree;", "1 repaired: review, and commit again"},
	},
	{
		name: "drift, edits of the line", staged: "drift", tree: "drift-line", index: repaired, after: "drift-line", undone: repair,
		says: []string{"vault's key now, in the index;", "1 repaired: review, and commit again"},
	},
	{
		name: "drift, edits of another line", staged: "drift", tree: "drift-more", index: repaired, after: "drift-more", undone: repair,
		says: []string{"vault's key now, in the index;", "1 repaired: review, and commit again"},
	},
	{
		name: "drift, -a", tree: "drift", commit: "git commit -a -m change", index: "good", after: repaired, undone: repair,
		says: []string{"vault's key now, in the working tree;", "1 repaired: review, and run the same git commit again"},
	},
	{
		name: "drift, FILE", tree: "drift", commit: "git commit -m change .env", index: "good", after: repaired, undone: repair,
		says: []string{"vault's key now, in the working tree;", "1 repaired: review, and run the same git commit again"},
	},
	{
		name: "drift without a key", staged: "drift", tree: "drift", nokey: true, index: "good", after: "good",
		says: []string{"HEAD's is restored in the index and in the working tree;", "nothing is left to commit"},
		next: again, undone: repair + "; " + again,
	},
	{
		name: "drift without a key, edits", staged: "drift", tree: "drift-line", nokey: true, index: "good", after: "drift-line",
		says: []string{"HEAD's is restored in the index;", "if it drifted too: " + repair},
		next: repair + "; " + again, undone: repair + "; " + again,
	},
	{
		name: "plaintext", staged: "plain", tree: "plain", index: "plain", after: "plain",
		says: []string{"plaintext  .env", "envdrift encrypt .env && git add .env"}, next: "envdrift encrypt .env && git add .env",
	},
	{
		name: "plaintext, edits", staged: "plain", tree: "plain-more", index: "plain", after: "plain-more",
		says: []string{"plaintext  .env"}, next: "envdrift encrypt .env && git add .env",
	},
	{
		name: "a keys file", staged: "edit", tree: "edit", keys: true, index: "edit", after: "edit",
		says: []string{"private key ", "git rm --cached .env.keys"}, next: "git rm --cached .env.keys",
	},
}

// again is the edit, made again.
const again = "cp ../edit .env && git add .env"

// managed is a directory with a repository, a home, and versions of the env file.
type managed struct {
	t   *testing.T
	dir string
	env []string
}

func managedIn(t *testing.T, dir string) *managed {
	path := strings.Join([]string{os.Getenv("HOOK_MANAGERS"), filepath.Dir(os.Getenv("PRE_COMMIT_BIN")), os.Getenv("PATH")}, string(os.PathListSeparator))
	return &managed{t, dir, []string{
		"PATH=" + path, "HOME=" + filepath.Join(dir, "home"), "GIT_CONFIG_NOSYSTEM=1", "CI=true", "NO_COLOR=1", "TERM=dumb", noRaceSleep,
	}}
}

func newManaged(t *testing.T) *managed {
	for _, name := range []string{"HOOK_MANAGERS", "PRE_COMMIT_BIN"} {
		if os.Getenv(name) == "" {
			t.Fatalf("%s is not set: see scripts/install-managers and scripts/install-pre-commit", name)
		}
	}
	m := managedIn(t, t.TempDir())
	m.write("home/.gitconfig", "[user]\n\tname = Ann\n\temail = ann@example.com\n[init]\n\tdefaultBranch = main\n")
	m.write("repo/.env", "A=1\nB=2\nC=3\n")
	m.write("stranger/.env", "A=1\nB=4\nC=3\n")
	m.must(`git init -q && echo '.env* diff=envdrift' >.git/info/attributes && git config diff.envdrift.textconv 'envdrift decrypt --stdout'
		envdrift init && git add -A && git commit -q -m good || exit
		change() { cp ../$1 .env && sed -i "$2" .env && envdrift encrypt .env && cp .env ../$3; }
		cp .env ../good
		change good s/^B=.*/B=4/ edit && change edit '$a# more' edit-more && cp ../good .env || exit
		sed s/^B=.*/B=4/ ../good >../plain
		sed '$aD=5' ../plain >../plain-more
		cd ../stranger && git init -q && envdrift encrypt .env && cp .env ../drift || exit
		change drift s/^B=.*/B=6/ drift-line && change drift '$aD=5' drift-more || exit
		sed -n s/^DOTENV_PRIVATE_KEY=/DOTENV_PRIVATE_KEY_STRANGER=/p .env.keys >>../repo/.env.keys`)
	return m
}

func (m *managed) copy(t *testing.T) *managed {
	to := managedIn(t, t.TempDir())
	if out, err := exec.Command("cp", "-a", m.dir+"/.", to.dir).CombinedOutput(); err != nil { // os.CopyFS changes modes
		t.Fatalf("%v: %s", err, out)
	}
	return to
}

func (m *managed) write(name, text string) {
	m.t.Helper()
	file := filepath.Join(m.dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		m.t.Fatal(err)
	}
}

// run runs a script in the repository.
func (m *managed) run(script string) (out string, err error) {
	cmd := exec.Command("sh", "-c", script)
	cmd.Dir, cmd.Env = filepath.Join(m.dir, "repo"), m.env
	text, err := cmd.CombinedOutput()
	return string(text), err
}

func (m *managed) must(script string) string {
	m.t.Helper()
	out, err := m.run(script)
	if err != nil {
		m.t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return out
}

// version names what git or a file has: a version of the template, or repaired.
func (m *managed) version(script string) string {
	m.t.Helper()
	text := m.must(script)
	for _, name := range []string{"good", "edit", "edit-more", "drift", "drift-line", "drift-more", "plain", "plain-more"} {
		if known, err := os.ReadFile(filepath.Join(m.dir, name)); err != nil {
			m.t.Fatal(err)
		} else if text == string(known) {
			return name
		}
	}
	return repaired
}

// is compares versions of the index, of the working tree and of HEAD, and looks
// for edits that a manager left in a stash.
func (m *managed) is(index, tree, head string) {
	m.t.Helper()
	for _, place := range []struct{ script, want string }{
		{"git show :.env", index}, {"cat .env", tree}, {"git show HEAD:.env", head},
	} {
		if got := m.version(place.script); got != place.want {
			m.t.Errorf("%s: %s; want %s", place.script, got, place.want)
		}
	}
	if left := m.must("git stash list"); left != "" {
		m.t.Errorf("left: %s", left)
	}
}

func (m *managed) commits(c commitCase, undoes bool) {
	if c.nokey {
		m.must("sed -i /STRANGER/d .env.keys")
	}
	if c.staged != "" {
		m.must("cp ../" + c.staged + " .env && git add .env")
	}
	if c.keys {
		m.must("git add -f .env.keys")
	}
	m.must("cp ../" + c.tree + " .env")
	commit := cmp.Or(c.commit, "git commit -m change")
	out, err := m.run(commit)
	if c.index == "" {
		if m.is(c.staged, c.tree, c.staged); err != nil {
			m.t.Errorf("%s: %v\n%s", commit, err, out)
		}
		return
	}
	if err == nil {
		m.t.Fatalf("%s is not stopped:\n%s", commit, out)
	}
	if undoes && c.undone != "" {
		c.index, c.after, c.next = cmp.Or(c.staged, "good"), c.tree, c.undone
		c.says = []string{"not repaired: ", "1. " + repair, "beside lint-staged"}
	}
	m.is(c.index, c.after, "good")
	for _, text := range c.says {
		if !strings.Contains(out, text) {
			m.t.Errorf("%s does not say %q", commit, text)
		}
	}
	if m.t.Failed() {
		m.t.Log(out)
		return
	}
	if c.next != "" {
		m.must(c.next)
	}
	staged, tree := m.must("git show :.env"), m.must("cat .env")
	m.must(commit)
	if head := m.must("git show HEAD:.env"); head == m.must("cat ../good") || c.commit == "" && head != staged || m.must("cat .env") != tree {
		m.t.Errorf("after %s, HEAD is %s and the working tree %s", commit, head, m.must("cat .env"))
	}
	m.must("envdrift verify --rev HEAD")
}
