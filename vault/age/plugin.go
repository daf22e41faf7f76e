package age

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"filippo.io/age/plugin"
)

// Recipients age1NAME1… and identities AGE-PLUGIN-NAME-1… are those of a plugin:
// the program age-plugin-NAME in the PATH.

// noQuestions is for plugins: hooks cannot ask.
var noQuestions = &plugin.ClientUI{}

// pluginsOf returns an error unless the plugins of all readers can be started.
func (s *Store) pluginsOf(readers []Reader) error {
	for _, r := range readers {
		if p, ok := r.recipient.(*plugin.Recipient); ok {
			if err := s.allowPlugin(p.Name()); err != nil {
				return err
			}
		}
	}
	return nil
}

// allowPlugin returns an error unless the plugin is a program outside of the
// repository. A branch can name any plugin, and the PATH may have a directory
// of the repository, such as node_modules/.bin.
func (s *Store) allowPlugin(name string) error {
	program := "age-plugin-" + name
	file, err := exec.LookPath(program)
	if err != nil {
		return fmt.Errorf("its plugin %s is not in the PATH", program)
	}
	if file, err = filepath.EvalSymlinks(file); err != nil {
		return err
	}
	top, err := filepath.EvalSymlinks(s.top())
	if err != nil {
		return err
	}
	if rel, err := filepath.Rel(top, file); err == nil && filepath.IsLocal(rel) {
		return errors.New(program + " is in this repository, so it is not started")
	}
	return nil
}

// top returns the topmost directory above the vault that has a .git.
func (s *Store) top() string {
	top := s.base
	for dir := s.base; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			top = dir
		}
		if filepath.Dir(dir) == dir {
			return top
		}
	}
}
