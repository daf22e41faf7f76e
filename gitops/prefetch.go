package gitops

import (
	"bytes"
	"io"
	"slices"
	"strings"
	"sync"
)

// What a hook needs from git, and what git takes longest for. The hook file runs it
// while envdrift starts and asks for the rest: see package hooks.
var (
	placesCommand = [...]string{"rev-parse", "--path-format=absolute", "--show-object-format", "--show-toplevel",
		"--git-dir", "--git-common-dir", "--git-path", "index", "--git-path", "hooks"}
	stagedCommand = [...]string{"diff", "--cached", "--raw", "-z", "--no-abbrev", "--no-renames", "--no-ext-diff",
		"--no-textconv", "--no-relative", "--ignore-submodules=all", "--"}
)

const places = 6 // lines that placesCommand prints

func changedCommand(from, to OID) []string {
	return []string{"diff-tree", "-r", "--raw", "-z", "--no-abbrev", "--no-renames", string(from), string(to), "--"}
}

// Prefetched is output of git that somebody else asked for, by the command's
// arguments joined with spaces. It is not ok if it is not complete. Each is used once,
// because what follows may change it.
type Prefetched map[string]func() (output []byte, ok bool)

// PrefetchedStaged is the staged changes, as a hook file prints them for pre-commit:
// then a line end if git did not fail. They are read when they are needed. If they are
// not complete, git is asked again.
func PrefetchedStaged(printed io.Reader) Prefetched {
	return prefetched(printed, stagedCommand[:])
}

// PrefetchedChanges is like PrefetchedStaged, for what changed between two
// commits.
func PrefetchedChanges(printed io.Reader, from, to OID) Prefetched {
	return prefetched(printed, changedCommand(from, to))
}

func prefetched(printed io.Reader, args []string) Prefetched {
	return Prefetched{key(args): sync.OnceValues(func() ([]byte, bool) {
		data, err := io.ReadAll(printed)
		list, ended := bytes.CutSuffix(data, []byte("\n"))
		// A file's name may begin with a line end. Earlier hook files printed the
		// places too, which no list of changes begins with, and did not turn
		// replacements of objects off.
		whole := bytes.Count(list, []byte{0})%2 == 0 && (len(list) == 0 || list[0] == ':' && list[len(list)-1] == 0)
		return list, err == nil && ended && whole
	})}
}

func key(args []string) string { return strings.Join(args, " ") }

// take returns the output of args, and removes it.
func (a Prefetched) take(args []string) ([]byte, bool) {
	output, ok := a[key(args)]
	if !ok {
		return nil, false
	}
	delete(a, key(args))
	answer, ok := output()
	return slices.Clone(answer), ok
}
