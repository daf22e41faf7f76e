package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/runner"
)

// statusExec says, as env(1) does, that we failed before the child started.
const statusExec = 125

type execFlags struct {
	files    []string
	env      string
	keys     string
	override bool
	keepEnv  bool
	argv     []string
}

func (c *cli) addExec(app *kingpin.Application) (string, command) {
	var f execFlags
	cmd := app.Command("exec", "Run a program with the decrypted values in its environment.").HelpLong(`
Nothing is written and nothing of envdrift stays: the program takes its place.
The values come from the -f files, else from the mappings of the service that
this directory lies in, else from .env. What the environment has already wins,
unless --override. The program sees neither private keys nor vault tokens.

Statuses: the program's own · 125 envdrift failed before it started · 126 it
could not be invoked · 127 it was not found
Example:  envdrift exec -f .env.production -- npm start`)
	cmd.Flag("file", "Env file; repeatable, the first to set a name wins.").Short('f').PlaceHolder("FILE").StringsVar(&f.files)
	cmd.Flag("env", "The mappings of this environment only.").PlaceHolder("NAME").StringVar(&f.env)
	cmd.Flag("keys", "auto: a key at hand that proves itself, else the vault's; vault; local.").Default("auto").EnumVar(&f.keys, "auto", "vault", "local")
	cmd.Flag("override", "The files win over the environment, later ones over earlier.").BoolVar(&f.override)
	cmd.Flag("overload", "The same as --override.").Hidden().BoolVar(&f.override)
	cmd.Flag("keep-env", "Leave vault credentials such as VAULT_TOKEN in the environment.").BoolVar(&f.keepEnv)
	cmd.Arg("CMD", "The program and its arguments, after --.").Required().StringsVar(&f.argv)
	return cmd.FullCommand(), func(ctx context.Context) error {
		err := c.exec(ctx, f)
		if start := (*runner.StartError)(nil); errors.As(err, &start) {
			return &exitError{err, start.Status}
		}
		return &exitError{err, statusExec}
	}
}

// An exitError carries an exit status of its own.
type exitError struct {
	err    error
	status int
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// exec returns only if the program could not be started.
func (c *cli) exec(ctx context.Context, f execFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	sources, err := s.sources(ctx, f)
	if err != nil {
		return err
	}
	values, err := dotenv.Evaluate(sources, s.env, dotenv.EvalOptions{Override: f.override})
	if err != nil {
		return err
	}
	env := runner.FromList(s.environ())
	for _, v := range values {
		if v.File != "" && reserved(v.Name) {
			return &reservedError{v}
		}
		env.Set(v.Name, v.Value.Reveal())
	}
	for _, name := range env.Names() {
		if withheld(name, f.keepEnv) {
			env.Delete(name)
		}
	}
	return runner.Exec(runner.Command{Args: f.argv, Env: env})
}

// withheld reports whether a variable is for envdrift alone.
func withheld(name string, keep bool) bool {
	if strings.HasPrefix(name, "DOTENV_PRIVATE_KEY") || name == "ENVDRIFT_AGE_KEY" {
		return true
	}
	credentials := []string{"VAULT_TOKEN", "VAULT_SECRET_ID", "VAULT_JWT"}
	return !keep && slices.Contains(credentials, name)
}

// reserved reports whether a name makes programs load code: an env file, which
// anybody with the public key can write, may not set it.
func reserved(name string) bool {
	for _, prefix := range []string{"LD_", "DYLD_", "GIT_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return slices.Contains([]string{
		"BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "PS4", "PROMPT_COMMAND", "NODE_OPTIONS", "PYTHONSTARTUP", "PYTHONPATH", "PYTHONHOME",
		"PERL5OPT", "PERL5LIB", "RUBYOPT", "RUBYLIB", "JAVA_TOOL_OPTIONS", "PATH", "IFS",
	}, name)
}

// A reservedError reports a variable that would make the child load code.
type reservedError struct{ variable dotenv.Variable }

func (e *reservedError) Error() string {
	return fmt.Sprintf("%s:%d: %s would make programs load code of the file's author", e.variable.File, e.variable.Line, e.variable.Name)
}

