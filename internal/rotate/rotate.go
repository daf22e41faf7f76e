// Package rotate replaces the key pair that env files are encrypted for, so that
// nobody is locked out on the way. No state is kept but what is there anyway: the
// vault's keys, the history and the files. So any step can be repeated, by anybody,
// in any clone.
//
//	rotate   vault: old          →  old,new   then the files are encrypted for new
//	finish   vault: old,new      →  new,old   when the default branch has such files
//	retire   vault: new,old      →  new       when no ref has others
//
// The order matters because dotenvx tries only the first key of a list in an
// environment variable, and any key of a list in .env.keys: until the default branch
// has the new files, the first key is the old one.
package rotate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Step is how far a rotation is.
type Step string

// The steps of a rotation, in their order.
const (
	Settled   Step = "settled"   // the vault has one key, and the files are encrypted for it
	Begun     Step = "begun"     // the vault has a newer key than some of the files
	Encrypted Step = "encrypted" // the files are encrypted for the newest key; the vault's first one is older
	Finished  Step = "finished"  // the vault's first key is the newest; others follow it
)

// A Secret is one of a vault, the env files whose private key it holds, and how far
// its rotation is.
type Secret struct {
	Targets []mapping.Target // of all mappings with the secret, whatever their profile
	keyring.Answer
	Newest *ecies.PrivateKey
	Step   Step

	w        *workspace.Workspace
	together []*Secret // all of one run
}

// Name returns the name of the secret in its vault.
func (s *Secret) Name() string { return s.Targets[0].Mapping.SecretName }

// Secrets returns the secrets of targets, each once and with all of its files, in
// their order. Err says what is wrong with one; the others are not affected.
func Secrets(ctx context.Context, w *workspace.Workspace, targets []mapping.Target) (secrets []*Secret) {
	shared := slices.DeleteFunc(w.All(), func(t mapping.Target) bool {
		return !slices.ContainsFunc(targets, func(wanted mapping.Target) bool { return sameSecret(t, wanted) })
	})
	answers := w.Fetch(ctx, shared)
	for i, t := range shared {
		// A secret may be a keys file, with a key for each of several mappings.
		same := slices.IndexFunc(secrets, func(s *Secret) bool {
			return sameSecret(s.Targets[0], t) && s.Err == nil && answers[i].Err == nil && s.Keys.Reveal() == answers[i].Keys.Reveal()
		})
		if same < 0 {
			same = len(secrets)
			secrets = append(secrets, &Secret{Answer: answers[i], w: w})
		}
		secrets[same].Targets = append(secrets[same].Targets, t)
	}
	secrets = slices.DeleteFunc(secrets, func(s *Secret) bool { return !s.hasAny(targets) })
	for _, s := range secrets {
		s.together = secrets
		if s.Err == nil {
			s.Err = s.read(ctx)
		}
	}
	return secrets
}

func (s *Secret) hasAny(targets []mapping.Target) bool {
	return slices.ContainsFunc(s.Targets, func(t mapping.Target) bool {
		return slices.ContainsFunc(targets, func(wanted mapping.Target) bool {
			return sameSecret(t, wanted) && t.KeysFile == wanted.KeysFile && t.Mapping.Line == wanted.Mapping.Line
		})
	})
}

func sameSecret(a, b mapping.Target) bool {
	return a.Mapping.SecretName == b.Mapping.SecretName && a.Mapping.VaultName == b.Mapping.VaultName
}

// read finds the newest key and the step.
func (s *Secret) read(ctx context.Context) (err error) {
	if s.Newest, err = s.newest(ctx); err == nil {
		s.Step = s.step()
	}
	return err
}

func (s *Secret) step() Step {
	switch {
	case len(s.behind()) > 0 && len(s.Keys) > 1:
		return Begun
	case s.Keys[0].PublicKey() != s.Newest.PublicKey():
		return Encrypted
	case len(s.Keys) > 1:
		return Finished
	}
	return Settled
}

// files returns the targets whose env file is there.
func (s *Secret) files() []mapping.Target {
	return slices.DeleteFunc(slices.Clone(s.Targets), func(t mapping.Target) bool { return t.Doc == nil })
}

// behind returns the targets whose env file needs another key than the newest one.
func (s *Secret) behind() []mapping.Target {
	return slices.DeleteFunc(s.files(), func(t mapping.Target) bool { return s.isFor(t.Doc, s.Newest) })
}

// encryptedFor reports whether a document declares a public key and no other.
func encryptedFor(doc *dotenv.Document, key ecies.PublicKey) bool {
	headers, err := doc.PublicKeys()
	return err == nil && len(headers) > 0 && !slices.ContainsFunc(headers, func(h dotenv.Header) bool { return h.Key != key })
}

