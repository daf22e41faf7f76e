// Package age keeps secrets in the repository itself, one file each, encrypted
// with age to the team's recipients. It needs no account and no network: who
// may read is decided by the recipients file, which is reviewed like any other.
//
// A secret NAME lies in .envdrift/vault/NAME.age, armored, so that git treats
// it as text. The recipients are lines of .envdrift/recipients: age1… or an SSH
// public key, with comments after #. The identity that decrypts is, in this
// order: the text in ENVDRIFT_AGE_KEY, the file named by the configuration or
// by ENVDRIFT_AGE_IDENTITY, identity.txt in the user's envdrift configuration,
// the user's SSH keys id_ed25519 and id_rsa.
package age

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// Where things lie unless the configuration says otherwise, relative to it.
const (
	DefaultDir        = ".envdrift/vault"
	DefaultRecipients = ".envdrift/recipients"
)

// maxSecret bounds what is read of a secret's file, and maxFile of the others,
// in bytes.
const (
	maxSecret = 1 << 20
	maxFile   = 1 << 20
)

// A Store is a directory of age files.
type Store struct {
	root       *os.Root // the configuration's directory
	dir        string
	recipients string
	identity   string
	getenv     func(string) string

	identities func() ([]age.Identity, error) // read once
	mu         sync.Mutex                     // one Put at a time
}

var _ vault.Store = (*Store)(nil)

// Open returns the store of cfg without reading anything.
func Open(_ context.Context, cfg vault.Config) (*Store, error) {
	s := &Store{
		dir:        cmp.Or(cfg.VaultDir, DefaultDir),
		recipients: cmp.Or(cfg.Recipients, DefaultRecipients),
		identity:   cfg.Identity,
		getenv:     cfg.Getenv,
	}
	if s.getenv == nil {
		s.getenv = func(string) string { return "" }
	}
	root, err := os.OpenRoot(cfg.Dir)
	if err != nil {
		return nil, s.fail("open", "", vault.ErrConfig, err.Error(), "")
	}
	s.root = root
	if s.identity != "" && !filepath.IsAbs(s.identity) {
		s.identity = filepath.Join(cfg.Dir, s.identity)
	}
	s.identities = sync.OnceValues(s.readIdentities)
	return s, nil
}

// String names the directory.
func (s *Store) String() string { return "age vault " + s.dir }

// Get decrypts the file of a secret. Its version is the start of the file's
// SHA-256.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	file, err := s.file("get", name)
	if err != nil {
		return vault.Secret{}, err
	}
	if ctx.Err() != nil {
		return vault.Secret{}, s.fail("get", name, vault.ErrUnavailable, ctx.Err().Error(), "")
	}
	data, err := s.read(file, maxSecret)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return vault.Secret{}, s.fail("get", name, vault.ErrNotFound, "there is no "+file, "")
	case err != nil:
		return vault.Secret{}, s.fail("get", name, vault.ErrMalformed, err.Error(), "")
	}
	text, err := s.decrypt(name, data)
	if err != nil {
		return vault.Secret{}, err
	}
	if text == "" {
		return vault.Secret{}, s.fail("get", name, vault.ErrMalformed, "it is empty", "")
	}
	return vault.Secret{Name: name, Value: secret.New(text), Version: version(data)}, nil
}

func (s *Store) decrypt(name string, data []byte) (string, error) {
	identities, err := s.identities()
	if err != nil {
		return "", s.withName(err, "get", name)
	}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(data)), identities...)
	if noMatch := (*age.NoIdentityMatchError)(nil); errors.As(err, &noMatch) {
		return "", s.fail("get", name, vault.ErrDenied, "none of your identities is among its recipients",
			"ask a teammate to run: envdrift recipient add "+recipientsOf(identities))
	}
	if err == nil {
		var text []byte
		if text, err = io.ReadAll(io.LimitReader(plain, maxSecret)); err == nil {
			return string(text), nil
		}
	}
	return "", s.fail("get", name, vault.ErrMalformed, "the age file is damaged", "git log -- "+path.Join(s.dir, name+".age"))
}

// Put encrypts value to all recipients. A base that is not the version that
// lies there is an ErrConflict.
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	file, err := s.file("put", name)
	if err != nil {
		return "", err
	}
	if value.IsEmpty() {
		return "", s.fail("put", name, vault.ErrMalformed, "an empty value is not stored", "")
	}
	if ctx.Err() != nil {
		return "", s.fail("put", name, vault.ErrUnavailable, ctx.Err().Error(), "")
	}
	recipients, err := s.readRecipients()
	if err != nil {
		return "", s.withName(err, "put", name)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there := ""
	if data, err := s.read(file, maxSecret); err == nil {
		there = version(data)
	}
	if there != base {
		return "", s.fail("put", name, vault.ErrConflict, "", "")
	}
	data, err := encrypt(value, recipients)
	if err == nil {
		err = s.root.MkdirAll(path.Dir(file), 0o755)
	}
	if err == nil {
		err = atomicfile.Write(s.root, file, data, 0o644, false)
	}
	if err != nil {
		return "", s.fail("put", name, vault.ErrUnavailable, err.Error(), "")
	}
	return version(data), nil
}

func encrypt(value secret.Value, recipients []age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return nil, err
	}
	_, err = io.WriteString(w, value.Reveal())
	err = errors.Join(err, w.Close(), armored.Close())
	return out.Bytes(), err
}

// file gives the path of a secret's file below the configuration's directory.
func (s *Store) file(op, name string) (string, error) {
	ok := name != "" && len(name) <= 200 && filepath.IsLocal(filepath.FromSlash(name)) && path.Clean(name) == name
	for _, r := range name {
		ok = ok && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./@", r))
	}
	if !ok || strings.HasPrefix(path.Base(name), ".") {
		return "", s.fail(op, name, vault.ErrName, "age vault names are a path of at most 200 letters, digits, and - _ . @, without dots in front", "")
	}
	return path.Join(s.dir, name+".age"), nil
}

func (s *Store) read(file string, limit int64) ([]byte, error) {
	info, err := s.root.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is not a regular file of at most %d bytes", file, limit)
	}
	return s.root.ReadFile(file)
}

func (s *Store) fail(op, name string, kind error, detail, remedy string) *vault.Error {
	return &vault.Error{Op: op, Vault: s.String(), Name: name, Err: kind, Detail: detail, Remedy: remedy}
}

// withName gives an error of reading identities or recipients the secret that
// it was for.
func (s *Store) withName(err error, op, name string) error {
	if e := (*vault.Error)(nil); errors.As(err, &e) {
		named := *e
		named.Op, named.Name = op, name
		return &named
	}
	return s.fail(op, name, vault.ErrConfig, err.Error(), "")
}

func version(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:6])
}

// Rewrap encrypts every secret anew to the recipients that now stand in the
// recipients file, and returns their names. The caller must be able to read
// them.
func (s *Store) Rewrap(ctx context.Context) ([]string, error) {
	var names []string
	err := fs.WalkDir(s.root.FS(), s.dir, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && file == s.dir {
			return fs.SkipAll
		}
		if err != nil || d.IsDir() || path.Ext(file) != ".age" {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(file, s.dir+"/"), ".age")
		held, err := s.Get(ctx, name)
		if err != nil {
			return err
		}
		names = append(names, name)
		_, err = s.Put(ctx, name, held.Value, held.Version)
		return err
	})
	return names, err
}
