package gitops_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

// kinds are the kinds of repository that git can make. Each contains a.env and
// other.txt.
var kinds = []struct {
	name string
	make func(t *testing.T) *sandbox
}{
	{"plain", func(t *testing.T) *sandbox { return initRepo(t) }},
	{"sha256", func(t *testing.T) *sandbox { return initRepo(t, "--object-format=sha256") }},
	{"separate git dir", func(t *testing.T) *sandbox { return initRepo(t, "--separate-git-dir=../elsewhere.git") }},
	{"index v4", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("update-index", "--index-version=4")
		return s
	}},
	{"split index", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("config", "core.splitIndex", "true")
		s.git("update-index", "--split-index")
		return s
	}},
	{"untracked cache", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("update-index", "--untracked-cache")
		return s
	}},
	{"sparse index", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.commit("in/x", "x\n")
		s.commit("out/.env", "A=1\n")
		s.git("sparse-checkout", "set", "--cone", "--sparse-index", "in")
		return s
	}},
	{"linked worktree", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("worktree", "add", "-q", "../linked")
		return s.in("../linked")
	}},
	{"bare with worktree", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("clone", "-q", "--bare", ".", "../bare.git")
		s.in("../bare.git").git("worktree", "add", "-q", "../work")
		return s.in("../work")
	}},
	{"submodule", func(t *testing.T) *sandbox {
		s := initRepo(t)
		super := s.in("../super")
		super.mkdir(super.dir)
		super.git("init", "-q")
		super.git("submodule", "--quiet", "add", "../repo", "sub")
		return super.in("sub")
	}},
	{"GIT_DIR and GIT_WORK_TREE", func(t *testing.T) *sandbox {
		s := initRepo(t, "--separate-git-dir=../dot.git")
		if err := os.Remove(filepath.Join(s.dir, ".git")); err != nil {
			t.Fatal(err)
		}
		return s.with("GIT_DIR=../dot.git", "GIT_WORK_TREE=.")
	}},
	{"shallow", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("clone", "-q", "--depth=1", "file://"+s.dir, "../shallow")
		return s.in("../shallow")
	}},
	{"partial clone", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("config", "uploadpack.allowFilter", "true")
		s.git("config", "uploadpack.allowAnySHA1InWant", "true")
		s.git("clone", "-q", "--filter=blob:none", "file://"+s.dir, "../partial")
		return s.in("../partial")
	}},
	{"conflict elsewhere", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("switch", "-q", "-c", "side")
		s.commit("other.txt", "theirs\n")
		s.git("switch", "-q", "main")
		s.commit("other.txt", "ours\n")
		if out, err := s.try("", "merge", "side"); err == nil {
			t.Fatalf("merge made no conflict: %s", out)
		}
		return s
	}},
	{"autocrlf", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("config", "core.autocrlf", "true")
		return s
	}},
	{"filter", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("config", "filter.rot.clean", "tr a-zA-Z n-za-mN-ZA-M")
		s.git("config", "filter.rot.smudge", "tr a-zA-Z n-za-mN-ZA-M")
		s.commit(".gitattributes", "*.rot filter=rot\n")
		return s
	}},
	{"relative hooksPath", func(t *testing.T) *sandbox {
		s := initRepo(t)
		s.git("config", "core.hooksPath", ".hooks")
		s.write(".git/info/exclude", ".hooks\n")
		return s
	}},
}

// ways are the ways to commit a change of a.env that the hook must correct.
var ways = []struct {
	name string
	args []string // of git commit
	add  bool     // before
}{
	{"staged", []string{"commit", "-m", "m"}, true},
	{"all", []string{"commit", "-a", "-m", "m"}, false},
	{"path", []string{"commit", "-m", "m", "--", "a.env"}, false},
	{"include", []string{"commit", "-m", "m", "-i", "a.env"}, false},
	{"amend", []string{"commit", "--amend", "-m", "m"}, true},
}

func TestReplaceInEveryKindOfRepository(t *testing.T) {
	t.Parallel()
	for _, kind := range kinds {
		for _, way := range ways {
			t.Run(kind.name+"/"+way.name, func(t *testing.T) {
				t.Parallel()
				s := kind.make(t)
				s.installHook()
				s.write("a.env", "A=DRIFT\nB=1\n")
				if way.add {
					s.git("add", "a.env")
				}
				if kind.name == "conflict elsewhere" {
					if way.name != "staged" {
						return // git does not commit parts of a merge
					}
					s.write("other.txt", "both\n")
					s.git("add", "other.txt")
				}
				s.git(way.args...)
				wantCommitted(t, s)
			})
		}
	}
}

