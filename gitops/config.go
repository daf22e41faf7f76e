package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// A Setting is one value of git's configuration.
type Setting struct {
	Scope string // "system", "global", "local", "worktree" or "command"
	Key   string // section and name in lower case
	Value string
}

// Settings returns the values of every key that matches pattern, a regular
// expression, in the order in which git reads them. Where there can be only one
// value, the last one counts.
func (r *Repo) Settings(ctx context.Context, pattern string) ([]Setting, error) {
	out, err := r.run(ctx, nil, "config", "-z", "--show-scope", "--get-regexp", pattern)
	if exited(err, 1) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return parseSettings(out)
}

// parseSettings parses "<scope>\0<key>\n<value>\0"; a key without "=" has no
// "\n<value>".
func parseSettings(out []byte) ([]Setting, error) {
	var settings []Setting
	for len(out) > 0 {
		scope, entry, rest, ok := cut2(out)
		if !ok {
			return nil, outputError("config", out)
		}
		key, value, _ := strings.Cut(entry, "\n")
		settings = append(settings, Setting{Scope: scope, Key: key, Value: value})
		out = rest
	}
	return settings, nil
}

// Attributes returns the value that an attribute has for each of paths.
func (r *Repo) Attributes(ctx context.Context, attribute string, paths []string) (map[string]string, error) {
	values := map[string]string{}
	if len(paths) == 0 {
		return values, nil
	}
	out, err := r.run(ctx, strings.NewReader(nulList(paths)), "check-attr", "-z", "--stdin", attribute)
	list := parseList(out)
	for i := 0; i+2 < len(list); i += 3 {
		values[list[i]] = list[i+2]
	}
	return values, err
}

// GitVersion returns the version of git.
func (r *Repo) GitVersion(ctx context.Context) (major, minor int, err error) {
	out, err := r.run(ctx, nil, "version")
	if err != nil {
		return 0, 0, err
	}
	if _, err := fmt.Sscanf(string(out), "git version %d.%d", &major, &minor); err != nil {
		return 0, 0, outputError("version", out)
	}
	return major, minor, nil
}

// Worktrees returns the top directories of the clone's worktrees that exist,
// the main one first.
func (r *Repo) Worktrees(ctx context.Context) ([]string, error) {
	out, err := r.run(ctx, nil, "worktree", "list", "--porcelain")
	if err != nil {
		return nil, err
	}
	var tops []string
	for entry := range strings.SplitSeq(string(out), "\n\n") {
		dir, ok := strings.CutPrefix(strings.TrimSpace(entry), "worktree ")
		dir, attributes, _ := strings.Cut(dir, "\n")
		if !ok || attributes == "bare" {
			continue
		}
		if info, err := os.Stat(filepath.FromSlash(dir)); err == nil && info.IsDir() {
			tops = append(tops, filepath.FromSlash(dir))
		}
	}
	return tops, nil
}

// Submodules returns the top directories of the submodules that are set up in this
// working tree, without those of submodules.
func (r *Repo) Submodules(ctx context.Context) (tops []string, err error) {
	modules := filepath.Join(r.GitDir, "modules")
	err = filepath.WalkDir(modules, func(dir string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && !entry.IsDir() {
			return nil
		}
		if _, errHead := os.Stat(filepath.Join(dir, "HEAD")); err != nil || errHead != nil {
			return err
		}
		out, err := r.run(ctx, nil, "config", "-f", filepath.Join(dir, "config"), "core.worktree")
		top := strings.TrimSuffix(string(out), "\n")
		if !filepath.IsAbs(top) {
			top = filepath.Join(dir, filepath.FromSlash(top))
		}
		if _, errTop := os.Stat(filepath.Join(top, ".git")); err == nil && errTop == nil {
			tops = append(tops, top)
		}
		return filepath.SkipDir
	})
	return tops, err
}

// Exclude makes git ignore pattern in every worktree of this clone, and only in
// this clone.
func (r *Repo) Exclude(pattern string) (err error) {
	dir := filepath.Join(r.CommonDir, "info")
	data, err := os.ReadFile(filepath.Join(dir, "exclude"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for line := range strings.Lines(string(data)) {
		if strings.TrimSpace(line) == pattern {
			return nil
		}
	}
	old := bytes.Clone(data)
	if len(data) > 0 && !bytes.HasSuffix(data, []byte("\n")) {
		data = append(data, '\n')
	}
	if err := atomicfile.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return atomicfile.Replace(root, "exclude", old, append(data, pattern+"\n"...), 0o644, false)
}

// SetConfig sets key to value alone, in the configuration of scope: "local" or
// "global".
func (r *Repo) SetConfig(ctx context.Context, scope, key, value string) error {
	_, err := r.run(ctx, nil, "config", "--"+scope, "--replace-all", key, value)
	return err
}

// UnsetConfig removes a section from the configuration of scope. It is no error if
// there is none.
func (r *Repo) UnsetConfig(ctx context.Context, scope, section string) error {
	_, err := r.run(ctx, nil, "config", "--"+scope, "--remove-section", section)
	if exited(err, 128) && strings.Contains(err.Error(), "no such section") {
		return nil
	}
	return err
}

// OpenConfig returns a Repo that has git's configuration alone, for a dir that may
// be in no repository.
func OpenConfig(dir string, environ []string) (*Repo, error) {
	r := &Repo{Top: dir, git: lookGit(environ, dir), env: environment(environ)}
	if r.git == "" {
		return nil, ErrNoGit
	}
	return r, nil
}

// errProxy is without the address, which git and curl print with its password.
var errProxy = errors.New("git cannot use the proxy that https_proxy, all_proxy or http.proxy names: in its password some characters must be written as %XX, such as / as %2F")

// RemoteTags returns the tags of the repository at url. Of git's configuration only the
// user's and the system's count: proxies, certificates, other addresses.
func RemoteTags(ctx context.Context, environ []string, url string) ([]string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	r, err := OpenConfig(dir, environ)
	if err != nil {
		return nil, err
	}
	r.Top = filepath.VolumeName(dir) + string(filepath.Separator) // in no repository
	r.env = slices.DeleteFunc(r.env, func(kv string) bool {
		return strings.HasPrefix(kv, "GIT_DIR=") || strings.HasPrefix(kv, "GIT_COMMON_DIR=")
	})
	out, err := r.run(ctx, nil, "ls-remote", "--tags", "--refs", "--", url)
	if err != nil && (strings.Contains(err.Error(), "Unsupported proxy") || strings.Contains(err.Error(), "Invalid proxy")) {
		return nil, errProxy
	}
	if err != nil {
		return nil, err
	}
	var tags []string
	for line := range strings.Lines(string(out)) {
		if _, tag, ok := strings.Cut(strings.TrimSpace(line), "refs/tags/"); ok {
			tags = append(tags, tag)
		}
	}
	return tags, nil
}
