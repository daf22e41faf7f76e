package helper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/trust"
	"github.com/envdrift/envdrift/internal/userstate"
	"github.com/envdrift/envdrift/vault"
)

// execPrefix is how the names of providers begin that are registered programs.
const execPrefix = "exec:"

func isExec(provider string) bool { return strings.HasPrefix(provider, execPrefix) }

// Exec describes the vaults whose helper the user registered: "exec:NAME". A repository
// chooses the name and the settings, which the helper reads as data, and nothing else.
func Exec() vault.Provider {
	return vault.Provider{
		Name: "exec", Many: true, Open: openExec,
		Check: func(cfg vault.Config) error {
			_, err := registeredFor(cfg)
			return err
		},
		Program: func(provider string) string {
			program, _, err := Registered(strings.TrimPrefix(provider, execPrefix))
			if err != nil {
				return ""
			}
			return program.Path
		},
		Settings: []vault.Setting{{
			Key: "settings", Kind: vault.Table,
			Vendor: func(string) bool { return false }, // they may name a server
		}},
	}
}

// SetSettings gives a vault of a registered program its settings.
func SetSettings(cfg *vault.Config, settings map[string]string) {
	if data, err := json.Marshal(settings); err == nil && len(settings) > 0 { // strings are always JSON
		Exec().Settings[0].Set(cfg, string(data))
	}
}

// registeredFor returns the program of a vault, if it may be started.
func registeredFor(cfg vault.Config) (trust.Program, error) {
	name := strings.TrimPrefix(cfg.Provider, execPrefix)
	program, ok, err := Registered(name)
	add := fmt.Sprintf("envdrift vault add %s PATH", name)
	switch {
	case err != nil:
		return program, configError(cfg.Provider, err.Error(), remedyOf(err))
	case !ok:
		return program, configError(cfg.Provider, "you have registered no program "+name, add+"   with the path of one that you trust; docs/vaults/helpers.md describes them")
	}
	if err = Check(program.Path); err == nil {
		err = outside(program.Path, cfg.Dir)
	}
	if errors.As(err, new(*unsafeError)) {
		return program, configError(cfg.Provider, err.Error(), "")
	}
	if err != nil {
		return program, configError(cfg.Provider, err.Error(), add+" --force")
	}
	return program, nil
}

// remedyOf returns what helps where the list of programs is not used as it is.
func remedyOf(err error) string {
	if e := (*userstate.FileError)(nil); errors.As(err, &e) {
		return e.Remedy
	}
	return ""
}

func openExec(ctx context.Context, cfg vault.Config) (vault.Store, error) {
	program, err := registeredFor(cfg)
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	if text := cfg.Extra["settings"]; text != "" {
		if err := json.Unmarshal([]byte(text), &settings); err != nil {
			return nil, configError(cfg.Provider, "settings are no texts by their keys", "")
		}
	}
	return Open(ctx, Program{
		Provider: cfg.Provider, Path: program.Path, Settings: settings,
		Dir: filepath.Dir(program.Path), // its tool reads no file of the repository
		Env: environ([]string{ownVariables(strings.TrimPrefix(cfg.Provider, execPrefix))}, program.Env, cfg.Getenv),
	}, cfg)
}

// ownVariables returns how the variables of a tool usually begin: BW_ for bw.
func ownVariables(name string) string {
	return strings.NewReplacer("-", "_", ".", "_").Replace(strings.ToUpper(name)) + "_"
}

// Registered returns the program that the user registered under a name.
func Registered(name string) (program trust.Program, ok bool, err error) {
	programs, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		return program, false, err
	}
	all, err := programs.All()
	program, ok = all[name]
	return program, ok, err
}

// Variables returns the variables that only registered programs are given.
func Variables() []string {
	programs, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		return nil
	}
	return programs.Variables()
}

