package dotenv

import (
	"fmt"
	"path/filepath"
	"strings"
)

// A NameError reports a name that cannot be used: of a variable, which the
// grammar would not read back, or of a file, whose key's name is made of it.
type NameError struct {
	Name    string
	Problem string
}

func (e *NameError) Error() string { return fmt.Sprintf("name %q: %s", e.Name, e.Problem) }

// KeyNames returns the names of the variables that hold the public and the
// private key of an env file, by dotenvx's rule for its base name: .env has no
// suffix, .env.production has _PRODUCTION, and other names get odd ones. File
// names with other characters than ASCII letters, digits, "_", "-" and "." are
// a [*NameError]: dotenvx writes keys for them that nothing can read.
//
// The rule is for files without a header; a header's own name goes first.
func KeyNames(file string) (public, private string, err error) {
	base := filepath.Base(filepath.FromSlash(file))
	name := strings.ToLower(base)
	if strings.HasPrefix(name, ".env") {
		name = strings.TrimSuffix(name, ".txt")
	}
	for i := range len(base) {
		if !isNameByte(base[i]) {
			return "", "", &NameError{base, "only letters, digits, _, - and . can be part of a key's name"}
		}
	}
	suffix := ""
	if parts := strings.Split(name, "."); name == ".env" {
		// The one file without.
	} else if len(parts) > 2 {
		suffix = "_" + strings.Join(parts[2:min(len(parts), 4)], "_")
	} else {
		suffix = "_" + strings.Replace(name, ".env", "development", 1)
	}
	suffix = strings.ToUpper(suffix)
	return publicPrefix + suffix, privatePrefix + suffix, nil
}

const privatePrefix = "DOTENV_PRIVATE_KEY"

// PrivateName returns the name of the variable that holds the private key for
// the public key in the variable public.
func PrivateName(public string) string {
	return privatePrefix + strings.TrimPrefix(public, publicPrefix)
}
