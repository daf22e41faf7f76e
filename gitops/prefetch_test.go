package gitops_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

// ask runs what a hook file runs before envdrift has started.
func ask(t *testing.T, s *sandbox, second string) []byte {
	t.Helper()
	cmd := exec.Command("sh", "-c", `git rev-parse --path-format=absolute --show-object-format --show-toplevel \
		--git-dir --git-common-dir --git-path index --git-path hooks && `+second+` && echo`)
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const askStaged = `git diff --cached --raw -z --no-abbrev --no-renames --no-ext-diff --no-textconv --no-relative --ignore-submodules=all --`

// TestAnswers removes git once it has answered: nothing may be asked twice, and
// no answer may be used twice.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("new\nline", "text")
	s.git("add", "-A")
	want, err := s.open().Staged(t.Context())
	if err != nil || len(want) == 0 {
		t.Fatalf("Staged = %v, %v", want, err)
	}
	answers := gitops.PrefetchedStaged(ask(t, s, askStaged))
	s.write("later", "not in the answer")
	s.git("add", "-A")

	repo, err := answers.Open(t.Context(), s.dir, s.env)
	if err != nil || repo.GitDir != s.open().GitDir {
		t.Fatalf("Open = %+v, %v", repo, err)
	}
	if got, err := repo.Staged(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("Staged = %v, %v; want the answer %v", got, err, want)
	}
	if got, err := repo.Staged(t.Context()); err != nil || len(got) != len(want)+1 {
		t.Errorf("a second Staged = %v, %v; want git asked again", got, err)
	}
}

func TestAnswersCutShort(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("new\nline", "text")
	s.git("add", "-A")
	printed := ask(t, s, askStaged)
	if gitops.PrefetchedStaged(printed) == nil {
		t.Fatalf("no answers in %q", printed)
	}
	for length := range len(printed) {
		if got := gitops.PrefetchedStaged(printed[:length]); got != nil {
			t.Errorf("PrefetchedStaged(%q) = %q; want none", printed[:length], got)
		}
	}
}

func TestChangedAnswers(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("a", "1")
	s.git("add", "-A")
	s.git("commit", "-q", "-m", "one")
	s.write("a", "2")
	s.git("commit", "-q", "-a", "-m", "two")
	revision := func(rev string) gitops.OID { return gitops.OID(strings.TrimSpace(s.git("rev-parse", rev))) }
	from, to := revision("HEAD~1"), revision("HEAD")
	printed := ask(t, s, "git diff-tree -r --raw -z --no-abbrev --no-renames "+string(from)+" "+string(to)+" --")
	repo, err := gitops.PrefetchedChanges(printed, from, to).Open(t.Context(), s.dir, s.env)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Changed(t.Context(), from, to); err != nil || len(got) != 1 || got[0].Path != "a" {
		t.Errorf("Changed = %v, %v; want a", got, err)
	}
}
