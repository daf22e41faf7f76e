package workspace

import (
	"cmp"
	"context"
	"errors"
	"path/filepath"
	"time"

	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

// This file logs the uses of keys, if the user wants that: what Fetch returns, and
// what is taken from the local keys. A use is logged before it happens. One that
// cannot be is an error: a log with gaps would prove nothing.

// RecordLocal logs that keys of ring are used for q's file, or err: why there is none.
// It returns err, or why the use could not be logged.
func (w *Workspace) RecordLocal(q keyring.Request, ring *keyring.Ring, keys ecies.Keys, err error) error {
	if len(keys) == 0 && err == nil {
		return nil
	}
	return cmp.Or(w.record(1, func(int) audit.Use {
		use := w.use(q.Target, keys, err)
		if key := used(q.Doc, keys); key != nil {
			use.Source = w.source(q, ring, key)
		}
		return use
	}), err)
}

// recordVault logs the vaults' answers for targets. One that cannot be logged becomes
// an error.
func (w *Workspace) recordVault(targets []mapping.Target, answers []keyring.Answer) {
	err := w.record(len(targets), func(i int) audit.Use {
		use := w.use(targets[i], answers[i].Keys, answers[i].Err)
		use.Source, use.Vault = audit.Vault, answers[i].Vault
		return use
	})
	for i := range answers {
		if err != nil {
			answers[i] = keyring.Answer{Vault: answers[i].Vault, Err: err}
		}
	}
}

// RecordProof logs a proof that failed by drift. It returns err, what the proof found, or
// why it could not be logged.
func (w *Workspace) RecordProof(t mapping.Target, keys ecies.Keys, err error) error {
	if !drift.IsDrift(err) {
		return err
	}
	return cmp.Or(w.record(1, func(int) audit.Use { return w.use(t, keys, err) }), err)
}

func (w *Workspace) use(t mapping.Target, keys ecies.Keys, err error) audit.Use {
	u := audit.Use{File: t.File, Secret: t.Mapping.SecretName, Outcome: outcome(err)}
	if key := used(t.Doc, keys); key != nil {
		u.Key = key.PublicKey().Short()
	}
	return u
}

// used returns the one of keys that the document names, else the first.
func used(doc *dotenv.Document, keys ecies.Keys) *ecies.PrivateKey {
	if len(keys) == 0 {
		return nil
	}
	if doc != nil {
		headers, _ := doc.PublicKeys()
		for _, h := range headers {
			if key := keys.Find(h.Key); key != nil {
				return key
			}
		}
	}
	return keys[0]
}

// source returns where ring has a key for q's file from.
func (w *Workspace) source(q keyring.Request, ring *keyring.Ring, key *ecies.PrivateKey) audit.Source {
	for _, held := range ring.Held {
		switch {
		case held.Key.PublicKey() != key.PublicKey():
		case filepath.Base(held.Origin) != w.Config.Sync.EnvKeysFilename:
			return audit.Source(held.Origin) // no file
		case filepath.IsAbs(held.Origin) && !filepath.IsAbs(q.File):
			return audit.Worktree
		default:
			return audit.KeysFile
		}
	}
	return ""
}

// record writes n uses to the user's log, if there is to be one. The error is one of
// the user's configuration, or an [*audit.Error].
func (w *Workspace) record(n int, use func(i int) audit.Use) error {
	user, err := w.User()
	if err != nil || !user.Audit || n == 0 {
		return err
	}
	file, err := audit.File(w.Getenv)
	if err != nil {
		return &audit.Error{File: "audit.jsonl", Err: err}
	}
	uses, now, by := make([]audit.Use, n), time.Now().UTC().Truncate(time.Millisecond), agent.Detect(w.Getenv).Name
	for i := range uses {
		uses[i] = use(i)
		uses[i].Time, uses[i].Command, uses[i].Repository, uses[i].Agent = now, w.options.Command, w.Top, by
	}
	return audit.Append(file, uses)
}

// outcome returns the kind of an error. Its text could hold anything.
func outcome(err error) string {
	if err == nil {
		return audit.OK
	}
	for _, kind := range []struct {
		is   bool
		name string
	}{
		{errors.As(err, new(*TrustError)) || errors.As(err, new(*AgreementError)), "refused"},
		{drift.IsDrift(err), "drift"},
		{errors.As(err, new(*keyring.NoKeyError)), "no key"},
		{errors.Is(err, context.Canceled), "interrupted"},
		{errors.Is(err, vault.ErrNotFound), "not found"},
		{errors.Is(err, vault.ErrDenied), "denied"},
		{errors.Is(err, vault.ErrUnauthenticated), "not signed in"},
		{errors.Is(err, vault.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded), "unreachable"},
		{errors.Is(err, vault.ErrMalformed), "malformed"},
	} {
		if kind.is {
			return kind.name
		}
	}
	return "failed"
}
