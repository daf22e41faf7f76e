package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

// This file brings env files into a repository: encrypted, with the key in the vault
// and everything ready to be committed.

// A CompanionError reports a file that people read beside an env file.
type CompanionError struct{ File string }

func (e *CompanionError) Error() string {
	return e.File + ": looks like a template (as .env.example), so it is not encrypted"
}

// CheckCompanion returns a [*CompanionError] for a file with the name of a companion.
func (w *Workspace) CheckCompanion(file string) error {
	if config.IsCompanion(path.Base(file)) {
		return &CompanionError{w.RelPath(file)}
	}
	return nil
}

// MapFile appends a mapping for a file to the configuration, in the file that it
// returns: "" if there was a mapping.
func (w *Workspace) MapFile(ctx context.Context, file string) (m config.Mapping, in string, err error) {
	doc, err := mapping.ReadEnvFile(w.Files(), file)
	if err != nil {
		return m, "", err
	}
	if keys, _ := doc.PublicKeys(); len(keys) == 0 { // else the header's name counts
		if _, _, err := dotenv.KeyNames(file); err != nil {
			return m, "", err
		}
	}
	if err := w.CheckCompanion(file); err != nil {
		return m, "", err
	}
	if t, mapped := w.Target(file); mapped {
		return t.Mapping, "", nil
	}
	m = mapping.Propose(filepath.Base(w.Top), file, w.Config.Mappings)
	folder, err := filepath.Rel(filepath.FromSlash(w.Base), filepath.FromSlash(m.Folder))
	if err != nil || !filepath.IsLocal(folder) {
		return m, "", fmt.Errorf("%s can only map files next to it or below", w.Config.File)
	}
	m.Folder = filepath.ToSlash(folder)
	in, err = w.AddMapping(ctx, m)
	return m, in, err
}

// An Adopted is what [Workspace.Adopt] did with one env file.
type Adopted struct {
	File    string
	Target  mapping.Target
	Changes []drift.Change // of the keys file and of the env file
	Key     string         // the name of the key that the vault has
	Vault   string
	Stored  bool // the vault got the key now
	Version string
	Err     error // why the file is not ready to be committed
}

// Adopt encrypts mapped files, stores their keys in the vault, and proves that these
// decrypt the files. What is done already stays. One that fails does not stop the
// others.
func (w *Workspace) Adopt(ctx context.Context, files []string) []Adopted {
	done := make([]Adopted, len(files))
	var targets []mapping.Target
	var asked []*Adopted
	for i, file := range files {
		a := &done[i]
		a.File = file
		if a.Target, a.Err = w.adoptable(file); a.Err == nil {
			targets, asked = append(targets, a.Target), append(asked, a)
		}
	}
	err := w.ReadHead(ctx, files)
	var storing adoptions
	stored := map[[2]string]bool{}
	// All at once: of a vault that does not answer, each would have to wait.
	for i, held := range w.FetchToCheck(ctx, targets) {
		a, name := asked[i], [2]string{held.Vault, targets[i].Mapping.SecretName}
		if stored[name] { // a secret that several mappings share
			storing.finish(ctx, w)
			held = w.FetchToCheck(ctx, targets[i:i+1])[0]
		}
		a.Vault = held.Vault
		switch {
		case cmp.Or(ctx.Err(), err) != nil:
			a.Err = cmp.Or(ctx.Err(), err)
		case held.Err != nil && !errors.Is(held.Err, vault.ErrNotFound):
			a.Err = held.Err
		default:
			before := len(storing.of)
			a.Err = w.adopt(ctx, a, held, &storing)
			stored[name] = stored[name] || a.Stored || len(storing.of) > before
		}
	}
	storing.finish(ctx, w)
	return done
}

// adoptions are keys that are still to be stored.
type adoptions struct {
	of     []*Adopted
	pushes []Push
	held   []keyring.Answer
}

// finish stores them, several at a time: some vaults take seconds.
func (s *adoptions) finish(ctx context.Context, w *Workspace) {
	for i, p := range w.pushAll(ctx, s.pushes, s.held, false) {
		a := s.of[i]
		a.Stored, a.Version, a.Err = p.Stored, p.Version, p.Err
	}
	*s = adoptions{}
}

// adoptable returns the target of a file that is encrypted, or can be.
func (w *Workspace) adoptable(file string) (mapping.Target, error) {
	t, mapped := w.Target(file)
	if !mapped {
		return t, &keyring.UnmappedError{File: file}
	}
	if t.Err != nil {
		return t, t.Err
	}
	return t, checkValues(t.Doc)
}

// checkValues returns why a commit of an env file would not pass, even when it is
// encrypted.
func checkValues(doc *dotenv.Document) error {
	if err := doc.CheckForm(); err != nil {
		return err
	}
	if lines := doc.UnparsedLines(); len(lines) > 0 {
		return &drift.UnparsedError{Lines: lines}
	}
	if len(doc.Plaintext(dotenv.Selection{})) == 0 && !doc.State().HasCiphertext() {
		return drift.ErrNoValues
	}
	return nil
}

