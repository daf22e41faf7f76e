// Package precommit checks the staged files of one commit, and repairs drift
// without losing the edit. What is wrong is decided by package verify; a check
// reports it by type, and the words are the command's.
package precommit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/scan"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

// Options say how a check is run.
type Options struct {
	ByHand bool                   // by the repair command: repairs whatever the configuration says, with no time limit
	DryRun bool                   // plan repairs, write nothing
	Only   func(file string) bool // the files to look at; nil for all
}

// A Check is the check of one commit.
type Check struct {
	Files   []*StagedFile    // those that concern envdrift
	Dropped []verify.Dropped // those that later checks see otherwise, or not at all

	w       *workspace.Workspace
	options Options
	repo    *gitops.Repo
	changes *verify.Changes
}

// A StagedFile is one staged file that concerns envdrift.
type StagedFile struct {
	*verify.File
	Owners []string // whose key it was encrypted with instead, if it drifted
	Repair *Repair  // what was done about drift; nil if nothing was tried

	hidden bool // a hook manager put further edits away
}

// Run collects what is staged, proves it and repairs what drifted. Where nothing
// of envdrift's is staged it ends at once and asks no vault. The caller closes
// the check.
func Run(ctx context.Context, w *workspace.Workspace, o Options) (*Check, error) {
	c := &Check{w: w, options: o}
	var err error
	if c.repo, err = w.Git(ctx); err != nil {
		return nil, err
	}
	if c.changes, err = verify.Staged(ctx, w, o.Only); err != nil {
		return c, err
	}
	if c.Dropped = c.changes.Dropped(ctx); len(c.changes.Files) == 0 {
		return c, c.changes.Err()
	}
	limit := w.Config.Hooks.Timeout
	if o.ByHand {
		limit = 0
	}
	asking, cancel := hooks.Limit(ctx, limit)
	defer cancel()
	c.changes.Check(ctx, asking)
	for _, f := range c.changes.Files {
		c.Files = append(c.Files, &StagedFile{File: f})
	}
	if err := cmp.Or(c.changes.Err(), c.confirm(ctx)); err != nil {
		return c, err
	}
	return c, c.repair(ctx)
}

// Values are values of env files in what is staged.
type Values struct {
	*scan.Result
	Policy string // warn or block
	Err    error  // why not all was searched
}

// Values searches what is staged for values of env files, as long as the vaults may take
// for their answers. It returns nil where the configuration does not want that.
func (c *Check) Values(ctx context.Context) *Values {
	if c.changes == nil {
		return nil
	}
	policy, changes := c.changes.OnValue()
	if policy == config.Off || len(changes) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.w.Config.Hooks.Timeout)
	defer cancel()
	result, err := scan.Staged(ctx, c.w, changes)
	if errors.Is(err, context.DeadlineExceeded) {
		err = fmt.Errorf("it took longer than hooks.timeout, %v", c.w.Config.Hooks.Timeout)
	}
	return &Values{result, policy, err}
}

// ErrStagedLate reports a version that the check did not see.
var ErrStagedLate = errors.New("was staged while the check ran; commit again")

// confirm fails the files that were staged while a vault was asked: git commits
// what is in the index when the hook is over.
func (c *Check) confirm(ctx context.Context) error {
	if !slices.ContainsFunc(c.Files, func(f *StagedFile) bool { return f.Vault != "" }) {
		return nil
	}
	now, err := c.changes.Restaged(ctx, c.options.Only)
	if now == nil {
		return err
	}
	if err != nil {
		return errors.Join(err, now.Close())
	}
	seen := map[string]*StagedFile{}
	for _, f := range c.Files {
		seen[f.Change.Path] = f
	}
	for _, late := range now.Files {
		f := seen[late.Change.Path]
		if f == nil {
			f = &StagedFile{File: late}
			c.Files = append(c.Files, f)
		} else if f.Change == late.Change {
			continue
		}
		if f.Verified = false; f.Err == nil {
			f.Err = ErrStagedLate
		}
	}
	return now.Close()
}

// Close ends the process that reads the index.
func (c *Check) Close() error {
	if c.changes == nil {
		return nil
	}
	return c.changes.Close()
}

