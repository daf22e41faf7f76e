package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf8"

	"github.com/envdrift/envdrift/gitops"
)

const treeLimit = 1 << 20

func (s *sandbox) stagedTree() (*gitops.StagedTree, error) {
	s.t.Helper()
	repo := s.open()
	changes, err := repo.Staged(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	return s.stagedTreeOf(changes)
}

func (s *sandbox) stagedTreeOf(changes []gitops.Change) (*gitops.StagedTree, error) {
	s.t.Helper()
	reader, err := s.open().Reader(s.t.Context(), treeLimit)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = reader.Close() })
	tree, err := reader.StagedTree()
	if err == nil {
		tree.Stage(changes)
	}
	return tree, err
}

// filesIn lists what a tree holds, but for submodules: which of them are staged is
// not asked.
func filesIn(fsys fs.FS) (list []string, err error) {
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if !utf8.ValidString(name) && d.IsDir() { // which no fs.FS opens
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || d.Type()&fs.ModeIrregular != 0 {
			return err
		}
		data, err := fs.ReadFile(fsys, name)
		list = append(list, fmt.Sprintf("%q %v %q", name, d.Type(), data))
		return err
	})
	return list, err
}

// treeNames clash with each other as files and folders, and mean something to git in
// a pathspec.
var treeNames = []string{
	"a", "a/b", "a/b/c", "a/b/d", "a.b", "a0", ".env", "dir/.env", "dir/sub/.env", "dir/sub/deep/x", "dir-x/y", ":(top)x", ":(glob)*/x",
	"*", "*/x", "[a]", "[a]/x", "-x/--y", "sp ace/t\tab", "new\nline/y", "\xff\xfe/z", `b\c`,
}

// randomIndex returns lines for update-index of entries none of which is a folder of
// another.
func randomIndex(random *rand.Rand, blobs []string) string {
	chosen := map[string]bool{}
	var lines strings.Builder
	for range random.IntN(len(treeNames)) {
		name := treeNames[random.IntN(len(treeNames))]
		clash := chosen[name]
		for other := range chosen {
			clash = clash || strings.HasPrefix(other, name+"/") || strings.HasPrefix(name, other+"/")
		}
		if clash {
			continue
		}
		chosen[name] = true
		mode := []string{"100644", "100644", "100644", "100755", "120000", "160000"}[random.IntN(6)]
		blob := blobs[random.IntN(len(blobs))]
		if mode != "160000" && random.IntN(12) == 0 {
			fmt.Fprintf(&lines, "%s %s 1\t%s\x00%[1]s %[2]s 2\t%[3]s\x00", mode, blob, name)
			continue
		}
		fmt.Fprintf(&lines, "%s %s 0\t%s\x00", mode, blob, name)
	}
	return lines.String()
}

// TestStagedTree: HEAD with the staged changes is the index, as git lists it.
func TestStagedTree(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			s := newSandbox(t)
			s.git("init", "-q", "-b", "main", "--object-format="+format)
			var blobs []string
			for n := range 3 {
				oid, err := s.try(strings.Repeat("x\n", n), "hash-object", "-w", "--stdin")
				if err != nil {
					t.Fatal(oid)
				}
				blobs = append(blobs, strings.TrimSpace(oid))
			}
			for trial := range 40 {
				random := rand.New(rand.NewPCG(uint64(trial), 0))
				stage := func(lines string) {
					s.git("read-tree", "--empty")
					if out, err := s.try(lines, "update-index", "-z", "--index-info"); err != nil {
						t.Fatalf("trial %d: %s", trial, out)
					}
				}
				if trial%8 > 0 { // else there is no commit yet, or an earlier one
					first := randomIndex(random, blobs)
					stage(first)
					if !strings.Contains(first, " 2\t") {
						s.git("commit", "-q", "--allow-empty", "--no-verify", "-m", "first")
					}
				}
				stage(randomIndex(random, blobs))
				index, err := s.open().IndexTree(t.Context(), treeLimit)
				if err != nil {
					t.Fatal(err)
				}
				want, err := filesIn(index)
				if err = errors.Join(err, index.Close()); err != nil {
					t.Fatal(err)
				}
				tree, err := s.stagedTree()
				if err != nil {
					t.Fatalf("trial %d: %v", trial, err)
				}
				got, err := filesIn(tree)
				if err != nil || !slices.Equal(got, want) {
					t.Fatalf("trial %d: %q, %v; want %q", trial, got, err, want)
				}
				for _, name := range treeNames {
					entry, is := tree.File(name)
					known, was := index.File(name)
					if submodule := entry.Mode == gitops.Submodule || known.Mode == gitops.Submodule; !submodule && (is != was || is && entry != known) {
						t.Errorf("trial %d: File(%q) = %v, %v; want %v, %v", trial, name, entry, is, known, was)
					}
				}
			}
		})
	}
}

