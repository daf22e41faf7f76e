package workspace

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
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
	Readers []age.Reader `json:"recipients"`
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
		var readers []age.Reader
		if err == nil {
			readers, err = store.Readers()
		}
		if errs = append(errs, err); err == nil {
			lists = append(lists, Readers{store.String(), readers})
		}
	}
	return lists, errors.Join(errs...)
}

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
	defer w.options.UI.Progress("re-encrypting " + store.String())()
	return change(ctx, store)
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