// A Repair is what was done, or is to be done, about a staged file that drifted.
type Repair struct {
	drift.Repair
	Err    error  // why it cannot be repaired, or was not
	Index  bool   // the index has the new version, and will have it when the hook is over
	Tree   bool   // the working tree has it
	Backup string // absolute path of the old version
}

// Why a repair was not made.
var (
	// ErrEdited: it would not last. Git drops the index of this commit when the
	// hook fails, and the working tree has more than is staged.
	ErrEdited = errors.New("the working tree has further edits, so this commit cannot be repaired for you")
	// ErrStaged: what was staged in the meantime is not replaced.
	ErrStaged = errors.New("another version was staged in the meantime; nothing was written to it")
	// ErrStopped: an error that is reported once for all files.
	ErrStopped = errors.New("nothing was written to it")
)

// ErrMerge reports that a merge would lose the edits of one side.
var ErrMerge = errors.New("no key decrypts all of this merge, and neither side may replace it: the edits of the other one would be lost")

// repair repairs the files that drifted where the configuration wants it. The
// commit does not go on: the user is to look at it first.
func (c *Check) repair(ctx context.Context) error {
	var todo []*StagedFile
	for _, f := range c.Files {
		if !drift.IsDrift(f.Err) {
			continue
		}
		if changed := f.Workspace.MayRepair(ctx, f.Target, f.Keys); changed != nil {
			f.Err = changed // nobody agreed to the vault's key: nothing is encrypted for it
			continue
		}
		f.Owners = c.owners(ctx, f)
		if f.Workspace.Config.Hooks.OnDrift == config.Repair || c.options.ByHand {
			if c.plan(ctx, f); f.Repair.Err == nil {
				todo = append(todo, f)
			}
		}
	}
	if c.options.DryRun || len(todo) == 0 {
		return nil
	}
	unlock, err := c.w.Lock(ctx)
	if err == nil {
		err = errors.Join(c.repairIndex(ctx, todo), unlock())
	}
	for _, f := range todo {
		f.Repair.settle(err)
	}
	return err
}

// Where says where the repaired version is.
func (r *Repair) Where() string {
	switch {
	case r.Index && r.Tree:
		return "in the index and in the working tree"
	case r.Tree:
		return "in the working tree"
	}
	return "in the index"
}

// settle says why a repair was not made, if it was not: err, or that another
// version came first.
func (r *Repair) settle(err error) {
	switch {
	case r.Index || r.Tree || r.Err != nil:
	case err != nil:
		r.Err = ErrStopped
	default:
		r.Err = ErrStaged
	}
}

func (c *Check) plan(ctx context.Context, f *StagedFile) {
	r := &Repair{}
	ring := f.Workspace.AllLocalKeys(ctx, f.Change.Path)
	ring.Declared(f.Doc) // looks for the key that drifted values may have
	held := ring.Keys()
	merged := c.changes.Merged()
	if len(merged) > 0 {
		held = append(held, c.vaultKeys(ctx, f, append(merged, "HEAD")...)...)
	}
	if r.Err = f.Workspace.RecordLocal(f.Request(), ring, held, nil); r.Err == nil {
		r.Repair, r.Err = drift.Drifted{
			File: path.Base(f.Change.Path), Doc: f.Doc, Head: f.before(), Right: f.Keys, Held: held,
		}.Repair()
	}
	if r.Err == nil && r.Action == drift.Restored && f.Theirs != nil && (f.Head == nil || !bytes.Equal(f.Theirs.Bytes(), f.Head.Bytes())) {
		r.Err = ErrMerge
	}
	if r.Err == nil && r.Action == drift.Repaired {
		r.Err = f.Workspace.MayReencryptFor(ctx, f.Target, f.Head, f.Keys)
	}
	if r.Err != nil {
		r.Action = drift.Failed
	}
	f.Repair = r
}

