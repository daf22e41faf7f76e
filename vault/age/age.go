// Package age keeps secrets in the repository itself, one file each, encrypted
// with age to the team's recipients. It needs no account and no network: the
// recipients file decides who may read, and is reviewed like any other file.
//
// A secret NAME is in .envdrift/vault/NAME.age, armored, so that git treats it
// as text. The recipients are the lines of .envdrift/recipients. The age
// command reads and writes both:
//
//	age -d -i ~/.config/envdrift/identity.txt .envdrift/vault/NAME.age
//	age -a -R .envdrift/recipients -o .envdrift/vault/NAME.age
//
// # Identities
//
// The identity that decrypts is the first that is set of: the identity itself
// in ENVDRIFT_AGE_KEY, for CI; the file that ENVDRIFT_AGE_IDENTITY names; the
// configuration's identity file. If none is set, the user's own are tried:
// identity.txt in the user's envdrift configuration ([IdentityFile]), and the
// SSH keys id_ed25519 and id_rsa. A key with a passphrase cannot be used,
// because hooks have no way to ask for it.
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
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

// The default paths, relative to the configuration.
const (
	DefaultDir        = ".envdrift/vault"
	DefaultRecipients = ".envdrift/recipients"
)

// maxFile bounds every file that is read, in bytes.
const maxFile = 1 << 20

// A Store is a directory of age files.
type Store struct {
	name       string // of a named vault; "" for the default one
	base       string // absolute; the directory of the configuration
	dir        string // of the secrets, with slashes, below base
	recipients string // file, with slashes, below base
	identity   string // file; "" for the user's own
	files      fs.FS  // what is read, if it is not the working tree below base
	getenv     func(string) string

	identities  func() ([]identity, error) // read once
	readersOnce func() ([]Reader, error)   // of [Store.currentReaders]; a proof asks for each secret

	// Only one Put at a time.
	mu sync.Mutex

	conflict ConflictFunc // while [Store.SyncReaders] runs
}

var _ vault.FileStore = (*Store)(nil)

// Open returns the store of cfg. It reads nothing yet. Errors wrap
// [vault.ErrConfig].
func Open(_ context.Context, cfg vault.Config) (*Store, error) {
	s := &Store{
		name:       cfg.Name,
		base:       cfg.Dir,
		dir:        slashed(cmp.Or(cfg.VaultDir, DefaultDir)),
		recipients: slashed(cmp.Or(cfg.Recipients, DefaultRecipients)),
		identity:   cfg.Identity,
		files:      cfg.Files,
		getenv:     cfg.Getenv,
	}
	if s.getenv == nil {
		s.getenv = func(string) string { return "" }
	}
	for _, p := range []string{s.dir, s.recipients} {
		if !filepath.IsLocal(filepath.FromSlash(p)) {
			return nil, s.fail("open", "", vault.ErrConfig, fmt.Sprintf("%q is not below the configuration's directory", p), "")
		}
	}
	if s.identity != "" {
		s.identity = s.expand(s.identity)
	}
	s.identities = sync.OnceValues(s.readIdentities)
	s.readersOnce = sync.OnceValues(s.currentReaders)
	return s, nil
}

func slashed(p string) string { return path.Clean(filepath.ToSlash(p)) }

// expand returns the absolute path of a file outside the repository, of which
// path may begin with "~".
func (s *Store) expand(file string) string {
	if rest, ok := strings.CutPrefix(filepath.ToSlash(file), "~/"); ok {
		return filepath.Join(home(s.getenv), rest)
	}
	if filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(s.base, file)
}

// String names the directory, as in "age vault .envdrift/vault".
func (s *Store) String() string { return "age vault " + s.dir }

// CheckIdentity reports why the user has no identity, or none of a recipient. It
// decrypts nothing.
func (s *Store) CheckIdentity() error {
	found, err := s.identities()
	if len(found) == 0 {
		return s.unauthenticated("open", "", err)
	}
	readers, readersErr := s.Readers()
	if readersErr != nil || len(readers) == 0 { // which fails where it is needed
		return nil
	}
	reads := func(id identity) bool {
		_, listed := find(readers, id.recipient)
		return listed || id.recipient == ""
	}
	if slices.ContainsFunc(found, reads) {
		return nil
	}
	return s.denied("open", "", found[0].recipient, err)
}

