package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// What a command will do with the env files of mappings. Apply does it.

// Unreadable returns the change for a target without a readable file: a missing one is
// skipped.
func (w *Workspace) Unreadable(t mapping.Target) (ch drift.Change, done bool) {
	ch = drift.Change{Mapping: t.Mapping, File: cmp.Or(t.File, t.Folder())}
	if missing, ok := errors.AsType[*config.NoEnvFileError](t.Err); ok {
		there := *missing
		there.Folder = w.RelPath(missing.Folder)
		ch.Action, ch.Note = drift.Skipped, there.Error()
	} else if t.Err != nil {
		ch.Action, ch.Err = drift.Failed, t.Err
	}
	return ch, t.Err != nil
}

// PlanDecryption plans the decryption of a target's file in place.
func (w *Workspace) PlanDecryption(t mapping.Target, key keyring.Answer) drift.Change {
	if ch, done := w.Unreadable(t); done {
		return ch
	}
	if key.Err != nil {
		return drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: key.Err}
	}
	mixed := t.Doc.State() == dotenv.Mixed
	ch := drift.Decrypt(t.File, t.Doc, key.Keys, dotenv.Selection{})
	ch.Mapping = t.Mapping
	switch {
	case ch.Action == drift.Skipped:
		ch.Note = "already plaintext"
		ch.New = t.Doc.Bytes()
	case mixed && ch.Write:
		ch.Note = "values that were already plaintext stay as they are"
	}
	return ch
}

// PlanLock plans the encryption of each target's file, unless there is nothing to
// encrypt.
func (w *Workspace) PlanLock(ctx context.Context, targets []mapping.Target) ([]drift.Change, error) {
	plan := make([]drift.Change, len(targets))
	var encrypt []mapping.Target
	var places []int
	for i, t := range targets {
		if plan[i] = w.lockable(t); plan[i].Action == "" {
			encrypt, places = append(encrypt, t), append(places, i)
		}
	}
	changes, err := w.PlanEncryption(ctx, encrypt)
	for n, ch := range changes {
		plan[places[n]] = ch
	}
	return plan, err
}

// lockable begins the plan for a target. Its Action is set if there is nothing
// to encrypt.
func (w *Workspace) lockable(t mapping.Target) drift.Change {
	ch, done := w.Unreadable(t)
	if !done {
		switch state := t.Doc.State(); {
		case t.Doc.CheckForm() != nil:
			ch.Action, ch.Err = drift.Failed, t.Doc.CheckForm()
		case state == dotenv.Encrypted:
			ch.Action, ch.Note = drift.Unchanged, "already encrypted"
		case state == dotenv.Empty && !t.Doc.KeepsPlain():
			ch.Action, ch.Note = drift.Unchanged, "holds no values"
		}
	}
	return ch
}

// PlanEncryption plans the encryption of the targets' files, in their order. The
// vaults are asked at once for all private keys that are not local: without them
// no value can be compared with HEAD's.
func (w *Workspace) PlanEncryption(ctx context.Context, targets []mapping.Target) ([]drift.Change, error) {
	files := make([]string, len(targets))
	for i, t := range targets {
		files[i] = t.File
	}
	if err := w.ReadHead(ctx, files); err != nil && !errors.Is(err, gitops.ErrNoGit) {
		return nil, err
	}
	requests, heads := make([]keyring.Request, len(targets)), make([]error, len(targets))
	for i, t := range targets {
		requests[i].Target = t
		requests[i].Head, heads[i] = w.previousToEncrypt(ctx, t)
	}
	plan := make([]drift.Change, len(targets))
	for i, key := range w.EncryptionKeys(ctx, requests, true) {
		if err := cmp.Or(heads[i], key.Err); err != nil {
			plan[i] = drift.Change{Mapping: targets[i].Mapping, File: targets[i].File, Action: drift.Failed, Err: err}
			continue
		}
		plan[i] = w.Encrypt(ctx, requests[i], key.Pair, dotenv.Selection{})
		plan[i].Mapping = targets[i].Mapping
		if key.Unkept != nil && plan[i].Write {
			plan[i].AddNote("not compared with HEAD, because the key is missing: " + key.Unkept.Error())
		}
	}
	return plan, ctx.Err()
}

