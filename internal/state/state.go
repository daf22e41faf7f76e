// Package state records, outside of the tree, what envdrift last did in a
// clone: which env files the user wants decrypted, the profile of the last
// pull, and the copies that it made for programs. The hooks that run after a
// checkout use it. It contains no value, and only a fingerprint of each copy.
package state

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// An Intent records whether the user last pulled or locked an env file.
type Intent string

// Pulled files are decrypted in the working tree, Locked ones encrypted.
const (
	Pulled Intent = "pulled"
	Locked Intent = "locked"
)

// A State is what is recorded about a clone. Paths are relative to the top of
// the working tree, with slashes.
type State struct {
	Profile   string            `json:"profile,omitempty"`   // of the last pull
	Files     map[string]Intent `json:"files,omitempty"`     // by the path of the env file
	Activated map[string]string `json:"activated,omitempty"` // Sum of each copy as it was written
}

const file = "state.json"

// Load reads the state in dir. If nothing was saved it is empty; its maps are
// never nil.
func Load(dir string) (State, error) {
	s := State{Files: map[string]Intent{}, Activated: map[string]string{}}
	name := filepath.Join(dir, file)
	data, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	if s.Files == nil {
		s.Files = map[string]Intent{}
	}
	if s.Activated == nil {
		s.Activated = map[string]string{}
	}
	return s, nil
}

// Save writes the state to dir, which exists. The caller has the clone's lock
// from Load to Save.
func (s State) Save(dir string) (err error) {
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	return atomicfile.Write(root, file, append(data, '\n'), 0o600, true)
}

// Sum returns the fingerprint of a copy in State.Activated.
func Sum(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