// wantCommitted checks that the corrected a.env is everywhere and that nothing
// is left behind.
func wantCommitted(t *testing.T, s *sandbox) {
	t.Helper()
	if got, want := s.git("show", "HEAD:a.env"), "A=FIXED\nB=1\n"; got != want {
		t.Errorf("committed a.env = %q; want %q", got, want)
	}
	if got, want := strings.ReplaceAll(s.read("a.env"), "\r", ""), "A=FIXED\nB=1\n"; got != want {
		t.Errorf("a.env in the working tree = %q; want %q", got, want)
	}
	if got := s.git("status", "--porcelain"); got != "" {
		t.Errorf("status after the commit = %q; want none", got)
	}
	if out, err := s.try("", "fsck", "--strict", "--no-dangling"); err != nil {
		t.Errorf("fsck: %v\n%s", err, out)
	}
	if locks, _ := filepath.Glob(filepath.Join(s.open().GitDir, "*.lock")); locks != nil {
		t.Errorf("locks left: %q", locks)
	}
}

func TestReplaceBeforeTheFirstCommit(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.git("init", "-q")
	s.installHook()
	s.write("a.env", "A=DRIFT\nB=1\n")
	s.git("add", "a.env")
	s.git("commit", "-m", "first")
	wantCommitted(t, s)
}

func TestReplaceKeepsFurtherEdits(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.installHook()
	s.write("a.env", "A=DRIFT\nB=1\n")
	s.git("add", "a.env")
	s.write("a.env", "A=DRIFT\nB=edited later\n")
	if out := s.git("commit", "-m", "m"); !strings.Contains(out, `kept "a.env"`) {
		t.Errorf("commit printed %q; want a.env to be kept", out)
	}
	if got, want := s.git("show", "HEAD:a.env"), "A=FIXED\nB=1\n"; got != want {
		t.Errorf("committed a.env = %q; want %q", got, want)
	}
	if got, want := s.read("a.env"), "A=DRIFT\nB=edited later\n"; got != want {
		t.Errorf("a.env in the working tree = %q; want %q", got, want)
	}
}

func TestReplaceWithPartialCommit(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("a.env", "A=1\n1\n2\n3\n4\n5\n6\n7\n8\nB=1\n")
	s.installHook()
	s.write("a.env", "A=DRIFT\n1\n2\n3\n4\n5\n6\n7\n8\nB=edited\n")
	if out, err := s.try("y\nn\n", "commit", "-p", "-m", "m"); err != nil {
		t.Fatalf("commit -p: %v\n%s", err, out)
	}
	if got, want := s.git("show", "HEAD:a.env"), "A=FIXED\n1\n2\n3\n4\n5\n6\n7\n8\nB=1\n"; got != want {
		t.Errorf("committed a.env = %q; want %q", got, want)
	}
	if got := s.read("a.env"); !strings.Contains(got, "B=edited") {
		t.Errorf("a.env in the working tree = %q; the edit is lost", got)
	}
}

func TestReplaceKeepsFlagsAndModes(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("assumed.env", "A=1\n")
	s.commit("skipped.env", "A=1\n")
	s.commit("exec.env", "#!/bin/sh\nA=1\n")
	s.git("update-index", "--chmod=+x", "exec.env")
	s.git("commit", "-qm", "exec")
	s.git("checkout", "-f", "-q")
	s.git("update-index", "--assume-unchanged", "assumed.env")
	s.git("update-index", "--skip-worktree", "skipped.env")
	s.write("assumed.env", "mine\n")
	s.write("skipped.env", "mine\n")

	repo := s.open()
	kept, err := s.replace(repo, "assumed.env", 0o100644, "A=2\n", "skipped.env", 0o100644, "A=2\n", "exec.env", 0o100755, "A=2\n")
	if err != nil || strings.Join(kept, " ") != "assumed.env skipped.env" {
		t.Fatalf("Replace = %q, %v; want the flagged files to be kept", kept, err)
	}
	if got, want := s.git("ls-files", "-v", "assumed.env", "skipped.env", "exec.env"), "h assumed.env\nH exec.env\nS skipped.env\n"; got != want {
		t.Errorf("flags = %q; want %q", got, want)
	}
	for _, name := range []string{"assumed.env", "skipped.env"} {
		if got := s.read(name); got != "mine\n" {
			t.Errorf("%s = %q; the edit is lost", name, got)
		}
		if got := s.git("show", ":"+name); got != "A=2\n" {
			t.Errorf("staged %s = %q; want the replacement", name, got)
		}
	}
	info, err := os.Stat(filepath.Join(s.dir, "exec.env"))
	if err != nil || info.Mode()&0o111 == 0 {
		t.Errorf("exec.env has lost its executable bit: %v, %v", info.Mode(), err)
	}
}