// sources reads the env files and finds the keys that decrypt them.
func (s *session) sources(ctx context.Context, f execFlags) ([]dotenv.Source, error) {
	targets, err := s.execTargets(f)
	if err != nil {
		return nil, err
	}
	sources := make([]dotenv.Source, len(targets))
	var asks []drift.Target
	var asking []int
	for i, t := range targets {
		sources[i] = dotenv.Source{Name: s.shown(t.File), Doc: t.Doc}
		keys, ask, err := s.execKeys(t, f.keys)
		if err != nil {
			return nil, err
		}
		sources[i].Keys = keys
		if ask {
			asks, asking = append(asks, t), append(asking, i)
		}
	}
	for n, key := range drift.FetchKeys(ctx, s.vaultOf, asks, s.workers()) {
		if key.Err != nil {
			return nil, fmt.Errorf("%s: %w", s.shown(asks[n].File), key.Err)
		}
		sources[asking[n]].Keys = key.Keys
	}
	return sources, nil
}

// execTargets decides which files are read: those that -f names, else the
// mappings of the nearest folder above that has some, else .env.
func (s *session) execTargets(f execFlags) ([]drift.Target, error) {
	if len(f.files) > 0 {
		targets := make([]drift.Target, len(f.files))
		for i, name := range f.files {
			t, err := s.execFile(name)
			if err != nil {
				return nil, err
			}
			targets[i] = t
		}
		return targets, nil
	}
	here, err := s.inside(".")
	if err != nil {
		return nil, err
	}
	mappings, err := s.serviceMappings(here, f.env)
	if err != nil {
		return nil, err
	}
	if len(mappings) == 0 && f.env != "" {
		return nil, fmt.Errorf("no mapping of environment %q here or above", f.env)
	}
	if len(mappings) == 0 {
		t, err := s.execFile(".env")
		return []drift.Target{t}, err
	}
	targets := drift.Resolve(s.root.FS(), s.base, s.cfg, mappings)
	for _, t := range targets {
		if t.Err != nil {
			return nil, t.Err
		}
	}
	return targets, nil
}

// serviceMappings gives the mappings of the nearest folder, from here up to
// the root, that has any for the profile and the environment.
func (s *session) serviceMappings(here, environment string) ([]config.Mapping, error) {
	if len(s.cfg.Mappings) == 0 {
		return nil, nil
	}
	selected, err := s.cfg.Select(s.profile)
	if err != nil {
		return nil, err
	}
	for folder := here; ; folder = path.Dir(folder) {
		var found []config.Mapping
		for _, m := range selected {
			if path.Join(s.base, m.Folder) == folder && (environment == "" || m.Env() == environment) {
				found = append(found, m)
			}
		}
		if len(found) > 0 || folder == "." {
			return found, nil
		}
	}
}

// execFile reads a file that was named. It may lie outside the repository,
// since it is only read; its keys are then looked for beside it.
func (s *session) execFile(name string) (drift.Target, error) {
	file, err := s.inside(name)
	if err == nil {
		if t, ok := s.target(file); ok && t.Err == nil {
			return t, nil
		}
		doc, err := drift.ReadEnvFile(s.root.FS(), file)
		return drift.Target{File: file, Doc: doc}, err
	}
	abs := s.absolute(name)
	doc, err := drift.ReadEnvFile(os.DirFS(filepath.Dir(abs)), filepath.Base(abs))
	return drift.Target{File: abs, Doc: doc}, err
}

// execKeys gives the keys at hand for a file, or says that the vault is to be
// asked.
func (s *session) execKeys(t drift.Target, which string) (keys ecies.Keys, ask bool, err error) {
	ring := s.ring(t.File)
	keys = ring.For(t.Doc)
	if state := t.Doc.State(); state == dotenv.Plain || state == dotenv.Empty {
		return keys, false, nil // a variable of the process may be encrypted
	}
	mapped := t.Mapping.SecretName != ""
	if which == "vault" || mapped && t.Mapping.Ephemeral {
		if !mapped {
			return nil, false, &unmappedError{s.shown(t.File)}
		}
		return nil, true, nil
	}
	declared := len(ring.Declared(t.Doc)) > 0
	if mapped && which == "auto" {
		return keys, !declared, nil
	}
	if declared || len(drift.Prove(t.Doc, keys).Failures) == 0 {
		return keys, false, nil
	}
	keys, err = s.keysAtHand(t.File, t.Doc)
	return keys, false, err
}
