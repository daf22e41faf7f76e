package gitops_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

func TestTips(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	s.commit("a.env", "A=1\n")
	s.git("branch", "side")
	s.git("tag", "-a", "-m", "x", "v1")
	s.git("tag", "-a", "-m", "x", "v2", "v1")
	s.git("update-ref", "refs/remotes/origin/other", "HEAD~1")
	s.git("tag", "tree", "HEAD^{tree}")
	s.write("a.env", "A=2\n")
	s.git("add", "a.env")
	s.write("a.env", "A=3\n")
	s.git("stash", "-q")
	s.git("worktree", "add", "-q", "--detach", t.TempDir()+"/wt", "HEAD~1")
	tips, err := repo.Tips(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, tip := range tips {
		data, err := repo.ReadFileAt(t.Context(), string(tip.Commit), "a.env", 100)
		if err != nil {
			t.Errorf("%s: %v", tip.Name, err)
		}
		name, _, isHead := strings.Cut(tip.Name, " of ")
		if isHead && !strings.HasPrefix(tip.Name, "HEAD of /") {
			t.Errorf("Tips: %q", tip.Name)
		}
		got = append(got, name+" "+strings.TrimSpace(string(data)))
	}
	slices.Sort(got)
	want := []string{"HEAD A=1", "HEAD A=1\nB=1", "main A=1", "origin/other A=1\nB=1", "side A=1", "stash@{0} A=2", "stash@{0} A=3", "v1 A=1", "v2 A=1"}
	if !slices.Equal(got, want) {
		t.Errorf("Tips = %q; want %q", got, want)
	}
}

func TestDefaultBranch(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	for _, tt := range []struct {
		do   []string
		want string
	}{
		{[]string{"branch", "-M", "work"}, ""},
		{[]string{"branch", "master"}, "master"},
		{[]string{"branch", "main"}, "main"},
		{[]string{"config", "init.defaultBranch", "work"}, "work"},
		{[]string{"update-ref", "refs/remotes/origin/master", "HEAD"}, "origin/master"},
		{[]string{"symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/trunk"}, "origin/trunk"},
	} {
		s.git(tt.do...)
		if got, err := s.open().DefaultBranch(t.Context()); got != tt.want || err != nil {
			t.Errorf("after %q: DefaultBranch = %q, %v; want %q", tt.do, got, err, tt.want)
		}
	}
}

func TestFirstWith(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	first := func(text string) []gitops.OID {
		oids, err := repo.FirstWith(t.Context(), text, []string{"b[1].conf", "c.conf"})
		if err != nil {
			t.Error(err)
		}
		return oids
	}
	head := func() gitops.OID { return gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD"))) }
	s.commit("sub/b[1].conf", "K=one\n")
	one := head()
	s.commit("sub/b[1].conf", "K=two\n")
	two := head()
	s.commit("sub/b[1].conf", "K=one\n") // reverted
	s.git("switch", "-q", "-c", "side", string(one))
	s.commit("c.conf", "K=three\n")
	three := head()
	s.commit("b1.conf", "K=four\n") // another name
	s.commit("sub/.ENV.old", "K=five\n")
	five := head()
	s.git("switch", "-q", "main")
	s.git("merge", "-q", "-s", "ours", "-m", "merged", "side") // git log PATH leaves out what a merge dropped
	s.git("branch", "-D", "side")
	s.git("switch", "-q", "-c", "squashed", string(two))
	s.commit("c.conf", "K=three\n")
	squashed := head()
	s.git("merge", "-q", "--no-commit", "-s", "ours", "main")
	s.commit("c.conf", "K=merged\n")
	merged := head()
	for text, want := range map[string][]gitops.OID{"one": {one}, "two": {two}, "three": {three, squashed}, "four": nil, "five": {five}, "merged": {merged}} {
		if got := first(text); !slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(want))) {
			t.Errorf("FirstWith(%s) = %s; want %s", text, got, want)
		}
	}
	for _, tt := range []struct {
		old, young gitops.OID
		want       bool
	}{{one, two, true}, {one, three, true}, {two, one, false}, {two, three, false}, {one, one, true}} {
		if got, err := repo.IsAncestor(t.Context(), tt.old, tt.young); got != tt.want || err != nil {
			t.Errorf("IsAncestor = %t, %v; want %t", got, err, tt.want)
		}
	}
	if _, err := repo.IsAncestor(t.Context(), "nonsense", one); err == nil {
		t.Error("IsAncestor of no commit: no error")
	}
}