// Rotate encrypts the files for the newest key, which it makes and stores first if
// the one that there is has been used: after a run that was cut it goes on with the
// same key. The vault has both before a file is written. What it returns is done,
// or has an Err each.
func (s *Secret) Rotate(ctx context.Context) ([]drift.Change, error) {
	for _, t := range s.Targets {
		if t.Err != nil && !errors.Is(t.Err, fs.ErrNotExist) {
			return []drift.Change{{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: t.Err}}, nil
		}
	}
	files := s.files()
	if len(files) == 0 {
		return nil, ErrNoFile
	}
	for _, t := range files {
		if err := provable(t, s.Keys); err != nil {
			return []drift.Change{{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: err}}, nil
		}
	}
	if s.Step == Encrypted {
		return nil, nil
	}
	if err := s.current(ctx); err != nil {
		return nil, err
	}
	if s.Step != Begun {
		key, err := ecies.GenerateKey()
		if err != nil {
			return nil, err
		}
		if err := s.store(ctx, slices.Insert(slices.Clone(s.Keys), 1, key)); err != nil {
			return nil, err
		}
		s.Newest = key
	} else if err := s.w.MayRotate(ctx, files[0], s.Newest.PublicKey()); err != nil {
		return nil, err
	}
	var plan []drift.Change
	for i, t := range s.Targets {
		if t.Doc == nil || s.isFor(t.Doc, s.Newest) {
			continue
		}
		ch := s.reencrypt(ctx, t)
		if plan = append(plan, ch); ch.Err == nil {
			s.Targets[i].Doc = dotenv.Parse(ch.New)
		}
	}
	s.Step = s.step()
	plan = append(s.syncPlan(), plan...)
	return plan, s.w.Apply(ctx, plan)
}

// provable returns why a file cannot be rotated: keys do not decrypt all of it, or
// not all of it is encrypted.
func provable(t mapping.Target, keys ecies.Keys) error {
	err := drift.Check(t.Doc, nil, keys).Err()
	if errors.As(err, new(*drift.MixedError)) || errors.Is(err, drift.ErrNoValues) {
		return nil
	}
	return err
}

// reencrypt plans the encryption of a file for the newest key.
func (s *Secret) reencrypt(ctx context.Context, t mapping.Target) drift.Change {
	ch := drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Old: t.Doc.Bytes()}
	head, err := s.w.Previous(ctx, t.File)
	if err != nil {
		ch.Err = err
		return ch
	}
	data, err := drift.Reencrypt(path.Base(t.File), t.Doc, head, s.Keys, s.Newest)
	if err != nil {
		ch.Err = err
		return ch
	}
	ch.Action, ch.New, ch.Write = drift.Encrypted, data, true
	ch.AddNote("for public key " + s.Newest.PublicKey().Short())
	return ch
}

// syncPlan plans to put the keys into the keys files that there are.
func (s *Secret) syncPlan() (plan []drift.Change) {
	var targets []mapping.Target
	var answers []keyring.Answer
	for _, t := range s.Targets {
		if _, err := fs.Stat(s.w.Files(), t.KeysFile); err == nil {
			targets, answers = append(targets, t), append(answers, s.Answer)
		}
	}
	for _, ch := range drift.Sync(s.w.Files(), targets, answers, func(*drift.DiffersError) bool { return false }) {
		if ch.Write || ch.Err != nil {
			plan = append(plan, ch)
		}
	}
	return plan
}

// Uncommitted returns the paths of the secret's files, and of the vault's if it is in
// the repository, that differ from HEAD's versions.
func (s *Secret) Uncommitted(ctx context.Context) ([]string, error) {
	if repo, err := s.w.Git(ctx); repo == nil || err != nil {
		return nil, err
	}
	paths := fileNames(s.files())
	if file := s.w.VaultFile(ctx, s.Targets[0]); file != "" {
		paths = append(paths, file)
	}
	if err := s.w.ReadHead(ctx, paths); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(paths, func(file string) bool {
		now, errNow := atomicfile.ReadFile(s.w.Files(), file)
		head, err := s.w.Previous(ctx, file)
		return err == nil && errNow == nil && head != nil && bytes.Equal(now, head.Bytes())
	}), nil
}

// store replaces the vault's keys and reads them back.
func (s *Secret) store(ctx context.Context, keys ecies.Keys) error {
	answer, err := s.w.ReplaceKeys(ctx, s.Targets, s.Answer, keys)
	if err != nil {
		return err
	}
	before := s.Version
	s.Answer = answer
	for _, other := range s.together { // a keys file's other keys have the same version
		if sameSecret(s.Targets[0], other.Targets[0]) && other.Version == before {
			other.Version = answer.Version
		}
	}
	return nil
}

