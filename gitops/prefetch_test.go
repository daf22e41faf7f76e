package gitops_test

import (
	"bytes"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/envdrift/envdrift/gitops"
)

// ask runs what a hook file runs before envdrift has started.
func ask(t *testing.T, s *sandbox, command string) []byte {
	t.Helper()
	cmd := exec.Command("sh", "-c", command+" && echo")
	cmd.Dir, cmd.Env = s.dir, s.env
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const askStaged = `git diff --cached --raw -z --no-abbrev --no-renames --no-ext-diff --no-textconv --no-relative --ignore-submodules=all --`

// TestAnswers: what was printed is not asked again, and is used once.
func TestAnswers(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("new\nline", "text")
	s.git("add", "-A")
	want, err := s.open().Staged(t.Context())
	if err != nil || len(want) == 0 {
		t.Fatalf("Staged = %v, %v", want, err)
	}
	answers := gitops.PrefetchedStaged(bytes.NewReader(ask(t, s, askStaged)))
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

// complete reports whether all that was printed is there.
func complete(p gitops.Prefetched) bool {
	for _, output := range p {
		if _, ok := output(); !ok {
			return false
		}
	}
	return true
}

// TestAnswersCutShort: of a list that ends anywhere nothing is used. Earlier hook files
// printed more, and not what git shows without replacements.
func TestAnswersCutShort(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	for _, name := range []string{"\nfirst", "new\nline", "last\n"} {
		s.write(name, "text")
	}
	s.git("add", "-A")
	printed := ask(t, s, askStaged)
	if !complete(gitops.PrefetchedStaged(bytes.NewReader(printed))) {
		t.Fatalf("%q is not complete", printed)
	}
	for length := range len(printed) {
		if complete(gitops.PrefetchedStaged(bytes.NewReader(printed[:length]))) {
			t.Errorf("%q is complete", printed[:length])
		}
	}
	for _, other := range []string{"sha1\n/r\n/r/.git\n/r/.git\n/r/.git/index\n/r/.git/hooks\n" + string(printed), "sha1\n", "0\x00\x00\n", "\n\n"} {
		if complete(gitops.PrefetchedStaged(strings.NewReader(other))) {
			t.Errorf("%q is complete", other)
		}
	}
	if !complete(gitops.PrefetchedStaged(strings.NewReader("\n"))) {
		t.Error("a list of nothing is not complete")
	}
	if complete(gitops.PrefetchedStaged(iotest.ErrReader(errors.New("broken")))) {
		t.Error("what cannot be read is complete")
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
	repo, err := gitops.PrefetchedChanges(bytes.NewReader(printed), from, to).Open(t.Context(), s.dir, s.env)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := repo.Changed(t.Context(), from, to); err != nil || len(got) != 1 || got[0].Path != "a" {
		t.Errorf("Changed = %v, %v; want a", got, err)
	}
}

// TestAnswersElsewhere: what is started ahead changes nothing where there is no
// repository, and is taken once where there is one.
func TestAnswersElsewhere(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	answers := func() gitops.Prefetched { return gitops.PrefetchedStaged(strings.NewReader("\n")) }
	if _, err := answers().Open(t.Context(), t.TempDir(), s.env); !errors.Is(err, gitops.ErrNotRepository) {
		t.Errorf("Open = %v; want ErrNotRepository", err)
	}
	s.mkdir(s.dir + "/sub")
	repo, err := answers().Open(t.Context(), s.dir+"/sub", s.with("GIT_DIR=../.git", "GIT_WORK_TREE=..").env)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		reader, err := repo.Reader(t.Context(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := reader.Objects(t.Context(), []string{"HEAD:a.env"}, 1<<20); err != nil || string(got[0]) != "A=1\nB=1\n" {
			t.Errorf("Objects = %q, %v", got, err)
		}
		if err := reader.Close(); err != nil {
			t.Error(err)
		}
	}
}