func TestReplaceWritesThroughFilters(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("config", "filter.rot.clean", "tr a-zA-Z n-za-mN-ZA-M")
	s.git("config", "filter.rot.smudge", "tr a-zA-Z n-za-mN-ZA-M")
	s.commit(".gitattributes", "*.rot filter=rot\n*.crlf eol=crlf\n")
	s.commit("x.rot", "plain\n")
	s.commit("x.crlf", "line\n")
	kept, err := s.replace(s.open(), "x.rot", 0o100644, "arj\n", "x.crlf", 0o100644, "new\n")
	if err != nil || len(kept) > 0 {
		t.Fatalf("Replace = %q, %v", kept, err)
	}
	if got := s.read("x.rot"); got != "new\n" {
		t.Errorf("x.rot = %q; want it smudged", got)
	}
	if got := s.read("x.crlf"); got != "new\r\n" {
		t.Errorf("x.crlf = %q; want CRLF", got)
	}
	if got := s.git("diff"); got != "" {
		t.Errorf("diff = %q; want none", got)
	}
}

func TestReplaceKeepsConflicts(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("switch", "-q", "-c", "side")
	s.commit("other.txt", "theirs\n")
	s.git("switch", "-q", "main")
	s.commit("other.txt", "ours\n")
	if _, err := s.try("", "merge", "side"); err == nil {
		t.Fatal("merge made no conflict")
	}
	if _, err := s.replace(s.open(), "a.env", 0o100644, "A=2\n"); err != nil {
		t.Fatal(err)
	}
	if got := s.git("status", "--porcelain"); got != "M  a.env\nUU other.txt\n" {
		t.Errorf("status = %q; want the conflict to be there", got)
	}
}

func TestReplaceLeavesLinkTargetsAlone(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("../outside", "outside\n")
	path := filepath.Join(s.dir, "a.env")
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../outside", path); err != nil {
		t.Fatal(err)
	}
	if kept, err := s.replace(s.open(), "a.env", 0o100644, "A=2\n"); err != nil || len(kept) != 1 {
		t.Fatalf("Replace = %q, %v; want the link to be kept", kept, err)
	}
	if got := s.read("../outside"); got != "outside\n" {
		t.Errorf("the link's target = %q; it was written to", got)
	}
}

// Only a revision that does not exist is unknown. A git that fails, or a
// missing object, says nothing about what HEAD contains.
func TestResolveFails(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	s.git("checkout", "-q", "--orphan", "new")
	if _, err := repo.Resolve(t.Context(), "HEAD"); !errors.As(err, new(*gitops.RevisionError)) {
		t.Errorf("Resolve(HEAD) before the first commit = %v; want a RevisionError", err)
	}
	s.commit("f", "one")
	if _, err := repo.Resolve(t.Context(), "HEAD@{9}"); !errors.As(err, new(*gitops.RevisionError)) {
		t.Errorf("Resolve(HEAD@{9}) with a reflog of one entry = %v; want a RevisionError", err)
	}
	if _, err := repo.Resolve(t.Context(), "HEAD:f"); !errors.As(err, new(*gitops.RevisionError)) {
		t.Errorf("Resolve of a file = %v; want a RevisionError", err)
	}
	s.write(".git/refs/heads/new", strings.Repeat("de", 20)+"\n")
	_, err := repo.Resolve(t.Context(), "HEAD")
	if errors.As(err, new(*gitops.RevisionError)) || !errors.Is(err, gitops.ErrMissing) {
		t.Errorf("Resolve(HEAD) of a branch whose commit is missing = %v; want ErrMissing", err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := repo.Resolve(canceled, "HEAD"); !errors.Is(err, context.Canceled) {
		t.Errorf("Resolve with a canceled context = %v", err)
	}
}
