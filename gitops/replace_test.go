package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/gitops"
)

// rounds returns how often a race is run: ENVDRIFT_ROUNDS, or n.
func rounds(n int) int {
	if more, err := strconv.Atoi(os.Getenv("ENVDRIFT_ROUNDS")); err == nil {
		return more
	}
	return n
}

// What was staged meanwhile stays in the index, and its file too.
func TestReplaceKeepsWhatWasStagedMeanwhile(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *sandbox){
		"edited":     func(s *sandbox) { s.write("a.env", "A=edited\n"); s.git("add", "a.env") },
		"removed":    func(s *sandbox) { s.git("rm", "-q", "--cached", "a.env") },
		"executable": func(s *sandbox) { s.git("update-index", "--chmod=+x", "a.env") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := initRepo(t)
			old := gitops.OID(strings.TrimSpace(s.git("rev-parse", ":a.env")))
			change(s)
			want, file := s.git("ls-files", "-s"), s.read("a.env")
			done, err := s.open().Replace(t.Context(), []gitops.Staged{
				{Path: "a.env", Mode: gitops.Regular, Old: old, Data: []byte("A=2\n")},
			})
			if err != nil || done[0] != (gitops.Replaced{}) {
				t.Errorf("Replace = %v, %v; want nothing to be replaced", done, err)
			}
			if got := s.git("ls-files", "-s"); got != want || s.read("a.env") != file {
				t.Errorf("index %q, file %q; want %q and %q", got, s.read("a.env"), want, file)
			}
		})
	}
}

// An editor's git briefly locks the index; one that died does so for ever.
func TestReplaceWaitsForLockedIndex(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	s.write(".git/index.lock", "")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	old := gitops.OID(strings.TrimSpace(s.git("rev-parse", ":a.env")))
	two := []gitops.Staged{{Path: "a.env", Mode: gitops.Regular, Old: old, Data: []byte("two")}}
	if done, err := repo.Replace(ctx, two); !errors.Is(err, context.DeadlineExceeded) || done[0] != (gitops.Replaced{}) {
		t.Errorf("Replace beside a locked index = %v, %v; want it to wait", done, err)
	}
	if done, err := repo.Replace(t.Context(), two); !errors.As(err, new(*gitops.IndexLockedError)) || done[0] != (gitops.Replaced{}) {
		t.Errorf("Replace beside an index that stays locked = %v, %v", done, err)
	}
	if err := os.Remove(filepath.Join(s.dir, ".git", "index.lock")); err != nil {
		t.Fatal(err)
	}
	if done, err := repo.Replace(t.Context(), two); err != nil || done[0] != (gitops.Replaced{Index: true, Tree: true}) {
		t.Errorf("Replace once the index is free = %v, %v", done, err)
	}
	if got := s.git("show", ":a.env"); got != "two" {
		t.Errorf("the index holds %q; want two", got)
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".git", "*.envdrift*")); left != nil {
		t.Errorf("%q is left", left)
	}
}

// A lock that a killed run left is no obstacle.
func TestReplaceRemovesItsOwnLock(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write(".git/index.lock", "envdrift\n")
	if kept, err := s.replace(s.open(), "a.env", 0o100644, "A=2\n"); err != nil || kept != nil {
		t.Errorf("Replace = %q, %v", kept, err)
	}
	if got := s.git("show", ":a.env"); got != "A=2\n" {
		t.Errorf("the index holds %q", got)
	}
}

// A commit that was interrupted has removed its index, which is a lock. The
// hook's repair must not bring it back.
func TestReplaceLeavesNoLockOfAnEndedCommit(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("config", "filter.end.smudge", "rm .git/index.lock; cat")
	s.write(".gitattributes", "a.env filter=end\n")
	index, err := os.ReadFile(filepath.Join(s.dir, ".git", "index"))
	if err != nil {
		t.Fatal(err)
	}
	s.write(".git/index.lock", string(index))
	if _, err := s.replace(s.with("GIT_INDEX_FILE=.git/index.lock").open(), "a.env", 0o100644, "A=2\n"); err == nil {
		t.Error("Replace = nil; want an error")
	}
	if left, _ := filepath.Glob(filepath.Join(s.dir, ".git", "index.*")); left != nil {
		t.Errorf("%q is left", left)
	}
}

// TestReplaceRaces saves and stages the file at random moments of a replacement.
// The save must be in the working tree afterwards, and in the index if it was
// staged; and it must always be known what the replacement did.
func TestReplaceRaces(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	met, staged := 0, 0
	for n := range rounds(60) {
		drift, edit := fmt.Sprintf("A=drift %d\n", n), fmt.Sprintf("A=edit %d\n", n)
		s.write("a.env", drift)
		s.git("add", "a.env")
		fixed := []gitops.Staged{{
			Path: "a.env", Mode: gitops.Regular, Old: gitops.OID(strings.TrimSpace(s.git("rev-parse", ":a.env"))), Data: fmt.Appendf(nil, "A=fixed %d\n", n),
		}}
		done, add := make(chan error), n%2 == 0
		go func() {
			time.Sleep(time.Duration(rand.Int64N(int64(60 * time.Millisecond))))
			err := os.WriteFile(filepath.Join(s.dir, "a.env.new"), []byte(edit), 0o644)
			err = errors.Join(err, os.Rename(filepath.Join(s.dir, "a.env.new"), filepath.Join(s.dir, "a.env")))
			for out := indexLocked; add && err == nil && strings.Contains(out, indexLocked); {
				if out, err = s.try("", "add", "a.env"); strings.Contains(out, indexLocked) {
					err = nil
				}
			}
			done <- err
		}()
		replaced, err := repo.Replace(t.Context(), fixed)
		if err := errors.Join(err, <-done); err != nil {
			t.Fatal(err)
		}
		if !replaced[0].Tree {
			met++
		}
		if got := s.read("a.env"); got != edit {
			t.Fatalf("round %d: the file holds %q; want the save %q", n, got, edit)
		}
		index := s.git("show", ":a.env")
		if add && index != edit {
			t.Fatalf("round %d: the index holds %q; want %q, which was staged last", n, index, edit)
		}
		if index == edit {
			staged++
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, ".git", "index.*")); left != nil {
			t.Fatalf("round %d: %q is left", n, left)
		}
	}
	t.Logf("%d saves came before the replacement, %d were staged", met, staged)
}

const indexLocked = "index.lock': File exists"
