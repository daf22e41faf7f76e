package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
)

// A GitError reports a git command that failed.
type GitError struct {
	Command string // "update-index"
	Status  int    // -1 if it was killed or never ran
	Stderr  string // the beginning of stderr, on one line
}

func (e *GitError) Error() string {
	if e.Stderr == "" {
		return fmt.Sprintf("git %s: exit status %d", e.Command, e.Status)
	}
	return fmt.Sprintf("git %s: %s", e.Command, e.Stderr)
}

// lookGit finds git in the PATH of environ, for the repository that dir is in: that
// may contain a program called git.
func lookGit(environ []string, dir string) string {
	for _, entry := range filepath.SplitList(SafePath(lookup(environ, "PATH"), dir)) {
		if path, err := exec.LookPath(filepath.Join(entry, "git")); err == nil {
			return path
		}
	}
	return ""
}

// lookup returns the last value of name, which is the one that os/exec would
// pass on. On Windows it compares names as the system does, where PATH is
// "Path".
func lookup(environ []string, name string) (value string) {
	for _, kv := range environ {
		if n, v, ok := strings.Cut(kv, "="); ok && strings.EqualFold(n, name) {
			value = v
		}
	}
	return value
}

// pathspecModes are the variables that git refuses together with the literal
// mode, which envdrift asks for.
var pathspecModes = [...]string{"GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS", "GIT_LITERAL_PATHSPECS"}

// environment returns the environment of every git command. Git and the filters
// that it starts have no use for secrets. What refs/replace and grafts put in the
// place of an object is not what git pushes.
func environment(environ []string) []string {
	var env []string
	for _, kv := range environ {
		name, _, _ := strings.Cut(kv, "=")
		if secret.ClassOf(name) == secret.Public && !slices.Contains(pathspecModes[:], strings.ToUpper(name)) {
			env = append(env, kv)
		}
	}
	return append(env, "GIT_OPTIONAL_LOCKS=0", "GIT_TERMINAL_PROMPT=0", "GIT_LITERAL_PATHSPECS=1", "LC_ALL=C",
		"GIT_NO_REPLACE_OBJECTS=1", "GIT_GRAFT_FILE="+os.DevNull)
}

// command prepares a git command that runs at the top: elsewhere, with GIT_DIR
// set, git would take its directory for the top. The configuration may have
// come from another user with the repository, so programs that serve only speed
// or display are never started. Filters are: without them the working tree
// would be wrong.
func (r *Repo) command(ctx context.Context, args ...string) *exec.Cmd {
	hardened := []string{"--no-pager", "-c", "core.fsmonitor=false", "-c", "diff.autoRefreshIndex=true"}
	if args[0] == "update-index" {
		// It starts post-index-change, which may be a file in the tree or,
		// from git 2.54 on, in the configuration. A copy of the index must
		// be complete by itself.
		hardened = append(hardened, "-c", "core.hooksPath="+os.DevNull, "-c", "hook.post-index-change.enabled=false", "-c", "core.splitIndex=false")
	}
	cmd := exec.CommandContext(ctx, r.git, append(hardened, args...)...)
	cmd.Dir = r.Top
	cmd.Env = r.env
	// On a signal git removes its locks and temporary files, which it cannot
	// if it is killed.
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = time.Second // a filter may outlive a killed git and keep the pipe open
	return cmd
}

// with returns r with one more variable for git.
func (r *Repo) with(variable string) *Repo {
	other := *r
	other.ahead = nil
	other.env = append(slices.Clone(r.env), variable)
	return &other
}

// run returns what git printed. Its error is a [*GitError], or that of the
// context.
func (r *Repo) run(ctx context.Context, stdin io.Reader, args ...string) ([]byte, error) {
	if out, ok := r.answers.take(args); ok {
		return out, nil
	}
	var out bytes.Buffer
	err := r.runTo(ctx, stdin, &out, args...)
	return out.Bytes(), err
}

func (r *Repo) runTo(ctx context.Context, stdin io.Reader, stdout io.Writer, args ...string) error {
	if r.git == "" {
		return ErrNoGit
	}
	cmd := r.command(ctx, args...)
	var stderr excerpt
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &stderr
	err := cmd.Run()
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("git %s: %w", args[0], context.Cause(ctx))
	}
	failed := &GitError{Command: args[0], Status: -1, Stderr: stderr.String()}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		failed.Status = exit.ExitCode()
	} else {
		failed.Stderr = err.Error()
	}
	return failed
}

// exited reports whether err is from a git command that exited with status.
// Some commands answer by their status.
func exited(err error, status int) bool {
	var failed *GitError
	return errors.As(err, &failed) && failed.Status == status
}

// An excerpt keeps the beginning of what is written: git first says what is
// wrong, and then at length what can be done.
type excerpt struct{ bytes.Buffer }

const excerptSize = 400

func (e *excerpt) Write(p []byte) (int, error) {
	if room := excerptSize - e.Len(); room > 0 {
		e.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

// String returns the excerpt on one line.
func (e *excerpt) String() string {
	return strings.TrimPrefix(strings.Join(strings.Fields(e.Buffer.String()), " "), "fatal: ")
}