// Get decrypts the file of a secret. Its version is the beginning of the
// file's SHA-256.
func (s *Store) Get(ctx context.Context, name string) (vault.Secret, error) {
	file, err := s.admit(ctx, "get", name)
	if err != nil {
		return vault.Secret{}, err
	}
	data, err := s.read(file)
	if errors.Is(err, fs.ErrNotExist) {
		return vault.Secret{}, s.fail("get", name, vault.ErrNotFound, "there is no "+file, "")
	}
	if err != nil {
		return vault.Secret{}, s.unreadable("get", name, err)
	}
	text, err := s.decrypt("get", name, data)
	if err != nil {
		return vault.Secret{}, err
	}
	return vault.Secret{Name: name, Value: text, Version: version(data)}, nil
}

// read reads a file of the tree that the store is of.
func (s *Store) read(file string) ([]byte, error) {
	if s.files != nil {
		return read(s.files, file)
	}
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return read(root.FS(), file)
}

// Path returns the file of a secret, relative to the configuration.
func (s *Store) Path(name string) string { return path.Join(s.dir, name+".age") }

// Put encrypts value to all recipients. The user must be one of them: a value
// that the writer cannot read back would depend on others to be kept.
func (s *Store) Put(ctx context.Context, name string, value secret.Value, base string) (string, error) {
	file, err := s.admit(ctx, "put", name)
	if err != nil {
		return "", err
	}
	if value.IsEmpty() {
		return "", s.fail("put", name, vault.ErrMalformed, "it is empty", "")
	}
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return "", s.unreadable("put", name, err)
	}
	defer func() { _ = root.Close() }()
	data, err := s.encrypt(root, name, value)
	if err != nil {
		return "", err
	}
	if _, err := s.decrypt("put", name, data); err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.replace(root, name, file, data, base)
}

// replace writes data if the file's content is base, and stays it until then.
func (s *Store) replace(root *os.Root, name, file string, data []byte, base string) (string, error) {
	there := ""
	old, err := read(root.FS(), file)
	switch {
	case err == nil:
		there = version(old)
	case !errors.Is(err, fs.ErrNotExist):
		return "", s.unreadable("put", name, err)
	}
	if there != base {
		return "", vault.Stale("newest", there, base).Of("put", s.String(), name)
	}
	err = atomicfile.MkdirAllIn(root, path.Dir(file), 0o755)
	if err == nil {
		err = atomicfile.Replace(root, file, old, data, 0o644, false)
	}
	if errors.Is(err, atomicfile.ErrChanged) {
		return "", vault.Stale("newest", "another one", base).Of("put", s.String(), name)
	}
	if err != nil {
		return "", s.unwritable(name, err)
	}
	return version(data), nil
}

// names returns the names of the secrets, in order.
func (s *Store) names() (names []string, err error) {
	root, err := os.OpenRoot(s.base)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	err = fs.WalkDir(root.FS(), s.dir, func(file string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && file == s.dir {
			return fs.SkipAll
		}
		name, ok := strings.CutSuffix(strings.TrimPrefix(file, s.dir+"/"), ".age")
		if err == nil && ok && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// legalName reports whether name is a path that every system can write. A
// leading dot would hide a file, and ".." needs one.
func legalName(name string) bool {
	return len(name) <= 200 && namePattern().MatchString(name) && filepath.IsLocal(filepath.FromSlash(name))
}

var namePattern = lazy.Regexp(`^[A-Za-z0-9_@-][A-Za-z0-9_@.-]*(/[A-Za-z0-9_@-][A-Za-z0-9_@.-]*)*$`)

// admit returns the file of a secret, or why the request cannot be made.
func (s *Store) admit(ctx context.Context, op, name string) (file string, err error) {
	if !legalName(name) {
		return "", s.fail(op, name, vault.ErrName, "in an age vault it has at most 200 of A-Z a-z 0-9 - _ @ . and / between parts, none of which begins with a dot", "")
	}
	if err := ctx.Err(); err != nil {
		return "", s.fail(op, name, err, "", "")
	}
	return s.Path(name), nil
}

// encrypt returns the content of a secret's file.
func (s *Store) encrypt(root *os.Root, name string, value secret.Value) ([]byte, error) {
	_, readers, err := s.readRecipients(root)
	if err != nil {
		return nil, err
	}
	return s.encryptTo(readers, name, value)
}

func (s *Store) encryptTo(readers []Reader, name string, value secret.Value) ([]byte, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	var w io.WriteCloser
	err := s.pluginsOf(readers)
	if err == nil {
		w, err = age.Encrypt(armored, recipientsOf(readers)...)
	}
	if err != nil {
		return nil, s.fail("put", name, vault.ErrConfig, s.recipients+": "+incompatible(readers, err), "")
	}
	_, err = io.WriteString(w, value.Reveal())
	if err := errors.Join(err, w.Close(), armored.Close()); err != nil {
		return nil, s.unwritable(name, err)
	}
	if out.Len() > maxFile {
		return nil, s.fail("put", name, vault.ErrMalformed, fmt.Sprintf("it is too long: %d bytes when encrypted, at most %d", out.Len(), maxFile), "")
	}
	return out.Bytes(), nil
}

// decrypt decrypts the content of a secret's file, armored or not.
func (s *Store) decrypt(op, name string, data []byte) (secret.Value, error) {
	if hasMarkers(data) {
		return secret.Value{}, s.fail(op, name, vault.ErrMalformed, "its file has a merge conflict", s.command("recipient sync"))
	}
	identities, err := s.identities()
	if len(identities) == 0 {
		return secret.Value{}, s.unauthenticated(op, name, err)
	}
	var in io.Reader = bytes.NewReader(data)
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte(armor.Header)) {
		in = armor.NewReader(in)
	}
	plain, ageErr := age.Decrypt(in, ageIdentities(identities)...)
	if noMatch := (*age.NoIdentityMatchError)(nil); errors.As(ageErr, &noMatch) {
		return secret.Value{}, s.denied(op, name, identities[0].recipient, err)
	}
	var text []byte
	if ageErr == nil {
		text, ageErr = io.ReadAll(plain)
	}
	switch {
	case ageErr != nil: // its text may quote the file
		return secret.Value{}, s.fail(op, name, vault.ErrMalformed, "its file is no age file, or damaged", "git log -- "+path.Join(s.dir, name+".age"))
	case len(text) == 0:
		return secret.Value{}, s.fail(op, name, vault.ErrMalformed, "it is empty", "")
	case !utf8.Valid(text):
		return secret.Value{}, s.fail(op, name, vault.ErrMalformed, "it is binary data", "")
	}
	return secret.New(string(text)), nil
}

// version identifies a content. Encrypting the same text again makes another
// one.
func version(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:8])
}

