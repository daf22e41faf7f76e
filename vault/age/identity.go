package age

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/plugin"
	"golang.org/x/crypto/ssh"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/secret"
)

// An identity decrypts what is encrypted to its recipient.
type identity struct {
	age.Identity
	recipient string // a line of a recipients file; "" if a plugin's file does not say it
	origin    string // the file or variable that holds it
}

// An identityError reports why a file or variable has no usable identity.
type identityError struct {
	origin, problem string
	remedy          string // may be ""
	err             error  // may be nil
}

func (e *identityError) Error() string { return strings.TrimSpace(e.origin + " " + e.problem) }
func (e *identityError) Unwrap() error { return e.err }

const identityVariable = "ENVDRIFT_AGE_IDENTITY"

var errNoIdentity = errors.New("you have no identity")

// IdentityFile returns the path of the user's identity: the file that
// ENVDRIFT_AGE_IDENTITY names, else envdrift/identity.txt in $XDG_CONFIG_HOME
// or ~/.config, on Windows in %AppData%.
func IdentityFile(getenv func(string) string) (string, error) {
	if file := getenv(identityVariable); file != "" {
		return file, secret.CheckPath(identityVariable, file)
	}
	config := getenv("XDG_CONFIG_HOME")
	if !filepath.IsAbs(config) && runtime.GOOS == "windows" {
		config = getenv("APPDATA")
	}
	if !filepath.IsAbs(config) {
		config = filepath.Join(home(getenv), ".config")
	}
	if !filepath.IsAbs(config) {
		return "", errors.New("neither XDG_CONFIG_HOME nor HOME names a directory for your identity")
	}
	return filepath.Join(config, "envdrift", "identity.txt"), nil
}

func home(getenv func(string) string) string {
	if h := getenv("HOME"); h != "" || runtime.GOOS != "windows" {
		return h
	}
	return getenv("USERPROFILE")
}

// EnsureIdentity creates an identity in file, readable by the user only, unless
// there is one. It returns the recipient to encrypt to.
func EnsureIdentity(file string) (recipient string, created bool, err error) {
	identities, err := identitiesOf("", file)
	if err == nil {
		return identities[0].recipient, false, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", false, err
	}
	dir, base := filepath.Split(file)
	if err := atomicfile.MkdirAll(filepath.Clean(dir), 0o700); err != nil {
		return "", false, err
	}
	root, err := os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return "", false, err
	}
	text := fmt.Sprintf("# public key: %s\n%s\n", id.Recipient(), id)
	err = atomicfile.Write(root, base, []byte(text), 0o600, true)
	return id.Recipient().String(), err == nil, errors.Join(err, root.Close())
}

// OwnRecipient returns the user's recipient: one that can read the vault, if
// there is, else that of any identity, else that of a new identity. origin is
// the file or variable with the identity.
func (s *Store) OwnRecipient() (recipient, origin string, created bool, err error) {
	identities, err := s.identities()
	identities = slices.DeleteFunc(slices.Clone(identities), func(id identity) bool { return id.recipient == "" })
	readers, _ := s.Readers() // without them any identity will do
	for _, id := range identities {
		if _, reads := find(readers, id.recipient); reads {
			return id.recipient, id.origin, false, nil
		}
	}
	if len(identities) > 0 {
		return identities[0].recipient, identities[0].origin, false, nil
	}
	if s.getenv("ENVDRIFT_AGE_KEY") != "" || s.identity != "" {
		return "", "", false, err
	}
	if origin, err = IdentityFile(s.getenv); err != nil {
		return "", "", false, err
	}
	recipient, created, err = EnsureIdentity(origin)
	return recipient, origin, created, err
}

// readIdentities returns all identities that may be tried. The error, if any,
// reports those that could not be used: all, or some besides those returned.
func (s *Store) readIdentities() ([]identity, error) {
	found, err := s.findIdentities()
	errs := []error{err}
	found = slices.DeleteFunc(found, func(id identity) bool {
		p, ok := id.Identity.(*plugin.Identity)
		if !ok {
			return false
		}
		err := s.allowPlugin(p.Name())
		if err != nil {
			err = &identityError{id.origin, "cannot be used: " + err.Error(), "", err}
		}
		errs = append(errs, err)
		return err != nil
	})
	return found, errors.Join(errs...)
}

func (s *Store) findIdentities() ([]identity, error) {
	if text := s.getenv("ENVDRIFT_AGE_KEY"); text != "" {
		found, err := parseIdentities("ENVDRIFT_AGE_KEY", []byte(text))
		if e := (*identityError)(nil); errors.As(err, &e) && filepath.IsAbs(strings.TrimSpace(text)) {
			e.remedy = "ENVDRIFT_AGE_KEY is for the identity itself; for the path of its file set ENVDRIFT_AGE_IDENTITY"
		}
		return found, err
	}
	if file := s.getenv(identityVariable); file != "" {
		return identitiesOf(identityVariable, file)
	}
	if s.identity != "" {
		return identitiesOf("identity in [vault.age]", s.identity)
	}
	var files []string
	file, nowhere := IdentityFile(s.getenv)
	if nowhere == nil {
		files = append(files, file)
	}
	h := home(s.getenv)
	if h != "" {
		files = append(files, filepath.Join(h, ".ssh", "id_ed25519"), filepath.Join(h, ".ssh", "id_rsa"))
	}
	found, err := identitiesAmong(files)
	switch {
	case !errors.Is(err, errNoIdentity):
	case nowhere != nil:
		err = fmt.Errorf("%w: %w, and neither ENVDRIFT_AGE_KEY nor ENVDRIFT_AGE_IDENTITY is set", errNoIdentity, nowhere)
	case h == "":
		err = fmt.Errorf("%w; HOME is not set, so ~/.ssh was not looked at", err)
	}
	return found, err
}

