package gitops_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

func TestSafePath(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("x", "x\n")
	outside := t.TempDir()
	linked, worktree := filepath.Join(outside, "link"), filepath.Join(outside, "tree")
	s.git("worktree", "add", "-q", worktree)
	for _, dir := range []string{s.dir + "/node_modules/.bin", worktree + "/bin", outside + "/bin"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(s.dir, linked); err != nil {
		t.Skip(err)
	}
	list := func(entries ...string) string { return strings.Join(entries, string(filepath.ListSeparator)) }
	path := list(s.dir+"/node_modules/.bin", outside+"/bin", "", ".", "relative", s.dir, linked+"/node_modules/.bin",
		s.dir+"/../"+filepath.Base(s.dir)+"/none", worktree+"/bin", s.dir+"-other")
	for dir, want := range map[string]string{
		s.dir:    list(outside+"/bin", worktree+"/bin", s.dir+"-other"),
		linked:   list(outside+"/bin", worktree+"/bin", s.dir+"-other"),
		worktree: list(outside+"/bin", s.dir+"-other"), // it is the same repository
		"/":      list(s.dir+"/node_modules/.bin", outside+"/bin", s.dir, linked+"/node_modules/.bin", s.dir+"/../"+filepath.Base(s.dir)+"/none", worktree+"/bin", s.dir+"-other"),
	} {
		if got := gitops.SafePath(path, dir); got != want {
			t.Errorf("SafePath in %s = %q; want %q", dir, got, want)
		}
	}
}
