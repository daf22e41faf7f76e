package trust

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/userstate"
)

// Programs is the file with the vaults' helpers that the user registered.
type Programs struct{ file string }

// A Program is a registered helper.
type Program struct {
	Path string   `json:"path"`          // absolute, without links
	Env  []string `json:"env,omitempty"` // variables that it alone is given
}

// ProgramsAt returns the file in the user's state directory, as [At] does.
func ProgramsAt(getenv func(string) string) (Programs, error) {
	file, err := userstate.File(getenv, "helpers.json")
	return Programs{file}, err
}

// All returns the registered programs by their names.
func (p Programs) All() (map[string]Program, error) {
	all := map[string]Program{}
	err := userstate.Read(p.file, &all)
	for name, program := range all {
		if err == nil && !filepath.IsAbs(program.Path) { // else the repository could choose it
			err = userstate.Damaged(p.file, fmt.Sprintf("the path of %q is not absolute", name))
		}
	}
	return all, err
}

// Set registers a program under a name.
func (p Programs) Set(ctx context.Context, name string, program Program) error {
	return p.change(ctx, func(all map[string]Program) { all[name] = program })
}

// Remove forgets a program.
func (p Programs) Remove(ctx context.Context, name string) error {
	return p.change(ctx, func(all map[string]Program) { delete(all, name) })
}

func (p Programs) change(ctx context.Context, alter func(map[string]Program)) error {
	return userstate.Change(ctx, p.file, func() (any, error) {
		all, err := p.All()
		if err == nil {
			alter(all)
		}
		return all, err
	})
}

// Variables returns the variables that registered programs alone are given. It reads
// the file whoever may write it: more names only hide more from other programs.
func (p Programs) Variables() (names []string) {
	all := map[string]Program{}
	if data, err := userstate.ReadFile(p.file); err != nil || json.Unmarshal(data, &all) != nil {
		return nil // where a helper is needed, All says what is wrong
	}
	for _, program := range all {
		names = append(names, program.Env...)
	}
	return names
}
