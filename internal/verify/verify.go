// Package verify proves versions of env files with the vault's keys: those of the
// working tree, of the index, of a commit, or every one that a range of commits
// brought.
package verify

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Version is one version of a mapped env file.
type Version struct {
	mapping.Target
	At string // the revision, an object name in short; "" for the working tree and the index

	workspace *workspace.Workspace // whose configuration routes to the vault
	before    *dotenv.Document     // the version before it; nil if none is known
}

// A Result is what the vault's key makes of a version.
type Result struct {
	Version
	Vault   string // which one; "" if it was not opened
	Verdict drift.Verdict
	Err     error // why it is not proven: of the vault, of the file, or of the Verdict
}

// A Scope says which versions are proven. Only one of Staged and Rev is set.
type Scope struct {
	Files  []string // only these, relative to the top; none for all that are mapped
	Staged bool     // those of the index
	Rev    string   // those of a commit, or of every commit of a range A..B
}

// Why nothing, or not all, was verified.
var (
	ErrNoRevision = errors.New("a revision is missing")
	ErrNoCommits  = errors.New("there are no commits in this range, so nothing was verified")
	ErrNoMapping  = errors.New("no mapping names an env file there, so nothing was verified")
)

// A NotFoundError reports a named file of which there is no version.
type NotFoundError struct{ File string }

func (e *NotFoundError) Error() string {
	return e.File + ": no mapping names this file there, so it was not verified"
}

// A ShallowError reports a range that a shallow clone holds only in part.
type ShallowError struct{ Revisions string }

func (e *ShallowError) Error() string {
	return fmt.Sprintf("%s: this clone is shallow and lacks a part of the history, so not every version could be verified", e.Revisions)
}

// Run proves the versions of a scope. Besides errors of git and of the
// configuration it returns one of the errors above if nothing was verified, or
// a file that was named was not.
func Run(ctx context.Context, w *workspace.Workspace, s Scope) ([]Result, error) {
	versions, err := versions(ctx, w, s)
	if err != nil {
		return nil, err
	}
	if len(versions) == 0 && len(s.Files) == 0 {
		return nil, ErrNoMapping
	}
	results := prove(ctx, w, versions)
	for _, file := range s.Files {
		if !slices.ContainsFunc(versions, func(v Version) bool { return v.File == file }) {
			return results, &NotFoundError{file}
		}
	}
	return results, ctx.Err()
}

// Targets proves targets in the working tree.
func Targets(ctx context.Context, w *workspace.Workspace, targets []mapping.Target) ([]Result, error) {
	return prove(ctx, w, ofTargets(w, targets)), ctx.Err()
}

// versions returns the versions of a scope.
func versions(ctx context.Context, w *workspace.Workspace, s Scope) ([]Version, error) {
	if !s.Staged && s.Rev == "" {
		targets, err := w.Mapped()
		return ofTargets(w, targets), err
	}
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, gitops.ErrNotRepository
	}
	h := history{
		Workspace: w, repo: repo, only: s.Files, seen: map[fileVersion]bool{},
		byConfig: map[gitops.OID]*workspace.Workspace{}, before: map[string]*dotenv.Document{},
	}
	switch {
	case s.Staged:
		tree, err := repo.IndexTree(ctx, workspace.MaxFile)
		if err != nil {
			return nil, err
		}
		err = h.collect(tree, "")
		return h.versions, err
	case strings.Contains(s.Rev, ".."):
		return h.collectRange(ctx, s.Rev)
	}
	err = h.collectCommit(ctx, s.Rev)
	return h.versions, err
}

func ofTargets(w *workspace.Workspace, targets []mapping.Target) []Version {
	versions := make([]Version, len(targets))
	for i, t := range targets {
		versions[i] = Version{Target: t, workspace: w}
	}
	return versions
}

// A history collects versions of env files from trees, each version once.
type history struct {
	*workspace.Workspace
	repo     *gitops.Repo
	only     []string
	seen     map[fileVersion]bool
	byConfig map[gitops.OID]*workspace.Workspace // one that routes, for each version of the configuration
	before   map[string]*dotenv.Document         // each file in the tree before
	versions []Version
	first    *workspace.Workspace // of the commit that a range starts from
}

type fileVersion struct {
	file, secret string
	oid          gitops.OID
}

func (h *history) collectRange(ctx context.Context, revisions string) ([]Version, error) {
	base, end, _ := strings.Cut(revisions, "..")
	if base == "" || strings.TrimPrefix(end, ".") == "" {
		return nil, ErrNoRevision
	}
	commits, err := h.commits(ctx, revisions)
	if err != nil {
		return nil, err
	}
	// What the range starts from is compared with, and not proven. Its mappings
	// count for the whole range: a branch that drops one must not escape.
	if err := h.collectCommit(ctx, base); err != nil {
		return nil, err
	}
	h.versions, h.seen = nil, map[fileVersion]bool{}
	for _, commit := range slices.Backward(commits) { // the oldest first
		if err := h.collectCommit(ctx, string(commit.OID)); err != nil {
			return nil, err
		}
	}
	return h.versions, nil
}

