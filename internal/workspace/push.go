package workspace

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// A Push is a key that is to be stored under the secret of a target.
type Push struct {
	Target mapping.Target
	Name   string // of the key's variable
	Keys   ecies.Keys
}

// PushOptions say which refusals are overridden.
type PushOptions struct {
	Force   bool // the env file is encrypted for another key, or the vault has another one
	Tracked bool // git tracks the keys file
}

// KeyTarget returns the mapping of a folder that names the secret, or one made of the
// arguments. environment and key, the full name of a key, may be "".
func (w *Workspace) KeyTarget(folder, secretName, environment, key string) mapping.Target {
	t := mapping.Target{}
	for _, mapped := range w.All() {
		here := path.Join(w.Base, mapped.Mapping.Folder) == folder && mapped.Mapping.SecretName == secretName
		if here && (environment == "" || mapped.Mapping.Env() == environment) {
			t = mapped
		}
	}
	if t.Mapping.SecretName == "" {
		t = mapping.ForKey(w.Tree, folder, environment, w.Config.Sync.EnvKeysFilename)
		t.Mapping.SecretName = secretName
	}
	if key != "" {
		t.Names = []string{key}
	}
	return t
}

// PreparePush returns the push of the key in a folder's keys file: the one under
// the first of the target's names that is there. If there is none, it is the key
// of a keys file above that the env file's header names, as in a repository with
// one keys file. It is a [*PushMismatchError] if the target's env file is
// encrypted for another key, and a [*TrackedKeysError] if git tracks the keys
// file, unless o says otherwise.
func (w *Workspace) PreparePush(ctx context.Context, folder string, t mapping.Target, o PushOptions) (Push, error) {
	if !o.Tracked {
		if err := w.ownKeys(ctx, folder); err != nil {
			return Push{}, err
		}
	}
	file := path.Join(folder, w.Config.Sync.EnvKeysFilename)
	data, err := atomicfile.ReadFile(w.Files(), file)
	ring := &keyring.Ring{}
	ring.File(w.RelPath(file), dotenv.ParseKeysFile(data))
	for _, name := range t.Names {
		if keys := ring.Named(name); len(keys) > 0 {
			return w.pushOf(Push{t, name, keys}, o.Force)
		}
	}
	if above := path.Dir(folder); t.Doc != nil && above != folder {
		for _, dir := range upward(above) {
			there := &keyring.Ring{}
			w.addKeysFiles(there, []string{dir})
			if keys := there.Declared(t.Doc); len(keys) > 0 {
				if err := w.ownKeys(ctx, dir); err != nil && !o.Tracked {
					return Push{}, err
				}
				return w.pushOf(Push{t, t.Names[0], keys}, o.Force)
			}
		}
	}
	if err != nil {
		return Push{}, err
	}
	if len(ring.Invalid) > 0 {
		return Push{}, errors.Join(ring.Invalid...)
	}
	return Push{}, &NoSuchKeyError{w.RelPath(file), t.Names, ring}
}

// PreparePushOf is PreparePush for the text of a key.
func (w *Workspace) PreparePushOf(text secret.Value, t mapping.Target, force bool) (Push, error) {
	keys, err := keyring.ParseKey(vault.Secret{Value: text}, "standard input", t.Names)
	if err != nil {
		return Push{}, err
	}
	return w.pushOf(Push{t, t.Names[0], keys}, force)
}

func (w *Workspace) pushOf(p Push, force bool) (Push, error) {
	if p.Target.Doc != nil && !force {
		if unknown := drift.UnknownKeys(p.Target.Doc, p.Keys); len(unknown) > 0 {
			return Push{}, &PushMismatchError{w.RelPath(p.Target.File), p.Name, unknown[0], p.Keys[0].PublicKey().Short()}
		}
	}
	for _, other := range w.withSecret(p.Target.Mapping.SecretName) {
		if other.Mapping.VaultName == p.Target.Mapping.VaultName && other.Doc != nil && !force {
			if unknown := drift.UnknownKeys(other.Doc, p.Keys); len(unknown) > 0 {
				return Push{}, &PushMismatchError{w.RelPath(other.File), p.Name, unknown[0], p.Keys[0].PublicKey().Short()}
			}
		}
	}
	return p, nil
}

