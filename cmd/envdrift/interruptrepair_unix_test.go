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
	"syscall"
	"testing"
	"time"
)

// TestInterruptedRepair presses Ctrl-C at random moments of a commit whose hook
// repairs drift. The terminal sends it to every process: git, the hook, and the
// git that the hook runs. Then the index and the working tree each have the
// version before or the one after, git works, and the output claims no repair
// that was not made. In every third round it is the repair command. Git itself
// leaves an empty lock in one of a hundred commits that are interrupted before
// the hook. ENVDRIFT_ROUNDS sets how often.
func TestInterruptedRepair(t *testing.T) {
	t.Parallel()
	rounds := 12
	if n, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		rounds = n
	}
	f := newFixture(t)
	b := f.commit(t)
	b.run("envdrift", "hook", "install")
	b.write(".env.keys", []byte("DOTENV_PRIVATE_KEY_PRODUCTION="+f.stranger.Reveal()+"\n"))
	head := b.run("git", "rev-parse", "HEAD")
	whole := time.Minute // the first is not interrupted
	cut, repaired, gits := 0, 0, 0
	for n := range rounds {
		b.run("git", "reset", "-q", "--hard")
		b.write(envFile, f.strays)
		args := []string{"git", "commit", "-q", "-m", "drift"}
		switch n % 3 {
		case 0:
			b.run("git", "add", envFile)
		case 1:
			args = append(args, "-a")
		case 2:
			b.run("git", "add", envFile)
			args = []string{"envdrift", "repair"}
		}
		after := time.Duration(rand.Int64N(int64(whole)))
		if n == 0 {
			after = whole
		}
		out, took, interrupted := b.interrupt(after, args...)
		if interrupted {
			cut++
		} else {
			whole = took // as busy as the machine is now
		}
		lock := filepath.Join(b.dir, ".git", "index.lock")
		if text, err := os.ReadFile(lock); err == nil && len(text) == 0 && n%3 < 2 {
			gits++
			_ = os.Remove(lock)
		}
		check := matrixCheck{b, f, "plain", head}
		check.repository()
		data, index := b.read(envFile), b.run("git", "show", ":"+envFile)
		for where, data := range map[string]string{"working tree": data, "index": index} {
			if bytes.Equal([]byte(data), f.strays) || where == "index" && n%3 == 1 && data == b.run("git", "show", "HEAD:"+envFile) {
				continue
			}
			if got := check.value(data, f.right); got != "2" {
				t.Errorf("round %d: the %s is neither as before nor as after: A = %q", n, where, got)
			}
			check.backup(f.strays)
		}
		said := strings.Contains(out, "repaired: review") || strings.Contains(out, "in the index and in the working tree")
		if said && bytes.Equal([]byte(data), f.strays) {
			t.Errorf("round %d: the working tree is as before after\n%s", n, out)
		}
		if said {
			repaired++
		}
		if left, _ := filepath.Glob(filepath.Join(b.dir, ".git", "*.envdrift*")); left != nil {
			t.Errorf("round %d: %q is left", n, left)
		}
		if t.Failed() {
			t.Fatalf("round %d: %s", n, out)
		}
		if err := os.RemoveAll(filepath.Join(b.dir, ".git", "envdrift", "backup")); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of %d runs were interrupted, %d said that they repaired; git left %d locks before its hook", cut, rounds, repaired, gits)
}

// interrupt runs a program and presses Ctrl-C after a while.
func (b *bench) interrupt(after time.Duration, args ...string) (out string, took time.Duration, interrupted bool) {
	b.t.Helper()
	cmd := exec.Command(args[0], args[1:]...)
	var printed bytes.Buffer
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = b.dir, b.env, &printed, &printed
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	start := time.Now()
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) })
	defer timer.Stop()
	_ = cmd.Wait() // until the hook has closed its output too
	return printed.String(), time.Since(start), !cmd.ProcessState.Exited() || cmd.ProcessState.ExitCode() == statusInterrupt
}
