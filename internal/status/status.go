// Package status finds the state of each mapping: of its env file, of its local
// key, and of its vault. It writes nothing.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// A Mapping is the status of one mapping.
type Mapping struct {
	File        string `json:"file"`
	Secret      string `json:"secret"`
	Environment string `json:"environment"`
	State       string `json:"state"`   // absent, plaintext, encrypted, partly encrypted, empty, merge conflict, unreadable
	Changed     string `json:"changed"` // since HEAD: "", changed since HEAD, untracked
	Key         string `json:"key"`     // local, in the store, differs from the vault's, not local, ephemeral
	Vault       string `json:"vault"`   // has the key, DRIFT, not asked, or why not
	Err         error  `json:"-"`       // the most serious problem; nil for none
}

// ErrOtherKey reports a local key that does not decrypt the file that it is for.
var ErrOtherKey = errors.New("the local key is not the one that the file is encrypted for")

// Of returns the status of every mapping. If offline, no vault is asked.
func Of(ctx context.Context, w *workspace.Workspace, offline bool) ([]Mapping, error) {
	targets, err := w.Mapped()
	if err != nil {
		return nil, err
	}
	keys := make([]keyring.Answer, len(targets))
	if !offline {
		keys = w.Fetch(ctx, targets)
	}
	changed, err := changedSinceHead(ctx, w, targets)
	if err != nil {
		return nil, err
	}
	list := make([]Mapping, len(targets))
	for i, t := range targets {
		list[i] = ofTarget(ctx, w, t, keys[i], offline)
		list[i].Changed = changed[t.File]
	}
	return list, nil
}

func ofTarget(ctx context.Context, w *workspace.Workspace, t mapping.Target, key keyring.Answer, offline bool) Mapping {
	m := Mapping{
		File: cmp.Or(t.File, t.Folder()), Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(),
		State: stateOf(t), Vault: "not asked", Err: t.Err,
	}
	if t.Doc != nil {
		m.Err = drift.CheckWithoutKey(t.Doc, dotenv.Selection{})
	}
	switch {
	case offline:
	case errors.Is(key.Err, vault.ErrNotFound):
		m.Vault, m.Err = "has no key", key.Err
	case key.Err != nil:
		m.Vault, m.Err = "could not be used", key.Err
	default:
		m.Vault = "has the key"
		if n := len(key.Keys); n > 1 {
			m.Vault = fmt.Sprintf("has the key, one of %d: a rotation is not finished", n)
		}
		if t.Doc == nil {
			break
		}
		if err := w.RecordProof(t, key.Keys, drift.Check(t.Doc, nil, key.Keys).KeyErr()); drift.IsDrift(err) {
			m.Vault, m.Err = "DRIFT", err
		} else if err != nil {
			m.Err = err
		}
	}
	var err error
	m.Key, err = localKey(w, t, key.Keys)
	if m.Key == notLocal && t.Doc != nil && w.IsStored(ctx, t.Doc) {
		m.Key = "in the store"
	}
	m.Err = cmp.Or(m.Err, err)
	return m
}

func stateOf(t mapping.Target) string {
	switch {
	case t.Doc != nil:
		return map[dotenv.State]string{
			dotenv.Empty: "empty", dotenv.Plain: "plaintext", dotenv.Encrypted: "encrypted", dotenv.Mixed: "partly encrypted",
		}[t.Doc.State()]
	case errors.As(t.Err, new(*dotenv.ConflictError)):
		return "merge conflict"
	case t.File == "" || errors.Is(t.Err, fs.ErrNotExist):
		return "absent"
	}
	return "unreadable"
}

const notLocal = "not local"

// localKey describes the key in the keys file. vaults may be empty: not asked.
func localKey(w *workspace.Workspace, t mapping.Target, vaults ecies.Keys) (string, error) {
	data, err := atomicfile.ReadFile(w.Files(), t.KeysFile)
	missing := errors.Is(err, fs.ErrNotExist)
	switch {
	case t.Mapping.Ephemeral && missing:
		return "ephemeral", nil
	case t.Mapping.Ephemeral:
		return "ephemeral, though " + w.RelPath(t.KeysFile) + " is there", nil
	case missing:
		return notLocal, nil
	case err != nil:
		return "unreadable", err
	}
	ring := &keyring.Ring{}
	ring.File(t.KeysFile, dotenv.ParseKeysFile(data))
	held := ring.Named(t.Names[0])
	switch {
	case len(held) == 0:
		return notLocal, nil
	case len(vaults) > 0 && !drift.InSync(held, vaults, t.Doc):
		return "differs from the vault's", &drift.DiffersError{KeysFile: t.KeysFile, Name: t.Names[0], Local: held, Vault: vaults}
	case t.Doc != nil && len(drift.UnknownKeys(t.Doc, held)) > 0:
		return "local, but not the file's", ErrOtherKey
	}
	return "local", nil
}

// changedSinceHead returns which files differ from HEAD's version.
func changedSinceHead(ctx context.Context, w *workspace.Workspace, targets []mapping.Target) (map[string]string, error) {
	changed := map[string]string{}
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return changed, err
	}
	var files []string
	for _, t := range targets {
		if t.File != "" {
			files = append(files, t.File)
		}
	}
	tracked, err := repo.Tracked(ctx, files)
	if err != nil {
		return nil, err
	}
	if err := w.ReadHead(ctx, files); err != nil {
		return nil, err
	}
	for _, file := range files {
		previous, err := w.Previous(ctx, file)
		if err != nil {
			return nil, err
		}
		now, _ := atomicfile.ReadFile(w.Files(), file)
		switch {
		case !tracked[file]:
			changed[file] = "untracked"
		case previous == nil || string(previous.Bytes()) != string(now):
			changed[file] = "changed since HEAD"
		}
	}
	return changed, nil
}
