package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

type encryptFlags struct {
	files     []string
	check     bool
	selection dotenv.Selection
}

func (c *cli) addEncrypt(app *kingpin.Application) (string, command) {
	var f encryptFlags
	cmd := app.Command("encrypt", "Encrypt the plaintext values of env files, in place.").HelpLong(`
The public key is the one that the file's header names, else the one whose
private key the vault holds for the file's mapping, else the one beside the
file in .env.keys. Only where there is none is a new pair made.

Statuses: 0 encrypted, or nothing to do · 1 could not, or --check found
plaintext · 2 wrong usage · 3 the vault could not be used
Example:  envdrift encrypt .env.production`)
	cmd.Arg("FILE", "Env files; default .env.").StringsVar(&f.files)
	cmd.Flag("check", "Write nothing; status 1 if a value is in plain text.").BoolVar(&f.check)
	cmd.Flag("key", "Only names that match this glob; repeatable.").Short('k').PlaceHolder("GLOB").StringsVar(&f.selection.Only)
	cmd.Flag("exclude-key", "Not the names that match this glob; repeatable.").PlaceHolder("GLOB").StringsVar(&f.selection.Except)
	addBackend(cmd)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.encrypt(ctx, f) }
}

func (c *cli) encrypt(ctx context.Context, f encryptFlags) error {
	if err := f.selection.Check(); err != nil {
		return &usageError{err: err, command: "encrypt"}
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if len(f.files) == 0 {
		f.files = []string{".env"}
	}
	for _, file := range f.files {
		if err := s.encryptFile(ctx, file, f); err != nil {
			c.add(row{Status: string(drift.Failed), File: file, err: err})
		}
	}
	return nil
}

// encryptFile encrypts one file as far as the selection goes.
func (s *session) encryptFile(ctx context.Context, name string, f encryptFlags) error {
	file, err := s.inside(name)
	if err != nil {
		return err
	}
	doc, err := mapping.ReadEnvFile(s.root.FS(), file)
	if err != nil {
		return err
	}
	if f.check {
		return s.checkEncrypted(file, doc, f.selection)
	}
	if config.IsCompanion(path.Base(file)) {
		return &companionError{s.shown(file)}
	}
	if len(doc.Plaintext(f.selection)) == 0 {
		s.add(row{Status: string(drift.Unchanged), File: file, Note: "nothing to encrypt"})
		return nil
	}
	key, err := s.encryptionKey(ctx, file, doc)
	if err != nil {
		return err
	}
	change, err := s.encryptWith(ctx, file, doc, key, f.selection)
	if err = cmp.Or(err, change.Err); err != nil {
		return err
	}
	var changes []drift.Change
	if key.minted != nil {
		keysFile := path.Join(path.Dir(file), s.cfg.Sync.EnvKeysFilename)
		keys := []drift.Change{drift.StoreKey(s.root.FS(), keysFile, key.private, key.minted, path.Base(file))}
		// The key first: a file that nothing decrypts is worse than a key
		// without file.
		if err := s.apply(ctx, keys); err != nil {
			return err
		}
		changes = append(changes, keys...)
		if keys[0].Err != nil {
			s.addChange(keys[0])
			return nil
		}
	}
	plan := []drift.Change{change}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	for _, ch := range append(changes, plan...) {
		s.addChange(ch)
	}
	if key.minted != nil && plan[0].Err == nil {
		s.say("a new key pair was made: bring its private key where your team finds it, then commit")
		s.say("  %s", s.pushLine(file, key.private))
	}
	return nil
}

func (s *session) checkEncrypted(file string, doc *dotenv.Document, sel dotenv.Selection) error {
	if plain := doc.Plaintext(sel); len(plain) > 0 {
		s.add(row{
			Status: "plaintext", File: file, err: drift.NewPlaintextError(plain),
			Hints: []string{s.self("encrypt " + quote(s.shown(file)))},
		})
		return nil
	}
	s.add(row{Status: "encrypted", File: file})
	return nil
}

// A companionError reports a file that people read beside an env file.
type companionError struct{ file string }

func (e *companionError) Error() string {
	return e.file + ": by its name a companion of an env file, which stays in plain text"
}

// A fileKey is the key pair of an env file as far as it is known.
type fileKey struct {
	public  ecies.PublicKey
	header  string            // name of the public key's variable
	private string            // name of the private key's variable
	keys    ecies.Keys        // private keys at hand for it; may be empty
	minted  *ecies.PrivateKey // the pair was made just now
}

// encryptionKey decides which key a file is encrypted for. It never makes
// drift: a new pair is minted only where none is known.
func (s *session) encryptionKey(ctx context.Context, file string, doc *dotenv.Document) (fileKey, error) {
	k, err := s.knownKey(ctx, file, doc)
	if !errors.As(err, new(*unknownKeyError)) {
		return k, err
	}
	if k.minted, err = ecies.GenerateKey(); err != nil {
		return k, err
	}
	k.keys, k.public = ecies.Keys{k.minted}, k.minted.PublicKey()
	return k, nil
}

// An unknownKeyError reports a file for which no key is known anywhere.
type unknownKeyError struct{ file string }

func (e *unknownKeyError) Error() string {
	return "no key is known for it: not in its header, nor in HEAD's version, nor in the vault, nor in .env.keys"
}

// knownKey finds the key of a file: the one its header names, else the header
// of HEAD's version, else the vault's, else the one in the keys file.
func (s *session) knownKey(ctx context.Context, file string, doc *dotenv.Document) (fileKey, error) {
	k, declared, err := s.declaredKey(ctx, file, doc)
	if declared || err != nil {
		return k, err
	}
	held := keyring.Answer{Err: vault.ErrNotFound}
	if t, ok := s.target(file); ok {
		held = s.fetch(ctx, []mapping.Target{t})[0]
	}
	return s.undeclaredKey(ctx, file, k, held)
}

// declaredKey finds the key that a file's header names, or the header of
// HEAD's version. Without one, only the names of the returned key are known.
func (s *session) declaredKey(ctx context.Context, file string, doc *dotenv.Document) (k fileKey, declared bool, err error) {
	header, private, err := dotenv.KeyNames(path.Base(file))
	if err != nil {
		return k, false, err
	}
	k = fileKey{header: header, private: private}
	headers, err := doc.PublicKeys()
	if err != nil {
		return k, false, err
	}
	if len(headers) == 0 {
		previous, err := s.previous(ctx, file)
		if previous == nil || err != nil {
			return k, false, err
		}
		// A damaged one is no reason not to encrypt.
		doc = previous
		headers, _ = doc.PublicKeys()
	}
	if len(headers) == 0 {
		return k, false, nil
	}
	k.public, k.header = headers[0].Key, headers[0].Name
	k.private, k.keys = dotenv.PrivateName(k.header), s.ring(file).Declared(doc)
	return k, true, nil
}

// undeclaredKey is the key of a file that declares none: the vault's, or,
// where the vault has none, the one in the keys file beside it.
func (s *session) undeclaredKey(ctx context.Context, file string, k fileKey, held keyring.Answer) (fileKey, error) {
	if held.Err == nil {
		k.keys, k.public = held.Keys, held.Keys[0].PublicKey()
		return k, nil
	}
	if !errors.Is(held.Err, vault.ErrNotFound) {
		return k, held.Err
	}
	// Not one from where the person stands: under the same name that is the
	// key of another service.
	if named := s.ringOf(path.Dir(file)).Named(k.private); len(named) > 0 {
		k.keys, k.public = named, named[0].PublicKey()
		return k, s.ownKeys(ctx, path.Dir(file))
	}
	return k, &unknownKeyError{s.shown(file)}
}

// ownKeys returns an error if git tracks the keys file of a folder: whoever
// pushed it can decrypt what is encrypted for it.
func (s *session) ownKeys(ctx context.Context, folder string) error {
	repo, err := s.git(ctx)
	if repo == nil || err != nil {
		return err
	}
	file := path.Join(folder, s.cfg.Sync.EnvKeysFilename)
	tracked, err := repo.Tracked(ctx, []string{file})
	if err == nil && tracked[file] {
		err = &trackedKeysError{s.shown(file)}
	}
	return err
}

// A trackedKeysError reports private keys that are everybody's.
type trackedKeysError struct{ file string }

func (e *trackedKeysError) Error() string {
	return e.file + " is tracked by git: its keys are known to whoever has the repository"
}

// encryptWith plans the encryption of a file, keeping what HEAD's version
// holds of unchanged values.
func (s *session) encryptWith(ctx context.Context, file string, doc *dotenv.Document, key fileKey, sel dotenv.Selection) (drift.Change, error) {
	previous, err := s.previous(ctx, file)
	if err != nil {
		return drift.Change{}, err
	}
	return drift.Encrypt(file, doc, key.public, dotenv.EncryptOptions{
		Selection: sel, Header: key.header, File: path.Base(file),
		Previous: previous, PreviousKeys: key.keys,
	}), nil
}

// pushLine is the command that brings a new key into the vault.
func (s *session) pushLine(file, private string) string {
	folder := s.shown(path.Dir(file))
	if t, ok := s.target(file); ok {
		return s.self(fmt.Sprintf("vault-push %s %s --env %s", quote(folder), quote(t.Mapping.SecretName), quote(t.Mapping.Env())))
	}
	return s.self(fmt.Sprintf("vault-push %s SECRET --key %s", quote(folder), private))
}
