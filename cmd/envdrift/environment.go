package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/runner"
)

// environFlags say of which files, keys and names an environment is made.
type environFlags struct {
	files     []string
	env       string
	keys      string
	override  bool
	pristine  bool
	keepEnv   bool
	selection dotenv.Selection
	allow     []string
}

func (f *environFlags) add(cmd *kingpin.CmdClause) {
	cmd.Flag("file", "Env file; repeatable, the first to set a name wins.").Short('f').PlaceHolder("FILE").StringsVar(&f.files)
	cmd.Flag("env", "The mappings of this environment only.").PlaceHolder("NAME").StringVar(&f.env)
	cmd.Flag("keys", "auto: a key at hand that proves itself, else the vault's; vault; local.").Default("auto").EnumVar(&f.keys, "auto", "vault", "local")
	cmd.Flag("override", "The files win over the environment, later ones over earlier.").BoolVar(&f.override)
	cmd.Flag("overload", "The same as --override.").Hidden().BoolVar(&f.override)
	cmd.Flag("only", "Of the files, only names that match this glob; repeatable, or with commas.").PlaceHolder("GLOB").StringsVar(&f.selection.Only)
	cmd.Flag("except", "Of the files, no names that match this glob.").PlaceHolder("GLOB").StringsVar(&f.selection.Except)
	cmd.Flag("allow", "Let the files set this name although programs load code by it; repeatable.").PlaceHolder("NAME").StringsVar(&f.allow)
	cmd.Flag("pristine", "Of the environment keep only PATH, HOME, TERM and the like.").BoolVar(&f.pristine)
	cmd.Flag("keep-env", "Leave vault credentials such as VAULT_TOKEN in the environment.").BoolVar(&f.keepEnv)
}

// check finds flags that contradict each other, and splits the lists.
func (f *environFlags) check() error {
	f.selection.Only, f.selection.Except = split(f.selection.Only), split(f.selection.Except)
	switch {
	case len(f.files) > 0 && f.env != "":
		return errors.New("--file and --env exclude each other")
	case f.pristine && f.keepEnv:
		return errors.New("--pristine and --keep-env exclude each other")
	}
	return f.selection.Check()
}

// split separates patterns at their commas, but for those within braces.
func split(lists []string) (patterns []string) {
	for _, list := range lists {
		depth := 0
		patterns = append(patterns, strings.FieldsFunc(list, func(r rune) bool {
			switch r {
			case '{':
				depth++
			case '}':
				depth--
			}
			return r == ',' && depth == 0
		})...)
	}
	return patterns
}

// A childEnv is what a program is to see.
type childEnv struct {
	all   runner.Environ
	given []dotenv.Variable // what the files name, be the value theirs or not
}

// environment decrypts the files and puts their values to those of the
// process. What is envdrift's alone is left out before anything is evaluated:
// a file could hand it on under another name.
func (s *session) environment(ctx context.Context, f environFlags) (childEnv, error) {
	sources, err := s.sources(ctx, f)
	if err != nil {
		return childEnv{}, err
	}
	process := maps.Clone(s.env)
	maps.DeleteFunc(process, func(name, _ string) bool { return !f.inherits(name) })
	vars, err := dotenv.Evaluate(sources, process, dotenv.EvalOptions{Override: f.override})
	if err != nil {
		return childEnv{}, err
	}
	e := childEnv{all: runner.FromList(s.environ())}
	for _, name := range e.all.Names() {
		if !f.inherits(name) {
			e.all.Delete(name)
		}
	}
	if e.given, err = f.choose(vars); err != nil {
		return childEnv{}, err
	}
	for _, v := range e.given {
		e.all.Set(v.Name, v.Value.Reveal())
	}
	return e, nil
}

