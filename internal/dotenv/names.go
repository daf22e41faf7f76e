package dotenv

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A NameError reports a name that cannot be used: that of a variable, which the
// grammar would not read back, or of a file, from which its key's name is made.
type NameError struct {
	Name    string
	Problem string
}

func (e *NameError) Error() string { return fmt.Sprintf("name %q: %s", e.Name, e.Problem) }

// KeyNames returns the names of the variables for the public and the private
// key of an env file, by dotenvx's rule for its base name: .env has no suffix,
// .env.production has _PRODUCTION, and other names get odd ones. File names
// with other characters than ASCII letters, digits, "_", "-" and "." are a
// [*NameError]: dotenvx writes keys for them that nothing can read.
//
// The rule is for files without a header; a header's own name takes precedence.
func KeyNames(file string) (public, private string, err error) {
	base := filepath.Base(filepath.FromSlash(file))
	name := withoutTxt(strings.ToLower(base))
	for i := range len(base) {
		if !isNameByte(base[i]) {
			return "", "", &NameError{base, "only letters, digits, _, - and . can be part of a key's name"}
		}
	}
	if name == ".env" {
		return PublicPrefix, PrivatePrefix, nil
	}
	name = withoutTxt(name) // .env.txt.txt is dotenvx's .env, but with a suffix
	suffix := strings.Replace(name, ".env", "development", 1)
	if parts := strings.Split(name, "."); len(parts) > 2 {
		suffix = strings.Join(parts[2:min(len(parts), 4)], "_")
	}
	suffix = "_" + strings.ToUpper(suffix)
	return PublicPrefix + suffix, PrivatePrefix + suffix, nil
}

// withoutTxt removes what Windows appends to the name of a text file.
func withoutTxt(name string) string {
	if strings.HasPrefix(name, ".env") {
		return strings.TrimSuffix(name, ".txt")
	}
	return name
}

// PrivatePrefix begins the name of every variable with a private key.
const PrivatePrefix = "DOTENV_PRIVATE_KEY"

// PrivateName returns the name of the variable with the private key for the
// public key in the variable public.
func PrivateName(public string) string {
	return PrivatePrefix + strings.TrimPrefix(public, PublicPrefix)
}