// vaultKeys returns the keys that the vault holds in some commits, if it is in the
// repository: after a rotation the sides of a merge have different ones.
func (c *Check) vaultKeys(ctx context.Context, f *StagedFile, revs ...string) (keys ecies.Keys) {
	if f.Workspace.VaultFile(ctx, f.Target) == "" {
		return nil
	}
	for _, rev := range revs {
		tree, err := c.repo.Tree(ctx, rev, workspace.MaxFile)
		if err != nil {
			continue // the other one may do
		}
		for _, answer := range f.Workspace.WithTree(tree).FetchToCheck(ctx, []mapping.Target{f.Target}) {
			keys = append(keys, answer.Keys...)
		}
		_ = tree.Close()
	}
	return keys
}

// before returns the version that the staged one is an edit of: of the two that
// are merged the one that the right key decrypts.
func (f *StagedFile) before() *dotenv.Document {
	if f.Theirs != nil && (f.Head == nil || drift.Check(f.Head, nil, f.Keys).Err() != nil) {
		return f.Theirs
	}
	return f.Head
}

// repairIndex puts the repaired versions into every index of the commit, and
// into the working tree where that holds nothing else. The backup comes first.
func (c *Check) repairIndex(ctx context.Context, todo []*StagedFile) error {
	todo, err := c.lasting(ctx, todo)
	if err != nil {
		return err
	}
	var files []gitops.Staged
	var backups []string
	for _, f := range todo {
		backup, err := c.repo.Backup(f.Change.Path, f.Data, time.Now())
		if err != nil {
			return fmt.Errorf("keep a backup: %w", err)
		}
		backups = append(backups, backup)
		files = append(files, gitops.Staged{
			Path: f.Change.Path, Mode: f.Change.Mode, Old: f.Change.OID, Data: f.Repair.Data, IndexOnly: f.hidden,
		})
	}
	done, err := c.repo.Replace(ctx, files)
	for i, f := range todo {
		r := f.Repair
		r.Index = done[i].Index && !c.repo.IndexIsTemporary()
		r.Tree = done[i].Tree
		switch {
		case r.Index || r.Tree:
			r.Backup = backups[i]
		case done[i].Index:
			r.Err = ErrEdited // while it was repaired
		}
	}
	return err
}

// owners tells whose key a file was encrypted with, if that is known: at most
// two.
func (c *Check) owners(ctx context.Context, f *StagedFile) []string {
	ring := f.Workspace.AllLocalKeys(ctx, f.Change.Path)
	if f.Workspace.RecordLocal(f.Request(), ring, ring.Keys(), nil) != nil {
		return nil
	}
	var known []drift.Known
	for _, held := range ring.Held {
		known = append(known, drift.Known{Key: held.Key.PublicKey(), Owner: held.Name + " (" + held.Origin + ")"})
	}
	declared := func(doc *dotenv.Document, owner string) {
		if doc == nil {
			return
		}
		headers, _ := doc.PublicKeys()
		for _, h := range headers {
			known = append(known, drift.Known{Key: h.Key, Owner: owner})
		}
	}
	declared(f.Head, "the key of HEAD's version")
	for _, t := range c.changes.Targets(f.Workspace) {
		if t.File != f.Change.Path {
			declared(t.Doc, "the key of "+t.File)
		}
	}
	owners := drift.Owners(f.Doc, f.Keys, ring.Keys(), known)
	return owners[:min(2, len(owners))]
}

// Framework reports whether the hook is run by the pre-commit framework.
func (c *Check) Framework() bool {
	return !c.options.ByHand && c.w.Getenv("PRE_COMMIT") == "1"
}

// AfterTheFact reports whether the pre-commit framework runs the check after git
// changed the working tree: without stages it runs a hook at every event.
func AfterTheFact(getenv func(string) string) bool {
	after := []string{"PRE_COMMIT_CHECKOUT_TYPE", "PRE_COMMIT_IS_SQUASH_MERGE", "PRE_COMMIT_REWRITE_COMMAND"}
	return getenv("PRE_COMMIT") == "1" && slices.ContainsFunc(after, func(name string) bool { return getenv(name) != "" })
}

// Rebasing reports whether the patch that git applies is one of "git rebase".
func (c *Check) Rebasing() bool { return c.repo.Rebasing() }

// NothingStaged reports whether there is nothing to commit, as after a repair that
// restored HEAD's version.
func (c *Check) NothingStaged(ctx context.Context) bool {
	nothing, err := c.repo.NothingStaged(ctx)
	return err == nil && nothing
}