// commits lists those of a range, the newest first.
func (h *history) commits(ctx context.Context, revisions string) ([]gitops.Commit, error) {
	shallow, err := h.repo.ShallowCommits()
	if err != nil {
		return nil, err
	}
	commits, err := h.repo.Commits(ctx, revisions)
	if errors.As(err, new(*gitops.RevisionError)) && len(shallow) > 0 {
		return nil, &ShallowError{revisions}
	}
	if err != nil {
		return nil, err
	}
	if len(commits) == 0 {
		return nil, ErrNoCommits
	}
	if slices.ContainsFunc(commits, func(c gitops.Commit) bool { return shallow[c.OID] }) {
		return nil, &ShallowError{revisions}
	}
	return commits, nil
}

func (h *history) collectCommit(ctx context.Context, rev string) error {
	tree, err := h.repo.Tree(ctx, rev, workspace.MaxFile)
	if err != nil {
		return err
	}
	return h.collect(tree, short(rev))
}

// short shortens the name of a commit, unless it is one that somebody gave it.
func short(rev string) string {
	if _, err := hex.DecodeString(rev); err != nil || len(rev) < 40 {
		return rev
	}
	return rev[:12]
}

// collect adds the versions of one tree. A tree without configuration, as
// before envdrift came, has none.
func (h *history) collect(tree *gitops.Tree, at string) (err error) {
	defer func() { err = errors.Join(err, tree.Close()) }()
	view, err := h.At(tree, h.Base)
	if err != nil {
		return err
	}
	var targets []mapping.Target
	router := view
	if len(view.Config.Mappings) > 0 {
		entry, _ := tree.File(path.Join(view.Base, path.Base(view.Config.File)))
		if known, ok := h.byConfig[entry.OID]; ok {
			router = known
		} else {
			h.byConfig[entry.OID] = view
		}
		if targets, err = view.Mapped(); err != nil {
			return err
		}
	} else if at == "" {
		return config.ErrNoConfig
	}
	h.add(tree, targets, router, at)
	if h.first == nil {
		h.first = view
	} else if first := h.first.WithTree(tree); len(first.Config.Mappings) > 0 {
		dropped, err := first.Mapped()
		if err != nil {
			return err
		}
		h.add(tree, slices.DeleteFunc(dropped, func(t mapping.Target) bool {
			_, there := tree.File(t.File)
			return !there || slices.ContainsFunc(targets, func(now mapping.Target) bool { return now.File == t.File })
		}), h.first, at)
	}
	return nil
}

// add adds the versions of targets that were not seen yet.
func (h *history) add(tree *gitops.Tree, targets []mapping.Target, router *workspace.Workspace, at string) {
	for _, t := range targets {
		entry, _ := tree.File(t.File)
		v := fileVersion{t.File, t.Mapping.SecretName, entry.OID}
		before := h.before[t.File]
		h.before[t.File] = t.Doc // also if it is known: what follows is compared with it
		if h.seen[v] || len(h.only) > 0 && !slices.Contains(h.only, t.File) {
			continue
		}
		h.seen[v] = true
		h.versions = append(h.versions, Version{t, at, router, before})
	}
}

// prove proves the versions with the vault's keys.
func prove(ctx context.Context, w *workspace.Workspace, versions []Version) []Result {
	keys := make([]keyring.Answer, len(versions))
	for router, places := range byRouter(versions) {
		targets := make([]mapping.Target, len(places))
		for n, i := range places {
			targets[n] = versions[i].Target
		}
		for n, key := range router.Fetch(ctx, targets) {
			keys[places[n]] = key
		}
	}
	compareWithHead(ctx, w, versions)
	results := make([]Result, len(versions))
	for i, v := range versions {
		results[i] = v.prove(keys[i])
	}
	return results
}

// compareWithHead sets the version before those of the working tree and the
// index. The proof itself needs no git, so that one which refuses, as for a
// checkout that belongs to another user, is no failure.
func compareWithHead(ctx context.Context, w *workspace.Workspace, versions []Version) {
	var files []string
	for _, v := range versions {
		if v.At == "" && v.File != "" {
			files = append(files, v.File)
		}
	}
	if err := w.ReadHead(ctx, files); err != nil {
		w.Debug("not compared with HEAD: %v", err)
		return
	}
	for i := range versions {
		if v := &versions[i]; v.At == "" && v.File != "" {
			v.before, _ = w.Previous(ctx, v.File) // what cannot be read is not compared with
		}
	}
}

// byRouter groups the places of versions by the workspace that routes them.
func byRouter(versions []Version) map[*workspace.Workspace][]int {
	groups := map[*workspace.Workspace][]int{}
	for i, v := range versions {
		groups[v.workspace] = append(groups[v.workspace], i)
	}
	return groups
}

func (v Version) prove(key keyring.Answer) Result {
	r := Result{Version: v, Vault: key.Vault, Err: key.Err}
	if v.Err != nil {
		r.Err = v.Err
	}
	if r.Err == nil {
		r.Verdict = drift.Check(v.Doc, v.before, key.Keys)
		r.Err = r.Verdict.Err()
	}
	return r
}
