package gitops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
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

// Ignored returns which of paths git would not add: they match an ignore rule
// and are not tracked.
func (r *Repo) Ignored(ctx context.Context, paths []string) (map[string]bool, error) {
	if len(paths) == 0 {
		return nil, nil
	}
	if r.git == "" {
		return r.ignoredByRules(paths)
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

// A Staged is a version of a path to put into the index. Mode [Absent] removes
// the path.
type Staged struct {
	Path string
	Mode Mode
	Data []byte // as it is committed, not as a filter would write it to the working tree
}

// Replace puts files into the index and into the working tree. It does not
// overwrite a working-tree file that already had further edits, and returns the
// paths of those. A file that is removed from the index stays in the working
// tree.
func (r *Repo) Replace(ctx context.Context, files []Staged) (kept []string, err error) {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	edited, err := r.Unstaged(ctx, paths)
	if err != nil {
		return nil, err
	}
	if err := r.Stage(ctx, files); err != nil {
		return nil, err
	}
	var update []string
	for _, f := range files {
		switch {
		case edited[f.Path]:
			kept = append(kept, f.Path)
		case f.Mode != Absent:
			update = append(update, f.Path)
		}
	}
	return kept, r.UpdateWorktree(ctx, update)
}

// Stage puts files into every index of the commit being made. Entries keep
// their skip-worktree and assume-unchanged flags; a path in conflict is
// resolved to the one version.
func (r *Repo) Stage(ctx context.Context, files []Staged) error {
	if len(files) == 0 {
		return nil
	}
	var info strings.Builder
	var present []string
	for _, f := range files {
		oid := OID(strings.Repeat("0", len(emptyTree[r.hash])))
		if f.Mode != Absent {
			var err error
			if oid, err = r.HashObject(ctx, f.Data); err != nil {
				return err
			}
			present = append(present, f.Path)
		}
		fmt.Fprintf(&info, "%o %s\t%s\x00", uint32(f.Mode), oid, f.Path)
	}
	for _, index := range r.indexes() {
		if err := r.with("GIT_INDEX_FILE="+index).updateIndex(ctx, info.String(), present); err != nil {
			return err
		}
	}
	return nil
}

// updateIndex feeds info to one index. That makes new entries; it then restores
// the flags that the paths in present had before.
func (r *Repo) updateIndex(ctx context.Context, info string, present []string) error {
	flags, err := r.flags(ctx, present)
	if err != nil {
		return err
	}
	if err := r.runLocking(ctx, info, "update-index", "-z", "--index-info"); err != nil {
		return err
	}
	err = r.mark(ctx, "--skip-worktree", present, func(path string) bool {
		return flags[path] == tagSkipWorktree || flags[path] == tagAssumeSkipped
	})
	if err != nil {
		return err
	}
	return r.mark(ctx, "--assume-unchanged", present, func(path string) bool {
		return flags[path] == tagAssumeCached || flags[path] == tagAssumeSkipped
	})
}

// mark sets a flag on those of paths that had it.
func (r *Repo) mark(ctx context.Context, option string, paths []string, had func(string) bool) error {
	var flagged []string
	for _, path := range paths {
		if had(path) {
			flagged = append(flagged, path)
		}
	}
	if len(flagged) == 0 {
		return nil
	}
	return r.runLocking(ctx, nulList(flagged), "update-index", "-z", option, "--stdin")
}

// nextIndex is the index from which "git commit <path>" commits.
var nextIndex = regexp.MustCompile(`^next-index-[0-9]+\.lock$`)

// indexes returns the indexes of the commit being made. "git commit <path>" has
// two: one to commit, and index.lock, which becomes the index afterwards. If
// only the first were written, the next commit would undo this one.
func (r *Repo) indexes() []string {
	indexes := []string{r.Index}
	lock := filepath.Join(r.GitDir, "index.lock")
	if nextIndex.MatchString(filepath.Base(r.Index)) && exists(lock) {
		indexes = append(indexes, lock)
	}
	return indexes
}

// UpdateWorktree overwrites the working-tree files of paths with what the index
// contains, through git's filters and line-end conversion. It runs no hook.
// Callers must not pass paths that [Repo.Unstaged] returned before staging.
func (r *Repo) UpdateWorktree(ctx context.Context, paths []string) error {
	if len(paths) == 0 {
		return nil
	}
	return r.runLocking(ctx, nulList(paths), "checkout-index", "-f", "-u", "-z", "--stdin")
}

func nulList(paths []string) string { return strings.Join(paths, "\x00") + "\x00" }

// indexWait bounds how long [Repo.runLocking] waits for another git process.
const indexWait = 5 * time.Second

// runLocking runs a git command that locks the index. If another process has
// locked it, git gives up at once. But the git of an editor, which asks for the
// status, is done in a moment, and half a repair would be worse than a late
// one.
func (r *Repo) runLocking(ctx context.Context, stdin string, args ...string) error {
	for end := time.Now().Add(indexWait); ; {
		_, err := r.run(ctx, strings.NewReader(stdin), args...)
		failed := (*GitError)(nil)
		if !errors.As(err, &failed) || !strings.Contains(failed.Stderr, ".lock': File exists") || time.Now().After(end) {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("git %s: %w", args[0], context.Cause(ctx))
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return !errors.Is(err, os.ErrNotExist)
}
