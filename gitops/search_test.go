package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
)

// contents returns the versions of a history as "path=content".
func contents(t *testing.T, repo *gitops.Repo) []string {
	t.Helper()
	h, err := repo.History(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	oids := make([]gitops.OID, len(h.Versions))
	for i, v := range h.Versions {
		oids[i] = v.OID
		if _, known := h.Times[v.Commit]; v.Commit != "" && !known {
			t.Errorf("the commit %q of %s is not in the history", v.Commit, v.Path)
		}
	}
	var list []string
	err = repo.Read(t.Context(), oids, func(i int, content io.Reader, size int64) error {
		if i%2 == 0 { // what is not read is skipped
			list = append(list, fmt.Sprintf("%s #%d", h.Versions[i].Path, size))
			return nil
		}
		data, err := io.ReadAll(content)
		list = append(list, h.Versions[i].Path+"="+string(data))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// The history has what branches, tags, stashes, notes, reflogs and loose refs lead
// to, what a merge alone brings, and nothing twice.
func TestHistoryOfAllRefs(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		s := initRepo(t, "--object-format="+format)
		repo := s.open()
		first := len(contents(t, repo))
		s.git("switch", "-q", "-c", "side")
		s.commit("odd :name.env", "S=1\n")
		s.git("switch", "-q", "-c", "trunk", "HEAD~1")
		s.commit("b.env", "B=1\n")
		s.git("merge", "-q", "--no-commit", "side")
		s.write("evil.env", "E=1\n")
		s.git("add", "-A")
		s.git("commit", "-q", "-m", "merge")
		s.write("b.env", "B=stash\n")
		s.git("stash", "-q")
		s.commit("lost.env", "L=1\n")
		s.git("reset", "-q", "--hard", "HEAD~1")
		s.git("notes", "add", "-m", "N=1")
		s.git("tag", "-a", "-m", "a tag", "v1")
		blob := strings.TrimSpace(s.git("rev-parse", "HEAD:b.env"))
		s.git("update-ref", "refs/loose/blob", blob)
		s.git("tag", "-a", "-m", "of a tree", "tree", strings.TrimSpace(s.git("rev-parse", "HEAD^{tree}")))
		got := contents(t, repo)[first:]
		for _, want := range []string{"odd :name.env", "b.env", "evil.env", "b.env", "lost.env", "refs/loose/blob", "refs/tags/tree:evil.env"} {
			at := slices.IndexFunc(got, func(s string) bool { return strings.HasPrefix(s, want+"=") || strings.HasPrefix(s, want+" #") })
			if at < 0 {
				t.Errorf("%s: no version of %q in %q", format, want, got)
				continue
			}
			got = slices.Delete(got, at, at+1)
		}
		for _, more := range got {
			if !strings.HasPrefix(more, "refs/tags/tree:") && len(more) < 40 { // a note's path is a commit
				t.Errorf("%s: unexpected version %q", format, more)
			}
		}
		h, err := repo.History(t.Context())
		if err != nil || len(h.Tags) != 2 || len(h.Order) != len(h.Times) {
			t.Errorf("%s: History has the tags %q, %v; want 2", format, h.Tags, err)
		}
	}
}

func TestHistoryOfNothing(t *testing.T) {
	t.Parallel()
	s := newSandbox(t)
	s.git("init", "-q")
	h, err := s.open().History(t.Context())
	if err != nil || len(h.Order) > 0 || len(h.Versions) > 0 {
		t.Errorf("History = %+v, %v; want nothing", h, err)
	}
}

// What is missing is said, not skipped; a broken repository is an error.
func TestReadMissing(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	absent := gitops.OID(strings.Repeat("1", 40))
	missing := 0
	err := repo.Read(t.Context(), []gitops.OID{absent}, func(_ int, content io.Reader, _ int64) error {
		if content == nil {
			missing++
		}
		return nil
	})
	if err != nil || missing != 1 {
		t.Errorf("Read = %v, %d missing; want 1", err, missing)
	}
	stop := errors.New("stop")
	head := gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD")))
	if err := repo.Read(t.Context(), []gitops.OID{head, head}, func(int, io.Reader, int64) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("Read = %v; want the callback's error", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := repo.History(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("History = %v; want cancelled", err)
	}
	tree := strings.TrimSpace(s.git("rev-parse", "HEAD^{tree}"))
	if err := os.Remove(filepath.Join(s.dir, ".git", "objects", tree[:2], tree[2:])); err != nil {
		t.Fatal(err)
	}
	if h, err := repo.History(t.Context()); err == nil {
		t.Errorf("History without a tree = %d versions; want an error", len(h.Versions))
	}
}

func TestOutside(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	old := gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD")))
	s.git("update-ref", "refs/remotes/origin/main", "HEAD")
	s.commit("new.env", "A=1\n")
	here := gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD")))
	outside, err := repo.Outside(t.Context(), []gitops.OID{old, here}, "--remotes")
	if err != nil || outside[old] || !outside[here] {
		t.Errorf("Outside = %v, %v; want only the new commit", outside, err)
	}
}
