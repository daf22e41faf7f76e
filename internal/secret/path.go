package secret

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// A PathError reports a file that a variable or a configuration key names and
// that cannot be used. It never contains the path: people paste there the secret
// that belongs in the file.
type PathError struct {
	Setting string // "VAULT_JWT_FILE"
	Itself  bool   // the setting holds the secret, and not a path
	Err     error  // why, without the path
}

func (e *PathError) Error() string {
	if e.Itself {
		return e.Setting + " holds the secret itself, not a path"
	}
	return fmt.Sprintf("the file that %s names cannot be used: %v", e.Setting, e.Err)
}

func (e *PathError) Unwrap() error { return e.Err }

// CheckPath returns a [*PathError] if path, the content of setting, is a secret.
// It is for what would otherwise create such a file.
func CheckPath(setting, path string) error {
	if isSecret(path) {
		return &PathError{Setting: setting, Itself: true}
	}
	return nil
}

// HidePath returns err, which concerns the file that setting names, without its
// path: a [*PathError], or nil if err is nil.
func HidePath(setting, path string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*PathError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		err = e.Err
	}
	return &PathError{Setting: setting, Itself: isSecret(path), Err: err}
}

// ReadFile reads the file that setting names. Its error is a [*PathError].
func ReadFile(setting, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	return data, HidePath(setting, path, err)
}

// NameSettings replaces in text, which another library wrote, the contents of
// the variables by their names.
func NameSettings(text string, getenv func(string) string, names ...string) string {
	for _, name := range names {
		if value := getenv(name); value != "" {
			text = strings.ReplaceAll(text, value, "$"+name)
		}
	}
	return text
}
