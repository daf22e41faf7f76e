package gitops_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/gitops"
)

const limit = 1 << 20

// replace puts versions, triples of path, mode and content, in the place of the
// staged ones. It returns the paths whose file in the working tree was kept.
func (s *sandbox) replace(repo *gitops.Repo, fields ...any) (kept []string, err error) {
	s.t.Helper()
	var files []gitops.Staged
	for f := range slices.Chunk(fields, 3) {
		old, err := s.try("", "-c", "core.fsmonitor=false", "rev-parse", ":"+f[0].(string))
		if err != nil {
			s.t.Fatal(old)
		}
		files = append(files, gitops.Staged{
			Path: f[0].(string), Mode: gitops.Mode(f[1].(int)), Old: gitops.OID(strings.TrimSpace(old)), Data: []byte(f[2].(string)),
		})
	}
	done, err := repo.Replace(s.t.Context(), files)
	for i, d := range done {
		if !d.Tree {
			kept = append(kept, files[i].Path)
		}
	}
	return kept, err
}

func describe(changes []gitops.Change) string {
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%c %s>%s %q\n", c.Status, c.OldMode, c.Mode, c.Path)
	}
	return b.String()
}

func TestOpen(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.mkdir(filepath.Join(s.dir, "deep/er"))
	s.git("init", "-q", "--bare", "../bare.git")
	s.mkdir(filepath.Join(s.dir, "../nothing"))
	tests := []struct {
		name string
		s    *sandbox
		want error
	}{
		{"top", s, nil},
		{"subdirectory", s.in("deep/er"), nil},
		{"bare", s.in("../bare.git"), gitops.ErrNoWorkingTree},
		{"git directory", s.in(".git"), gitops.ErrNoWorkingTree},
		{"outside", s.in("../nothing"), gitops.ErrNotRepository},
	}
	for _, tt := range tests {
		repo, err := gitops.Open(t.Context(), tt.s.dir, tt.s.env)
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: Open = %v; want %v", tt.name, err, tt.want)
		}
		if err == nil && repo.Top != s.dir {
			t.Errorf("%s: Top = %s; want %s", tt.name, repo.Top, s.dir)
		}
	}
}

func TestOpenWithHooksOff(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("config", "core.hooksPath", "")
	if repo := s.open(); repo.HooksDir != os.DevNull || repo.Top != s.dir {
		t.Errorf("Open = %+v; want no hooks directory", repo)
	}
}

func TestOpenSaysWhyGitRefuses(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write(".git/config", "[core]\n\trepositoryformatversion = 99\n")
	_, err := gitops.Open(t.Context(), s.dir, s.env)
	if e := (*gitops.RefusedError)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, "99") {
		t.Errorf("Open = %v; want a RefusedError with git's reason", err)
	}
	s = initRepo(t).with("GIT_TEST_ASSUME_DIFFERENT_OWNER=1")
	_, err = gitops.Open(t.Context(), s.dir, s.env)
	if e := (*gitops.RefusedError)(nil); !errors.As(err, &e) || !strings.Contains(e.Reason, "dubious ownership") {
		t.Errorf("Open = %v; want a RefusedError with git's reason", err)
	}
}

func TestStaged(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("gone.env", "x\n")
	s.commit("old.env", strings.Repeat("line\n", 20))
	s.commit("link.env", "x\n")
	s.commit("mode.env", "x\n")
	s.write("ümläut\nline .env", "x\n")
	s.write("-rf.env", "x\n")
	s.write("intent.env", "x\n")
	s.git("add", "--", "ümläut\nline .env", "-rf.env")
	s.git("add", "-N", "intent.env")
	s.git("rm", "-q", "gone.env")
	s.git("mv", "old.env", "new.env")
	s.git("update-index", "--chmod=+x", "mode.env")
	s.git("rm", "-q", "--cached", "link.env")
	if err := os.Remove(filepath.Join(s.dir, "link.env")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a.env", filepath.Join(s.dir, "link.env")); err != nil {
		t.Fatal(err)
	}
	s.git("add", "link.env")
	// User configuration that would change the output of diff.
	for key, value := range map[string]string{"diff.renames": "copies", "diff.relative": "true", "diff.noprefix": "true",
		"color.ui": "always", "core.quotePath": "true", "diff.external": "false", "diff.mnemonicPrefix": "true"} {
		s.git("config", key, value)
	}
	changes, err := s.in(".").open().Staged(t.Context())
	want := `A 000000>100644 "-rf.env"
D 100644>000000 "gone.env"
T 100644>120000 "link.env"
M 100644>100755 "mode.env"
A 000000>100644 "new.env"
D 100644>000000 "old.env"
A 000000>100644 "ümläut\nline .env"
`
	if got := describe(changes); got != want || err != nil {
		t.Errorf("Staged =\n%s, %v; want\n%s", got, err, want)
	}
}