// previousToEncrypt returns HEAD's version of a target's file. Without git it is not
// known, which is an error unless the file itself says for which key it is encrypted.
func (w *Workspace) previousToEncrypt(ctx context.Context, t mapping.Target) (*dotenv.Document, error) {
	head, err := w.Previous(ctx, t.File)
	if !errors.Is(err, gitops.ErrNoGit) {
		return head, err
	}
	if headers, _ := t.Doc.PublicKeys(); len(headers) == 0 {
		return nil, fmt.Errorf("HEAD's version of %s, which tells the key: %w", t.File, err)
	}
	w.Notice("not compared with HEAD's version of %s: %v", w.RelPath(t.File), err)
	return nil, nil
}

// Repairable returns the targets whose file has ciphertext in the working tree, and those
// whose file cannot be read. A file that is named must be readable and have a mapping:
// otherwise the right key is not known.
func (w *Workspace) Repairable(only []string) (targets, failed []mapping.Target, err error) {
	named := map[string]bool{}
	for _, t := range mapping.Resolve(w.Files(), w.Base, w.Config, w.Config.Mappings) {
		named[t.File] = true
		if len(only) > 0 && !slices.Contains(only, t.File) {
			continue
		}
		if t.Err != nil && len(only) > 0 {
			return nil, nil, t.Err
		}
		if t.Err != nil && !errors.As(t.Err, new(*config.NoEnvFileError)) {
			failed = append(failed, t)
		}
		if t.Doc != nil && t.Doc.State().HasCiphertext() {
			targets = append(targets, t)
		}
	}
	for _, file := range only {
		if !named[file] {
			return nil, nil, &keyring.UnmappedError{File: file}
		}
	}
	return targets, failed, nil
}

// PlanRepairs plans the repair of those targets whose file the vault's key does
// not decrypt.
func (w *Workspace) PlanRepairs(ctx context.Context, targets []mapping.Target) ([]drift.Change, error) {
	var files []string
	for _, t := range targets {
		files = append(files, t.File)
	}
	if err := w.ReadHead(ctx, files); err != nil {
		return nil, err
	}
	var changes []drift.Change
	for i, key := range w.Fetch(ctx, targets) {
		t := targets[i]
		ch := drift.Change{File: t.File, Action: drift.Failed, Err: key.Err}
		if key.Err == nil {
			if !drift.IsDrift(w.RecordProof(t, key.Keys, drift.Check(t.Doc, nil, key.Keys).Err())) {
				continue
			}
			ch = w.PlanRepair(ctx, t.File, t.Doc, key.Keys)
		}
		ch.Mapping = t.Mapping
		changes = append(changes, ch)
	}
	return changes, nil
}

// PlanRepair plans the repair of a file as it is in the working tree, which the
// right keys do not decrypt.
func (w *Workspace) PlanRepair(ctx context.Context, file string, doc *dotenv.Document, right ecies.Keys) drift.Change {
	ch := drift.Change{File: file, Action: drift.Failed, Old: doc.Bytes()}
	ring := w.AllLocalKeys(ctx, file)
	ring.Declared(doc) // looks for the key that drifted values may have
	head, err := w.Previous(ctx, file)
	if err == nil {
		err = w.RecordLocal(w.Request(file, doc), ring, ring.Keys(), nil)
	}
	if err != nil {
		ch.Err = err
		return ch
	}
	plan, err := drift.Drifted{File: path.Base(file), Doc: doc, Head: head, Right: right, Held: ring.Keys()}.Repair()
	if err != nil {
		ch.Err = err
		return ch
	}
	ch.Action, ch.Names, ch.New, ch.Write, ch.Keep = plan.Action, plan.Names, plan.Data, true, true
	return ch
}
