// Package verify proves versions of env files with the vault's keys: those of the
// working tree, of the index, of a commit, or every one that a range of commits
// brought.
package verify

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

// A Scope says which versions are proven. Only one of Staged and Rev is set.
type Scope struct {
	Files  []string // only these, relative to the top; none for all that are mapped
	Staged bool     // those of the index
	Rev    string   // those of a commit, or of every commit of a range A..B
}

// Why nothing, or not all, was verified.
var (
	ErrNoRevision = errors.New("a revision is missing")
	ErrNoCommits  = errors.New("there are no commits in this range, so nothing was checked")
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
	return fmt.Sprintf("%s: this clone is shallow and lacks a part of the history, so not every version could be checked", e.Revisions)
}

// Run proves the versions of a scope. Besides errors of git and of the
// configuration it returns one of the errors above if nothing was verified, or
// a file that was named was not. It refuses what the pre-commit hook refuses, in
// the whole tree: private keys, and env files in plaintext that no mapping names.
func Run(ctx context.Context, w *workspace.Workspace, s Scope) ([]*File, error) {
	r := newRun(w, s)
	r.how.all = true
	if err := r.run(ctx); err != nil {
		return r.files, err
	}
	if !slices.ContainsFunc(r.files, func(f *File) bool { return f.Verified || f.Err != nil }) && len(s.Files) == 0 {
		return r.files, ErrNoMapping
	}
	for _, file := range s.Files {
		if !slices.ContainsFunc(r.files, func(f *File) bool { return f.File == file && (f.Verified || f.Err != nil) }) {
			return r.files, &NotFoundError{file}
		}
	}
	return r.files, ctx.Err()
}

// Named proves files of the working tree, as the user typed them: with the secret or,
// if that is "", with the one of the file's mapping.
func Named(ctx context.Context, w *workspace.Workspace, names []string, secret string) (files []*File, err error) {
	for _, name := range names {
		file, err := w.Inside(name)
		if err != nil {
			return nil, err
		}
		t, ruler, err := namedTarget(w, file, secret)
		if err != nil {
			return nil, err
		}
		files = append(files, newRun(ruler, Scope{}).prove(ctx, ofTargets(ruler, []mapping.Target{t}))...)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
	}
	return files, nil
}

// namedTarget returns the target of a file, and the workspace whose configuration maps
// it: another one may be nearer.
func namedTarget(w *workspace.Workspace, file, secret string) (t mapping.Target, ruler *workspace.Workspace, err error) {
	t, mapped := w.Target(file)
	if secret != "" {
		t = mapping.ForFile(w.Tree, secret, file, t)
		if overrides := w.Overrides(); overrides.NamesVault() {
			t.Mapping.VaultName = "" // the command line names the vault
		}
		return t, w, nil
	}
	if mapped {
		return t, w, nil
	}
	if ruler, err = w.At(w.Files(), path.Dir(file)); err != nil {
		return t, nil, err
	}
	if t, mapped = ruler.Target(file); !mapped {
		_, err := mapping.ReadEnvFile(w.Files(), file)
		return t, nil, cmp.Or(err, error(&keyring.UnmappedError{File: file}))
	}
	return t, ruler, nil
}

// A run is what happens in one call of [Run] or [Pushed].
type run struct {
	work  *workspace.Workspace
	scope Scope
	how   proof
	limit time.Duration // for the answers of vaults; 0 for none
	name  string        // of the one commit that is proven
	repo  *gitops.Repo
	base  []*workspace.Workspace // the configurations that a range starts from
	memo  map[string]keyring.Answer
	seen  map[string]bool // versions that were proven, with what decided on them
	files []*File
}

func newRun(w *workspace.Workspace, s Scope) *run {
	return &run{work: w, scope: s, memo: map[string]keyring.Answer{}, seen: map[string]bool{}}
}

func (r *run) run(ctx context.Context) (err error) {
	inGit := r.scope.Staged || r.scope.Rev != ""
	if !inGit {
		r.work.OpenAhead(ctx)
	}
	if r.repo, err = r.work.Git(ctx); err != nil && inGit {
		return err
	}
	if r.repo == nil && inGit {
		return gitops.ErrNotRepository
	}
	switch {
	case !inGit:
		return r.workingTree(ctx)
	case strings.Contains(r.scope.Rev, ".."):
		return r.commitRange(ctx)
	case r.scope.Rev != "":
		return r.oneCommit(ctx)
	}
	return r.wholeTree(ctx, "")
}

