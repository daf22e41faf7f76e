// Package content lets git understand what is in encrypted files: it merges env
// files by variables and the age vault by recipients and secrets, and shows env
// files in diffs by tags instead of ciphertexts. Git starts it as a merge driver
// and as a textconv filter, at the top of the working tree or, without one, in
// the git directory.
//
// It needs no network and asks nothing: keys are the local ones, and those of an
// age vault in the repository. Plaintext is in memory only.
package content

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// An Opener opens the workspace for a file, relative to the top. It is called only
// if something is needed of it, since git starts a program for each file.
type Opener func(file string) (*workspace.Workspace, error)

// OpenAt returns what opens a workspace with o where git starts a driver, o.Dir: at the
// folder of the file in the working tree; for a file elsewhere at the folder in
// which the user typed the command; or in a bare repository.
func OpenAt(o workspace.Options) Opener {
	return func(file string) (*workspace.Workspace, error) {
		o := o
		below := o.Env["GIT_PREFIX"]
		if name := filepath.FromSlash(file); filepath.IsLocal(name) {
			below = filepath.Dir(name)
		}
		_, err := os.Lstat(filepath.Join(o.Dir, ".git"))
		o.Bare = err != nil && o.Env["GIT_DIR"] == "."
		if dir := filepath.Join(o.Dir, filepath.FromSlash(below)); isDir(dir) && filepath.IsLocal(filepath.FromSlash(below)) {
			o.Dir = dir
		}
		return workspace.Open(o)
	}
}

func isDir(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.IsDir()
}

// localKeys returns the local keys for versions of a file, the nearest first: none if the
// vault's alone counts, or if their use cannot be logged.
func localKeys(ctx context.Context, w *workspace.Workspace, t mapping.Target, versions []*dotenv.Document) ecies.Keys {
	if t.Mapping.Ephemeral {
		return nil
	}
	ring := w.AllLocalKeys(ctx, t.File)
	for _, doc := range versions {
		if doc != nil {
			ring.Declared(doc) // those that are further away
		}
	}
	keys := ring.Keys()
	if w.RecordLocal(keyring.Request{Target: t}, ring, keys, nil) != nil {
		return nil
	}
	return keys
}

// isEphemeral reports whether for each mapping that may name a file of that base name the
// vault's key alone counts: git does not tell a textconv filter which file it is.
func isEphemeral(w *workspace.Workspace, base string) bool {
	ephemeral := false
	for _, m := range w.Config.Mappings {
		if m.EnvFile == "" || path.Base(m.EnvFile) == base {
			if ephemeral = m.Ephemeral; !ephemeral {
				return false
			}
		}
	}
	return ephemeral
}

// vaultKeys returns the keys that the age vault of the repository holds for a
// file, in the working tree and in some revisions: after a rotation the sides of
// a merge have different ones. What cannot be read is left out: it may not be
// needed.
func vaultKeys(ctx context.Context, w *workspace.Workspace, file string, revs []string) (versions []ecies.Keys) {
	add := func(w *workspace.Workspace) {
		if t, mapped := w.Target(file); mapped && w.VaultFile(ctx, t) != "" {
			versions = append(versions, w.FetchToCheck(ctx, []mapping.Target{t})[0].Keys)
		}
	}
	add(w)
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return versions
	}
	for _, rev := range revs {
		tree, err := repo.Tree(ctx, rev, workspace.MaxFile)
		if err != nil {
			continue
		}
		if there, err := w.At(tree, path.Dir(file)); err == nil {
			add(there)
		}
		_ = tree.Close()
	}
	return versions
}

// mergedRevisions returns the commits that git may be merging now. A merge names
// the other side in the environment and later in a file, as a rebase and a
// cherry-pick do; a stash is one itself.
func mergedRevisions(repo *gitops.Repo, env map[string]string) []string {
	revs := []string{"HEAD"}
	var named []string
	for name := range env {
		if oid, ok := strings.CutPrefix(name, "GITHEAD_"); ok && len(oid) >= 40 {
			named = append(named, oid)
		}
	}
	slices.Sort(named)
	revs = append(revs, named...)
	for _, name := range []string{"MERGE_HEAD", "CHERRY_PICK_HEAD", "REBASE_HEAD"} {
		if data, err := os.ReadFile(filepath.Join(repo.GitDir, name)); err == nil {
			revs = append(revs, strings.Fields(string(data))...)
		}
	}
	if data, err := os.ReadFile(filepath.Join(repo.GitDir, "REVERT_HEAD")); err == nil {
		revs = append(revs, strings.TrimSpace(string(data))+"^")
	}
	if data, err := os.ReadFile(filepath.Join(repo.GitDir, "rebase-merge", "done")); err == nil {
		if word := lastPick(string(data)); word != "" {
			revs = append(revs, word)
		}
	}
	if _, err := os.Stat(filepath.Join(repo.CommonDir, "refs", "stash")); err == nil {
		revs = append(revs, "refs/stash")
	}
	return revs
}

// lastPick returns the commit of the last line of a list of what a rebase has
// done: "pick <commit> <subject>".
func lastPick(done string) string {
	lines := strings.Split(strings.TrimSpace(done), "\n")
	words := strings.Fields(lines[len(lines)-1])
	if len(words) < 2 || len(words[1]) < 7 || strings.Trim(words[1], "0123456789abcdef") != "" {
		return ""
	}
	return words[1]
}
