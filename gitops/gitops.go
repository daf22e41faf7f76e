// Package gitops gives access to the repository: what is staged, what a commit
// contains and what changed between two, and writing to the index and the
// working tree. It knows nothing of env files and keys.
//
// Everything that concerns the index, the working tree and the configuration
// uses git's plumbing commands. A library does not see the index that "git
// commit -a" makes for one commit alone, nor filters, nor locks. If there is no
// git binary, [Open] finds the repository all the same; the methods that need git
// then return [ErrNoGit].
//
// Paths are relative to [Repo.Top], with slashes, and may contain any byte but
// NUL.
package gitops

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Errors that [Open] and the methods of a [Repo] wrap.
var (
	ErrNotRepository = errors.New("not in a git repository")
	ErrNoWorkingTree = errors.New("repository has no working tree")
	ErrNoGit         = errors.New("git is not installed")
	ErrOldGit        = errors.New("git is older than 2.31")
	ErrMissing       = errors.New("object is missing")
	ErrTooLarge      = errors.New("object is too large")
	ErrLocked        = errors.New("another envdrift is running in this repository")
)

// A RefusedError reports a repository that git refuses to open, such as one
// that another user owns.
type RefusedError struct {
	Dir    string
	Reason string // what git said
}

func (e *RefusedError) Error() string { return fmt.Sprintf("git refuses %s: %s", e.Dir, e.Reason) }

// A RevisionError names a revision that does not exist, such as HEAD before the
// first commit.
type RevisionError struct{ Revision string }

func (e *RevisionError) Error() string { return fmt.Sprintf("unknown revision %q", e.Revision) }

// An ObjectError reports why one object could not be read: [ErrMissing] or
// [ErrTooLarge].
type ObjectError struct {
	OID OID
	Err error
}

func (e *ObjectError) Error() string { return fmt.Sprintf("object %s: %v", e.OID, e.Err) }
func (e *ObjectError) Unwrap() error { return e.Err }

// A Repo is one working tree and its repository. All paths are absolute.
type Repo struct {
	Top       string // top of the working tree
	GitDir    string // of this working tree
	CommonDir string // shared by all worktrees of the clone
	Index     string // the index of the running commit, else of the worktree
	HooksDir  string // where git looks for hooks; os.DevNull if nowhere, "" without git

	git  string   // absolute path of the binary; "" for none
	env  []string // the environment of every git command
	hash string   // "sha1" or "sha256"

	answers Prefetched              // what git need not be asked for
	ahead   func() (*Reader, error) // the next Reader, if it was started ahead
}

// Open finds the repository that dir is in, as git would with environ. It
// returns [ErrNotRepository], [ErrNoWorkingTree], [ErrOldGit] or a
// [*RefusedError].
func Open(ctx context.Context, dir string, environ []string) (*Repo, error) {
	return Prefetched(nil).Open(ctx, dir, environ)
}

// OpenBare is like [Open] for a git directory, as that of a bare repository: the
// Top is the directory itself.
func OpenBare(ctx context.Context, dir string, environ []string) (*Repo, error) {
	bare := slices.Clone(placesCommand[:])
	bare[slices.Index(bare, "--show-toplevel")] = "--absolute-git-dir"
	repo, err := Prefetched(nil).open(ctx, dir, environ, bare)
	if errors.Is(err, ErrNotRepository) && lookGit(environ, dir) == "" {
		err = ErrNoGit
	}
	return repo, err
}

// Open is like [Open], but does not ask git for what a contains.
func (a Prefetched) Open(ctx context.Context, dir string, environ []string) (*Repo, error) {
	return a.open(ctx, dir, environ, placesCommand[:])
}

func (a Prefetched) open(ctx context.Context, dir string, environ []string, args []string) (repo *Repo, err error) {
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	r := &Repo{Top: dir, git: lookGit(environ, dir), env: environment(environ), hash: "sha1", answers: a}
	if r.git == "" {
		return discover(dir)
	}
	if _, hook := a[key(stagedCommand[:])]; hook {
		r.startAhead(ctx) // contents are what it reads next
		defer func() {
			if repo == nil {
				r.stopAhead()
			}
		}()
	}
	out, err := r.run(ctx, nil, args...)
	if hasNoHooks(err) {
		out, err = r.run(ctx, nil, args[:len(args)-2]...)
		out = append(out, os.DevNull+"\n"...)
	}
	if err != nil {
		return nil, openError(dir, err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if strings.HasPrefix(lines[0], "--path-format") {
		return nil, ErrOldGit
	}
	if len(lines) != places {
		return nil, &RefusedError{Dir: dir, Reason: "its path holds a line break"}
	}
	r.hash = lines[0]
	for i, field := range []*string{&r.Top, &r.GitDir, &r.CommonDir, &r.Index, &r.HooksDir} {
		*field = filepath.FromSlash(lines[i+1])
	}
	r.env = r.absolute(r.env)
	return r, nil
}

// hasNoHooks reports whether git failed because core.hooksPath is empty, which
// turns hooks off but has no absolute form.
func hasNoHooks(err error) bool {
	var failed *GitError
	return errors.As(err, &failed) && strings.Contains(failed.Stderr, "The empty string is not a valid path")
}

// openError distinguishes failures for which git has one exit status. The texts
// are those of LC_ALL=C.
func openError(dir string, err error) error {
	var failed *GitError
	switch {
	case !errors.As(err, &failed):
		return err
	case strings.Contains(failed.Stderr, "not a git repository"):
		return ErrNotRepository
	case strings.Contains(failed.Stderr, "must be run in a work tree"):
		return ErrNoWorkingTree
	default:
		return &RefusedError{Dir: dir, Reason: failed.Stderr}
	}
}

// absolute resolves the variables that name this repository. Git takes them
// relative to dir, but the commands run at the top.
func (r *Repo) absolute(env []string) []string {
	known := map[string]string{
		"GIT_DIR": r.GitDir, "GIT_WORK_TREE": r.Top, "GIT_COMMON_DIR": r.CommonDir, "GIT_INDEX_FILE": r.Index,
	}
	env = slices.Clone(env)
	for i, kv := range env {
		name, _, _ := strings.Cut(kv, "=")
		if path, ok := known[name]; ok {
			env[i] = name + "=" + path
		}
	}
	return env
}

// IndexIsTemporary reports whether git discards the index of the running commit
// if the hook fails, as with "git commit -a" and "git commit <path>". What
// [Repo.Stage] put there is then lost, unless the working tree has it too.
func (r *Repo) IndexIsTemporary() bool { return strings.HasSuffix(r.Index, ".lock") }

// Rebasing reports whether "git rebase --apply" is in progress, which applies
// patches as "git am" does.
func (r *Repo) Rebasing() bool { return exists(filepath.Join(r.GitDir, "rebase-apply", "rebasing")) }

// Merging reports whether a merge is in progress and not committed yet.
func (r *Repo) Merging() bool {
	_, err := os.Stat(filepath.Join(r.GitDir, "MERGE_HEAD"))
	return err == nil
}
