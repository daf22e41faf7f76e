// Package postcheckout does the work that follows when git has changed the
// working tree: it brings the keys that the branch needs, and what the last pull
// made of its env files. It never stops git, which has switched already.
package postcheckout

import (
	"context"
	"errors"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/state"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Deed is what was done with a file.
type Deed int

const (
	BroughtKeys Deed = iota // into a keys file
	StoredKeys              // in the operating system's store
	Decrypted
	Refreshed // a copy for programs
)

// A Done is a file that was changed.
type Done struct {
	Deed  Deed
	File  string
	Names []string // of the keys
}

// A Left is what could not be done, or was not.
type Left struct {
	File string // "" for all of them
	Err  error
}

// Why a file was left as it is.
var (
	ErrEdited     = errors.New("edited")
	ErrBusy       = errors.New("git is at work")
	ErrStashed    = errors.New("edited in a stash: git stash pop")
	ErrNotIgnored = errors.New("git does not ignore it")
)

// An Update is the work to do after git changed the working tree.
type Update struct {
	Done  []Done
	Left  []Left
	Wrong []*verify.File // what git brought and is no encrypted env file that the team can read

	w       *workspace.Workspace
	repo    *gitops.Repo
	asking  context.Context // of the requests to vaults, which must end in time
	last    state.State     // what was done last in this clone
	pending bool            // an operation of git goes on, which a change of files would disturb
}

// HasWork reports, before anything is opened, whether there can be work to do.
func HasWork(event hooks.Event, args []string, getenv func(string) string) bool {
	// The framework checks files out when it puts unstaged edits away.
	if getenv("_PRE_COMMIT_SKIP_POST_CHECKOUT") != "" {
		return false
	}
	_, _, ok := event.Range(args, getenv)
	return ok
}

// Run does the work of the event that git passed args to.
func Run(ctx context.Context, w *workspace.Workspace, event hooks.Event, args []string) (*Update, error) {
	u := &Update{w: w}
	if !HasWork(event, args, w.Getenv) || w.Config.File == "" || w.Config.Hooks.PostCheckout == config.Off {
		return u, nil
	}
	from, to, _ := event.Range(args, w.Getenv)
	var err error
	if u.repo, err = w.Git(ctx); err != nil || u.repo == nil {
		return u, err
	}
	changes, head, err := between(ctx, u.repo, from, to)
	changed := map[string]bool{}
	for _, ch := range changes {
		changed[ch.Path] = true
	}
	if err != nil || !concerns(w.Config, changed) || u.operationPending("BISECT_LOG") {
		return u, err
	}
	var cancel func()
	u.asking, cancel = hooks.Limit(ctx, w.Config.Hooks.Timeout)
	defer cancel()
	u.pending = u.anyOperationPending(event)
	if err := u.run(ctx, changed); err != nil || head == "" {
		return u, err
	}
	return u, u.verify(ctx, head, changes, event.Switches)
}

// verify looks for what no commit should hold: git runs no check before a merge
// that only moves on, a rebase, a cherry-pick or a pull. What a vault would have
// to decide that cannot be asked is left to "envdrift verify".
func (u *Update) verify(ctx context.Context, head gitops.OID, changes []gitops.Change, switched bool) error {
	arrived, err := verify.Arrived(ctx, u.w, head, changes, switched)
	if err != nil {
		return err
	}
	arrived.Check(ctx, u.asking)
	for _, f := range arrived.Files {
		if f.Err != nil && !verify.CannotBeAsked(f.Err) {
			u.Wrong = append(u.Wrong, f)
		}
	}
	return arrived.Close()
}

// between returns what differs between two commits, and the newer one; with to
// empty, what is staged.
func between(ctx context.Context, repo *gitops.Repo, from, to string) ([]gitops.Change, gitops.OID, error) {
	if to == "" {
		changes, err := repo.Staged(ctx)
		return changes, "", err
	}
	var oids [2]gitops.OID
	for i, rev := range []string{from, to} {
		oids[i] = gitops.OID(rev)
		if !strings.HasSuffix(rev, "HEAD") {
			continue
		}
		var err error
		if oids[i], err = repo.Resolve(ctx, rev); errors.As(err, new(*gitops.RevisionError)) {
			return nil, "", nil
		} else if err != nil {
			return nil, "", err
		}
	}
	changes, err := repo.Changed(ctx, oids[0], oids[1])
	return changes, oids[1], err
}

// concerns is a first look that opens no file: whether a path can be a
// configuration or an env file at all.
func concerns(cfg *config.Config, changed map[string]bool) bool {
	for file := range changed {
		base := path.Base(file)
		named := func(m config.Mapping) bool { return path.Base(m.EnvFile) == base }
		if isConfig(file) || path.Ext(base) == ".age" || config.IsEnvFileName(base) || slices.ContainsFunc(cfg.Mappings, named) {
			return true
		}
	}
	return false
}

func isConfig(file string) bool { return slices.Contains(config.FileNames[:], path.Base(file)) }

// anyOperationPending reports whether files that git tracks must stay as they
// are. A rebase or a merge that goes on, and edits that git puts back after the
// hook, would stumble over a change.
func (u *Update) anyOperationPending(event hooks.Event) bool {
	files := []string{"MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD", "MERGE_AUTOSTASH", "rebase-merge/autostash", "rebase-apply/autostash"}
	if !event.EndsRebase {
		files = append(files, "rebase-merge", "rebase-apply")
	}
	return slices.ContainsFunc(files, u.operationPending)
}

func (u *Update) operationPending(file string) bool {
	_, err := os.Lstat(filepath.Join(u.repo.GitDir, filepath.FromSlash(file)))
	return err == nil
}

// run brings the keys and files for what changed.
func (u *Update) run(ctx context.Context, changed map[string]bool) (err error) {
	if u.last, err = u.w.State(ctx); err != nil {
		return err
	}
	targets := u.targets(changed)
	keys, err := u.bringKeys(ctx, targets)
	if err != nil || u.w.Config.Hooks.PostCheckout != config.Pull {
		return err
	}
	if err := u.decryptPulled(ctx, targets, keys); err != nil {
		return err
	}
	return u.refreshCopies(ctx, targets, keys)
}

// targets returns those whose env file changed, or all if the configuration did.
// A profile that this branch does not have counts as none.
func (u *Update) targets(changed map[string]bool) []mapping.Target {
	all := slices.ContainsFunc(slices.Collect(maps.Keys(changed)), isConfig)
	mappings, err := u.w.Config.Select(u.last.Profile)
	if err != nil {
		mappings, _ = u.w.Config.Select("")
	}
	var targets []mapping.Target
	for _, t := range mapping.Resolve(u.w.Files(), u.w.Base, u.w.Config, mappings) {
		if t.Doc != nil && (all || changed[t.File]) {
			targets = append(targets, t)
		}
	}
	return targets
}

// bringKeys brings into the keys files the keys that are missing there, and
// returns for each target what decrypts it. Where a local key fits, no vault is
// asked.
func (u *Update) bringKeys(ctx context.Context, targets []mapping.Target) ([]ecies.Keys, error) {
	user, err := u.w.User()
	if err != nil {
		return nil, err
	}
	found := make([]ecies.Keys, len(targets))
	var ask []mapping.Target
	var asked []int
	for i, t := range targets {
		q, ring := keyring.Request{Target: t}, u.w.LocalKeys(ctx, t.File)
		if user.Store == config.StoreFile {
			ring.More = nil // what is elsewhere is not in the keys file
		}
		local, askVault, err := ring.ForDecryption(q, keyring.Auto)
		if err == nil {
			err = u.w.RecordLocal(q, ring, local, nil)
		}
		if err != nil {
			return nil, err
		}
		if found[i] = local; askVault && u.needsKey(t) {
			ask, asked = append(ask, t), append(asked, i)
		}
	}
	keys := u.w.Fetch(u.asking, ask)
	for n, i := range asked {
		found[i] = keys[n].Keys
	}
	changes, err := u.w.PlanKeys(ctx, ask, keys, u.mayReplaceStale(ask))
	if err != nil {
		return nil, err
	}
	if err := u.write(ctx, changes); err != nil {
		return nil, err
	}
	if err := u.w.KeepKeys(ctx, changes, keys); err != nil {
		return nil, err
	}
	for _, ch := range changes {
		// Of mappings that share a file only the last one writes it.
		ch.Write = ch.Action == drift.Created || ch.Action == drift.Updated
		u.note(ch, BroughtKeys)
	}
	return found, nil
}

// needsKey reports whether this clone has a use for the key of a target.
func (u *Update) needsKey(t mapping.Target) bool {
	return !t.Mapping.Ephemeral || u.w.Config.Hooks.PostCheckout == config.Pull &&
		(u.last.Files[t.File] == state.Pulled || u.last.Activated[u.w.CopyOf(t)] != "")
}

// mayReplaceStale lets a key be replaced that does not fit the file that was
// checked out, by the vault's that does. While a rebase goes on the old key
// stays: the commits that are still to come may need it.
func (u *Update) mayReplaceStale(targets []mapping.Target) func(*drift.DiffersError) bool {
	return func(e *drift.DiffersError) bool {
		return !u.pending && slices.ContainsFunc(targets, func(t mapping.Target) bool {
			return t.KeysFile == e.KeysFile && t.Names[0] == e.Name &&
				len(drift.UnknownKeys(t.Doc, e.Local)) > 0 && len(drift.UnknownKeys(t.Doc, e.Vault)) == 0
		})
	}
}

// decryptPulled decrypts the files that this clone keeps decrypted, unless they
// are being edited, or the edit is in a stash: "git stash pop" needs the file as
// git checked it out.
func (u *Update) decryptPulled(ctx context.Context, targets []mapping.Target, keys []ecies.Keys) error {
	var changes []drift.Change
	var files []string
	for i, t := range targets {
		if u.last.Files[t.File] == state.Pulled && t.Doc.State().HasCiphertext() && len(keys[i]) > 0 {
			changes = append(changes, drift.Decrypt(t.File, t.Doc, keys[i], dotenv.Selection{}))
			files = append(files, t.File)
		}
	}
	if len(changes) == 0 {
		return nil
	}
	if u.pending {
		u.Left = append(u.Left, Left{Err: ErrBusy})
		return nil
	}
	edited, err := u.repo.Unstaged(ctx, files)
	if err != nil {
		return err
	}
	stashed, err := u.repo.Stashed(ctx)
	if err != nil {
		return err
	}
	changes = slices.DeleteFunc(changes, func(ch drift.Change) bool {
		switch {
		case edited[ch.File]:
			u.Left = append(u.Left, Left{ch.File, ErrEdited})
		case stashed[ch.File]:
			u.Left = append(u.Left, Left{ch.File, ErrStashed})
		}
		return edited[ch.File] || stashed[ch.File]
	})
	if err := u.write(ctx, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		u.note(ch, Decrypted)
	}
	return nil
}

// refreshCopies writes again the copies that the last pull made for programs,
// unless they were edited or taken away since.
func (u *Update) refreshCopies(ctx context.Context, targets []mapping.Target, keys []ecies.Keys) error {
	var changes []drift.Change
	for i, t := range targets {
		file := u.w.CopyOf(t)
		if _, err := u.w.Root().Lstat(file); err != nil || u.last.Activated[file] == "" || len(keys[i]) == 0 {
			continue
		}
		plan := drift.Decrypt(t.File, t.Doc, keys[i], dotenv.Selection{})
		ch := drift.Change{Mapping: t.Mapping, File: file, New: plan.New, Private: true, Err: plan.Err}
		if ch.Err == nil {
			ch.Err = u.w.PlanCopy(ctx, &ch, u.last, false)
		}
		changes = append(changes, ch)
	}
	if len(changes) == 0 {
		return nil
	}
	if err := u.write(ctx, changes); err != nil {
		return err
	}
	for _, ch := range changes {
		u.note(ch, Refreshed)
	}
	return u.w.Remember(ctx, changes, nil)
}

// write applies a plan. A private file that git would add is not written: to
// change .gitignore is for commands that the user types.
func (u *Update) write(ctx context.Context, changes []drift.Change) error {
	var private []string
	for _, ch := range changes {
		if ch.Write && ch.Private {
			private = append(private, ch.File)
		}
	}
	ignored, err := u.repo.Ignored(ctx, private)
	if err != nil {
		return err
	}
	for i := range changes {
		if ch := &changes[i]; ch.Write && ch.Private && !ignored[ch.File] {
			ch.Write, ch.Err = false, ErrNotIgnored
		}
	}
	return u.w.Apply(ctx, changes)
}

// note records how a change went.
func (u *Update) note(ch drift.Change, deed Deed) {
	switch {
	case errors.As(ch.Err, new(*drift.DiffersError)) && u.pending:
		// Reported by the hook at the end, if it is still so.
	case ch.Err != nil:
		u.Left = append(u.Left, Left{ch.File, ch.Err})
	case ch.Action == drift.Stored:
		u.Done = append(u.Done, Done{StoredKeys, ch.File, ch.Names})
	case ch.Write:
		u.Done = append(u.Done, Done{deed, ch.File, ch.Names})
	}
}
