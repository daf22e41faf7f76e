package gitops

import (
	"bytes"
	"slices"
	"strings"
)

// What a hook needs from git first. The hook file runs these commands while
// envdrift starts, so that the output is ready when it is needed: see package
// hooks.
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

// Prefetched is output of git that was fetched ahead, by the command's
// arguments joined with spaces. Each is used once, because what follows may
// change it.
type Prefetched map[string][]byte

// PrefetchedStaged parses what a hook file fetched for pre-commit: the places
// of the repository and the staged changes, then a line end if git did not
// fail. If it is not complete, the result is empty and git is asked again.
func PrefetchedStaged(printed []byte) Prefetched {
	return answers(printed, stagedCommand[:])
}

// PrefetchedChanges is like PrefetchedStaged, for what changed between two
// commits.
func PrefetchedChanges(printed []byte, from, to OID) Prefetched {
	return answers(printed, changedCommand(from, to))
}

func answers(printed []byte, second []string) Prefetched {
	at := 0
	for range places {
		end := bytes.IndexByte(printed[at:], '\n')
		if end < 0 {
			return nil
		}
		at += end + 1
	}
	list, ok := bytes.CutSuffix(printed[at:], []byte("\n"))
	if !ok || len(list) > 0 && list[len(list)-1] != 0 {
		return nil
	}
	return Prefetched{key(placesCommand[:]): printed[:at], key(second): list}
}

func key(args []string) string { return strings.Join(args, " ") }

// take returns the output of args, and removes it.
func (a Prefetched) take(args []string) (answer []byte, ok bool) {
	answer, ok = a[key(args)]
	delete(a, key(args))
	return slices.Clone(answer), ok
}
