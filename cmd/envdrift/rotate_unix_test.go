//go:build unix

package main

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A rotation is a repository whose key is rotated.
type rotation struct {
	*bench
	random *rand.Rand
	whole  time.Duration // of the longest command so far
}

const rotationFile = ".env.production"

// newRotation makes a repository with two files for one secret, and a clone of it
// called clone, through a bare one. config has everything but the mappings.
func newRotation(t *testing.T, config string, env map[string]string) *rotation {
	t.Helper()
	seed := rand.Uint64()
	if n, err := strconv.ParseUint(os.Getenv("ENVDRIFT_SEED"), 10, 64); err == nil {
		seed = n
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("seed: ENVDRIFT_SEED=%d", seed)
		}
	})
	r := &rotation{bench: newBench(t, t.TempDir()), random: rand.New(rand.NewPCG(seed, 0)), whole: 100 * time.Millisecond}
	r.env = append(r.env, "GORACE="+noRaceSleep, "ENVDRIFT_TRUST=1")
	for name, value := range env {
		r.env = append(r.env, name+"="+value)
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "other"), 0o755); err != nil {
		t.Fatal(err)
	}
	secret := "rotated-" + strings.ToLower(strings.NewReplacer("/", "-", "_", "-").Replace(t.Name())) + strconv.FormatUint(seed%1e6, 10)
	for _, folder := range []string{".", "other"} {
		config += "\n[[vault.sync.mappings]]\nsecret_name = \"" + secret + "\"\nfolder_path = \"" + folder + "\"\n"
		r.write(folder+"/"+rotationFile, []byte("A=m4rked\nB=\"two words\"\n"))
	}
	r.write("envdrift.toml", []byte(config))
	r.run("git", "init", "-q", "-b", "main")
	if strings.Contains(config, `"age"`) {
		r.run("envdrift", "recipient", "show") // makes the identity
		r.run("envdrift", "recipient", "add", strings.TrimSpace(r.run("envdrift", "recipient", "show")))
	}
	r.run("envdrift", "encrypt", rotationFile)
	r.run("envdrift", "vault-push", ".", secret, "--env", "production")
	r.run("cp", ".env.keys", "other/.env.keys") // both files are encrypted for it
	r.write("other/"+rotationFile, []byte(r.read(rotationFile)))
	r.run("envdrift", "hook", "install")
	r.run("git", "add", "-A")
	r.run("git", "commit", "-q", "-m", "first")
	r.run("git", "worktree", "add", "-q", "-b", "old", "../old")
	r.run("git", "init", "-q", "--bare", "-b", "main", "../origin.git")
	r.run("git", "remote", "add", "origin", "../origin.git")
	r.run("git", "push", "-q", "-u", "origin", "main")
	r.run("git", "clone", "-q", "../origin.git", "../clone")
	clone := r.in("../clone")
	clone.run("envdrift", "trust")
	clone.run("envdrift", "hook", "install")
	clone.run("envdrift", "sync")
	return r
}

// decrypts checks that the files in a directory decrypt, with the local keys and
// without them, and that all checks are green.
func (r *rotation) decrypts(dirs ...string) {
	r.t.Helper()
	for _, dir := range dirs {
		b := r.in(dir)
		for _, file := range []string{rotationFile, "other/" + rotationFile} {
			for _, keys := range []string{"auto", "vault"} {
				if out, err := b.try("envdrift", "exec", "--keys", keys, "-f", file, "--", "printenv", "A", "B"); err != nil || out != "m4rked\ntwo words\n" {
					r.t.Fatalf("%s: %s with --keys %s: %v\n%s", dir, file, keys, err, out)
				}
			}
		}
		for _, args := range [][]string{{"verify"}, {"verify", "--rev", "HEAD"}, {"hook", "run", "pre-commit"}} {
			if out, err := b.try("envdrift", args...); err != nil {
				r.t.Fatalf("%s: envdrift %q: %v\n%s", dir, args, err, out)
			}
		}
	}
}

// commit commits what there is, through the hook.
func (r *rotation) commit(dir, message string) {
	r.t.Helper()
	b := r.in(dir)
	b.run("git", "add", "-A")
	if b.run("git", "status", "--porcelain") != "" {
		b.run("git", "commit", "-q", "-m", message)
	}
}

