package workspace

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/age"
)

// maxAge bounds a version of a file of the age vault that is read from git, in
// bytes.
const maxAge = 1 << 20

// AgeVault opens the age vault called name. Without a name it opens the default
// vault, or the only one that is an age vault.
func (w *Workspace) AgeVault(ctx context.Context, name string) (*age.Store, error) {
	vaults := w.ageVaults()
	var names []string
	for _, cfg := range vaults {
		if cfg.Name == name || name == "" && (cfg.Name == w.Config.Vault.Name || len(vaults) == 1) {
			return age.Open(ctx, cfg)
		}
		names = append(names, cfg.Name)
	}
	problem := fmt.Sprintf("no age vault is called %q", name)
	if name == "" {
		problem = fmt.Sprintf("the default vault is %s, not age", w.Config.Vault.Provider)
	}
	if len(names) > 0 {
		problem += "; age vaults: " + strings.TrimPrefix(strings.Join(names, ", "), ", ")
	}
	return nil, &config.Error{File: w.Config.File, Key: "vault", Problem: problem}
}

// OwnRecipient returns the user's recipient, and creates an identity for a user
// who has none. It needs no age vault.
func (w *Workspace) OwnRecipient(ctx context.Context, name string) (recipient, identity string, created bool, err error) {
	store, err := w.AgeVault(ctx, name)
	if err != nil && name == "" {
		store, err = age.Open(ctx, vault.Config{Dir: w.Config.Dir, Getenv: w.Getenv})
	}
	if err != nil {
		return "", "", false, err
	}
	return store.OwnRecipient()
}

// JoinAgeVault adds the user to the recipients of the default age vault, and
// creates an identity for a user who has none.
func (w *Workspace) JoinAgeVault(ctx context.Context) (identity string, created, added bool, err error) {
	recipient, identity, created, err := w.OwnRecipient(ctx, "")
	if err != nil {
		return identity, created, false, err
	}
	store, err := w.AgeVault(ctx, "")
	if err != nil {
		return identity, created, false, err
	}
	if readers, _ := store.Readers(); slices.ContainsFunc(readers, func(r age.Reader) bool { return r.Key == recipient }) {
		return identity, created, false, nil
	}
	c, err := w.ChangeReaders(ctx, store, func(ctx context.Context, store *age.Store) (age.Change, error) {
		return store.AddReader(ctx, recipient, w.userName())
	})
	if err == nil {
		err = w.Unignore(ctx, []string{path.Join(w.Base, store.RecipientsFile())})
	}
	return identity, created, len(c.Added) > 0, err
}

// userName returns a label for the user's recipient.
func (w *Workspace) userName() string {
	for _, name := range []string{"GIT_AUTHOR_EMAIL", "EMAIL", "USER", "USERNAME"} {
		if v := w.Getenv(name); v != "" {
			return v
		}
	}
	return "somebody"
}

// Readers are who can read one vault.
type Readers struct {
	Vault   string       `json:"vault"`
	Name    string       `json:"name,omitempty"` // of a named vault
	Readers []age.Reader `json:"recipients"`
	Secrets []age.Access `json:"secrets"` // as far as the files show it
}

// ReadersOf lists who can read the age vault called name, or each of them. With
// an error it returns those that it could.
func (w *Workspace) ReadersOf(ctx context.Context, name string) (lists []Readers, err error) {
	names := []string{name}
	if vaults := w.ageVaults(); name == "" && len(vaults) > 0 {
		names = nil
		for _, cfg := range vaults {
			names = append(names, cfg.Name)
		}
	}
	var errs []error
	for _, name := range names {
		store, err := w.AgeVault(ctx, name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		list := Readers{Vault: store.String(), Name: name}
		if list.Readers, err = store.Readers(); err == nil {
			list.Secrets, err = store.Access(w.pastRecipients(ctx, store)...)
			lists = append(lists, list)
		}
		errs = append(errs, err)
	}
	return lists, errors.Join(errs...)
}

// pastRecipients returns the versions of a vault's recipients file in git's history,
// which say who was removed. Without them nobody is named.
func (w *Workspace) pastRecipients(ctx context.Context, store *age.Store) [][]byte {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return nil
	}
	file := w.InRepository(store.RecipientsFile())
	commits, err := repo.Touching(ctx, "HEAD", file)
	if err != nil {
		w.Debug("who was a recipient before is not known: %v", err)
	}
	names := make([]string, len(commits))
	for i, commit := range commits {
		names[i] = string(commit) + ":" + file
	}
	versions, err := repo.Objects(ctx, names, maxAge)
	if err != nil {
		w.Debug("who was a recipient before is not known: %v", err)
	}
	return versions
}

