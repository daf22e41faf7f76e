package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/report"
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

Statuses: 0 stored, or already there · 1 another key is there, or none to push ·
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
	if err := c.open(); err != nil {
		return err
	}
	if f.all {
		return c.pushAll(ctx, f)
	}
	folder, err := c.work.Inside(f.folder)
	if err != nil {
		return err
	}
	p, err := c.prepare(folder, c.keyTarget(folder, f.secret, f.environment, f.key), f)
	if err != nil {
		return err
	}
	return c.push(ctx, p, c.work.Fetch(ctx, []mapping.Target{p.target})[0], f.force)
}

// pushAll pushes the key of every mapping; one that fails does not stop the
// others.
func (c *cli) pushAll(ctx context.Context, f pushFlags) error {
	targets, err := c.work.Mapped()
	if err != nil {
		return err
	}
	failed := func(t mapping.Target, err error) {
		c.add(report.Row{Status: report.Status(drift.Failed), File: t.KeysFile, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Err: err})
	}
	var pushes []push
	var asked []mapping.Target
	for _, t := range targets {
		p, err := c.prepare(t.Folder(), t, f)
		if err != nil {
			failed(t, err)
			continue
		}
		pushes, asked = append(pushes, p), append(asked, t)
	}
	stored := map[[2]string]bool{}
	for i, held := range c.work.Fetch(ctx, asked) {
		name := [2]string{held.Vault, asked[i].Mapping.SecretName}
		if stored[name] { // a secret that several mappings share
			held = c.work.Fetch(ctx, asked[i:i+1])[0]
		}
		stored[name] = true
		if err := c.push(ctx, pushes[i], held, f.force); err != nil {
			failed(asked[i], err)
		}
	}
	return nil
}

// A push is a key that is to be stored under the secret of a target.
type push struct {
	target mapping.Target
	name   string // of the key's variable
	keys   ecies.Keys
}

// prepare finds the key of a target, unless the target's env file is encrypted
// for another key.
func (c *cli) prepare(folder string, t mapping.Target, f pushFlags) (push, error) {
	name, keys, err := c.keyToPush(folder, t, f)
	if err != nil {
		return push{}, err
	}
	if t.Doc != nil {
		if strange := drift.UnknownKeys(t.Doc, keys); len(strange) > 0 && !f.force {
			return push{}, &pushMismatchError{c.relPath(t.File), name, strange[0], keys[0].PublicKey().Short()}
		}
	}
	return push{t, name, keys}, nil
}

// keyToPush returns the key with the requested name, or the only one.
func (c *cli) keyToPush(folder string, t mapping.Target, f pushFlags) (string, ecies.Keys, error) {
	names := t.Names
	if f.stdin {
		text, err := io.ReadAll(io.LimitReader(c.stdin, 1<<16))
		if err != nil {
			return "", nil, err
		}
		keys, err := keyring.ParseKey(vault.Secret{Value: secret.New(string(text))}, "standard input", names)
		return names[0], keys, err
	}
	file := path.Join(folder, c.work.Config.Sync.EnvKeysFilename)
	data, err := atomicfile.ReadFile(c.work.Files(), file)
	if err != nil {
		return "", nil, err
	}
	ring := &keyring.Ring{}
	ring.File(c.relPath(file), dotenv.ParseKeysFile(data))
	for _, name := range names {
		if keys := ring.Named(name); len(keys) > 0 {
			return name, keys, nil
		}
	}
	if len(ring.Invalid) > 0 {
		return "", nil, errors.Join(ring.Invalid...)
	}
	return "", nil, &noSuchKeyError{c.relPath(file), names, ring}
}

// push stores a key if the vault has none, or, with force, another one, and
// reads it back.
func (c *cli) push(ctx context.Context, p push, held keyring.Answer, force bool) error {
	secretName, name, keys := p.target.Mapping.SecretName, p.name, p.keys
	r := report.Row{Secret: secretName, Environment: p.target.Mapping.Env(), Vault: held.Vault, Names: []string{name}}
	unreadable := errors.Is(held.Err, vault.ErrMalformed) && held.Version != ""
	switch {
	case errors.Is(held.Err, vault.ErrNotFound):
	case held.Err != nil && !unreadable:
		return held.Err
	case held.Keys.Reveal() == keys.Reveal():
		r.Status, r.Note = report.Status(drift.Unchanged), "the vault already has this key"
		c.add(r)
		return nil
	case !force:
		return &overwriteError{held.Vault, secretName, held.Keys, held.Err}
	}
	store, err := c.work.Vault(ctx, p.target)
	if err != nil {
		return err
	}
	version, err := store.Put(ctx, secretName, secret.New(name+"="+keys.Reveal()), held.Version)
	if err != nil {
		return err
	}
	back, err := store.Get(ctx, secretName)
	if err != nil {
		return fmt.Errorf("read back: %w", err)
	}
	if got, err := keyring.ParseKey(back, store.String(), []string{name}); err != nil || got.Reveal() != keys.Reveal() {
		return &vault.Error{Op: "put", Vault: store.String(), Name: secretName, Err: vault.ErrConflict, Detail: "the value that was read back is not the one that was stored"}
	}
	r.Status, r.Note = "pushed", "to "+store.String()+", read back"
	if version != "" {
		r.Note += ", version " + version
	}
	c.add(r)
	return nil
}

// An overwriteError reports another key, or another text, under the name.
type overwriteError struct {
	vault, name string
	there       ecies.Keys
	err         error // why what is there is not a key
}

func (e *overwriteError) Error() string {
	if len(e.there) == 0 {
		return fmt.Sprintf("%s: %s already holds something else: %v", e.vault, e.name, e.err)
	}
	return fmt.Sprintf("%s: %s already holds another key (public key %s)", e.vault, e.name, e.there[0].PublicKey().Short())
}

// A noSuchKeyError reports a keys file without the requested key.
type noSuchKeyError struct {
	file  string
	names []string
	ring  *keyring.Ring
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
	return fmt.Sprintf("%s is the key of %s, but %s is encrypted for %s: pushing it would lock everyone out", e.name, e.key, e.file, e.header)
}