// Finish makes the newest key the vault's first one. Unless force is set, the files
// on branch must be encrypted for it; "" is the default branch.
func (s *Secret) Finish(ctx context.Context, branch string, force bool) ([]drift.Change, error) {
	if s.Step == Begun {
		return nil, &NotYetError{Secret: s.Name(), Files: fileNames(s.behind())}
	}
	if s.Step != Encrypted {
		return nil, nil
	}
	if !force {
		if err := s.isOn(ctx, branch); err != nil {
			return nil, err
		}
	}
	keys := ecies.Keys{s.Newest}
	for _, k := range s.Keys {
		if k != s.Newest {
			keys = append(keys, k)
		}
	}
	if err := s.store(ctx, keys); err != nil {
		return nil, err
	}
	s.Step = Finished
	plan := s.syncPlan()
	return plan, s.w.Apply(ctx, plan)
}

// Retire removes all keys but the newest from the vault. Unless force is set, no
// ref, stash or worktree may have a file for one of them. It returns those that
// have, which then no longer decrypt.
func (s *Secret) Retire(ctx context.Context, force bool) ([]Carrier, error) {
	switch s.Step {
	case Begun:
		return nil, &NotYetError{Secret: s.Name(), Files: fileNames(s.behind())}
	case Encrypted:
		return nil, &NotYetError{Secret: s.Name()}
	case Settled:
		return nil, nil
	}
	carriers, err := s.Carriers(ctx)
	if err != nil || len(carriers) > 0 && !force {
		return carriers, err
	}
	if err := s.store(ctx, ecies.Keys{s.Newest}); err != nil {
		return nil, err
	}
	s.Step = Settled
	return carriers, nil
}

// AssumeUsed takes the one key that the files here are encrypted for as the newest,
// where Err is [ErrNoHistory] or [ErrNotFetched]. It is for [Secret.Retire]: a
// rotation could go on with the old key. Unless force is set, the key must not be
// the vault's first one: the others may be of a rotation that is not here yet.
func (s *Secret) AssumeUsed(force bool) {
	if !errors.Is(s.Err, ErrNoHistory) && !errors.Is(s.Err, ErrNotFetched) {
		return
	}
	for i, k := range s.Keys {
		if s.allFor(k) && (force || i > 0 && errors.Is(s.Err, ErrNoHistory)) {
			s.Newest, s.Step, s.Err = k, Finished, nil
			return
		}
	}
}

func fileNames(targets []mapping.Target) (names []string) {
	for _, t := range targets {
		names = append(names, t.File)
	}
	return names
}

// ErrNoFile reports a secret none of whose env files is there.
var ErrNoFile = errors.New("none of its env files is here, so there is nothing to encrypt for another key")

// A NotYetError reports a step that must come before.
type NotYetError struct {
	Secret string
	Files  []string // that are to be encrypted first; none if the vault's order is what lacks
}

func (e *NotYetError) Error() string {
	if len(e.Files) > 0 {
		return fmt.Sprintf("the rotation is at an earlier step: %d of its files are not encrypted for the newest key", len(e.Files))
	}
	return "the rotation is at an earlier step: the vault's first key is not the newest one"
}

// current returns an error if the vault is in the repository and that of the default
// branch has keys which this one lacks: the rotation would begin once more.
func (s *Secret) current(ctx context.Context) error {
	t := s.Targets[0]
	repo, err := s.w.Git(ctx)
	if err != nil || repo == nil || s.w.VaultFile(ctx, t) == "" {
		return err
	}
	branch, err := repo.DefaultBranch(ctx)
	if err != nil || branch == "" {
		return err
	}
	tree, err := repo.Tree(ctx, branch, workspace.MaxFile)
	if err != nil {
		return err
	}
	there, err := s.w.At(tree, s.w.Base)
	if err != nil {
		return nil // another configuration, or none: another vault
	}
	answer := there.FetchToCheck(ctx, []mapping.Target{t})[0]
	for _, k := range answer.Keys {
		if s.Keys.Find(k.PublicKey()) == nil {
			stale := &StaleVaultError{Branch: branch, Key: k.PublicKey().Short()}
			if merged, err := repo.IsAncestor(ctx, gitops.OID(branch), "HEAD"); err == nil && merged {
				stale.File = s.w.VaultFile(ctx, t)
			}
			return stale
		}
	}
	return nil
}

// A StaleVaultError reports a vault in the repository that lacks a key of another
// branch's.
type StaleVaultError struct {
	Branch, Key string
	File        string // of the vault, if the branch is merged: that it lacks the key is to be committed
}

func (e *StaleVaultError) Error() string {
	return fmt.Sprintf("the vault of %s has a key that this branch's lacks (public key %s)", e.Branch, e.Key)
}
