package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/envdrift/envdrift/internal/dotenv"
)

// A daily is a clone with an encrypted env file whose repository, home and folder for
// temporary files are watched.
type daily struct {
	*bench
	memory  string // where editors may have plaintext
	folders []string
	key     string
	watch   *writes
}

// newDaily makes the clone. The values are those that a test will set, of which the
// file has the first three.
func newDaily(t *testing.T, values []string) *daily {
	t.Helper()
	home, tmp := t.TempDir(), t.TempDir()
	d := &daily{bench: newBench(t, home), memory: inMemory(t)}
	d.folders = []string{d.dir, home, tmp}
	d.env = append(d.env, "CI=true", "TMPDIR="+tmp, "XDG_RUNTIME_DIR="+d.memory, "GORACE="+noRaceSleep)
	d.write(".env", []byte("# of the test\nA="+values[0]+"\nB="+values[1]+"\nOLD="+values[2]+"\n\nZ=last\n"))
	d.run("git", "init", "-q", "-b", "main")
	d.run("envdrift", "init")
	d.run("envdrift", "encrypt", ".env")
	d.run("envdrift", "vault-push", "--all")
	d.run("envdrift", "hook", "install")
	d.commit("first")
	d.key = dotenv.ParseKeysFile([]byte(d.read(".env.keys"))).Entries()[0].Value.Reveal()
	d.watch = watchWrites(t, append([]string{d.key}, values...), d.folders...)
	return d
}

// leaks returns what was written since the last call. A key may be in a keys file, as
// a hook brings it after a checkout, or the file that becomes one.
func (d *daily) leaks() []string {
	return slices.DeleteFunc(d.watch.seen(d.dir), d.isKeysFile)
}

func (d *daily) isKeysFile(found string) bool {
	name, isKey := strings.CutSuffix(found, fmt.Sprintf(" held %q", d.key))
	return isKey && filepath.Dir(name) == d.dir && (filepath.Base(name) == ".env.keys" || strings.HasPrefix(filepath.Base(name), ".envdrift-tmp-"))
}