// oneCommit proves what a commit changed, as the hook would have, and then all of
// its files.
func (r *run) oneCommit(ctx context.Context) error {
	r.name = short(r.scope.Rev)
	oid, err := r.repo.Resolve(ctx, r.scope.Rev)
	if err != nil {
		return err
	}
	commits, err := r.repo.Commits(ctx, string(oid)+"^!")
	if err == nil {
		err = r.each(ctx, commits)
	}
	if err != nil {
		return err
	}
	return r.wholeTree(ctx, r.scope.Rev)
}

// workingTree proves the mapped files of the working tree. What must not be
// committed is looked for in the index, if there is one.
func (r *run) workingTree(ctx context.Context) error {
	targets, err := r.work.Mapped()
	if err != nil {
		return err
	}
	r.files = r.prove(ctx, ofTargets(r.work, targets))
	if r.repo == nil || len(r.scope.Files) > 0 {
		return nil
	}
	tree, err := r.repo.IndexTree(ctx, workspace.MaxFile)
	if errors.Is(err, gitops.ErrNoGit) {
		r.work.Notice("not searched for private keys that are committed: %v", err)
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(r.refuse(ctx, tree, ""), tree.Close())
}

// commitRange proves every version that the commits of a range brought, as the
// hook would have, and then all files of its end. The mappings of what it starts
// from count for all of it: a branch that drops one must not escape.
func (r *run) commitRange(ctx context.Context) error {
	revisions := r.scope.Rev
	start, end, _ := strings.Cut(revisions, "..")
	end = strings.TrimPrefix(end, ".")
	if start == "" || end == "" {
		return ErrNoRevision
	}
	commits, err := Commits(ctx, r.repo, revisions)
	if err != nil {
		return err
	}
	if r.base, err = r.configsOf(ctx, start); err != nil {
		return err
	}
	if err := r.each(ctx, commits); err != nil {
		return err
	}
	return r.wholeTree(ctx, end)
}

// each proves what each of commits changed, the oldest first.
func (r *run) each(ctx context.Context, commits []gitops.Commit) error {
	changed, err := r.changedIn(ctx, commits)
	if err != nil {
		return err
	}
	for _, commit := range slices.Backward(commits) {
		if err := r.commit(ctx, commit.OID, changed[commit.OID]); err != nil {
			return err
		}
	}
	return nil
}

// changedIn returns what differs between the first parents of commits and them. What
// a merge made of a file that another side has differently is noted.
func (r *run) changedIn(ctx context.Context, commits []gitops.Commit) (map[gitops.OID][]gitops.Change, error) {
	changed, err := r.repo.ChangedIn(ctx, commits)
	for n := 0; err == nil; n++ {
		var merges []gitops.Commit
		for _, c := range commits {
			if n < len(c.Others) {
				merges = append(merges, gitops.Commit{OID: c.OID, Parent: c.Others[n]})
			}
		}
		if len(merges) == 0 {
			break
		}
		var other map[gitops.OID][]gitops.Change
		other, err = r.repo.ChangedIn(ctx, merges)
		for oid, changes := range other {
			theirs := make(map[string]gitops.OID, len(changes))
			for _, ch := range changes {
				theirs[ch.Path] = ch.OldOID
			}
			noteTheirs(changed[oid], theirs)
		}
	}
	return changed, err
}

// noteTheirs notes in the changes of a merge which versions another side has.
func noteTheirs(changes []gitops.Change, theirs map[string]gitops.OID) {
	for i, ch := range changes {
		if oid := theirs[ch.Path]; ch.Theirs == "" && oid != "" && !oid.IsNull() && oid != ch.OID {
			changes[i].Theirs = oid
		}
	}
}

// Commits lists those of a range A..B, the newest first. What cannot be checked is a
// [*ShallowError] or [ErrNoCommits].
func Commits(ctx context.Context, repo *gitops.Repo, revisions string) ([]gitops.Commit, error) {
	shallow, err := repo.ShallowCommits()
	if err != nil {
		return nil, err
	}
	commits, err := repo.Commits(ctx, revisions)
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

// configsOf returns the configurations that a commit holds. One that does not
// parse maps nothing.
func (r *run) configsOf(ctx context.Context, rev string) (list []*workspace.Workspace, err error) {
	tree, err := r.repo.Tree(ctx, rev, workspace.MaxFile)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	for _, entry := range tree.Files() {
		if !isConfig(entry.Path) || !entry.Mode.IsFile() {
			continue
		}
		data, err := atomicfile.ReadFile(tree, entry.Path)
		if err != nil {
			return nil, err
		}
		if w, err := r.work.Ruled(tree, entry.Path, data); err == nil {
			list = append(list, w)
		}
	}
	return list, nil
}

// commit judges what one commit changes.
func (r *run) commit(ctx context.Context, oid gitops.OID, changes []gitops.Change) (err error) {
	c := r.changes(oid, changes)
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.collect(ctx); err != nil {
		return err
	}
	asking, cancel := hooks.Limit(ctx, r.limit)
	defer cancel()
	c.Check(ctx, asking)
	for _, f := range c.Files {
		if f.Err != nil || f.Verified || f.Unproven != nil {
			r.add(ctx, f)
		}
	}
	return nil
}

func (r *run) changes(rev gitops.OID, changes []gitops.Change) *Changes {
	c := newChanges(r.work, r.repo)
	c.rev, c.at, c.changes, c.base, c.memo, c.how = rev, short(string(rev)), changes, r.base, r.memo, r.how
	if r.name != "" {
		c.at = r.name
	}
	return c
}

// add adds a file to the result, unless it is there already or was not asked for.
func (r *run) add(ctx context.Context, f *File) {
	if len(r.scope.Files) > 0 && !slices.Contains(r.scope.Files, f.File) {
		return
	}
	id := fmt.Sprintf("%s %s", f.File, f.Change.OID)
	if f.Mapped {
		id += f.Workspace.KeyID(ctx, f.Target)
	}
	if errors.Is(f.Err, age.ErrRecipients) { // which only the last commit of a range is judged by
		id += " for others"
	}
	if r.seen[id] && f.Change.OID != "" {
		return
	}
	r.seen[id] = true
	r.files = append(r.files, f)
}

// wholeTree proves all mapped files of a commit, or of the index if rev is empty,
// and refuses what must not be there.
func (r *run) wholeTree(ctx context.Context, rev string) (err error) {
	var tree *gitops.Tree
	if rev == "" {
		tree, err = r.repo.IndexTree(ctx, workspace.MaxFile)
	} else {
		tree, err = r.repo.Tree(ctx, rev, workspace.MaxFile)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, tree.Close()) }()
	view, err := r.work.At(tree, r.work.Base)
	if err != nil {
		return err
	}
	files, err := mapped(view)
	if err != nil {
		return err
	}
	if len(files) == 0 && rev == "" {
		return config.ErrNoConfig
	}
	for _, w := range r.base {
		dropped, err := mapped(w.WithTree(tree))
		if err != nil {
			return err
		}
		files = append(files, slices.DeleteFunc(dropped, func(f *File) bool {
			_, there := tree.File(f.File)
			return !there || slices.ContainsFunc(files, func(now *File) bool { return now.File == f.File })
		})...)
	}
	for _, f := range files {
		entry, _ := tree.File(f.File)
		f.At, f.Change = short(rev), gitops.Change{Path: f.File, Mode: entry.Mode, OID: entry.OID}
	}
	for _, f := range r.prove(ctx, files) {
		r.add(ctx, f)
	}
	return r.refuse(ctx, tree, rev)
}

// mapped returns the mapped files of a workspace's tree.
func mapped(w *workspace.Workspace) ([]*File, error) {
	if len(w.Config.Mappings) == 0 {
		return nil, nil
	}
	targets, err := w.Mapped()
	return ofTargets(w, targets), err
}

// privateKeys matches what may be a private key, in UTF-16 too. What it finds is
// looked at by [dotenv.HoldsPrivateKey].
const privateKeys = `DOTENV_PRIVATE_KEY|AGE-SECRET-KEY-|D[^A]O[^A]T[^A]E[^A]N[^A]V|A[^A]G[^A]E[^A]-`

// refuse adds the files of a tree that must not be committed, and those that
// configurations further down map.
func (r *run) refuse(ctx context.Context, tree *gitops.Tree, rev string) error {
	holding, err := r.repo.Holding(ctx, rev, privateKeys)
	if err != nil {
		return err
	}
	c := r.changes(gitops.OID(rev), nil)
	c.learn(r.work.Config)
	for _, entry := range tree.Files() {
		if entry.Mode == gitops.Submodule || !c.concernsName(path.Base(entry.Path)) && !slices.Contains(holding, entry.Path) {
			continue
		}
		c.changes = append(c.changes, gitops.Change{Path: entry.Path, Status: gitops.Added, Mode: entry.Mode, OID: entry.OID})
	}
	c.tree = keptOpen{tree}
	if err := c.collect(ctx); err != nil {
		return err
	}
	c.Files = slices.DeleteFunc(c.Files, func(f *File) bool {
		return slices.ContainsFunc(r.files, func(now *File) bool { return now.File == f.File && now.At == f.At })
	})
	c.Check(ctx, ctx)
	for _, f := range c.Files {
		if f.Err != nil || f.Verified || errors.As(f.Unproven, new(*ProfileError)) {
			r.add(ctx, f)
		}
	}
	return nil
}

// keptOpen is a tree that another function closes.
type keptOpen struct{ *gitops.Tree }

func (keptOpen) Close() error { return nil }

func ofTargets(w *workspace.Workspace, targets []mapping.Target) []*File {
	files := make([]*File, len(targets))
	for i, t := range targets {
		files[i] = &File{Target: t, Mapped: true, Workspace: w, Err: t.Err}
	}
	return files
}

// prove proves mapped files with the vault's keys.
func (r *run) prove(ctx context.Context, files []*File) []*File {
	r.compareWithHead(ctx, files)
	answers := fetch(ctx, files, r.memo)
	var open []*File
	for i, f := range files {
		if f.Vault = answers[i].Vault; f.Err == nil {
			f.Keys, f.Err = answers[i].Keys, answers[i].Err
			open = append(open, f)
		}
	}
	decide(ctx, open)
	for _, f := range open {
		f.checkReaders(ctx)
		if r.scope.Staged {
			f.unstagedVault(ctx, r.work)
		}
	}
	return files
}

// compareWithHead sets the version before those of the working tree and the
// index. The proof itself needs no git, so that one which refuses, as for a
// checkout that belongs to another user, is no failure.
func (r *run) compareWithHead(ctx context.Context, files []*File) {
	var names []string
	for _, f := range files {
		if f.At == "" && f.File != "" {
			names = append(names, f.File)
		}
	}
	if err := r.work.ReadHead(ctx, names); err != nil {
		r.work.Debug("not compared with HEAD: %v", err)
		return
	}
	for _, f := range files {
		if f.At == "" && f.File != "" {
			f.Head, _ = r.work.Previous(ctx, f.File) // what cannot be read is not compared with
		}
	}
}

// short shortens the name of a commit, unless it is one that somebody gave it.
func short(rev string) string {
	if _, err := hex.DecodeString(rev); err != nil || len(rev) < 40 {
		return rev
	}
	return rev[:12]
}

// fetch returns the vaults' answers for files, in their order. What memo knows is
// not asked for again.
func fetch(ctx context.Context, files []*File, memo map[string]keyring.Answer) []keyring.Answer {
	ids := make([]string, len(files))
	missing := map[*workspace.Workspace][]int{}
	for i, f := range files {
		ids[i] = fmt.Sprintf("%s %q", f.Workspace.KeyID(ctx, f.Target), f.Names)
		if _, known := memo[ids[i]]; !known {
			missing[f.Workspace] = append(missing[f.Workspace], i)
		}
	}
	for w, places := range missing {
		targets := make([]mapping.Target, len(places))
		for n, i := range places {
			targets[n] = files[i].Target
		}
		for n, a := range w.FetchToCheck(ctx, targets) {
			memo[ids[places[n]]] = a
		}
	}
	answers := make([]keyring.Answer, len(files))
	for i, id := range ids {
		answers[i] = memo[id]
	}
	return answers
}
