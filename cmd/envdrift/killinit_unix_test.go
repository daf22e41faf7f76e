//go:build unix

package main

import (
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestKilledInit kills init at random moments. What it then says to type goes on, and
// the commit that this ends with is whole.
func TestKilledInit(t *testing.T) {
	t.Parallel()
	rounds := 8
	if fullMatrix {
		rounds = 100
	}
	var took time.Duration
	for round := range rounds {
		b := newBench(t, t.TempDir())
		b.env = append(b.env, "GORACE="+noRaceSleep)
		files := []string{".env", ".env.staging", "a/.env", "b/.env"}
		for _, file := range files {
			if err := os.MkdirAll(filepath.Join(b.dir, filepath.Dir(file)), 0o755); err != nil {
				t.Fatal(err)
			}
			b.write(file, []byte("A=s3cr3t\n"))
		}
		b.run("git", "init", "-q")
		cmd := exec.Command("envdrift", "init")
		cmd.Dir, cmd.Env = b.dir, b.env
		begun := time.Now()
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if round > 0 {
			time.AfterFunc(rand.N(took), func() { _ = cmd.Process.Kill() })
		}
		_ = cmd.Wait()
		took = max(took, time.Since(begun))

		said, _ := b.try("envdrift", "init")
		for {
			_, line, hint := strings.Cut(said, "hint: ")
			if _, next, done := strings.Cut(said, "next: "); done {
				line, hint = next, true
			}
			line, _, _ = strings.Cut(line, "\n")
			if !hint {
				t.Fatalf("after a kill, nothing says how to go on:\n%s", said)
			}
			said, _ = b.try("sh", "-c", line)
			if strings.HasPrefix(line, "git add") {
				break
			}
		}
		b.run("git", "commit", "-q", "-m", "first")
		if out, err := b.try("envdrift", "verify", "--rev", "HEAD"); err != nil || !strings.Contains(out, "4 of 4 verified") {
			t.Errorf("after a kill the commit is not whole: %v\n%s", err, out)
		}
		if out := b.run("git", "status", "--porcelain"); out != "" {
			t.Errorf("after a kill the commit leaves:\n%s", out)
		}
	}
}
