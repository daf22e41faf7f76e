package main

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
)

// BenchmarkStart measures the program from start to end with next to nothing to
// do, and up to the program that it starts. BenchmarkExec does the same with a
// program as it is installed; this one needs no build.
func BenchmarkStart(b *testing.B) {
	t := newTeam(b, 1, 20)
	t.env = append(t.env, "DOTENV_PRIVATE_KEY_PRODUCTION="+t.keys[0].Reveal())
	b.Run("version", func(b *testing.B) {
		for b.Loop() {
			t.envdrift("version")
		}
	})
	b.Run("exec", func(b *testing.B) {
		for b.Loop() {
			t.envdrift("exec", "-f", filepath.Join("services", "s000", ".env.production"), "--", "true")
		}
	})
}

// BenchmarkGuard measures how long a commit waits that changes no env file, in
// a repository of 5,000 files, compared with git alone listing it.
func BenchmarkGuard(b *testing.B) {
	t := newTeam(b, 50, 1)
	t.write("file", "content\n")
	blob := strings.TrimSpace(t.git("hash-object", "-w", "file"))
	var index strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&index, "100644 %s\tsrc/%02d/file-%d\n", blob, i/100, i)
	}
	add := t.gitCommand("update-index", "--add", "--index-info")
	add.Stdin = strings.NewReader(index.String())
	if out, err := add.CombinedOutput(); err != nil {
		b.Fatalf("git update-index: %v\n%s", err, out)
	}
	t.git("-c", "user.name=Ann", "-c", "user.email=ann@example.com", "commit", "-q", "-m", "files")
	t.git("add", "file")
	b.Run("hook", func(b *testing.B) {
		for b.Loop() {
			t.envdrift("hook", "run", "pre-commit")
		}
	})
	b.Run("git diff", func(b *testing.B) {
		for b.Loop() {
			if out := t.git("diff", "--cached", "--name-only"); out != "file\n" {
				b.Fatalf("git diff --cached lists %q; want the one file", out)
			}
		}
	})
}