func TestStagedConflict(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("switch", "-q", "-c", "side")
	s.commit("a.env", "A=theirs\n")
	s.git("switch", "-q", "main")
	s.commit("a.env", "A=ours\n")
	if _, err := s.try("", "merge", "side"); err == nil {
		t.Fatal("merge made no conflict")
	}
	repo := s.open()
	changes, err := repo.Staged(t.Context())
	if err != nil || len(changes) != 1 || changes[0].Status != gitops.Unmerged || changes[0].Path != "a.env" {
		t.Errorf("Staged = %v, %v; want a.env in conflict", describe(changes), err)
	}
	if !repo.Merging() {
		t.Error("Merging = false; want true")
	}
	c, err := repo.Conflict(t.Context(), "a.env", 1<<20)
	if err != nil || c == nil || string(c.Base) != "A=1\nB=1\n" || string(c.Ours) != "A=ours\n" || string(c.Theirs) != "A=theirs\n" {
		t.Errorf("Conflict = %+v, %v; want the base and both sides", c, err)
	}
	if c, err := repo.Conflict(t.Context(), "b.env", 1<<20); c != nil || err != nil {
		t.Errorf("Conflict of another file = %+v, %v; want none", c, err)
	}
}

func TestBlobs(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("empty", "")
	s.commit("large", strings.Repeat("x", 5000))
	s.commit("binary", "a\x00b\nc")
	repo := s.open()
	oid := func(path string) gitops.OID { return gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD:"+path))) }
	absent := gitops.OID(strings.Repeat("ab", 20))

	blobs, err := repo.Blobs(t.Context(), []gitops.OID{oid("empty"), oid("large"), absent, oid("binary")}, 4096)
	if got, want := fmt.Sprintf("%q", blobs), `["" "" "" "a\x00b\nc"]`; got != want {
		t.Errorf("Blobs = %s; want %s", got, want)
	}
	if blobs[0] == nil || blobs[1] != nil || blobs[2] != nil {
		t.Error("Blobs does not tell an empty object from one that was not read")
	}
	if !errors.Is(err, gitops.ErrTooLarge) || !errors.Is(err, gitops.ErrMissing) {
		t.Errorf("Blobs = %v; want one missing and one too large", err)
	}
	if _, err := repo.Blobs(t.Context(), []gitops.OID{"HEAD\n--x"}, limit); !errors.Is(err, gitops.ErrMissing) {
		t.Errorf("Blobs of what is no object name = %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := repo.Blobs(ctx, []gitops.OID{oid("empty")}, limit); !errors.Is(err, context.Canceled) {
		t.Errorf("Blobs after cancel = %v", err)
	}
}

func TestTreeFiles(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("d/ümläut\n.env", "x\n")
	s.git("tag", "-a", "v1", "-m", "v1")
	s.git("gc", "-q")
	s.git("worktree", "add", "-q", "../linked")
	for _, top := range []string{".", "../linked"} {
		repo := s.in(top).open()
		for _, rev := range []string{"HEAD", "main", "v1", "refs/heads/main"} {
			files, err := repo.TreeFiles(t.Context(), rev)
			var got []string
			for _, f := range files {
				got = append(got, f.Mode.String()+" "+f.Path)
			}
			want := []string{"100644 a.env", "100644 d/ümläut\n.env", "100644 other.txt"}
			if !slices.Equal(got, want) || err != nil {
				t.Errorf("TreeFiles(%s) = %q, %v; want %q", rev, got, err, want)
			}
		}
		if got, err := repo.ReadFileAt(t.Context(), "HEAD", "d/ümläut\n.env", limit); string(got) != "x\n" || err != nil {
			t.Errorf("ReadFileAt = %q, %v", got, err)
		}
		if _, err := repo.ReadFileAt(t.Context(), "HEAD", "d", limit); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("ReadFileAt of a directory = %v; want %v", err, fs.ErrNotExist)
		}
		if _, err := repo.ReadFileAt(t.Context(), "HEAD", "a.env", 3); !errors.Is(err, gitops.ErrTooLarge) {
			t.Errorf("ReadFileAt of a large file = %v; want %v", err, gitops.ErrTooLarge)
		}
		for _, rev := range []string{"nope", "--all", "-h", ""} {
			if _, err := repo.TreeFiles(t.Context(), rev); !errors.As(err, new(*gitops.RevisionError)) {
				t.Errorf("TreeFiles(%q) = %v; want a RevisionError", rev, err)
			}
		}
	}
}

func TestNoGit(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	head := gitops.OID(strings.TrimSpace(s.git("rev-parse", "HEAD")))
	repo := s.with("PATH=.:relative").open()
	for name, ask := range map[string]func() error{
		"Staged":     func() error { _, err := repo.Staged(t.Context()); return err },
		"Resolve":    func() error { _, err := repo.Resolve(t.Context(), "HEAD"); return err },
		"TreeFiles":  func() error { _, err := repo.TreeFiles(t.Context(), "HEAD"); return err },
		"ReadFileAt": func() error { _, err := repo.ReadFileAt(t.Context(), "HEAD", "a.env", limit); return err },
		"IndexTree":  func() error { _, err := repo.IndexTree(t.Context(), limit); return err },
		"Blobs":      func() error { _, err := repo.Blobs(t.Context(), []gitops.OID{head}, limit); return err },
		"Ignored":    func() error { _, err := repo.Ignored(t.Context(), []string{"a.env"}); return err },
	} {
		if err := ask(); !errors.Is(err, gitops.ErrNoGit) {
			t.Errorf("%s without git = %v; want %v", name, err, gitops.ErrNoGit)
		}
	}
	if repo.Top != s.open().Top || repo.CommonDir != s.open().CommonDir {
		t.Errorf("Open without git = %s, %s", repo.Top, repo.CommonDir)
	}
	if _, err := s.replace(repo, "a.env", 0o100644, "x"); !errors.Is(err, gitops.ErrNoGit) {
		t.Errorf("Replace without git = %v; want %v", err, gitops.ErrNoGit)
	}
	outside := t.TempDir()
	if _, err := gitops.Open(t.Context(), outside, nil); !errors.Is(err, gitops.ErrNotRepository) {
		t.Errorf("Open outside, without git = %v", err)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"sha1", "sha256"} {
		s := initRepo(t, "--object-format="+format)
		repo := s.open()
		first, err := repo.Resolve(t.Context(), "HEAD")
		if err != nil {
			t.Fatal(err)
		}
		s.commit("a.env", "A=2\n")
		s.git("rm", "-q", "other.txt")
		s.git("commit", "-qm", "rm")
		second, err := repo.Resolve(t.Context(), "HEAD")
		if err != nil {
			t.Fatal(err)
		}
		null := gitops.OID(strings.Repeat("0", len(first)))
		tests := []struct {
			from, to gitops.OID
			want     string
		}{
			{first, second, "M 100644>100644 \"a.env\"\nD 100644>000000 \"other.txt\"\n"},
			{null, second, "A 000000>100644 \"a.env\"\n"},
			{first, null, "D 100644>000000 \"a.env\"\nD 100644>000000 \"other.txt\"\n"},
			{second, second, ""},
		}
		for _, tt := range tests {
			changes, err := repo.Changed(t.Context(), tt.from, tt.to)
			if got := describe(changes); got != tt.want || err != nil {
				t.Errorf("Changed(%s, %s) = %s, %v; want %s", tt.from, tt.to, got, err, tt.want)
			}
		}
	}
}

func TestUnstaged(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit("*.env", "glob\n")
	s.commit("clean.env", "x\n")
	s.commit("gone.env", "x\n")
	s.write("a.env", "edited\n")
	s.write("untracked.env", "x\n")
	if err := os.Remove(filepath.Join(s.dir, "gone.env")); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(filepath.Join(s.dir, "clean.env"), later, later); err != nil {
		t.Fatal(err)
	}
	s.git("config", "diff.autoRefreshIndex", "false")
	paths := []string{"*.env", "a.env", "clean.env", "gone.env", "untracked.env"}
	many := paths
	for i := range 2000 {
		many = append(many, fmt.Sprintf("no/such/file/%d", i))
	}
	for _, paths := range [][]string{paths, many} {
		got, err := s.open().Unstaged(t.Context(), paths)
		if err != nil || len(got) != 2 || !got["a.env"] || !got["gone.env"] {
			t.Errorf("Unstaged = %v, %v; want a.env and gone.env", got, err)
		}
	}
	for _, paths := range [][]string{paths, many} {
		got, err := s.open().Uncommitted(t.Context(), paths)
		slices.Sort(got)
		if want := []string{"a.env", "gone.env", "untracked.env"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("Uncommitted = %v, %v; want %v", got, err, want)
		}
	}
	tracked, err := s.open().Tracked(t.Context(), paths)
	if err != nil || len(tracked) != 4 || tracked["untracked.env"] {
		t.Errorf("Tracked = %v, %v; want all but untracked.env", tracked, err)
	}
}

func TestIgnored(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write(".gitignore", ".env.keys\r\n# comment\n/build\n*.env\n!keep.env\n")
	s.write("d/.gitignore", "/only-here\n")
	s.write(".git/info/exclude", "private\n")
	paths := []string{".env.keys", "d/.env.keys", "build/x", "keep.env", "d/only-here", "only-here", "d/private", "x.txt", "new\nline.env"}
	want := []string{"build/x", "d/only-here", "d/private", "new\nline.env"}
	s.write(".gitignore", strings.ReplaceAll(s.read(".gitignore"), "\r", ""))
	want = append(want, ".env.keys", "d/.env.keys")
	slices.Sort(want)
	got, err := s.open().Ignored(t.Context(), paths)
	var list []string
	for p := range got {
		list = append(list, p)
	}
	slices.Sort(list)
	if !slices.Equal(list, want) || err != nil {
		t.Errorf("Ignored = %q, %v; want %q", list, err, want)
	}
}

func TestNothingStaged(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	repo := s.open()
	if empty, err := repo.NothingStaged(t.Context()); !empty || err != nil {
		t.Errorf("NothingStaged = %t, %v; want true", empty, err)
	}
	s.write(".git/MERGE_HEAD", s.git("rev-parse", "HEAD"))
	if empty, err := repo.NothingStaged(t.Context()); empty || err != nil {
		t.Errorf("NothingStaged in a merge = %t, %v; want false", empty, err)
	}
	s.write("a.env", "x\n")
	s.git("add", "a.env")
	if empty, err := repo.NothingStaged(t.Context()); empty || err != nil {
		t.Errorf("NothingStaged = %t, %v; want false", empty, err)
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("worktree", "add", "-q", "../linked")
	repo := s.in("../linked").open()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	long := strings.Repeat("directory/", 40) + ".env"
	seen := make(map[string]bool)
	for i, path := range []string{"a/b.env", "a/b.env", "a%2Fb.env", long, long, "..", "new\nline:*?"} {
		content := fmt.Sprint("content ", i)
		name, err := repo.Backup(path, []byte(content), now)
		if err != nil {
			t.Fatal(err)
		}
		data, err := os.ReadFile(name)
		if seen[name] || string(data) != content || err != nil {
			t.Errorf("Backup(%q) = %s with %q, %v", path, name, data, err)
		}
		seen[name] = true
		if dir := filepath.Join(s.dir, ".git", "envdrift", "backup"); filepath.Dir(name) != dir {
			t.Errorf("Backup(%q) = %s; want it in %s", path, name, dir)
		}
		for file, want := range map[string]fs.FileMode{name: 0o600, filepath.Dir(name): fs.ModeDir | 0o700} {
			if info, err := os.Stat(file); err != nil || info.Mode() != want {
				t.Errorf("mode of %s = %v, %v; want %v", file, info.Mode(), err, want)
			}
		}
	}
}

func TestExclude(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	name := filepath.Join(s.dir, ".git", "info", "exclude")
	if err := os.WriteFile(name, []byte("theirs"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.git("worktree", "add", "-q", "../linked")
	for _, repo := range []*gitops.Repo{s.open(), s.in("../linked").open()} {
		if err := repo.Exclude("ours-*"); err != nil {
			t.Fatal(err)
		}
		if data, err := os.ReadFile(name); err != nil || string(data) != "theirs\nours-*\n" {
			t.Errorf("Exclude left %q, %v", data, err)
		}
	}
}

func TestLock(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("worktree", "add", "-q", "../linked")
	unlock, err := s.open().Lock(t.Context(), "the first")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	if _, err := s.in("../linked").open().Lock(ctx, "the second"); !errors.Is(err, gitops.ErrLocked) || !strings.HasSuffix(err.Error(), ": the first") {
		t.Errorf("Lock while it is held = %v; want %v: the first", err, gitops.ErrLocked)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	unlock, err = s.in("../linked").open().Lock(t.Context(), "the second")
	if err != nil {
		t.Fatalf("Lock after unlock = %v", err)
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// What root makes for a user, as with sudo, belongs to the user.
func TestStateBelongsToTheOwner(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root can give files away")
	}
	s := initRepo(t).with("SUDO_UID=1234")
	git := filepath.Join(s.dir, ".git")
	if err := errors.Join(os.Chown(git, 1234, 2345), os.Chown(filepath.Join(git, "objects"), 1234, 2345)); err != nil {
		t.Fatal(err)
	}
	repo := s.open()
	unlock, err := repo.Lock(t.Context(), "root")
	if err != nil {
		t.Fatal(err)
	}
	backup, err := repo.Backup(".env", nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.replace(repo, "a.env", 0o100644, "A=2\n"); err != nil {
		t.Fatal(err)
	}
	object := strings.TrimSpace(s.git("rev-parse", ":a.env"))
	state := filepath.Join(git, "envdrift")
	for _, name := range []string{state, filepath.Join(state, "lock"), filepath.Join(state, "lock-holder"), filepath.Dir(backup), backup, filepath.Join(git, "index"), filepath.Join(git, "objects", object[:2], object[2:])} {
		if out, err := exec.Command("stat", "-c", "%u:%g", name).CombinedOutput(); strings.TrimSpace(string(out)) != "1234:2345" || err != nil {
			t.Errorf("%s belongs to %s, %v; want the owner of the repository", name, out, err)
		}
	}
	if err := unlock(); err != nil {
		t.Error(err)
	}
}

// A backup that a killed run did not complete is removed under the next lock.
func TestLockRemovesUnfinishedBackups(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.write(".git/envdrift/backup/.unfinished-1", "half")
	s.write(".git/envdrift/backup/kept", "whole")
	unlock, ok := s.open().TryLock()
	if !ok {
		t.Fatal("TryLock = false")
	}
	if _, ok := s.open().TryLock(); ok {
		t.Error("TryLock of a locked clone = true")
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.dir, ".git/envdrift/backup")); len(left) != 1 || left[0].Name() != "kept" {
		t.Errorf("%v are left; want the whole backup", left)
	}
}

func TestSettings(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("config", "--global", "core.hooksPath", "/global\nhooks")
	s.git("config", "core.hooksPath", "local")
	got, err := s.open().Settings(t.Context(), `^core\.hookspath$`)
	want := []gitops.Setting{{"global", "core.hookspath", "/global\nhooks"}, {"local", "core.hookspath", "local"}}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("Settings = %q, %v; want %q", got, err, want)
	}
	if got, err := s.open().Settings(t.Context(), `^no\.such$`); got != nil || err != nil {
		t.Errorf("Settings of nothing = %q, %v", got, err)
	}
}

func TestWorktrees(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.git("worktree", "add", "-q", "../linked")
	s.git("worktree", "add", "-q", "../removed")
	if err := os.RemoveAll(filepath.Join(s.dir, "../removed")); err != nil {
		t.Fatal(err)
	}
	got, err := s.open().Worktrees(t.Context())
	want := []string{s.dir, filepath.Join(s.dir, "../linked")}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("Worktrees = %q, %v; want %q", got, err, want)
	}
}

func TestSetConfig(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s = s.with("GIT_CONFIG_GLOBAL=" + filepath.Join(s.dir, "../global"))
	config, err := gitops.OpenConfig(t.TempDir(), s.env)
	if err != nil {
		t.Fatal(err)
	}
	value := "f() {\n\techo \"$@\" '#;'\n}; f"
	s.git("config", "--add", "hook.a.command", "1")
	s.git("config", "--add", "hook.a.command", "2")
	for scope, repo := range map[string]*gitops.Repo{"local": s.open(), "global": config} {
		if err := repo.SetConfig(t.Context(), scope, "hook.a.command", value); err != nil {
			t.Errorf("SetConfig in %s = %v", scope, err)
		}
	}
	got, err := s.open().Settings(t.Context(), `^hook\.`)
	want := []gitops.Setting{{Scope: "global", Key: "hook.a.command", Value: value}, {Scope: "local", Key: "hook.a.command", Value: value}}
	if !slices.Equal(got, want) || err != nil {
		t.Errorf("Settings = %q, %v; want %q", got, err, want)
	}
	for range 2 { // the second finds nothing
		err1, err2 := s.open().UnsetConfig(t.Context(), "local", "hook.a"), config.UnsetConfig(t.Context(), "global", "hook.a")
		if err := errors.Join(err1, err2); err != nil {
			t.Errorf("UnsetConfig = %v", err)
		}
	}
	if got, err := s.open().Settings(t.Context(), `^hook\.`); got != nil || err != nil {
		t.Errorf("Settings after UnsetConfig = %q, %v", got, err)
	}
}

func TestHostileConfigurationRunsNothing(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit(".gitattributes", "*.env diff=evil\n")
	trap := "touch '" + filepath.Join(s.dir, "../trapped") + "'; false"
	for _, key := range []string{"core.fsmonitor", "diff.external", "diff.evil.command", "diff.evil.textconv", "core.pager", "core.sshCommand", "core.editor"} {
		s.git("config", key, trap)
	}
	s.git("config", "hook.evil.command", trap)
	s.git("config", "hook.evil.event", "post-index-change")
	s.write("a.env", "A=2\n")
	clean := s.with("GIT_EXTERNAL_DIFF="+trap, "GIT_PAGER="+trap)
	repo := clean.open()
	head, err := repo.Resolve(t.Context(), "HEAD")
	if err != nil {
		t.Fatal(err)
	}
	_, err1 := repo.Unstaged(t.Context(), []string{"a.env"})
	_, err2 := s.replace(repo, "other.txt", 0o100644, "new\n")
	_, err3 := repo.Staged(t.Context())
	_, err4 := repo.NothingStaged(t.Context())
	_, err5 := repo.Changed(t.Context(), "", head)
	_, err6 := repo.TreeFiles(t.Context(), "HEAD")
	if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(s.dir, "../trapped")); err == nil {
		t.Error("a program that the configuration names was run")
	}
}

// The filter shows what git was given.
func TestSecretsAreNotInTheEnvironmentOfGit(t *testing.T) {
	t.Parallel()
	s := initRepo(t)
	s.commit(".gitattributes", "*.env filter=spy\n")
	s.git("config", "filter.spy.smudge", "env >../seen; cat")
	secret := "marked-secret"
	spied := s.with("DOTENV_PRIVATE_KEY="+secret, "DOTENV_PRIVATE_KEY_PRODUCTION="+secret, "VAULT_TOKEN="+secret,
		"AWS_SECRET_ACCESS_KEY="+secret, "AZURE_CLIENT_SECRET="+secret, "ENVDRIFT_AGE_KEY="+secret, "VAULT_JWT="+secret,
		"VAULT_HEADERS="+secret, "GIT_ICASE_PATHSPECS=1", "GIT_GLOB_PATHSPECS=1", "KEPT=kept")
	if _, err := s.replace(spied.open(), "a.env", 0o100644, "A=2\n"); err != nil {
		t.Fatal(err)
	}
	seen := s.read("../seen")
	if !strings.Contains(seen, "KEPT=kept") {
		t.Errorf("the filter saw %q; want the rest of the environment", seen)
	}
	if strings.Contains(seen, secret) {
		t.Errorf("the filter saw a secret:\n%s", seen)
	}
}
