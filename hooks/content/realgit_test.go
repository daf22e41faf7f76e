package content_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/hooks/content"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestMain lets git run this program as a merge driver.
func TestMain(m *testing.M) {
	if len(os.Args) > 7 && os.Args[1] == "drive" {
		os.Exit(drive(os.Args[2:]))
	}
	os.Exit(m.Run())
}

func drive(args []string) int {
	m, err := content.ParseMerge(content.Kind(args[0]), args[1:])
	if err != nil {
		panic(err)
	}
	dir, _ := os.Getwd()
	env := map[string]string{}
	for _, kv := range os.Environ() {
		name, value, _ := strings.Cut(kv, "=")
		env[name] = value
	}
	c := &clone{dir: dir, env: env}
	result, err := m.Run(context.Background(), c.open)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 2
	case len(result.Conflicts) > 0:
		return 1
	}
	return 0
}

// ways are how git merges two versions. Each begins on a branch with ours, whose
// parent is the base; theirs is a branch from there too.
var ways = []struct {
	name string
	do   [][]string
}{
	{"merge", [][]string{{"merge", "-q", "-m", "merged", "theirs"}}},
	{"rebase", [][]string{{"checkout", "-q", "theirs"}, {"rebase", "-q", "ours"}}},
	{"rebase --apply", [][]string{{"checkout", "-q", "theirs"}, {"rebase", "-q", "--apply", "ours"}}},
	{"cherry-pick", [][]string{{"cherry-pick", "theirs"}}},
	{"stash pop", [][]string{
		{"checkout", "-q", "base"}, {"checkout", "-q", "theirs", "--", "."}, {"stash", "-q"}, {"checkout", "-q", "-f", "ours"}, {"stash", "pop", "-q"},
	}},
}

// TestRealGit merges random edits through git, and compares with the merge of the
// documents. ENVDRIFT_ROUNDS sets how often.
func TestRealGit(t *testing.T) {
	t.Parallel()
	rounds := 2 * len(ways)
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	c := newClone(t, map[string]string{
		".env.keys": "DOTENV_PRIVATE_KEY=" + key.Reveal() + "\n", ".gitignore": ".env.keys\n", ".gitattributes": ".env merge=envdrift\n",
	})
	c.git("config", "merge.envdrift.driver", "'"+self+"' drive env %O %A %B %L %P")
	c.git("add", "-A")
	c.git("commit", "-q", "-m", "start")
	w := newWriter(t, key)
	conflicts := 0
	for round := range rounds {
		r := rand.New(rand.NewPCG(2, uint64(round)))
		base := w.random(r)
		ours, theirs := w.edit(r, base), w.edit(r, base)
		way := ways[round%len(ways)]
		if c.round(way.do, key, base, ours, theirs) {
			conflicts++
		}
		if t.Failed() {
			t.Fatalf("round %d, %s\n--- base\n%s--- ours\n%s--- theirs\n%s", round, way.name, base, ours, theirs)
		}
	}
	t.Logf("%d rounds, %d with conflicts", rounds, conflicts)
}

// round merges once, and reports whether there was a conflict.
func (c *clone) round(steps [][]string, key *ecies.PrivateKey, base, ours, theirs []byte) bool {
	c.Helper()
	commit := func(branch string, data []byte) {
		c.git("checkout", "-q", "-B", branch)
		c.write(".env", string(data))
		c.write("file-of-"+branch, branch+string(data))
		c.git("add", "-A")
		c.git("commit", "-q", "-m", branch)
	}
	c.git("checkout", "-q", "-f", "main")
	commit("base", base)
	commit("theirs", theirs)
	c.git("checkout", "-q", "base")
	commit("ours", ours)
	var err error
	for i, step := range steps {
		cmd := exec.Command("git", step...)
		cmd.Dir = c.dir
		for name, value := range c.env {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		var out []byte
		if out, err = cmd.CombinedOutput(); err != nil && i < len(steps)-1 {
			c.Errorf("git %q: %v\n%s", step, err, out)
		}
	}
	want, mergeErr := dotenv.Merge(dotenv.Parse(base), dotenv.Parse(ours), dotenv.Parse(theirs), dotenv.MergeOptions{
		Keys: func() ecies.Keys { return ecies.Keys{key} }, OursLabel: "ours", TheirsLabel: "theirs",
	})
	if mergeErr != nil {
		c.Fatal(mergeErr)
	}
	got, _ := os.ReadFile(filepath.Join(c.dir, ".env"))
	if !bytes.Equal(got, want.Data) {
		c.Errorf("git has %q; want %q", got, want.Data)
	}
	if (err != nil) != (len(want.Conflicts) > 0) {
		c.Errorf("git: %v; want %d conflicts", err, len(want.Conflicts))
	}
	for _, quit := range []string{"merge", "rebase", "cherry-pick"} {
		_ = exec.Command("git", "-C", c.dir, quit, "--quit").Run()
	}
	c.git("reset", "-q", "--hard")
	c.git("stash", "clear")
	return err != nil
}

// A writer makes random env files of few values, encrypted before.
type writer struct {
	header string
	values []string
}

func newWriter(t *testing.T, key *ecies.PrivateKey) *writer {
	w := &writer{header: `DOTENV_PUBLIC_KEY="` + key.PublicKey().String() + `"`}
	for i := range 12 { // each text twice
		value, err := key.PublicKey().Encrypt(fmt.Append(nil, "value ", i/2))
		if err != nil {
			t.Fatal(err)
		}
		w.values = append(w.values, value)
	}
	return w
}

func (w *writer) line(r *rand.Rand, name int) string {
	if r.IntN(5) == 0 {
		return "# " + strconv.Itoa(r.IntN(1000))
	}
	return fmt.Sprintf("N%d=%s", name, w.values[r.IntN(len(w.values))])
}

func (w *writer) random(r *rand.Rand) []byte {
	lines := []string{w.header, ""}
	for name := range r.IntN(10) {
		lines = append(lines, w.line(r, name))
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}

func (w *writer) edit(r *rand.Rand, base []byte) []byte {
	lines := strings.Split(strings.TrimSuffix(string(base), "\n"), "\n")
	for range r.IntN(4) {
		at := 2 + r.IntN(len(lines)-1)
		switch {
		case r.IntN(2) == 0 || at == len(lines):
			lines = slices.Insert(lines, at, w.line(r, 10+r.IntN(6)))
		case r.IntN(2) == 0:
			lines = slices.Delete(lines, at, at+1)
		default:
			if name, _, ok := strings.Cut(lines[at], "="); ok {
				lines[at] = name + "=" + w.values[r.IntN(len(w.values))]
			}
		}
	}
	return []byte(strings.Join(lines, "\n") + "\n")
}