// Push stores a key if the vault has none, or, with force, another one, and reads
// it back. held is what the vault has. It reports whether it stored the key, and
// its version. The error is an [*OverwriteError] if there is another key.
func (w *Workspace) Push(ctx context.Context, p Push, held keyring.Answer, force bool) (stored bool, version string, err error) {
	name := p.Target.Mapping.SecretName
	unreadable := errors.Is(held.Err, vault.ErrMalformed) && held.Version != ""
	switch {
	case errors.Is(held.Err, vault.ErrNotFound):
	case held.Err != nil && !unreadable:
		return false, "", held.Err
	case held.Keys.Reveal() == p.Keys.Reveal(), !force && held.Keys.HasAll(p.Keys):
		return false, "", w.repin(ctx, p.Target, p.Keys) // in a rotation the vault has more
	case !force:
		return false, "", &OverwriteError{held.Vault, name, held.Keys, held.Err}
	}
	store, err := w.Vault(ctx, p.Target)
	if err != nil {
		return false, "", err
	}
	text, err := p.text(ctx, store, held)
	if err != nil {
		return false, "", err
	}
	version, err = store.Put(ctx, name, text, held.Version)
	if err != nil {
		return false, "", err
	}
	back, err := store.Get(ctx, name)
	if err != nil {
		return false, "", fmt.Errorf("read back: %w", err)
	}
	if got, err := keyring.ParseKey(back, store.String(), []string{p.Name}); err != nil || got.Reveal() != p.Keys.Reveal() {
		return false, "", &vault.Error{Op: "put", Vault: store.String(), Name: name, Err: vault.ErrConflict, Detail: "the value that was read back is not the one that was stored"}
	}
	return true, version, w.repin(ctx, p.Target, p.Keys)
}

// A Pushed is what became of a [Push].
type Pushed struct {
	Vault   string
	Stored  bool
	Version string
	Err     error
}

// PushAll is Push for several keys, at most so many at a time as the configuration
// says: some vaults take seconds. Those of one secret come one after another.
func (w *Workspace) PushAll(ctx context.Context, pushes []Push, force bool) []Pushed {
	targets := make([]mapping.Target, len(pushes))
	for i, p := range pushes {
		targets[i] = p.Target
	}
	return w.pushAll(ctx, pushes, w.FetchToCheck(ctx, targets), force)
}

// pushAll is PushAll for a caller who knows what the vaults hold.
func (w *Workspace) pushAll(ctx context.Context, pushes []Push, held []keyring.Answer, force bool) []Pushed {
	secrets := map[[2]string][]int{}
	for i, p := range pushes {
		name := [2]string{held[i].Vault, p.Target.Mapping.SecretName}
		secrets[name] = append(secrets[name], i)
	}
	pushed := make([]Pushed, len(pushes))
	var g errgroup.Group
	g.SetLimit(w.workers())
	for _, same := range secrets {
		g.Go(func() error {
			for n, i := range same {
				if n > 0 { // the one before may have changed it
					held[i] = keyring.Fetch(ctx, w.Vault, []mapping.Target{pushes[i].Target}, 1)[0]
				}
				r := &pushed[i]
				r.Vault = held[i].Vault
				r.Stored, r.Version, r.Err = w.Push(ctx, pushes[i], held[i], force)
			}
			return nil
		})
	}
	_ = g.Wait()
	return pushed
}

