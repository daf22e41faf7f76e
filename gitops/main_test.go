package gitops_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

// TestMain makes the test binary a pre-commit hook as well: only git itself can
// show what a hook sees of the index.
func TestMain(m *testing.M) {
	if os.Getenv("GITOPS_TEST_HOOK") != "" {
		if err := hookMain(context.Background()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	if os.Getenv("GITOPS_TEST_INDEX") != "" {
		if err := indexMain(context.Background()); err != nil {
			fmt.Println(err)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// indexMain says for each line whether the index is the one that was handed over.
func indexMain(ctx context.Context) error {
	opened := gitops.OpenedIndex()
	repo, err := gitops.Open(ctx, ".", os.Environ())
	for lines := bufio.NewScanner(os.Stdin); err == nil && lines.Scan(); {
		_, err = fmt.Println(repo.IndexIs(opened))
	}
	return err
}

// hookMain replaces DRIFT by FIXED in every staged file.
func hookMain(ctx context.Context) error {
	repo, err := gitops.Open(ctx, ".", os.Environ())
	if err != nil {
		return err
	}
	changes, err := repo.Staged(ctx)
	if err != nil {
		return err
	}
	var fixed []gitops.Staged
	for _, c := range changes {
		if c.Status == gitops.Deleted || !c.Mode.IsFile() {
			continue
		}
		blobs, err := repo.Blobs(ctx, []gitops.OID{c.OID}, 1<<20)
		if err != nil {
			return err
		}
		if bytes.Contains(blobs[0], []byte("DRIFT")) {
			data := bytes.ReplaceAll(blobs[0], []byte("DRIFT"), []byte("FIXED"))
			fixed = append(fixed, gitops.Staged{Path: c.Path, Mode: c.Mode, Old: c.OID, Data: data})
		}
	}
	done, err := repo.Replace(ctx, fixed)
	for i, d := range done {
		if !d.Tree {
			fmt.Fprintf(os.Stderr, "kept %q\n", fixed[i].Path)
		}
	}
	return err
}

// A sandbox is a directory with its own HOME, where git runs unaffected by this
// machine's configuration.
type sandbox struct {
	t   *testing.T
	dir string // where commands run
	env []string
}

func newSandbox(t *testing.T) *sandbox {
	t.Helper()
	home := t.TempDir()
	s := &sandbox{t: t, dir: filepath.Join(home, "repo"), env: []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_NOSYSTEM=1", "GIT_EDITOR=true",
		"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.com", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.com",
		"GIT_ALLOW_PROTOCOL=file",
	}}
	s.mkdir(s.dir)
	return s
}

func (s *sandbox) mkdir(dir string) {
	s.t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		s.t.Fatal(err)
	}
}

// in returns the sandbox with commands running in another directory.
func (s *sandbox) in(dir string) *sandbox {
	other := *s
	other.dir = dir
	if !filepath.IsAbs(dir) {
		other.dir = filepath.Join(s.dir, dir)
	}
	return &other
}

func (s *sandbox) with(env ...string) *sandbox {
	other := *s
	other.env = append(append([]string{}, s.env...), env...)
	return &other
}

func (s *sandbox) try(stdin string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir, cmd.Env, cmd.Stdin = s.dir, s.env, strings.NewReader(stdin)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (s *sandbox) git(args ...string) string {
	s.t.Helper()
	out, err := s.try("", args...)
	if err != nil {
		s.t.Fatalf("git %q: %v\n%s", args, err, out)
	}
	return out
}

func (s *sandbox) write(path, content string) {
	s.t.Helper()
	path = filepath.Join(s.dir, path)
	s.mkdir(filepath.Dir(path))
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *sandbox) read(path string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.dir, path))
	if err != nil {
		s.t.Fatal(err)
	}
	return string(data)
}

func (s *sandbox) commit(path, content string) {
	s.t.Helper()
	s.write(path, content)
	s.git("add", "-f", path)
	s.git("commit", "-q", "-n", "-m", "add "+path)
}

func (s *sandbox) open() *gitops.Repo {
	s.t.Helper()
	repo, err := gitops.Open(s.t.Context(), s.dir, s.env)
	if err != nil {
		s.t.Fatalf("Open(%s) = %v", s.dir, err)
	}
	return repo
}

// initRepo makes a repository with one commit.
func initRepo(t *testing.T, args ...string) *sandbox {
	t.Helper()
	s := newSandbox(t)
	s.git(append([]string{"init", "-q", "-b", "main"}, args...)...)
	s.commit("a.env", "A=1\nB=1\n")
	s.commit("other.txt", "other\n")
	return s
}

// installHook makes the test binary the pre-commit hook.
func (s *sandbox) installHook() {
	s.t.Helper()
	self, err := os.Executable()
	if err != nil {
		s.t.Fatal(err)
	}
	hooks := s.open().HooksDir
	s.mkdir(hooks)
	script := fmt.Sprintf("#!/bin/sh\nGITOPS_TEST_HOOK=1 exec '%s'\n", self)
	syscall.ForkLock.RLock() // a process forked while the file is open would keep git from running it
	err = os.WriteFile(filepath.Join(hooks, "pre-commit"), []byte(script), 0o755)
	syscall.ForkLock.RUnlock()
	if err != nil {
		s.t.Fatal(err)
	}
}
