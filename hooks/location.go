package hooks

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
)

// A Location is where hooks belong for one working tree. All paths are absolute.
type Location struct {
	Dir             string   // where git looks for hooks
	Top             string   // top of the working tree
	CommonDir       string   // of the clone
	Self            string   // the envdrift that hooks call if there is none in PATH
	HooksPath       string   // the value of core.hooksPath; "" if it is not set
	Scope           string   // where it is set: "local", "worktree", "global", "system", "command"; "" if it is not
	BrokenWorktrees []string // worktrees in which HooksPath is not a directory: no hook runs there
	Tracked         []string // files that git tracks of those that may hold a hook
	Committed       []string // those of Tracked whose version in the index has a block of envdrift's

	Commands map[string][]Command // what git's configuration names for each event
	ByConfig bool                 // git runs Commands: it is 2.54 or later
	Files    bool                 // the user wants hook files all the same, from the next Install until Uninstall
	Global   bool                 // the user's global configuration, and no clone: see [Everywhere]

	repo         *gitops.Repo
	settings     []gitops.Setting
	major, minor int // of git's version
}

// Program returns the path at which the hooks of a repository find this program:
// as PATH or the user names it, for a link stays when a new version replaces what
// it leads to. A path in the repository counts only if there is no other.
func Program(top string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	running, err := os.Stat(self)
	if err != nil {
		return "", err
	}
	for _, name := range []string{"envdrift", os.Args[0]} {
		path, err := exec.LookPath(name)
		if err != nil || !filepath.IsAbs(path) || inside(top, path) {
			continue
		}
		if info, err := os.Stat(path); err == nil && os.SameFile(info, running) {
			return path, nil
		}
	}
	return withoutVersion(self, running), nil
}

// withoutVersion returns the link that pnpm or deno keeps to the program at the path
// self, which has the version in it; self if there is none.
func withoutVersion(self string, program os.FileInfo) string {
	for _, store := range []string{"/.pnpm/", "/.deno/"} {
		before, after, _ := strings.Cut(filepath.ToSlash(self), store)
		_, inside, ok := strings.Cut(after, "/node_modules/")
		link := filepath.FromSlash(before + store + "node_modules/" + inside)
		if info, err := os.Stat(link); ok && err == nil && os.SameFile(info, program) {
			return link
		}
	}
	return self
}

// Locate asks git where the hooks of repo belong, which call self: see [Program].
func Locate(ctx context.Context, repo *gitops.Repo, self string) (Location, error) {
	l := Location{Dir: repo.HooksDir, Top: repo.Top, CommonDir: repo.CommonDir, Self: self, repo: repo}
	for _, read := range []func(context.Context) error{l.readConfig, l.readVersion, l.findTracked} {
		if err := read(ctx); err != nil {
			return Location{}, err
		}
	}
	if l.HooksPath == "" || filepath.IsAbs(filepath.FromSlash(l.HooksPath)) || strings.HasPrefix(l.HooksPath, "~") {
		return l, nil
	}
	tops, err := repo.Worktrees(ctx)
	for _, top := range tops {
		if info, err := os.Stat(filepath.Join(top, filepath.FromSlash(l.HooksPath))); err != nil || !info.IsDir() {
			l.BrokenWorktrees = append(l.BrokenWorktrees, top)
		}
	}
	return l, err
}

// findTracked finds the files that git tracks of those that may hold a hook.
func (l *Location) findTracked(ctx context.Context) error {
	var places []string
	for _, file := range []string{l.Dir, filepath.Join(l.Top, ".husky"), filepath.Join(l.Top, lefthookLocal)} {
		if rel, err := filepath.Rel(l.Top, file); err == nil && filepath.IsLocal(rel) && !inside(l.CommonDir, file) && exists(file) {
			places = append(places, filepath.ToSlash(rel))
		}
	}
	absolute := func(file string) string { return filepath.Join(l.Top, filepath.FromSlash(file)) }
	files, err := l.repo.TrackedBelow(ctx, places)
	hasBlock := false
	for _, file := range files {
		l.Tracked = append(l.Tracked, absolute(file))
		data, err := os.ReadFile(absolute(file))
		hasBlock = hasBlock || err == nil && bytes.Contains(data, []byte(blockMark))
	}
	if err != nil || !hasBlock {
		return err
	}
	committed, err := l.repo.Holding(ctx, "", "^"+blockMark)
	for _, file := range committed {
		l.Committed = append(l.Committed, absolute(file))
	}
	return err
}

