package workspace

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/mapping"
)

// Where keys are, besides in the environment and in this working tree: in the clone's
// other worktrees, and in the operating system's store.

// elsewhere is where keys are looked for last.
type elsewhere struct {
	sync.Mutex
	store     *keystore.Keys
	listed    bool // worktrees is set
	worktrees []string
}

// otherWorktrees returns the tops of the clone's other worktrees.
func (w *Workspace) otherWorktrees(ctx context.Context) []string {
	w.elsewhere.Lock()
	defer w.elsewhere.Unlock()
	if !w.elsewhere.listed {
		w.elsewhere.worktrees, w.elsewhere.listed = w.listWorktrees(ctx), true
	}
	return w.elsewhere.worktrees
}

// Store returns the operating system's store of keys.
func (w *Workspace) Store() *keystore.Keys { return w.elsewhere.store }

// inStore returns the keys that the operating system's store has for a public key.
func (w *Workspace) inStore(ctx context.Context, file string, public ecies.PublicKey) []keyring.LocalKey {
	keys := w.Store().Get(ctx, public)
	if len(keys) > 0 {
		w.Debug("key: from the operating system's store, for %s", w.RelPath(file))
	}
	return keyring.Stored(keys)
}

// IsStored reports whether the operating system's store has the key that an env file is
// encrypted for.
func (w *Workspace) IsStored(ctx context.Context, doc *dotenv.Document) bool {
	ring := &keyring.Ring{More: func(public ecies.PublicKey) []keyring.LocalKey { return keyring.Stored(w.Store().Get(ctx, public)) }}
	return len(ring.Declared(doc)) > 0
}

// PlanKeys plans to keep the vault's keys where the user wants them: by [drift.Sync] in
// the keys files, in the operating system's store, or nowhere.
func (w *Workspace) PlanKeys(ctx context.Context, targets []mapping.Target, answers []keyring.Answer, replace func(*drift.DiffersError) bool) ([]drift.Change, error) {
	user, err := w.User()
	if err != nil {
		return nil, err
	}
	if user.Store == config.StoreFile {
		return drift.Sync(w.Files(), targets, answers, replace), nil
	}
	changes := make([]drift.Change, len(targets))
	for i, t := range targets {
		ch, done := drift.Unsynced(w.Files(), t, answers[i])
		if ch.Err != nil { // no keys file was to be written
			ch.File = cmp.Or(t.File, ch.File)
		}
		if !done {
			ch.File, ch.Names = t.File, t.Names[:1]
			w.planStored(ctx, &ch, t, answers[i].Keys, user)
		}
		changes[i] = ch
	}
	return changes, nil
}

// planStored plans to keep the keys of one target outside of files.
func (w *Workspace) planStored(ctx context.Context, ch *drift.Change, t mapping.Target, keys ecies.Keys, user config.User) {
	switch {
	case user.Store == config.StoreNone:
		ch.Action = drift.Ephemeral
		ch.AddNote("kept nowhere: keys.store in " + config.UserFile(w.Getenv))
	case w.Store().Has(ctx, keys):
		ch.Action, ch.Stored = drift.Unchanged, keys // its time begins again
	default:
		ch.Action, ch.Stored = drift.Stored, keys
	}
	if data, err := atomicfile.ReadFile(w.Files(), t.KeysFile); err == nil {
		ring := &keyring.Ring{}
		ring.File(t.KeysFile, dotenv.ParseKeysFile(data))
		if ring.Keys().HasAny(keys) {
			ch.AddNote(fmt.Sprintf("%s has the key too: delete that file if no other program needs it", w.RelPath(t.KeysFile)))
		}
	}
}

// KeepKeys puts the keys of a plan of [Workspace.PlanKeys] into the operating system's store,
// and records in each change how it went.
func (w *Workspace) KeepKeys(ctx context.Context, changes []drift.Change, answers []keyring.Answer) error {
	user, err := w.User()
	if err != nil {
		return err
	}
	var items []keystore.Item
	var places []int
	for i, ch := range changes {
		if ch.Stored != nil && ch.Err == nil {
			items = append(items, keystore.Item{Keys: ch.Stored, File: w.Absolute(w.RelPath(ch.File)), Vault: answers[i].Vault})
			places = append(places, i)
		}
	}
	if len(items) == 0 {
		return nil
	}
	store, errs := w.Store().Put(ctx, items, user.TTL)
	for n, i := range places {
		if errs[n] != nil {
			changes[i].Action, changes[i].Err = drift.Failed, errs[n]
			continue
		}
		note := "in the " + store
		if until := w.Store().Until(changes[i].Stored); !until.IsZero() {
			note += " until " + until.Local().Format(time.DateTime)
		}
		changes[i].AddNote(note)
	}
	return nil
}
