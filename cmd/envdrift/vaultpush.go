package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

type pushFlags struct {
	folder, secret, environment, key string
	stdin, force, all                bool
}

func (c *cli) addVaultPush(app *kingpin.Application) (string, command) {
	var f pushFlags
	cmd := app.Command("vault-push", "Store the private key of a folder's .env.keys in the vault.").HelpLong(`
Another key in the vault is overwritten only with --force. What was stored is
read back. The key never appears on a command line.

Statuses: 0 stored, or there already · 1 another key is there, or none to push ·
2 wrong usage or configuration · 3 the vault could not be used
Example:  envdrift vault-push services/api api-dotenvx-key --env production`)
	cmd.Arg("FOLDER", "The folder with .env.keys.").StringVar(&f.folder)
	cmd.Arg("SECRET", "The secret's name in the vault.").StringVar(&f.secret)
	cmd.Flag("all", "The key of every mapping, instead of FOLDER and SECRET.").BoolVar(&f.all)
	cmd.Flag("env", "The environment whose key is pushed.").Short('e').PlaceHolder("NAME").StringVar(&f.environment)
	cmd.Flag("key", "The key's full name, instead of --env.").PlaceHolder("DOTENV_PRIVATE_KEY…").StringVar(&f.key)
	cmd.Flag("stdin", "Read the key from standard input instead of .env.keys.").BoolVar(&f.stdin)
	cmd.Flag("force", "Overwrite another key.").Short('f').BoolVar(&f.force)
	addIgnored(cmd, "skip-encrypt")
	return cmd.FullCommand(), func(ctx context.Context) error { return c.vaultPush(ctx, f) }
}

func (c *cli) vaultPush(ctx context.Context, f pushFlags) error {
	if f.all != (f.folder == "") || (f.folder == "") != (f.secret == "") {
		return &usageError{err: errors.New("name FOLDER and SECRET, or --all"), command: "vault-push"}
	}
	if f.all && (f.stdin || f.key != "" || f.environment != "") {
		return &usageError{err: errors.New("--all takes each mapping's own key: no --stdin, --key or --env"), command: "vault-push"}
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if f.all {
		return s.pushAll(ctx, f)
	}
	folder, err := s.inside(f.folder)
	if err != nil {
		return err
	}
	return s.pushKey(ctx, folder, s.keyTarget(folder, f.secret, f.environment, f.key), f)
}

// pushAll pushes the key of every mapping; one that fails does not stop the
// others.
func (s *session) pushAll(ctx context.Context, f pushFlags) error {
	targets, err := s.mapped()
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := s.pushKey(ctx, t.Folder(), t, f); err != nil {
			s.add(row{Status: string(drift.Failed), File: t.KeysFile, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), err: err})
		}
	}
	return nil
}

// pushKey finds the key of a target and stores it, unless the target's env
// file is encrypted for another.
func (s *session) pushKey(ctx context.Context, folder string, t drift.Target, f pushFlags) error {
	name, keys, err := s.keyToPush(folder, t, f)
	if err != nil {
		return err
	}
	if t.Doc != nil {
		if strange := drift.StrangeHeaders(t.Doc, keys); len(strange) > 0 && !f.force {
			return &pushMismatchError{s.shown(t.File), name, strange[0], keys[0].PublicKey().Short()}
		}
	}
	return s.push(ctx, t, name, keys, f.force)
}

// keyToPush reads the key, by the name that was asked for or the only one.
func (s *session) keyToPush(folder string, t drift.Target, f pushFlags) (string, ecies.Keys, error) {
	names := t.Names
	if f.stdin {
		text, err := io.ReadAll(io.LimitReader(s.stdin, 1<<16))
		if err != nil {
			return "", nil, err
		}
		keys, err := drift.ParseKey(vault.Secret{Value: secret.New(string(text))}, "standard input", names)
		return names[0], keys, err
	}
	file := path.Join(folder, s.cfg.Sync.EnvKeysFilename)
	data, err := drift.ReadFile(s.root.FS(), file)
	if err != nil {
		return "", nil, err
	}
	ring := &drift.Ring{}
	ring.File(s.shown(file), dotenv.ParseKeysFile(data))
	for _, name := range names {
		if keys := ring.Named(name); len(keys) > 0 {
			return name, keys, nil
		}
	}
	if len(ring.Invalid) > 0 {
		return "", nil, errors.Join(ring.Invalid...)
	}
	return "", nil, &noSuchKeyError{s.shown(file), names, ring}
}

// push stores keys under the target's secret and reads them back.
func (s *session) push(ctx context.Context, t drift.Target, name string, keys ecies.Keys, force bool) error {
	store, err := s.vaultOf(ctx, t)
	if err != nil {
		return err
	}
	r := row{Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Vault: store.String(), Names: []string{name}}
	base := ""
	held, err := store.Get(ctx, t.Mapping.SecretName)
	switch {
	case errors.Is(err, vault.ErrNotFound):
	case err != nil:
		return err
	default:
		base = held.Version
		there, err := drift.ParseKey(held, store.String(), []string{name})
		if err == nil && there.Reveal() == keys.Reveal() {
			r.Status, r.Note = string(drift.Unchanged), "the vault has this key already"
			s.add(r)
			return nil
		}
		if !force {
			return &overwriteError{store.String(), t.Mapping.SecretName, there, err}
		}
	}
	version, err := store.Put(ctx, t.Mapping.SecretName, secret.New(name+"="+keys.Reveal()), base)
	if err != nil {
		return err
	}
	back, err := store.Get(ctx, t.Mapping.SecretName)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if got, err := drift.ParseKey(back, store.String(), []string{name}); err != nil || got.Reveal() != keys.Reveal() {
		return &vault.Error{Op: "put", Vault: store.String(), Name: t.Mapping.SecretName, Err: vault.ErrConflict, Detail: "what was read back is not what was stored"}
	}
	r.Status, r.Note = "pushed", "to "+store.String()+", read back"
	if version != "" {
		r.Note += ", version " + version
	}
	s.add(r)
	return nil
}

// An overwriteError reports another key, or another text, under the name.
type overwriteError struct {
	vault, name string
	there       ecies.Keys
	err         error // why what is there is no key
}

func (e *overwriteError) Error() string {
	if len(e.there) == 0 {
		return fmt.Sprintf("%s: %s holds something else already: %v", e.vault, e.name, e.err)
	}
	return fmt.Sprintf("%s: %s holds another key already (public key %s)", e.vault, e.name, e.there[0].PublicKey().Short())
}

// A noSuchKeyError reports a keys file without the key that was asked for.
type noSuchKeyError struct {
	file  string
	names []string
	ring  *drift.Ring
}

func (e *noSuchKeyError) Error() string {
	var have []string
	for _, h := range e.ring.Held {
		have = append(have, h.Name)
	}
	if len(have) == 0 {
		return fmt.Sprintf("%s holds no private key", e.file)
	}
	return fmt.Sprintf("%s holds no %s, only %s", e.file, strings.Join(e.names, " or "), strings.Join(have, ", "))
}

// A pushMismatchError reports a key that is not the env file's.
type pushMismatchError struct{ file, name, header, key string }

func (e *pushMismatchError) Error() string {
	return fmt.Sprintf("%s is the key of %s, but %s is encrypted for %s: pushing it would lock everybody out", e.name, e.key, e.file, e.header)
}