// inMemory returns a folder in memory, which must be empty in the end.
func inMemory(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "envdrift-test")
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() {
		if left := textsIn(dir); len(left) > 0 {
			t.Errorf("left in memory: %q", left)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func (d *daily) commit(message string) {
	d.t.Helper()
	d.run("git", "add", "-A")
	d.run("git", "commit", "-q", "-m", message)
}

// set gives a variable a value, through standard input.
func (d *daily) set(name, value string) {
	d.t.Helper()
	d.run("sh", "-c", `printf %s "$2" | envdrift set "$1"`, "sh", name, value)
}

// has checks a variable's value.
func (d *daily) has(name, value string) {
	d.t.Helper()
	if got := d.run("envdrift", "get", name); got != value+"\n" {
		d.t.Errorf("%s = %q; want %q", name, got, value)
	}
}

// fork makes two branches from here, ours and theirs, each with a commit that sets a
// variable, and leaves ours.
func (d *daily) fork(ours, oursValue, theirs, theirsValue string) {
	d.t.Helper()
	for _, side := range [][3]string{{"theirs", theirs, theirsValue}, {"ours", ours, oursValue}} {
		d.run("git", "switch", "-q", "--detach", "main")
		d.run("git", "switch", "-q", "-C", side[0])
		d.set(side[1], side[2])
		d.commit(side[0])
	}
}

// TestPlaintextOnDisk changes, shows and merges values in every way there is. No
// value, and no private key, is in any file at any time.
func TestPlaintextOnDisk(t *testing.T) {
	t.Parallel()
	v := make([]string, 12)
	for i := range v {
		v[i] = uuid.NewString() + "-value"
	}
	d := newDaily(t, v)
	conflict := func(args ...string) {
		d.t.Helper()
		if out, err := d.try("git", args...); err == nil || !strings.Contains(out, "both sides changed it") {
			t.Errorf("git %q = %q, %v; want a conflict", args, out, err)
		}
	}
	steps := []struct {
		name string
		do   func()
	}{
		{"set, unset, get, ls", func() {
			d.set("A", v[3])
			d.set("NEW", v[4])
			d.run("envdrift", "set", "MADE", "--generate")
			d.run("envdrift", "unset", "OLD")
			d.run("envdrift", "ls")
			d.has("A", v[3])
			made := strings.TrimSpace(d.run("envdrift", "get", "MADE"))
			v = append(v, made)
			d.commit("set")
		}},
		{"edit", func() {
			d.with("EDITOR=sed -i 's/^B=.*/B="+v[5]+"/'").run("envdrift", "edit")
			if out, err := d.with("EDITOR=false").try("envdrift", "edit"); err == nil {
				t.Errorf("a failed editor: %s", out)
			}
			d.has("B", v[5])
			d.commit("edit")
		}},
		{"diff", func() {
			d.set("B", v[6])
			if out := d.run("envdrift", "diff", "--show"); !strings.Contains(out, v[5]) || !strings.Contains(out, v[6]) {
				t.Errorf("diff --show = %q", out)
			}
			d.commit("diff")
		}},
		{"textconv", func() {
			for _, line := range []string{"diff HEAD~1", "log -p", "show", "blame .env", "stash list -p", "log -p -S A --pickaxe-all"} {
				out := d.run("git", strings.Fields(line)...)
				if strings.Contains(out, "encrypted:") || strings.Contains(out, "-value") {
					t.Errorf("git %s = %q", line, out)
				}
			}
			if out := d.run("git", "-c", "envdrift.diff=values", "diff", "HEAD~1"); !strings.Contains(out, v[6]) {
				t.Errorf("git diff with values = %q", out)
			}
		}},
		{"merge", func() {
			d.fork("OURS", v[7], "THEIRS", v[8])
			d.run("git", "merge-tree", "--write-tree", "ours", "theirs")
			d.run("git", "merge", "-q", "-m", "merged", "theirs")
			d.has("OURS", v[7])
			d.has("THEIRS", v[8])
		}},
		{"merge with a conflict", func() {
			d.fork("A", v[9], "A", v[10])
			conflict("merge", "-q", "-m", "merged", "theirs")
			d.run("envdrift", "resolve", ".env", "--theirs")
			d.commit("merged")
			d.has("A", v[10])
			d.fork("A", v[10], "A", v[9])
			conflict("merge", "-q", "-m", "merged", "theirs")
			d.with("EDITOR=sed -i -e '/^[<=>]\\{7\\}/d' -e 's/^A=.*/A="+v[11]+"/'").run("envdrift", "resolve", ".env", "--edit")
			d.commit("merged")
			d.has("A", v[11])
		}},
		{"rebase", func() {
			d.fork("OURS", v[7], "THEIRS", v[8])
			d.run("git", "rebase", "-q", "theirs")
			d.has("OURS", v[7])
			d.has("THEIRS", v[8])
			d.fork("A", v[9], "A", v[10])
			conflict("rebase", "theirs")
			d.run("envdrift", "resolve", ".env", "--theirs")
			d.run("git", "rebase", "--continue")
			d.has("A", v[9])
		}},
		{"cherry-pick, revert", func() {
			d.fork("OURS", v[7], "THEIRS", v[8])
			d.run("git", "cherry-pick", "theirs")
			d.run("git", "revert", "--no-edit", "ours~1")
			d.has("THEIRS", v[8])
		}},
		{"stash", func() {
			d.fork("OURS", v[7], "THEIRS", v[8])
			d.set("STASHED", v[9])
			d.run("git", "stash", "-q")
			d.run("git", "merge", "-q", "-m", "merged", "theirs")
			d.run("git", "stash", "pop", "-q")
			d.has("STASHED", v[9])
			d.commit("stashed")
		}},
		{"am", func() {
			d.fork("OURS", v[7], "THEIRS", v[8])
			d.run("git", "format-patch", "-q", "-1", "--output="+filepath.Join(d.folders[2], "patch"), "theirs")
			d.run("git", "am", "-q", "-3", filepath.Join(d.folders[2], "patch"))
			d.has("OURS", v[7])
			d.has("THEIRS", v[8])
		}},
	}
	for i, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			d.t = t
			if i%2 == 0 { // then the vault has the key, until a hook brings it
				_ = os.Remove(filepath.Join(d.dir, ".env.keys"))
			}
			step.do()
			for _, found := range d.leaks() {
				t.Error(found)
			}
		})
	}
	for _, found := range searchAll(t, append(v, d.key), append(slices.Clone(d.folders), d.memory)...) {
		if !d.isKeysFile(found) {
			t.Error(found)
		}
	}
	t.Logf("%d files were gone before they were opened", d.watch.missed)
}

// What is written and removed at once is seen: in every folder, also as base64, as an
// object of git's, by another name and in a new folder.
func TestPlaintextIsSeen(t *testing.T) {
	t.Parallel()
	secret := uuid.NewString() + "-value"
	d := newDaily(t, []string{secret, uuid.NewString(), uuid.NewString()})
	for _, leak := range []string{
		`printf %s "$S" >x; rm x`,
		`printf %s "$S" >.git/x; rm .git/x`,
		`printf %s "$S" >.env.keys; rm .env.keys`,
		`printf %s "$S" >"$TMPDIR/x"; rm "$TMPDIR/x"`,
		`printf %s "$S" >"$HOME/x"; mv "$HOME/x" "$HOME/y"; rm "$HOME/y"`,
		`printf 'A=%s' "$S" | base64 -w0 >x; rm x`,
		`printf %s "$S" | git hash-object -w --stdin`,
		`mkdir -p new/folder; printf %s "$S" >new/folder/x; rm -r new`,
	} {
		seen := false
		for tries := 0; !seen && tries < 50; tries++ { // a busy machine is late to open what is gone
			d.with("S="+secret).run("sh", "-c", leak)
			seen = len(d.leaks()) > 0
		}
		if !seen {
			t.Errorf("nobody sees: %s", leak)
		}
	}
}