// TestStagedTreeIsFS: a file that only the working tree has is not part of it, nor is
// an intent to add.
func TestStagedTreeIsFS(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("d/e/deep", "1")
	s.commit("gone/x", "1")
	s.git("rm", "-q", "gone/x")
	s.write("d/new", "2")
	s.git("add", "d/new")
	s.write("d/intended", "3")
	s.git("add", "--intent-to-add", "d/intended")
	tree, err := s.stagedTree()
	if err != nil {
		t.Fatal(err)
	}
	if err := fstest.TestFS(tree, "a.env", "d/e/deep", "d/new"); err != nil {
		t.Error(err)
	}
	for _, name := range []string{"d/intended", "gone", "gone/x", "a.env/x", "../x", "none/x"} {
		if _, err := fs.Stat(tree, name); err == nil {
			t.Errorf("%s is there", name)
		}
	}
}

// TestStagedTreeFormats: how git keeps the index makes no difference.
func TestStagedTreeFormats(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(s *sandbox){
		"split":  func(s *sandbox) { s.git("update-index", "--split-index") },
		"packed": func(s *sandbox) { s.git("gc", "-q") },
		"version 4": func(s *sandbox) {
			s.git("update-index", "--index-version", "4")
		},
		"sparse": func(s *sandbox) {
			s.git("sparse-checkout", "init", "--cone", "--sparse-index")
			s.git("sparse-checkout", "set", "d")
		},
		"skip-worktree": func(s *sandbox) { s.git("update-index", "--skip-worktree", "e/x", "d/new") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := initRepo(t)
			s.commit("d/old", "1")
			s.commit("e/x", "1")
			s.commit("e/f/y", "1")
			s.write("d/new", "2")
			s.git("add", "d/new")
			change(s)
			s.write("d/later", "3")
			s.git("add", "d/later")
			index, err := s.open().IndexTree(t.Context(), treeLimit)
			if err != nil {
				t.Fatal(err)
			}
			want, err := filesIn(index)
			if err = errors.Join(err, index.Close()); err != nil || len(want) != 7 {
				t.Fatal(want, err)
			}
			tree, err := s.stagedTree()
			if err != nil {
				t.Fatal(err)
			}
			if got, err := filesIn(tree); err != nil || !slices.Equal(got, want) {
				t.Errorf("%q, %v; want %q", got, err, want)
			}
		})
	}
}

// TestStagedTreeMoved: changes that were compared with another HEAD are an error, not
// an index that never was.
func TestStagedTreeMoved(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write("a.env", "A=2\n")
	s.write("d/new", "2")
	s.git("add", "-A")
	changes, err := s.open().Staged(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.git("commit", "-q", "-m", "meanwhile")
	tree, err := s.stagedTreeOf(changes)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.env", "d/new"} {
		if _, err := fs.ReadFile(tree, name); !errors.Is(err, gitops.ErrMoved) {
			t.Errorf("reading %s = %v; want ErrMoved", name, err)
		}
	}
	if _, ok := tree.File("a.env"); ok || !errors.Is(tree.Err(), gitops.ErrMoved) {
		t.Errorf("File = %v, Err = %v; want ErrMoved", ok, tree.Err())
	}
}

// TestStagedTreeDamaged: a folder of HEAD's that cannot be read is not an empty one.
func TestStagedTreeDamaged(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("d/config", "1")
	folder := strings.TrimSpace(s.git("rev-parse", "HEAD:d"))
	if err := os.Remove(filepath.Join(s.dir, ".git/objects", folder[:2], folder[2:])); err != nil {
		t.Fatal(err)
	}
	tree, err := s.stagedTreeOf(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fs.Stat(tree, path.Join("d", "config")); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat = %v; want that the folder is missing", err)
	}
	if _, ok := tree.File("d/config"); ok || tree.Err() == nil {
		t.Errorf("File = %v, Err = %v; want an error", ok, tree.Err())
	}
}

// TestReaderDies: nothing is read from a process that is gone.
func TestReaderDies(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	blob := strings.TrimSpace(s.git("rev-parse", "HEAD:a.env"))
	reader, err := s.open().Reader(t.Context(), treeLimit)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := reader.Objects(t.Context(), []string{blob, "HEAD:none", "\n", "HEAD:other.txt"}, treeLimit); err != nil || string(got[0]) != "A=1\nB=1\n" || got[1] != nil || got[2] != nil || string(got[3]) != "other\n" {
		t.Errorf("Objects = %q, %v", got, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	if reader, err = s.open().Reader(ctx, treeLimit); err != nil {
		t.Fatal(err)
	}
	stopped := errors.New("stopped")
	cancel(stopped)
	for deadline := time.Now().Add(time.Minute); err == nil && time.Now().Before(deadline); {
		_, err = reader.Objects(t.Context(), []string{blob}, treeLimit)
	}
	if !errors.Is(err, stopped) {
		t.Errorf("Objects after the end = %v; want why it ended", err)
	}
	if got, again := reader.Objects(t.Context(), []string{blob}, treeLimit); !errors.Is(again, err) {
		t.Errorf("Objects again = %q, %v; want %v", got, again, err)
	}
	if err := reader.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
}
