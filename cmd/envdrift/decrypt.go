package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

type decryptFlags struct {
	files       []string
	stdout      bool
	verifyVault bool
	secret      string
	selection   dotenv.Selection
}

func (c *cli) addDecrypt(app *kingpin.Application) (string, command) {
	var f decryptFlags
	cmd := app.Command("decrypt", "Decrypt env files in place, or prove that the vault's key would.").HelpLong(`
Every value of a file is decrypted or none. The key is one at hand that fits
the file's header, from the environment or .env.keys, else the vault's.

With --verify-vault nothing is written: the vault's key alone is tried on every
value, and the repair steps are printed if it does not fit.

Statuses: 0 decrypted, or proven · 1 a value does not decrypt · 2 wrong usage ·
3 the vault could not be used
Example:  envdrift decrypt .env.production --verify-vault --ci \
            -p azure --vault-url https://my.vault.azure.net --secret my-key`)
	cmd.Arg("FILE", "Env files; default .env.").StringsVar(&f.files)
	cmd.Flag("stdout", "Print the plaintext instead of writing it.").BoolVar(&f.stdout)
	cmd.Flag("verify-vault", "Prove that the vault's key decrypts the files; write nothing.").BoolVar(&f.verifyVault)
	cmd.Flag("secret", "With --verify-vault: the secret's name, instead of the mapping's.").PlaceHolder("NAME").StringVar(&f.secret)
	cmd.Flag("key", "Only names that match this glob; repeatable.").Short('k').PlaceHolder("GLOB").StringsVar(&f.selection.Only)
	cmd.Flag("exclude-key", "Not the names that match this glob; repeatable.").PlaceHolder("GLOB").StringsVar(&f.selection.Except)
	addBackend(cmd)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.decrypt(ctx, f) }
}

func (c *cli) decrypt(ctx context.Context, f decryptFlags) error {
	if f.secret != "" && !f.verifyVault {
		return &usageError{err: errors.New("--secret goes with --verify-vault"), command: "decrypt"}
	}
	if f.stdout && c.json {
		return &usageError{err: errors.New("--stdout prints plaintext, --json a report: choose one"), command: "decrypt"}
	}
	if err := f.selection.Check(); err != nil {
		return &usageError{err: err, command: "decrypt"}
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if len(f.files) == 0 {
		f.files = []string{".env"}
	}
	if f.verifyVault {
		return s.verifyFiles(ctx, f.files, f.secret)
	}
	for _, name := range f.files {
		if err := s.decryptFile(ctx, name, f); err != nil {
			c.add(row{Status: string(drift.Failed), File: name, err: err})
		}
	}
	return nil
}

func (s *session) decryptFile(ctx context.Context, name string, f decryptFlags) error {
	file, err := s.inside(name)
	if err != nil {
		return err
	}
	doc, err := mapping.ReadEnvFile(s.root.FS(), file)
	if err != nil {
		return err
	}
	keys, err := s.decryptionKeys(ctx, file, doc)
	if err != nil {
		return err
	}
	change := drift.Decrypt(file, doc, keys, f.selection)
	if f.stdout {
		if change.Err != nil {
			return change.Err
		}
		if !change.Write {
			change.New = doc.Bytes()
		}
		_, err := s.stdout.Write(change.New)
		return err
	}
	plan := []drift.Change{change}
	if err := s.apply(ctx, plan); err != nil {
		return err
	}
	s.addChange(plan[0])
	return nil
}

// decryptionKeys gives the private keys for a file: those at hand that fit its
// header, else the vault's, else whatever is at hand.
func (s *session) decryptionKeys(ctx context.Context, file string, doc *dotenv.Document) (ecies.Keys, error) {
	if state := doc.State(); state == dotenv.Plain || state == dotenv.Empty {
		return nil, nil
	}
	t, mapped := s.target(file)
	if !mapped {
		return s.keysAtHand(file, doc)
	}
	if !t.Mapping.Ephemeral {
		if keys := s.ring(file).Declared(doc); len(keys) > 0 {
			s.detail("key: at hand for %s", s.shown(file))
			return keys, nil
		}
	}
	key := s.fetch(ctx, []mapping.Target{t})[0]
	return key.Keys, key.Err
}

// keysAtHand gives the keys in the environment and in .env.keys that fit the
// file's header, or all of them if it has none.
func (s *session) keysAtHand(file string, doc *dotenv.Document) (ecies.Keys, error) {
	ring := s.ring(file)
	if keys := ring.Declared(doc); len(keys) > 0 {
		return keys, nil
	}
	headers, _ := doc.PublicKeys()
	if keys := ring.Keys(); len(keys) > 0 && len(headers) == 0 {
		return keys, nil
	}
	e := &noKeyError{file: s.shown(file), names: wanted(doc, file), ring: ring}
	for _, h := range headers {
		e.public = append(e.public, h.Key.Short())
	}
	return nil, e
}

// wanted gives the private key's names that would serve a file.
func wanted(doc *dotenv.Document, file string) []string {
	headers, _ := doc.PublicKeys()
	var names []string
	for _, h := range headers {
		names = append(names, dotenv.PrivateName(h.Name))
	}
	if len(names) == 0 {
		if _, private, err := dotenv.KeyNames(path.Base(file)); err == nil {
			names = append(names, private)
		}
	}
	return names
}

// A noKeyError reports an encrypted file that no key at hand fits.
type noKeyError struct {
	file   string
	names  []string // of the variables that would hold the key
	public []string // what the file is encrypted for, in short
	ring   *keyring.Ring
}

func (e *noKeyError) Error() string {
	text := fmt.Sprintf("%s: no private key: %s is neither in the environment nor in .env.keys, and no mapping names the file",
		e.file, strings.Join(e.names, " or "))
	if len(e.ring.Held) > 0 && len(e.public) > 0 {
		text = fmt.Sprintf("%s: no private key for %s; at hand are", e.file, strings.Join(e.public, ", "))
		for i, held := range e.ring.Held {
			text += fmt.Sprintf("%s %s for %s", strings.Repeat(",", min(i, 1)), held.Name, held.Key.PublicKey().Short())
		}
	}
	for _, err := range e.ring.Invalid {
		text += fmt.Sprintf("; %v", err)
	}
	return text
}

// verifyFiles proves named files with the vault's key: the secret that is
// named, else the one of the file's mapping.
func (s *session) verifyFiles(ctx context.Context, files []string, secretName string) error {
	var targets []mapping.Target
	for _, name := range files {
		file, err := s.inside(name)
		if err != nil {
			return err
		}
		t, mapped := s.target(file)
		if secretName != "" {
			t = mapping.ForFile(s.tree, secretName, file, t)
			if o := s.overrides; o.Provider != "" || o.VaultURL != "" || o.Region != "" || o.ProjectID != "" {
				t.Mapping.VaultName = "" // what was typed names the vault
			}
		} else if !mapped {
			return &unmappedError{s.shown(file)}
		}
		targets = append(targets, t)
	}
	return s.prove(ctx, s.subjectsOf(targets, ""))
}

// An unmappedError reports a file whose vault secret is not known.
type unmappedError struct{ file string }

func (e *unmappedError) Error() string {
	return e.file + ": no mapping names this file, so the secret that belongs to it is not known"
}
