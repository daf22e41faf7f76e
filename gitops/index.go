package gitops

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// Staged returns what the commit being made changes. It reads the index of that
// commit, whichever that is. It omits entries that are only an intent to add,
// which are not part of a commit, and submodules.
func (r *Repo) Staged(ctx context.Context) ([]Change, error) {
	out, err := r.run(ctx, nil, stagedCommand[:]...)
	if err != nil {
		return nil, err
	}
	return parseRaw(out)
}

// openedIndex is the index as the hook file opened it, before it asked git what is
// staged: see package hooks. Only a parent can have opened it; it stays open, so no
// other file takes its number.
const openedIndex = "/dev/fd/3"

// An IndexFile is the index that a hook began with.
type IndexFile struct{ info fs.FileInfo }

// OpenedIndex describes the index that a hook file handed over, if it did.
func OpenedIndex() IndexFile {
	info, _ := os.Stat(openedIndex)
	return IndexFile{info}
}

// IndexIs reports whether what git is about to commit is known to be in the index f
// still. Whoever writes an index puts a new file in its place, or changes its time.
func (r *Repo) IndexIs(f IndexFile) bool {
	now, err := os.Stat(r.Index)
	return err == nil && f.info != nil && os.SameFile(f.info, now) && f.info.Size() == now.Size() && f.info.ModTime().Equal(now.ModTime())
}

// NothingStaged reports whether the commit being made would be empty, which git
// does not check again after the hook.
func (r *Repo) NothingStaged(ctx context.Context) (bool, error) {
	_, err := r.run(ctx, nil, "diff", "--cached", "--quiet", "--no-ext-diff", "--no-textconv", "--no-relative",
		"--ignore-submodules=none", "--")
	if exited(err, 1) {
		return false, nil
	}
	return err == nil && !r.Merging(), err
}

// HasGit reports whether there is a git to ask. Without it nothing is known of
// objects, of the index and of what git ignores.
func (r *Repo) HasGit() bool { return r.git != "" }

// Tracked returns which of paths are in the index.
func (r *Repo) Tracked(ctx context.Context, paths []string) (map[string]bool, error) {
	flags, err := r.flags(ctx, paths)
	if err != nil {
		return nil, err
	}
	tracked := make(map[string]bool)
	for path := range flags {
		tracked[path] = true
	}
	return tracked, nil
}

// TrackedBelow returns the files in the index that are among paths or below them.
func (r *Repo) TrackedBelow(ctx context.Context, paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, nil, withPaths(paths, "ls-files", "-z")...)
	return parseList(out), err
}

// LeftOut returns the directory that a sparse checkout left out, so that file, which
// may be a directory, is not in the working tree. It returns "" if that is not why.
func (r *Repo) LeftOut(ctx context.Context, file string) (dir string, err error) {
	tracked, err := r.TrackedBelow(ctx, []string{file})
	if err != nil || len(tracked) == 0 {
		return "", err
	}
	flags, err := r.flags(ctx, tracked)
	for _, flag := range flags {
		if flag != tagSkipWorktree && flag != tagAssumeSkipped {
			return "", err
		}
	}
	if tracked[0] == file {
		file = path.Dir(file)
	}
	return file, err
}

// Ignored returns which of paths git would not add: they match an ignore rule
// and are not tracked.
func (r *Repo) Ignored(ctx context.Context, paths []string) (map[string]bool, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	// check-ignore has no literal pathspecs, but after "./" nothing is
	// magic.
	var stdin strings.Builder
	for _, path := range paths {
		stdin.WriteString("./" + path + "\x00")
	}
	magic := r.with("GIT_LITERAL_PATHSPECS=0")
	out, err := magic.run(ctx, strings.NewReader(stdin.String()), "check-ignore", "-z", "--stdin")
	if err != nil && !exited(err, 1) {
		return nil, err
	}
	ignored := make(map[string]bool)
	for _, path := range parseList(out) {
		ignored[strings.TrimPrefix(path, "./")] = true
	}
	return ignored, nil
}

// Unstaged returns which of paths have a working-tree file that must not be
// overwritten: it differs from the index, or git was told not to look at it
// (assume-unchanged, skip-worktree).
func (r *Repo) Unstaged(ctx context.Context, paths []string) (map[string]bool, error) {
	flags, err := r.flags(ctx, paths)
	if err != nil {
		return nil, err
	}
	unstaged := make(map[string]bool)
	for path, flag := range flags {
		if flag != tagCached {
			unstaged[path] = true
		}
	}
	out, err := r.run(ctx, nil, withPaths(paths, "diff", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff",
		"--no-textconv", "--no-relative", "--ignore-submodules=all")...)
	if err != nil {
		return nil, err
	}
	changes, err := parseRaw(out)
	wanted := set(paths)
	for _, c := range changes {
		if wanted[c.Path] {
			unstaged[c.Path] = true
		}
	}
	return unstaged, err
}

// Uncommitted returns which of paths, files that exist or existed, differ from HEAD
// in the index or in the working tree, or are not tracked.
func (r *Repo) Uncommitted(ctx context.Context, paths []string) ([]string, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, nil, withPaths(paths, "status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--ignore-submodules=all")...)
	var changed []string
	wanted := set(paths)
	for _, entry := range parseList(out) {
		if path := entry[min(len("XY "), len(entry)):]; wanted[path] {
			changed = append(changed, path)
		}
	}
	return changed, err
}

// Tags of "ls-files -v"; a lowercase one means assume-unchanged.
const (
	tagCached        = 'H'
	tagSkipWorktree  = 'S'
	tagAssumeCached  = 'h'
	tagAssumeSkipped = 's'
)

// flags returns the tag of each of paths that is in the index.
func (r *Repo) flags(ctx context.Context, paths []string) (map[string]byte, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	out, err := r.run(ctx, nil, withPaths(paths, "ls-files", "-v", "-z")...)
	if err != nil {
		return nil, err
	}
	wanted := set(paths)
	flags := make(map[string]byte)
	for _, entry := range parseList(out) {
		if len(entry) < 3 || entry[1] != ' ' {
			return nil, outputError("ls-files", []byte(entry))
		}
		if wanted[entry[2:]] {
			flags[entry[2:]] = entry[0]
		}
	}
	return flags, nil
}

// nulList ends each of paths with a NUL.
func nulList(paths []string) string {
	if len(paths) == 0 {
		return ""
	}
	return strings.Join(paths, "\x00") + "\x00"
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
