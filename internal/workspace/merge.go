package workspace

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault/age"
)

// MayReencrypt returns nil if values of a target may be re-encrypted for a public
// key that a merge brought: the private key is the user's own, in the environment
// or in a keys file that git does not track, or this clone agreed to the key, or
// does so now. That nothing was agreed to yet is not enough here: with a branch
// come a mapping, a vault and a header that fit together. replaced are keys that key
// replaces, if they are in the same secret of the vault: who wrote it holds them, so
// one that this clone agreed to is enough.
func (w *Workspace) MayReencrypt(ctx context.Context, t mapping.Target, key ecies.PublicKey, replaced ecies.Keys) error {
	keys := []ecies.PublicKey{key}
	if err := w.expected(t, keys); err != nil {
		return err
	}
	for _, k := range publicKeys(replaced) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	if w.LocalKeys(ctx, t.File).Keys().Find(key) != nil && w.ownKeys(ctx, path.Dir(t.File)) == nil {
		return nil
	}
	if err := w.mayUse(ctx, t, keys); err != nil {
		return err
	}
	a, err := w.agreements(ctx)
	if err == nil && !slices.ContainsFunc(keys, func(k ecies.PublicKey) bool { return slices.Contains(a.files[t.File].Keys, k.String()) }) {
		err = &AgreementError{File: t.File, What: "public key", Is: key.Short()}
	}
	return err
}

// InRepository returns a path of the configuration relative to Top.
func (w *Workspace) InRepository(file string) string { return path.Join(w.Base, file) }

// AgeSecret returns the age vault that a file, relative to Top, belongs to, and the
// name of its secret.
func (w *Workspace) AgeSecret(ctx context.Context, file string) (*age.Store, string, error) {
	for _, cfg := range w.ageVaults() {
		store, err := age.Open(ctx, cfg)
		if err != nil {
			return nil, "", err
		}
		dir := path.Dir(w.InRepository(store.Path("x")))
		if name, ok := strings.CutSuffix(strings.TrimPrefix(file, dir+"/"), ".age"); ok && strings.HasPrefix(file, dir+"/") {
			return store, name, nil
		}
	}
	return nil, "", &config.Error{File: w.Config.File, Key: "vault", Problem: fmt.Sprintf("%s belongs to no age vault", file)}
}

// AgeFiles returns, relative to Top, the recipients files of the age vaults and the
// directories of their secrets.
func (w *Workspace) AgeFiles(ctx context.Context) (recipients, dirs []string, err error) {
	for _, cfg := range w.ageVaults() {
		store, err := age.Open(ctx, cfg)
		if err != nil {
			return nil, nil, err
		}
		recipients = append(recipients, w.InRepository(store.RecipientsFile()))
		dirs = append(dirs, path.Dir(w.InRepository(store.Path("x"))))
	}
	return recipients, dirs, nil
}