// tracked reports whether git tracks file or, in a directory of hooks, files beside
// it, with which it would be committed.
func (l Location) tracked(file string) bool {
	return slices.ContainsFunc(l.Tracked, func(other string) bool {
		return other == file || filepath.Dir(other) == filepath.Dir(file) && filepath.Dir(file) != l.Top
	})
}

// off reports whether git runs no hook at all.
func (l Location) off() bool { return l.Dir == os.DevNull || l.Scope != "" && l.HooksPath == "" }

// shared reports whether other repositories use the hooks directory as well.
func (l Location) shared() bool {
	if l.Scope == "" {
		return false
	}
	own := inside(l.Top, l.Dir) || inside(l.CommonDir, l.Dir)
	return !own || l.Scope != "local" && l.Scope != "worktree"
}

func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// slot returns the file that git runs.
func (l Location) slot(name string) string { return filepath.Join(l.Dir, name) }

// chained returns where a script that envdrift replaced is kept.
func (l Location) chained(name string) string { return l.slot(name) + chainedSuffix }

// A target is where envdrift belongs for one hook: a script of its own, or a
// block in a user's file.
type target struct {
	manager Manager
	file    string
	block   func(name string) string // nil for a script
	accepts func(name string, data []byte) bool
	runs    bool // git itself runs the file that holds the block
}

// target returns the target of the hook name, given what is there.
func (l Location) target(name string) (target, error) {
	if t, ok := l.husky(name); ok {
		return t, nil
	}
	slot := l.slot(name)
	data, err := os.ReadFile(slot)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !l.off() {
		return target{}, err
	}
	switch {
	case isPreCommit(data):
		return target{manager: PreCommit, file: slot + ".legacy"}, nil
	case isLefthook(data):
		return l.lefthook(), nil
	case l.tracked(slot) || hasBlock(name, data):
		t := target{file: slot, block: openBlock, accepts: acceptsShell, runs: true}
		before, _, after, _ := cutBlock(data, name)
		if rest := string(before) + string(after); rest != "" && rest != shebang && !isOurs(name, data) {
			t.manager = Script
		}
		return t, nil
	default:
		return target{file: slot}, nil
	}
}

// husky supports version 9, whose stubs in .husky/_ call .husky/<hook>, and
// earlier versions, where git ran .husky/<hook>.
func (l Location) husky(name string) (target, bool) {
	dir, runs := l.Dir, true
	if filepath.Base(dir) == "_" {
		dir, runs = filepath.Dir(dir), false
	}
	t := target{manager: Husky, file: filepath.Join(dir, name), block: openBlock, accepts: acceptsShell, runs: runs}
	return t, filepath.Base(dir) == ".husky"
}

func (l Location) lefthook() target {
	t := target{manager: Lefthook, file: filepath.Join(l.Top, lefthookLocal), block: lefthookBlock, accepts: acceptsYAML}
	if other := otherLefthook(l.Top); other != "" {
		t.file = other
		t.accepts = func(string, []byte) bool { return false }
	}
	if l.tracked(t.file) {
		t.block = openLefthookBlock
	}
	return t
}

// scripts returns the files that may be envdrift's script for the hook name,
// including those that a manager renamed or that core.hooksPath hides.
func (l Location) scripts(name string) []string {
	dirs := []string{filepath.Join(l.CommonDir, "hooks")}
	if !l.shared() && !l.off() && l.Dir != dirs[0] {
		dirs = append(dirs, l.Dir)
	}
	var files []string
	for _, dir := range dirs {
		slot := filepath.Join(dir, name)
		files = append(files, slot, slot+".legacy", slot+".old") // the last is lefthook's
	}
	return files
}

// blocks returns the files that may contain envdrift's block for the hook name.
func (l Location) blocks(name string) []string {
	files := []string{filepath.Join(l.Top, lefthookLocal), filepath.Join(l.Top, ".husky", name)}
	if t, ok := l.husky(name); ok && !l.shared() {
		return append(files, t.file)
	}
	if !l.shared() && !l.off() {
		files = append(files, l.slot(name))
	}
	return files
}