// killed runs a step that is killed at a random moment, often, and then to its end. It
// returns how many runs were killed before their end.
func (r *rotation) killed(args ...string) (cut int) {
	r.t.Helper()
	for range 3 {
		cmd := exec.Command("envdrift", append([]string{"rotate", "--all"}, args...)...)
		var out bytes.Buffer
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = r.dir, r.env, &out, &out
		start := time.Now()
		if err := cmd.Start(); err != nil {
			r.t.Fatal(err)
		}
		timer := time.AfterFunc(time.Duration(r.random.Float64()*float64(r.whole)), func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		if !cmd.ProcessState.Exited() {
			cut++
			r.decrypts(".", "../old")
			continue
		}
		if !cmd.ProcessState.Success() {
			r.t.Fatalf("rotate %q: %v\n%s", args, cmd.ProcessState, &out)
		}
		r.whole = max(r.whole/2, time.Since(start))
		break
	}
	r.run("envdrift", append([]string{"rotate", "--all"}, args...)...)
	r.decrypts(".", "../old")
	return cut
}

// TestRotateKilled kills every step of rotations: every branch still decrypts, and the
// next run goes on. ENVDRIFT_KILLS sets how many rotations there are for each vault.
func TestRotateKilled(t *testing.T) {
	t.Parallel()
	forEachVault(t, rotateKilled)
}

func rotateKilled(t *testing.T, config string, env map[string]string) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_KILLS")); err == nil {
		rounds = n
	}
	r := newRotation(t, config, env)
	cut := 0
	for range rounds {
		cut += r.killed()
		r.commit(".", "rotated")
		r.run("git", "push", "-q")
		cut += r.killed("--finish")
		r.commit(".", "finished")
		r.run("git", "push", "-q")
		r.in("../old").run("git", "merge", "-q", "-m", "merged", "main")
		cut += r.killed("--retire")
		r.commit(".", "retired")
		r.run("git", "push", "-q")
		if out := r.run("envdrift", "rotate", "--status"); !strings.Contains(out, "settled") {
			t.Fatalf("after all steps: %s", out)
		}
	}
	t.Logf("%d runs of %d rotations were killed before their end", cut, rounds)
}

// TestRotatePairs rotates one key in two clones at once. ENVDRIFT_TRIALS sets how
// often for each vault.
func TestRotatePairs(t *testing.T) {
	t.Parallel()
	forEachVault(t, rotatePairs)
}

func rotatePairs(t *testing.T, config string, env map[string]string) {
	rounds := 1
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_TRIALS")); err == nil {
		rounds = n
	}
	r := newRotation(t, config, env)
	refused := 0
	for range rounds {
		refused += r.both()
		r.meet()
		refused += r.both("--finish")
		r.meet()
		r.in("../old").run("git", "merge", "-q", "-m", "merged", "main")
		r.in("../clone").run("git", "branch", "-f", "old", "main")
		refused += r.both("--retire")
		r.meet()
	}
	t.Logf("%d pairs of rotations; %d commands were told to begin again", rounds, refused)
}

// both makes a step in the repository and in its clone at once, until both have
// succeeded. It returns how often one did not.
func (r *rotation) both(args ...string) (refused int) {
	r.t.Helper()
	dirs := []string{".", "../clone"}
	for range 5 {
		var again []string
		var mu sync.Mutex
		var g sync.WaitGroup
		for _, dir := range dirs {
			wait := time.Duration(r.random.IntN(20)) * time.Millisecond
			g.Go(func() {
				time.Sleep(wait)
				if out, err := r.in(dir).try("envdrift", append([]string{"rotate", "--all"}, args...)...); err != nil {
					mu.Lock()
					defer mu.Unlock()
					if again = append(again, dir); !strings.Contains(out, "changed by another user or process") {
						r.t.Errorf("%s: rotate %q: %v\n%s", dir, args, err, out)
					}
				}
			})
		}
		g.Wait()
		if r.decrypts(".", "../clone", "../old"); len(again) == 0 {
			return refused
		}
		refused, dirs = refused+len(again), again
	}
	r.t.Fatalf("rotate %q: neither succeeds", args)
	return refused
}

// meet merges what was done in the clone and in the repository.
func (r *rotation) meet() {
	r.t.Helper()
	clone := r.in("../clone")
	r.commit(".", "here")
	r.commit("../clone", "there")
	r.run("git", "push", "-q")
	for _, b := range []*bench{r.bench, clone} {
		b.run("envdrift", "sync") // a merge asks no vault on a network
	}
	clone.run("git", "fetch", "-q")
	clone.run("git", "merge", "-q", "-m", "merged", "origin/main")
	clone.run("envdrift", "trust") // with an age vault each clone agrees to a key
	r.decrypts("../clone")
	clone.run("git", "push", "-q")
	r.run("git", "pull", "-q", "--ff-only")
	r.run("envdrift", "trust")
	r.decrypts(".", "../clone", "../old")
}