// identitiesAmong collects the identities of those of the files that exist.
func identitiesAmong(files []string) ([]identity, error) {
	var identities []identity
	var errs []error
	for _, file := range files {
		found, err := identitiesOf("", file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
		identities = append(identities, found...)
	}
	if len(identities)+len(errs) == 0 {
		return nil, fmt.Errorf("%w: there is none of %s", errNoIdentity, strings.Join(files, ", "))
	}
	return identities, errors.Join(errs...)
}

// identitiesOf reads a file. It is as strict as ssh: a key that others can read
// is refused. setting is what names the file, and then the path is not shown,
// or "".
func identitiesOf(setting, file string) ([]identity, error) {
	origin := file
	if setting != "" {
		origin = "the file that " + setting + " names"
	}
	info, err := os.Stat(file)
	var data []byte
	if err == nil && info.Mode().IsRegular() && info.Size() <= maxFile {
		data, err = os.ReadFile(file)
	}
	switch {
	case err != nil && setting != "":
		remedy, hidden := "", secret.HidePath(setting, file, err)
		if e, ok := errors.AsType[*secret.PathError](hidden); ok && e.Itself {
			remedy = "put the identity into a file of mode 600, or in CI into ENVDRIFT_AGE_KEY"
		}
		return nil, &identityError{"", hidden.Error(), remedy, hidden}
	case err != nil:
		return nil, &identityError{file, "cannot be read: " + reason(err), "", err}
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, &identityError{origin, "is no identity file", "", nil}
	case runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0:
		return nil, &identityError{origin, "can be read by other users", "chmod 600 " + shellWord(file), nil}
	}
	return parseIdentities(origin, data)
}

// reason removes the path from an error that is shown together with it.
func reason(err error) string {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		return e.Err.Error()
	}
	return err.Error()
}

// parseIdentities parses age identities or one SSH private key. It returns at
// least one, or an error. The messages of the libraries are left out: they may
// quote the text.
func parseIdentities(origin string, data []byte) ([]identity, error) {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		return parseSSH(origin, data)
	}
	var identities []identity
	for _, line := range splitLines(data) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		id, err := parseIdentity(line, data)
		if err != nil {
			return nil, &identityError{origin, "holds no age identity (AGE-SECRET-KEY…) and no SSH private key", "", nil}
		}
		id.origin = origin
		identities = append(identities, id)
	}
	if len(identities) == 0 {
		return nil, &identityError{origin, "holds no age identity (AGE-SECRET-KEY…) and no SSH private key", "", nil}
	}
	return identities, nil
}

// parseIdentity parses one line of a file. The recipient of a plugin's identity
// is in a comment of the file, if it is known.
func parseIdentity(line string, file []byte) (identity, error) {
	if strings.HasPrefix(line, "AGE-PLUGIN-") {
		id, err := plugin.NewIdentity(line, noQuestions)
		if err != nil {
			return identity{}, err
		}
		for _, word := range strings.Fields(string(file)) {
			if name, _, err := plugin.ParseRecipient(word); err == nil && name == id.Name() {
				return identity{Identity: id, recipient: word}, nil
			}
		}
		return identity{Identity: id}, nil
	}
	parsed, err := age.ParseIdentities(strings.NewReader(line))
	if err != nil {
		return identity{}, err
	}
	switch id := parsed[0].(type) {
	case *age.X25519Identity:
		return identity{Identity: id, recipient: id.Recipient().String()}, nil
	case *age.HybridIdentity:
		return identity{Identity: id, recipient: id.Recipient().String()}, nil
	}
	return identity{}, errIdentity
}

func parseSSH(origin string, data []byte) ([]identity, error) {
	key, err := ssh.ParseRawPrivateKey(data)
	if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
		return nil, &identityError{origin, "has a passphrase, which envdrift does not ask for; use an identity of its own", "", nil}
	}
	var id age.Identity
	if err == nil {
		switch k := key.(type) {
		case *ed25519.PrivateKey:
			id, err = agessh.NewEd25519Identity(*k)
		case *rsa.PrivateKey:
			id, err = agessh.NewRSAIdentity(k)
		}
	}
	if err != nil || id == nil {
		return nil, &identityError{origin, "is no SSH key that age can use (ed25519 or rsa)", "", nil}
	}
	signer, err := ssh.NewSignerFromKey(key)
	if err != nil {
		return nil, &identityError{origin, "is no usable SSH key", "", nil}
	}
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey())))
	if _, err := parseReader(line); err != nil { // nobody could encrypt to it
		return nil, &identityError{origin, "is no SSH key that age can use: an RSA key needs 2048 bits or more", "", nil}
	}
	return []identity{{id, line, origin}}, nil
}

func ageIdentities(identities []identity) []age.Identity {
	var list []age.Identity
	for _, id := range identities {
		list = append(list, id.Identity)
	}
	return list
}

// shellWord quotes s if a shell would split or change it.
func shellWord(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return !strings.ContainsRune("/._-+=@:%,", r) && !isAlphanumeric(r) }) {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	return s
}

func isAlphanumeric(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
}

// identityPattern matches what has the form of an age identity.
var identityPattern = lazy.Regexp(`AGE-SECRET-KEY-(PQ-)?1[0-9A-Z]{58,}`)

// RecipientsOf returns the recipients of the age identities in a text of any kind.
func RecipientsOf(data []byte) (recipients []string) {
	for _, line := range identityPattern().FindAll(data, -1) {
		if id, err := parseIdentity(string(line), nil); err == nil {
			recipients = append(recipients, id.recipient)
		}
	}
	return recipients
}