// adopt does with one file what Adopt does, but for storing the key. held is what the
// vault has.
func (w *Workspace) adopt(ctx context.Context, a *Adopted, held keyring.Answer, storing *adoptions) error {
	if len(drift.UnknownKeys(a.Target.Doc, nil)) > 0 { // it declares a key: without that, nothing is encrypted for it
		if _, err := w.keyToStore(ctx, a.Target, held); err != nil {
			return err
		}
	}
	if q := w.Request(a.File, a.Target.Doc); len(q.Doc.Plaintext(dotenv.Selection{})) > 0 {
		changes, key, err := w.EncryptFile(ctx, q, dotenv.Selection{}, true)
		a.Changes = changes
		if err != nil {
			return err
		}
		if key.Generated && q.Mapping.Ephemeral {
			a.Stored, held = true, keyring.Answer{Vault: held.Vault, Keys: key.Keys}
		}
	}
	t, err := w.adoptable(a.File) // as it is now
	if err != nil {
		return err
	}
	p, err := w.keyToStore(ctx, t, held)
	if err != nil {
		return err
	}
	a.Target, a.Key = t, p.Name
	if err := drift.Check(t.Doc, nil, p.Keys).Err(); err != nil {
		return err
	}
	if p.Keys.Reveal() != held.Keys.Reveal() {
		storing.of, storing.pushes, storing.held = append(storing.of, a), append(storing.pushes, p), append(storing.held, held)
	}
	return nil
}

// keyToStore returns the key of a file, which is that of the vault or is local. The
// error is the vault's, or a [*drift.DriftError] for a key that is not the file's, if
// there is no local one.
func (w *Workspace) keyToStore(ctx context.Context, t mapping.Target, held keyring.Answer) (Push, error) {
	if held.Err == nil && len(drift.UnknownKeys(t.Doc, held.Keys)) == 0 {
		return Push{t, t.Names[0], held.Keys}, nil
	}
	p, err := w.PreparePush(ctx, t.Folder(), t, PushOptions{})
	if !errors.Is(err, fs.ErrNotExist) && !errors.As(err, new(*NoSuchKeyError)) {
		return p, err
	}
	if keys := w.LocalKeys(ctx, t.File).Beside(t.Folder()).Declared(t.Doc); len(keys) > 0 { // of the environment
		return w.pushOf(Push{t, t.Names[0], keys}, false)
	}
	if held.Err != nil {
		return p, held.Err
	}
	return p, &drift.DriftError{Verdict: drift.Check(t.Doc, nil, held.Keys)}
}

// EncryptFile encrypts the selected values of q's file and writes it. A new private
// key is written first: a file that no key decrypts is worse than a key without
// file. If push is set and the mapping is ephemeral, it is stored in the vault, not
// in the keys file. The error is also that of the last of changes.
func (w *Workspace) EncryptFile(ctx context.Context, q keyring.Request, sel dotenv.Selection, push bool) (changes []drift.Change, key EncryptionKey, err error) {
	if q.Head, err = w.previousToEncrypt(ctx, q.Target); err != nil {
		return nil, key, err
	}
	key = w.EncryptionKeys(ctx, []keyring.Request{q}, false)[0]
	if errors.As(key.Err, new(*keyring.UnknownKeyError)) {
		key.Err = key.Generate()
	}
	if key.Err != nil {
		return nil, key, key.Err
	}
	change := w.Encrypt(ctx, q, key.Pair, sel)
	if change.Err != nil {
		return nil, key, change.Err
	}
	apply := func(ch drift.Change) error {
		plan := []drift.Change{ch}
		if err := w.Apply(ctx, plan); err != nil {
			return err
		}
		changes = append(changes, plan...)
		return plan[0].Err
	}
	switch {
	case key.Generated && push && q.Mapping.Ephemeral:
		_, _, err = w.Push(ctx, Push{q.Target, key.Private, key.Keys}, keyring.Answer{Err: vault.ErrNotFound}, false)
	case key.Generated:
		keysFile := path.Join(path.Dir(q.File), w.Config.Sync.EnvKeysFilename)
		err = apply(drift.StoreKey(w.Files(), keysFile, key.Private, key.Keys[0], path.Base(q.File)))
	}
	if err == nil {
		err = apply(change)
	}
	return changes, key, err
}

// ToCommit returns the paths of a commit that brings env files: those of the files,
// the configuration, .gitignore, others, and what the vault has in the repository,
// as far as they differ from HEAD. What git would ignore, it no longer does.
func (w *Workspace) ToCommit(ctx context.Context, files []string, others ...string) ([]string, error) {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil || !repo.HasGit() {
		return nil, err
	}
	recipients, dirs, err := w.AgeFiles(ctx)
	if err != nil {
		return nil, err
	}
	paths := slices.Clone(files)
	for _, file := range files {
		if t, mapped := w.Target(file); mapped {
			paths = append(paths, w.VaultFile(ctx, t))
		}
	}
	paths = append(append(paths, path.Join(w.Base, filepath.Base(w.Config.File))), recipients...)
	paths = slices.DeleteFunc(append(paths, others...), func(p string) bool {
		_, err := fs.Stat(w.Files(), p)
		return p == "" || err != nil
	})
	ignored, err := repo.Ignored(ctx, paths)
	if err != nil {
		return nil, err
	}
	hidden := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return !ignored[p] })
	if err := w.Unignore(ctx, hidden); err != nil {
		return nil, err
	}
	if paths, err = repo.Uncommitted(ctx, append(paths, ".gitignore")); err != nil {
		return nil, err
	}
	for i, p := range paths { // the vault by its folder
		for v := range dirs {
			if folder := path.Dir(recipients[v]); folder != w.Base && (p == recipients[v] || path.Dir(p) == dirs[v] && path.Dir(dirs[v]) == folder) {
				paths[i] = folder
			}
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}
