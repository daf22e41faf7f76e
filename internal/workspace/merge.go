package workspace

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault/age"
)

// MayReencrypt returns nil if values of a target may be re-encrypted for a public
// key that a merge brought: it was agreed to, or is now, or it is the user's own:
// the private key is in the environment or in a keys file that git does not track.
func (w *Workspace) MayReencrypt(ctx context.Context, t mapping.Target, key ecies.PublicKey) error {
	keys := []ecies.PublicKey{key}
	if w.Agreed(ctx, t, keys) == nil {
		return nil
	}
	if w.LocalKeys(t.File).Keys().Find(key) != nil && w.ownKeys(ctx, path.Dir(t.File)) == nil {
		return w.expected(t, keys)
	}
	return w.mayUse(ctx, t, keys)
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