var errFile = errors.New("not a regular file of reasonable size")

// read reads a file that should be small; a pipe would block forever.
func read(files fs.FS, file string) ([]byte, error) {
	info, err := fs.Stat(files, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, &fs.PathError{Op: "read", Path: file, Err: errFile}
	}
	data, err := fs.ReadFile(files, file)
	if err == nil && len(data) > maxFile { // the size of a file in git is not known before
		err = &fs.PathError{Op: "read", Path: file, Err: errFile}
	}
	return data, err
}

func (s *Store) unreadable(op, name string, err error) error {
	kind := vault.ErrConfig // the directory is not what it should be
	switch {
	case errors.Is(err, errFile):
		kind = vault.ErrMalformed
	case errors.Is(err, fs.ErrPermission):
		kind = vault.ErrDenied
	}
	return s.fail(op, name, kind, err.Error(), "")
}

func (s *Store) unwritable(name string, err error) error {
	kind := vault.ErrUnavailable
	if errors.Is(err, fs.ErrPermission) {
		kind = vault.ErrDenied
	}
	return s.fail("put", name, kind, err.Error(), "")
}

// newIdentity tells users without a usable identity what to do. In CI nobody can
// be asked, and a new identity would be lost with the job.
func (s *Store) newIdentity() string {
	if s.getenv("CI") == "true" {
		return "set ENVDRIFT_AGE_KEY to an identity for CI; pull requests from forks do not get it"
	}
	return "envdrift recipient show   makes one; a colleague then runs " + s.command("recipient add") + " with what it prints"
}

// unauthenticated reports that there is no identity to try. err is the reason,
// with a remedy if it is an [*identityError].
func (s *Store) unauthenticated(op, name string, err error) error {
	remedy := s.newIdentity()
	if e := (*identityError)(nil); errors.As(err, &e) && e.remedy != "" {
		remedy = e.remedy
	}
	return s.fail(op, name, vault.ErrUnauthenticated, oneLine(err), remedy)
}

// denied reports that no identity fits. unused says which could not be tried.
func (s *Store) denied(op, name, recipient string, unused error) error {
	detail := "it is encrypted to others, not to your recipient " + recipient
	if unused != nil {
		detail += "; " + oneLine(unused)
	}
	return s.fail(op, name, vault.ErrDenied, detail, "ask a teammate to run: "+s.command("recipient add "+shellWord(recipient)))
}

func oneLine(err error) string { return strings.ReplaceAll(err.Error(), "\n", "; ") }

func (s *Store) fail(op, name string, kind error, detail, remedy string) error {
	return &vault.Error{Op: op, Vault: s.String(), Name: name, Err: kind, Detail: detail, Remedy: remedy}
}
