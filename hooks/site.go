package hooks

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
)

// A Site is where hooks belong for one working tree. All paths are absolute.
type Site struct {
	Dir        string   // where git looks for hooks
	Top        string   // top of the working tree
	CommonDir  string   // of the clone
	Self       string   // the envdrift that hooks call if none is in PATH
	HooksPath  string   // core.hooksPath as it is set; "" if it is not
	Scope      string   // where it is set: "local", "worktree", "global", "system", "command"; "" if it is not
	Blind      []string // working trees in which HooksPath leads nowhere: no hook runs there
	Configured []string // hooks for which git's configuration names a command of ours
}

// Locate asks git where the hooks of repo belong.
func Locate(ctx context.Context, repo *gitops.Repo, self string) (Site, error) {
	s := Site{Dir: repo.HooksDir, Top: repo.Top, CommonDir: repo.CommonDir, Self: self}
	settings, err := repo.Settings(ctx, `^(core\.hookspath|hook\..*)$`)
	if err != nil {
		return Site{}, err
	}
	for _, setting := range settings {
		if setting.Key == "core.hookspath" {
			s.HooksPath, s.Scope = setting.Value, setting.Scope
		}
	}
	s.Configured = configured(settings)
	if s.HooksPath == "" || filepath.IsAbs(filepath.FromSlash(s.HooksPath)) || strings.HasPrefix(s.HooksPath, "~") {
		return s, nil
	}
	tops, err := repo.Worktrees(ctx)
	for _, top := range tops {
		if info, err := os.Stat(filepath.Join(top, filepath.FromSlash(s.HooksPath))); err != nil || !info.IsDir() {
			s.Blind = append(s.Blind, top)
		}
	}
	return s, err
}

// configured lists the events of the hooks that git 2.54 and later take from
// the configuration, as far as they call envdrift and are not turned off.
func configured(settings []gitops.Setting) []string {
	ours, off := map[string]bool{}, map[string]bool{}
	events := map[string][]string{}
	for _, setting := range settings {
		section, key := cutLast(setting.Key, ".")
		switch key {
		case "command":
			program, _, _ := strings.Cut(setting.Value, " ")
			ours[section] = strings.TrimSuffix(filepath.Base(program), ".exe") == "envdrift"
		case "event":
			events[section] = append(events[section], setting.Value)
		case "enabled":
			off[section] = slices.Contains([]string{"false", "no", "off", "0"}, strings.ToLower(setting.Value))
		}
	}
	var names []string
	for section, list := range events {
		if ours[section] && !off[section] {
			names = append(names, list...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func cutLast(s, sep string) (before, after string) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):]
	}
	return s, ""
}

// off reports whether git runs no hook at all.
func (s Site) off() bool { return s.Dir == os.DevNull || s.Scope != "" && s.HooksPath == "" }

// shared reports whether other repositories use the hooks directory as well.
func (s Site) shared() bool {
	if s.Scope == "" {
		return false
	}
	own := inside(s.Top, s.Dir) || inside(s.CommonDir, s.Dir)
	return !own || s.Scope != "local" && s.Scope != "worktree"
}

func inside(dir, path string) bool {
	rel, err := filepath.Rel(dir, path)
	return err == nil && filepath.IsLocal(rel)
}

// slot is the file that git runs.
func (s Site) slot(name string) string { return filepath.Join(s.Dir, name) }

// chained is where a script that we replaced is kept.
func (s Site) chained(name string) string { return s.slot(name) + chainedSuffix }

// A place is where we belong for one hook: a script of its own, or a block in
// somebody's file.
type place struct {
	manager Manager
	file    string
	block   func(name string) string // nil for a script
	accepts func(name string, data []byte) bool
	runs    bool // git itself runs the file that holds the block
}

// place says where the hook name belongs, given what is there.
func (s Site) place(name string) (place, error) {
	if p, ok := s.husky(name); ok {
		return p, nil
	}
	slot := s.slot(name)
	data, err := os.ReadFile(slot)
	if err != nil && !errors.Is(err, os.ErrNotExist) && !s.off() {
		return place{}, err
	}
	switch {
	case isPreCommit(data):
		return place{manager: PreCommit, file: slot + ".legacy"}, nil
	case isLefthook(data):
		return s.lefthook(), nil
	default:
		return place{file: slot}, nil
	}
}

// husky knows version 9, whose stubs in .husky/_ call .husky/<hook>, and those
// before it, where git ran .husky/<hook>.
func (s Site) husky(name string) (place, bool) {
	dir, runs := s.Dir, true
	if filepath.Base(dir) == "_" {
		dir, runs = filepath.Dir(dir), false
	}
	p := place{manager: Husky, file: filepath.Join(dir, name), block: huskyBlock, accepts: acceptsShell, runs: runs}
	return p, filepath.Base(dir) == ".husky"
}

func (s Site) lefthook() place {
	p := place{manager: Lefthook, file: filepath.Join(s.Top, lefthookLocal), block: lefthookBlock, accepts: acceptsYAML}
	if other := otherLefthook(s.Top); other != "" {
		p.file = other
		p.accepts = func(string, []byte) bool { return false }
	}
	return p
}

// scripts lists the files that may be ours for the hook name, also those that a
// manager renamed or that core.hooksPath hides.
func (s Site) scripts(name string) []string {
	dirs := []string{filepath.Join(s.CommonDir, "hooks")}
	if !s.shared() && !s.off() && s.Dir != dirs[0] {
		dirs = append(dirs, s.Dir)
	}
	var files []string
	for _, dir := range dirs {
		slot := filepath.Join(dir, name)
		files = append(files, slot, slot+".legacy", slot+".old") // the last is lefthook's
	}
	return files
}

// blocks lists the files that may hold our block for the hook name.
func (s Site) blocks(name string) []string {
	files := []string{filepath.Join(s.Top, lefthookLocal), filepath.Join(s.Top, ".husky", name)}
	if p, ok := s.husky(name); ok && !s.shared() {
		files = append(files, p.file)
	}
	return files
}