// ReplaceKeys stores other keys in the secret that targets share, in place of those
// that have tells of, and reads them back. What else the secret holds stays. If the
// vault's is not that of have any more, the error is a vault.ErrConflict, and nothing
// was stored.
func (w *Workspace) ReplaceKeys(ctx context.Context, targets []mapping.Target, have keyring.Answer, keys ecies.Keys) (keyring.Answer, error) {
	t := targets[0]
	name := t.Mapping.SecretName
	store, err := w.Vault(ctx, t)
	if err != nil {
		return have, err
	}
	now, err := store.Get(ctx, name)
	if err != nil {
		return have, err
	}
	fail := func(op, detail string) error {
		return &vault.Error{Op: op, Vault: store.String(), Name: name, Err: vault.ErrConflict, Detail: detail}
	}
	held, err := keyring.ParseKey(now, store.String(), t.Names)
	if err != nil {
		return have, err
	}
	if now.Version != have.Version || held.Reveal() != have.Keys.Reveal() {
		return have, fail("put", "it holds other keys than a moment ago")
	}
	text, err := vault.ReplaceKey(now.Value, held.Reveal(), keys.Reveal(), t.Names...)
	if err != nil {
		return have, &vault.Error{Op: "put", Vault: store.String(), Name: name, Err: err}
	}
	// First: a run that is killed in between is not to meet a key of its own that this
	// clone has not agreed to.
	if err := w.repin(ctx, t, keys); err != nil {
		return have, err
	}
	version, err := store.Put(ctx, name, text, now.Version)
	if err != nil {
		return have, err
	}
	back, err := store.Get(ctx, name)
	if err != nil {
		return have, fmt.Errorf("read back: %w", err)
	}
	if got, err := keyring.ParseKey(back, store.String(), t.Names); err != nil || got.Reveal() != keys.Reveal() {
		return have, fail("read back", "the value that was read back is not the one that was stored")
	}
	return keyring.Answer{Keys: keys, Version: version, Vault: store.String()}, nil
}

// text returns what a push stores: the key under its name or, in a secret that also
// has keys under others, that secret with the key in its place.
func (p Push) text(ctx context.Context, store vault.Store, held keyring.Answer) (secret.Value, error) {
	name := p.Target.Mapping.SecretName
	now, err := store.Get(ctx, name)
	if err == nil {
		if others := vault.OtherKeys(now.Value, p.Target.Names...); len(others) > 0 {
			text, err := vault.ReplaceKey(now.Value, held.Keys.Reveal(), p.Keys.Reveal(), p.Target.Names...)
			if err != nil {
				err = &OtherKeysError{store.String(), name, others}
			}
			return text, err
		}
	}
	return secret.New(p.Name + "=" + p.Keys.Reveal()), nil // what is there instead of a key is to go
}

// An OtherKeysError reports a secret with keys under other names, which would be lost.
type OtherKeysError struct {
	vault, name string
	others      []string
}

func (e *OtherKeysError) Error() string {
	return fmt.Sprintf("%s: %s holds %s, and no key for this file that could be replaced: add it with the vault's own tool", e.vault, e.name, strings.Join(e.others, ", "))
}

// An OverwriteError reports another key, or another text, under the name.
type OverwriteError struct {
	vault, name string
	there       ecies.Keys
	err         error // why what is there is not a key
}

func (e *OverwriteError) Error() string {
	if len(e.there) == 0 {
		return fmt.Sprintf("%s: %s already holds something else: %v", e.vault, e.name, e.err)
	}
	return fmt.Sprintf("%s: %s already holds another key (public key %s)", e.vault, e.name, e.there[0].PublicKey().Short())
}

// A NoSuchKeyError reports a keys file without the requested key.
type NoSuchKeyError struct {
	file  string
	names []string
	ring  *keyring.Ring
}

func (e *NoSuchKeyError) Error() string {
	var have []string
	for _, h := range e.ring.Held {
		have = append(have, h.Name)
	}
	if len(have) == 0 {
		return fmt.Sprintf("%s holds no private key", e.file)
	}
	return fmt.Sprintf("%s holds no %s, only %s", e.file, strings.Join(e.names, " or "), strings.Join(have, ", "))
}

// A PushMismatchError reports a key that is not the env file's.
type PushMismatchError struct{ file, name, header, key string }

func (e *PushMismatchError) Error() string {
	return fmt.Sprintf("%s is the key of %s, but %s is encrypted for %s: pushing it would lock everyone out", e.name, e.key, e.file, e.header)
}