// everyones are variables that would be hidden from programs that need them.
var everyones = lazy.Regexp(`^(?i:HOME|PATH|USER|LOGNAME|SHELL|TERM|TMPDIR|TEMP|TMP|LANG|SYSTEMROOT|USERPROFILE|APPDATA|LOCALAPPDATA|(LC|XDG|GIT)_.*)$`)

// Resolve returns the program that a user means, if it can be registered under that
// name, with these variables.
func Resolve(name, path string, env []string) (trust.Program, error) {
	if !vault.IsProgramName(name) {
		return trust.Program{}, fmt.Errorf("%q is no name: letters, digits, . _ and -, and a letter or digit first", name)
	}
	for _, variable := range env {
		if variable == "" || strings.ContainsAny(variable, "= \t\n*") {
			return trust.Program{}, fmt.Errorf("%q is not the name of a variable", variable)
		}
		if secret.ClassOf(variable) == secret.Private {
			return trust.Program{}, fmt.Errorf("%s is for envdrift alone", variable)
		}
		if everyones().MatchString(variable) {
			return trust.Program{}, fmt.Errorf("%s is for all programs; a helper has it anyway", variable)
		}
	}
	path, err := filepath.Abs(path)
	if err == nil {
		path, err = filepath.EvalSymlinks(path)
	}
	if err == nil {
		err = Check(path)
	}
	return trust.Program{Path: path, Env: env}, err
}

// An OtherError reports a name that is that of another program.
type OtherError struct{ Name, Path, New string }

func (e *OtherError) Error() string {
	return fmt.Sprintf("%s is registered already, as %s", e.Name, e.Path)
}

// Register registers what [Resolve] returns. It replaces another program, if force is
// set: otherwise the error is an [*OtherError].
func Register(ctx context.Context, name, path string, env []string, force bool) (trust.Program, error) {
	program, err := Resolve(name, path, env)
	if err != nil {
		return program, err
	}
	was, ok, err := Registered(name)
	if err != nil {
		return program, err
	}
	if ok && was.Path != program.Path && !force {
		return program, &OtherError{name, was.Path, program.Path}
	}
	if len(env) == 0 {
		program.Env = was.Env // else they would be given to all programs again
	}
	programs, err := trust.ProgramsAt(os.Getenv)
	if err != nil {
		return program, err
	}
	return program, programs.Set(ctx, name, program)
}

// An unsafeError reports a program that another user could have written.
type unsafeError struct{ path, why string }

func (e *unsafeError) Error() string { return e.path + " is not started: " + e.why }

// Check returns why a registered program is not started: others could have written it.
func Check(path string) error {
	if real, err := filepath.EvalSymlinks(path); err == nil && real != path {
		return fmt.Errorf("%s is %s now", path, real)
	}
	if err := checkFile(path, nil); err != nil {
		return err
	}
	for dir := filepath.Dir(path); runtime.GOOS != "windows"; dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return err
		}
		allowed := fs.FileMode(0)
		if info.Mode()&fs.ModeSticky != 0 {
			allowed = 0o022 // nobody can replace there what is not theirs
		}
		if why := changeable(dir, info, allowed, nil); why != "" {
			return &unsafeError{path, why}
		}
		if dir == filepath.Dir(dir) {
			break
		}
	}
	return nil
}

// checkFile is Check for the file alone. What may change self may change it, too.
func checkFile(path string, self fs.FileInfo) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular(), runtime.GOOS != "windows" && info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is no program", path)
	}
	allowed := fs.FileMode(0)
	if self != nil {
		allowed = self.Mode()
	}
	if why := changeable(path, info, allowed, self); why != "" {
		return &unsafeError{path, why}
	}
	return nil
}

// outside returns an error for a program that is in the repository of a configuration:
// a branch could replace it.
func outside(path, dir string) error {
	if dir == "" {
		return nil
	}
	dir, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if in, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(in) {
			return fmt.Errorf("%s is in this repository, so a branch could replace it; copy it elsewhere", path)
		}
	}
	return nil
}