// CommittedIn returns a function that reads HEAD's version of a file, whose path is
// relative to the configuration; nothing if there is none.
func (w *Workspace) CommittedIn(ctx context.Context) func(file string) ([]byte, error) {
	return func(file string) ([]byte, error) {
		repo, err := w.Git(ctx)
		if repo == nil || err != nil {
			return nil, err
		}
		data, err := repo.ReadFileAt(ctx, "HEAD", w.InRepository(file), maxAge)
		if errors.Is(err, fs.ErrNotExist) || errors.As(err, new(*gitops.RevisionError)) {
			return nil, nil
		}
		return data, err
	}
}

// FilesOf returns the mapped env files whose keys are some secrets of the age vault
// called name, relative to Top, and the secrets that no mapping names.
func (w *Workspace) FilesOf(name string, secrets []string) (files, unmapped []string) {
	targets := w.All()
	for _, secret := range secrets {
		mapped := false
		for _, t := range targets {
			cfg, err := w.Config.VaultOf(t.Mapping)
			if err != nil || cfg.Provider != "age" || cfg.Name != name || t.Mapping.SecretName != secret {
				continue
			}
			if mapped = true; t.File != "" {
				files = append(files, t.File)
			}
		}
		if !mapped {
			unmapped = append(unmapped, secret)
		}
	}
	slices.Sort(files)
	return slices.Compact(files), unmapped
}

// AlsoReads returns the names of the age vaults, other than the one called name, that
// a reader is a recipient of.
func (w *Workspace) AlsoReads(ctx context.Context, name string, reader age.Reader) (vaults []string) {
	for _, cfg := range w.ageVaults() {
		store, err := age.Open(ctx, cfg)
		if err != nil || cfg.Name == name {
			continue
		}
		there, _ := store.Readers() // a broken list is not this command's
		if slices.ContainsFunc(there, func(r age.Reader) bool { return r.Key == reader.Key }) {
			vaults = append(vaults, cfg.Name)
		}
	}
	return vaults
}

// CheckReaders returns an error if the secret of a target is in an age vault and is
// not encrypted for the recipients that the vault's recipients file names.
func (w *Workspace) CheckReaders(ctx context.Context, t mapping.Target) error {
	store, err := w.Vault(ctx, t)
	if local, ok := store.(interface{ CheckReaders(string) error }); ok && err == nil {
		return local.CheckReaders(t.Mapping.SecretName)
	}
	return nil
}

// UsesAge reports whether the configuration names an age vault.
func (w *Workspace) UsesAge() bool { return len(w.ageVaults()) > 0 }

func (w *Workspace) ageVaults() (vaults []vault.Config) {
	if w.Config.Vault.Provider == "age" {
		vaults = append(vaults, w.Config.Vault)
	}
	for _, name := range slices.Sorted(maps.Keys(w.Config.Named)) {
		if cfg := w.Config.Named[name]; cfg.Provider == "age" && name != w.Config.Vault.Name {
			vaults = append(vaults, cfg)
		}
	}
	for i := range vaults {
		vaults[i].Getenv = w.Getenv
	}
	return vaults
}

// ChangeReaders changes, under the clone's lock, who can read an age vault.
func (w *Workspace) ChangeReaders(ctx context.Context, store *age.Store, change func(context.Context, *age.Store) (age.Change, error)) (c age.Change, err error) {
	unlock, err := w.Lock(ctx)
	if err != nil {
		return c, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	if err := w.checkLost(ctx, w.InRepository(store.RecipientsFile())); err != nil {
		return c, err
	}
	defer w.options.UI.Progress("re-encrypting " + store.String())()
	if err := w.record(1, func(int) audit.Use {
		return audit.Use{Source: audit.Vault, Vault: store.String(), Outcome: audit.OK}
	}); err != nil {
		return c, err
	}
	return change(ctx, store)
}

// ErrLost reports a file that must not be made anew: git has it.
var ErrLost = errors.New("not in the working tree, although git has it")

// checkLost returns a [*fs.PathError] of [ErrLost] for a file that was deleted, or left
// out by a sparse checkout. With new recipients, every secret would be re-encrypted
// for them alone.
func (w *Workspace) checkLost(ctx context.Context, file string) error {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil || !repo.HasGit() {
		return err
	}
	if _, err := fs.Lstat(w.Files(), file); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	tracked, err := repo.Tracked(ctx, []string{file})
	if err == nil && tracked[file] {
		err = &fs.PathError{Op: "read", Path: file, Err: ErrLost}
	}
	return err
}

// AgeConflict is an [age.ConflictFunc]: what git's index holds of a file in
// conflict.
func (w *Workspace) AgeConflict(ctx context.Context) age.ConflictFunc {
	return func(file string) (*age.Conflict, error) {
		repo, err := w.Git(ctx)
		if repo == nil || err != nil {
			return nil, err
		}
		c, err := repo.Conflict(ctx, path.Join(w.Base, file), maxAge)
		return (*age.Conflict)(c), err
	}
}
