// Package environ makes the environment that a program sees: the values of env
// files, decrypted in memory, added to those of the process, without what is for
// envdrift alone.
package environ

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/runner"
)

// Options say of which files, keys and names an environment is made.
type Options struct {
	Files     []string // env files; none for those of the mappings
	Env       string   // the mappings of this environment only
	Keys      keyring.Policy
	Override  bool // the files win over the environment
	Pristine  bool // of the environment, only what IsBaseline
	KeepEnv   bool // vault credentials stay in the environment
	Selection dotenv.Selection
	Allow     []string // names that the files may set though they are dangerous
}

// An Environ is what a program sees.
type Environ struct {
	All   runner.Environ
	Given []dotenv.Variable // what the files name, whether the value is theirs or not
	plain []string          // the names of Given whose values anybody can read in the files
}

// Build decrypts the files and adds their values to those of the process.
// What is envdrift's alone is left out before anything is evaluated: a file
// could pass it on under another name.
func Build(ctx context.Context, w *workspace.Workspace, o Options) (Environ, error) {
	user, err := w.User()
	if err != nil {
		return Environ{}, err
	}
	o.Allow = slices.Concat(o.Allow, user.Allow)
	sources, err := o.sources(ctx, w)
	if err != nil {
		return Environ{}, err
	}
	process := maps.Clone(w.Env())
	maps.DeleteFunc(process, func(name, _ string) bool { return !o.inherits(name) })
	vars, err := dotenv.Evaluate(sources, process, dotenv.EvalOptions{Override: o.Override})
	if err != nil {
		return Environ{}, err
	}
	var list []string
	for name, value := range process {
		list = append(list, name+"="+value)
	}
	e := Environ{All: runner.FromList(list)}
	if e.Given, err = o.choose(vars); err != nil {
		return Environ{}, err
	}
	for _, v := range e.Given {
		e.All.Set(v.Name, v.Value.Reveal())
		if isPlain(sources, v) {
			e.plain = append(e.plain, v.Name)
		}
	}
	return e, nil
}

// isPlain reports whether a value is in a file as it is, and is to stay so.
func isPlain(sources []dotenv.Source, v dotenv.Variable) bool {
	return slices.ContainsFunc(sources, func(s dotenv.Source) bool {
		return s.Name == v.File && s.Doc.StaysPlain(v.Name) && slices.ContainsFunc(s.Doc.Entries(), func(e dotenv.Entry) bool {
			return e.Line == v.Line && e.Name == v.Name && e.Value == v.Value.Reveal()
		})
	})
}

// choose returns those of the files' variables that the flags ask for.
func (o Options) choose(vars []dotenv.Variable) (chosen []dotenv.Variable, err error) {
	for _, v := range vars {
		switch {
		case isPrivate(v.Name), !o.Selection.Has(v.Name):
		case dangerOf(v.Name) == "" || slices.Contains(o.Allow, v.Name):
			chosen = append(chosen, v)
		case v.File != "": // else the process has a value of its own
			return nil, &DangerousNameError{v, dangerOf(v.Name)}
		}
	}
	for _, pattern := range o.Selection.Only {
		isName := !strings.ContainsAny(pattern, `!*?[{\`)
		if isName && !slices.ContainsFunc(vars, func(v dotenv.Variable) bool { return v.Name == pattern }) {
			return nil, newUnsetError(pattern, vars)
		}
	}
	return chosen, nil
}

// An UnsetError reports a name that was asked for and that no file sets.
type UnsetError struct {
	Name    string
	Similar string // what it may be a misspelling of, or ""
}

func newUnsetError(name string, vars []dotenv.Variable) *UnsetError {
	names := make([]string, len(vars))
	for i, v := range vars {
		names[i] = v.Name
	}
	return &UnsetError{name, config.Nearest(name, names)}
}

func (e *UnsetError) Error() string { return fmt.Sprintf("--only %s: no file sets it", e.Name) }

// inherits reports whether a variable of envdrift's environment is passed on.
func (o Options) inherits(name string) bool {
	switch {
	case isPrivate(name):
		return false
	case o.Pristine:
		return isBaseline(name)
	}
	return o.KeepEnv || secret.ClassOf(name) != secret.VaultAccess
}

// A DangerousNameError reports a variable that an env file may not set.
type DangerousNameError struct {
	Variable dotenv.Variable
	Danger   Danger
}

func (e *DangerousNameError) Error() string {
	return fmt.Sprintf("%s:%d: %s %s", e.Variable.File, e.Variable.Line, e.Variable.Name, e.Danger)
}

// Secrets returns the values that must not be shown: all that the files name,
// except public keys and what stays plaintext.
func (e Environ) Secrets() (texts []string) {
	for _, v := range e.Given {
		if !strings.HasPrefix(v.Name, dotenv.PublicPrefix) && !strings.HasSuffix(v.Name, "_PLAIN") && !slices.Contains(e.plain, v.Name) {
			texts = append(texts, v.Value.Reveal())
		}
	}
	return texts
}

// Changed returns the names whose values differ, sorted.
func (e Environ) Changed(other Environ) (names []string) {
	for _, name := range slices.Concat(e.All.Names(), other.All.Names()) {
		was, had := e.All.Lookup(name)
		is, has := other.All.Lookup(name)
		if was != is || had != has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
