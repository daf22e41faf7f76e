package gitops_test

import (
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		s := initRepo(t, "--object-format="+format)
		repo := s.open()
		s.git("switch", "-q", "-c", "side")
		s.commit("side.env", "S=1\n")
		s.git("switch", "-q", "-c", "trunk", "HEAD~1")
		s.commit("odd :name.env", "A=1\n")
		s.git("commit", "-q", "--allow-empty", "-m", "empty")
		s.git("merge", "-q", "-m", "merge", "side")
		commits, err := repo.Commits(t.Context(), "HEAD")
		if err != nil || len(commits) != 6 {
			t.Fatalf("Commits = %v, %v; want 6", commits, err)
		}
		if last := commits[len(commits)-1]; last.Parent != "" {
			t.Errorf("the first commit has the parent %q", last.Parent)
		}
		changed, err := repo.ChangedIn(t.Context(), commits)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range commits {
			got = append(got, describe(changed[c.OID]))
		}
		slices.Sort(got)
		want := []string{
			"", // the empty one
			"A 000000>100644 \"a.env\"\n", "A 000000>100644 \"odd :name.env\"\n", "A 000000>100644 \"other.txt\"\n",
			"A 000000>100644 \"side.env\"\n", "A 000000>100644 \"side.env\"\n", // the commit and the merge
		}
		if !slices.Equal(got, want) {
			t.Errorf("ChangedIn = %q; want %q", got, want)
		}
		for revisions, unknown := range map[string]string{"nope..HEAD": "nope", "HEAD...nope": "nope", "HEAD..v1.0..nope": "v1.0", "nope..": "nope"} {
			var e *gitops.RevisionError
			if _, err := repo.Commits(t.Context(), revisions); !errors.As(err, &e) || e.Revision != unknown {
				t.Errorf("Commits(%s) = %v; want unknown revision %q", revisions, err, unknown)
			}
		}
		if _, err := repo.Commits(t.Context(), "--output=x"); !errors.As(err, new(*gitops.RevisionError)) {
			t.Errorf("Commits(--output=x) = %v; want a RevisionError", err)
		}
	}
}

func TestObjects(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	head, err := s.open().Resolve(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	s.write("sub/new.env", "N=1\n")
	s.write("a.env", strings.Repeat("long ", 100))
	s.git("add", "-A")
	names := []string{":sub/new.env", ":a.env", string(head) + ":a.env", ":no such file", "HEAD:sub", ":two\nlines", "HEAD~1"}
	got, err := s.open().Objects(t.Context(), names, 100)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"N=1\n", "", "A=1\nB=1\n", "", "", "", ""} {
		if string(got[i]) != want {
			t.Errorf("Objects(%q) = %q; want %q", names[i], got[i], want)
		}
	}
}

func TestHolding(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("b/old", "x needle y\n")
	s.write("new", "nee\nneedle")
	s.write("wide", "n\x00e\x00e\x00d\x00l\x00e\x00")
	s.git("add", "-A")
	for rev, want := range map[string][]string{"HEAD": {"b/old"}, "": {"b/old", "new", "wide"}, "HEAD~1": nil} {
		got, err := s.open().Holding(t.Context(), rev, "needle|n[^x]e[^x]e[^x]d")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Holding(%q) = %q, %v; want %q", rev, got, err, want)
		}
	}
}

func (s *sandbox) oid(rev string) gitops.OID {
	s.t.Helper()
	return gitops.OID(strings.TrimSpace(s.git("rev-parse", rev)))
}

func TestNewCommits(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	first, known := s.oid("main^"), s.oid("main")
	s.git("update-ref", "refs/remotes/origin/main", "main")
	s.git("commit", "-q", "--allow-empty", "-m", "two")
	two := s.oid("main")
	s.git("tag", "-a", "-m", "t", "t")
	repo := s.open()
	tests := []struct {
		name     string
		known    []gitops.OID
		refs     string
		commits  []gitops.Commit
		boundary []gitops.OID
	}{
		{name: "all", commits: []gitops.Commit{{OID: two, Parent: known}, {OID: known, Parent: first}, {OID: first}}},
		{name: "what a remote lacks", refs: "--remotes=origin", commits: []gitops.Commit{{OID: two, Parent: known}}, boundary: []gitops.OID{known}},
		{name: "no such remote", refs: "--remotes=orig", commits: []gitops.Commit{{OID: two, Parent: known}, {OID: known, Parent: first}, {OID: first}}},
		{name: "what is known", known: []gitops.OID{known}, commits: []gitops.Commit{{OID: two, Parent: known}}, boundary: []gitops.OID{known}},
		{name: "what any ref has", refs: "--all"},
	}
	for _, tt := range tests {
		commits, boundary, err := repo.NewCommits(t.Context(), []gitops.OID{two}, tt.known, tt.refs)
		if err != nil || !reflect.DeepEqual(commits, tt.commits) || !slices.Equal(boundary, tt.boundary) {
			t.Errorf("%s: NewCommits = %v, %v, %v; want %v, %v", tt.name, commits, boundary, err, tt.commits, tt.boundary)
		}
	}
}

func TestCommitsOfMerge(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	first, second := s.oid("main^"), s.oid("main")
	merge := gitops.OID(strings.TrimSpace(s.git("commit-tree", "-m", "m", "-p", string(first), "-p", string(second), "main^{tree}")))
	got, err := s.open().Commits(t.Context(), string(merge)+"^!")
	if want := []gitops.Commit{{OID: merge, Parent: first, Others: []gitops.OID{second}}}; err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("Commits = %v, %v; want %v", got, err, want)
	}
}

func TestPeel(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("tag", "-a", "-m", "t", "t")
	head, tree, blob := s.oid("HEAD"), s.oid("HEAD^{tree}"), s.oid("HEAD:a.env")
	got, err := s.open().Peel(t.Context(), []gitops.OID{s.oid("t"), tree, blob, gitops.OID(strings.Repeat("0", 40)), "nonsense"})
	want := []gitops.Object{{OID: head, Type: "commit"}, {OID: tree, Type: "tree"}, {OID: blob, Type: "blob"}, {}, {}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("Peel = %v, %v; want %v", got, err, want)
	}
}

func TestOpenBare(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	head := s.oid("HEAD")
	bare := filepath.Join(t.TempDir(), "srv.git")
	s.git("clone", "-q", "--bare", s.dir, bare)
	if _, err := gitops.Open(t.Context(), bare, s.env); !errors.Is(err, gitops.ErrNoWorkingTree) {
		t.Errorf("Open(%s) = %v; want ErrNoWorkingTree", bare, err)
	}
	for _, dir := range []string{bare, filepath.Join(s.dir, ".git")} {
		repo, err := gitops.OpenBare(t.Context(), dir, append(s.env, "GIT_DIR=."))
		if err != nil {
			t.Fatal(err)
		}
		if oid, err := repo.Resolve(t.Context(), "HEAD"); err != nil || oid != head || repo.Top != repo.GitDir {
			t.Errorf("Resolve(HEAD) in %s, whose top is %s = %s, %v; want %s", dir, repo.Top, oid, err, head)
		}
	}
}

// Without git there is no telling what a directory is.
func TestOpenBareWithoutGit(t *testing.T) {
	t.Parallel()
	if _, err := gitops.OpenBare(t.Context(), t.TempDir(), []string{"PATH=/nonexistent"}); !errors.Is(err, gitops.ErrNoGit) {
		t.Errorf("OpenBare = %v; want %v", err, gitops.ErrNoGit)
	}
}
