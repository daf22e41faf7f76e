package runner

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
)

// An Environ is the environment of a program, each name once. The zero value is
// empty and ready for use. Copies share their content. Formatting prints only
// the number of names, because the values may be secret.
type Environ struct {
	vars map[string]variable // by fold(name)
}

type variable struct{ name, value string }

// A VariableError reports a variable that no environment can contain. It never
// contains the value.
type VariableError struct {
	Name    string
	Problem string
}

func (e *VariableError) Error() string {
	return fmt.Sprintf("environment variable %q: %s", e.Name, e.Problem)
}

// FromList returns the environment in list, which has the form of [os.Environ].
// If a name is given twice, the last value counts, as in [os/exec] and shells.
// Entries without a name and "=" are left out.
func FromList(list []string) Environ {
	var e Environ
	for _, entry := range list {
		// The names of Windows' hidden variables begin with "=".
		name, value, found := strings.Cut(entry[min(1, len(entry)):], "=")
		if found && entry[0] != '=' || found && runtime.GOOS == "windows" {
			e.Set(entry[:1]+name, value)
		}
	}
	return e
}

// Set sets name to value. [Exec] and [Run] report names and values that are not
// allowed.
func (e *Environ) Set(name, value string) {
	if e.vars == nil {
		e.vars = make(map[string]variable)
	}
	e.vars[fold(name)] = variable{name, value}
}

// Delete removes name if it is there.
func (e *Environ) Delete(name string) { delete(e.vars, fold(name)) }

// Lookup returns the value of name and whether there is one.
func (e Environ) Lookup(name string) (value string, ok bool) {
	v, ok := e.vars[fold(name)]
	return v.value, ok
}

// Names returns the names, sorted.
func (e Environ) Names() []string {
	names := make([]string, 0, len(e.vars))
	for _, v := range e.vars {
		names = append(names, v.name)
	}
	slices.Sort(names)
	return names
}

// Clone returns a copy of e that does not share its content.
func (e Environ) Clone() Environ { return Environ{maps.Clone(e.vars)} }

// List returns the environment in the form that exec wants, sorted by name,
// each name once. execve(2) does not drop duplicates: getenv(3) would see the
// first of two values and a shell the last.
func (e Environ) List() []string {
	list := make([]string, 0, len(e.vars))
	for _, name := range e.Names() {
		list = append(list, name+"="+e.vars[fold(name)].value)
	}
	return list
}

// Format prints the number of names, whatever the verb is.
func (e Environ) Format(s fmt.State, _ rune) {
	fmt.Fprintf(s, "environment of %d names", len(e.vars))
}

func (e Environ) check() error {
	for _, name := range e.Names() {
		v := e.vars[fold(name)]
		switch {
		case name == "":
			return &VariableError{name, "empty name"}
		case strings.Contains(name[1:], "="), name[0] == '=' && runtime.GOOS != "windows":
			return &VariableError{name, `"=" in the name`}
		case strings.Contains(name, "\x00"), strings.Contains(v.value, "\x00"):
			return &VariableError{name, "NUL byte"}
		}
	}
	return nil
}

// ValidName reports whether every shell can use name: letters, digits and "_",
// no digit first. Environments inherit other names, such as bash's functions,
// but a file should not add them.
func ValidName(name string) bool {
	for i, r := range name {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r < '0' || '9' < r) {
			return false
		}
	}
	return name != ""
}

// fold returns the form under which the system compares names.
func fold(name string) string {
	if runtime.GOOS == "windows" {
		return strings.ToUpper(name)
	}
	return name
}