// choose gives those of the files' variables that the flags ask for.
func (f environFlags) choose(vars []dotenv.Variable) (chosen []dotenv.Variable, err error) {
	for _, v := range vars {
		switch {
		case ours(v.Name), !f.selection.Has(v.Name):
		case !reserved(v.Name) || slices.Contains(f.allow, v.Name):
			chosen = append(chosen, v)
		case v.File != "": // else the process has a value of its own
			return nil, &reservedError{v}
		}
	}
	for _, pattern := range f.selection.Only {
		isName := !strings.ContainsAny(pattern, `!*?[{\`)
		if isName && !slices.ContainsFunc(vars, func(v dotenv.Variable) bool { return v.Name == pattern }) {
			return nil, fmt.Errorf("--only %s: no file sets it", pattern)
		}
	}
	return chosen, nil
}

// inherits reports whether a variable of our environment is handed on.
func (f environFlags) inherits(name string) bool {
	switch {
	case ours(name):
		return false
	case f.pristine:
		return basic(name)
	}
	return f.keepEnv || secret.ClassOf(name) != secret.VaultAccess
}

// ours reports whether a variable holds a key that is for envdrift alone.
func ours(name string) bool { return secret.ClassOf(name) == secret.Private }

// basic reports whether --pristine keeps a name: what says where a program
// runs, and in which language and time, but gives it access to nothing.
func basic(name string) bool {
	if runtime.GOOS == "windows" {
		return slices.Contains([]string{
			"ALLUSERSPROFILE", "APPDATA", "COMPUTERNAME", "COMSPEC", "HOMEDRIVE", "HOMEPATH", "LOCALAPPDATA",
			"NUMBER_OF_PROCESSORS", "OS", "PATH", "PATHEXT", "PROCESSOR_ARCHITECTURE", "PROGRAMDATA", "PROGRAMFILES",
			"PROGRAMFILES(X86)", "SYSTEMDRIVE", "SYSTEMROOT", "TEMP", "TMP", "USERDOMAIN", "USERNAME", "USERPROFILE", "WINDIR",
		}, strings.ToUpper(name))
	}
	return strings.HasPrefix(name, "LC_") ||
		slices.Contains([]string{"PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "TZ", "TMPDIR"}, name)
}

// reserved reports whether a name makes programs load code: an env file, which
// anybody with the public key can write, may not set it.
func reserved(name string) bool {
	if runtime.GOOS == "windows" {
		name = strings.ToUpper(name)
	}
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_", "BASH_FUNC_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return strings.HasPrefix(strings.ToLower(name), "npm_config_") || slices.Contains([]string{
		// where programs, and their settings, are looked for
		"PATH", "PATHEXT", "COMSPEC", "HOME", "SHELL", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS", "GCONV_PATH", "OPENSSL_CONF", "OPENSSL_MODULES",
		// what programs run for a person
		"BROWSER", "EDITOR", "VISUAL", "PAGER", "LESSOPEN", "LESSCLOSE", "SSH_ASKPASS", "SUDO_ASKPASS",
		// what shells and make run
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "IFS", "ZDOTDIR", "FPATH", "MAKEFLAGS",
		// what languages load
		"NODE_OPTIONS", "NODE_PATH", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONBREAKPOINT",
		"PERL5OPT", "PERL5LIB", "PERL5DB", "PERLLIB", "RUBYOPT", "RUBYLIB", "PHPRC", "PHP_INI_SCAN_DIR", "GOFLAGS", "RUSTC_WRAPPER",
		"JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "JDK_JAVA_OPTIONS", "CLASSPATH", "DOTNET_STARTUP_HOOKS", "CORECLR_PROFILER_PATH",
	}, name)
}

// A reservedError reports a variable that would make the child load code.
type reservedError struct{ variable dotenv.Variable }

func (e *reservedError) Error() string {
	return fmt.Sprintf("%s:%d: %s would make programs load code of the file's author", e.variable.File, e.variable.Line, e.variable.Name)
}

// secrets gives the values that nobody is to read: all that the files name,
// but for public keys and what is never encrypted.
func (e childEnv) secrets() (texts []string) {
	for _, v := range e.given {
		if !strings.HasPrefix(v.Name, dotenv.PublicPrefix) && !strings.HasSuffix(v.Name, "_PLAIN") {
			texts = append(texts, v.Value.Reveal())
		}
	}
	return texts
}

// changed gives the names whose values differ, sorted.
func (e childEnv) changed(other childEnv) (names []string) {
	for _, name := range slices.Concat(e.all.Names(), other.all.Names()) {
		was, had := e.all.Lookup(name)
		is, has := other.all.Lookup(name)
		if was != is || had != has {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
