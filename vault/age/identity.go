package age

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/vault"
)

// IdentityFile is where the user's identity lies: $XDG_CONFIG_HOME/envdrift,
// else ~/.config/envdrift, on Windows %AppData%\envdrift.
func IdentityFile(getenv func(string) string) (string, error) {
	if file := getenv("ENVDRIFT_AGE_IDENTITY"); file != "" {
		return file, nil
	}
	for _, dir := range []string{getenv("XDG_CONFIG_HOME"), getenv("AppData")} {
		if filepath.IsAbs(dir) {
			return filepath.Join(dir, "envdrift", "identity.txt"), nil
		}
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("neither XDG_CONFIG_HOME nor HOME names a directory for your identity")
	}
	return filepath.Join(home, ".config", "envdrift", "identity.txt"), nil
}

// EnsureIdentity makes an identity in file, readable by the user alone, unless
// there is one. It returns the recipient to encrypt to.
func EnsureIdentity(file string) (recipient string, created bool, err error) {
	data, err := os.ReadFile(file)
	if err == nil {
		identities, err := parseIdentities(file, data)
		if err != nil {
			return "", false, err
		}
		for _, id := range identities {
			if x, ok := id.(*age.X25519Identity); ok {
				return x.Recipient().String(), false, nil
			}
		}
		return "", false, fmt.Errorf("%s holds no age identity", file)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", false, err
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return "", false, err
	}
	dir := filepath.Dir(file)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", false, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", false, err
	}
	text := fmt.Sprintf("# public key: %s\n%s\n", id.Recipient(), id)
	err = atomicfile.Write(root, filepath.Base(file), []byte(text), 0o600, true)
	return id.Recipient().String(), true, errors.Join(err, root.Close())
}

// readIdentities collects every identity the user has.
func (s *Store) readIdentities() ([]age.Identity, error) {
	if text := s.getenv("ENVDRIFT_AGE_KEY"); text != "" {
		return s.parse("ENVDRIFT_AGE_KEY", []byte(text))
	}
	if s.identity != "" {
		return s.identityFrom(s.identity)
	}
	file, err := IdentityFile(s.getenv)
	if err == nil {
		if _, err := os.Stat(file); err == nil || s.getenv("ENVDRIFT_AGE_IDENTITY") != "" {
			return s.identityFrom(file)
		}
	}
	var identities []age.Identity
	var locked []string
	for _, name := range []string{"id_ed25519", "id_rsa"} {
		key := filepath.Join(s.getenv("HOME"), ".ssh", name)
		data, err := os.ReadFile(key)
		if err != nil {
			continue
		}
		id, err := agessh.ParseIdentity(data)
		if missing := (*ssh.PassphraseMissingError)(nil); errors.As(err, &missing) {
			locked = append(locked, key)
			continue
		}
		if err == nil {
			identities = append(identities, id)
		}
	}
	if len(identities) > 0 {
		return identities, nil
	}
	detail := "you have no identity: neither " + file + " nor an SSH key"
	if len(locked) > 0 {
		detail = strings.Join(locked, " and ") + " has a passphrase, which envdrift does not ask for"
	}
	return nil, s.fail("open", "", vault.ErrUnauthenticated, detail, "envdrift recipient show   makes one, and prints what a teammate must add")
}

func (s *Store) identityFrom(file string) ([]age.Identity, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, s.fail("open", "", vault.ErrUnauthenticated, "identity file: "+err.Error(), "")
	}
	if !info.Mode().IsRegular() || info.Size() > maxFile {
		return nil, s.fail("open", "", vault.ErrUnauthenticated, file+" is no identity file", "")
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, s.fail("open", "", vault.ErrUnauthenticated, "identity file "+file+" is open to other users", "chmod 600 "+file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, s.fail("open", "", vault.ErrUnauthenticated, "identity file: "+err.Error(), "")
	}
	return s.parse(file, data)
}

func (s *Store) parse(origin string, data []byte) ([]age.Identity, error) {
	identities, err := parseIdentities(origin, data)
	if err != nil {
		return nil, s.fail("open", "", vault.ErrUnauthenticated, err.Error(), "")
	}
	return identities, nil
}

// parseIdentities reads age identities, or one SSH private key. The libraries'
// own errors quote the text, so they are not passed on.
func parseIdentities(origin string, data []byte) ([]age.Identity, error) {
	if bytes.Contains(data, []byte("PRIVATE KEY-----")) {
		id, err := agessh.ParseIdentity(data)
		if err != nil {
			return nil, fmt.Errorf("%s: is no SSH private key without passphrase", origin)
		}
		return []age.Identity{id}, nil
	}
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, fmt.Errorf("%s: holds no age identity", origin)
	}
	return identities, nil
}

// recipientsOf names the user's own recipients, for a teammate to add.
func recipientsOf(identities []age.Identity) string {
	for _, id := range identities {
		if x, ok := id.(*age.X25519Identity); ok {
			return x.Recipient().String()
		}
	}
	return `"$(cat ~/.ssh/id_ed25519.pub)"`
}
