package gitops

import (
	"os"
	"path/filepath"
	"strings"
)

// SafePath returns a PATH without the entries that are relative, or inside the
// repository that dir is in: whoever can push a branch decides which programs are
// there. npm and direnv add such entries.
func SafePath(path, dir string) string {
	tops := topsOf(dir)
	var safe []string
	for _, entry := range filepath.SplitList(path) {
		if filepath.IsAbs(entry) && !isInside(entry, tops) {
			safe = append(safe, entry)
		}
	}
	return strings.Join(safe, string(filepath.ListSeparator))
}

// topsOf returns the top of the working tree that dir is in, as it is written
// and without links; and, where that is a linked worktree or a submodule, the top
// of the main one. Git is not asked: it is what is being looked for.
func topsOf(dir string) (tops []string) {
	r, err := discover(dir)
	if err != nil {
		return nil
	}
	tops = append(tops, r.Top)
	if main, _, ok := strings.Cut(filepath.ToSlash(r.GitDir), "/.git/"); ok {
		tops = append(tops, filepath.FromSlash(main))
	}
	for _, top := range tops {
		if resolved, err := filepath.EvalSymlinks(top); err == nil {
			tops = append(tops, resolved)
		}
	}
	return tops
}

// isInside reports whether path is in one of the directories, as it is written or
// after links. The home directory may be a repository: then it does not count,
// because a user's own programs are there.
func isInside(path string, tops []string) bool {
	resolved, err := filepath.EvalSymlinks(path)
	if err != nil {
		resolved = path
	}
	home, _ := os.UserHomeDir()
	for _, top := range tops {
		if top == home {
			continue
		}
		for _, p := range []string{filepath.Clean(path), resolved} {
			if rel, err := filepath.Rel(top, p); err == nil && filepath.IsLocal(rel) {
				return true
			}
		}
	}
	return false
}
