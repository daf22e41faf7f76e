package environ

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// sources reads the env files and finds the keys that decrypt them.
func (o Options) sources(ctx context.Context, w *workspace.Workspace) ([]dotenv.Source, error) {
	targets, err := o.Targets(w)
	if err != nil {
		return nil, err
	}
	requests := make([]keyring.Request, len(targets))
	for i, t := range targets {
		requests[i].Target = t
		if holdsNothing(requests[i]) {
			return nil, &fs.PathError{Op: "read", Path: w.RelPath(t.File), Err: ErrNoVariables}
		}
	}
	sources := make([]dotenv.Source, len(targets))
	for i, answer := range w.ProgramKeys(ctx, requests, o.Keys) {
		name := w.RelPath(targets[i].File)
		w.Debug("env file: %s", name)
		if answer.Err != nil {
			return nil, aboutFile(name, answer.Err)
		}
		sources[i] = dotenv.Source{Name: name, Doc: targets[i].Doc, Keys: answer.Keys}
	}
	return sources, nil
}

// ErrNoVariables reports an env file that sets no variable: with it a program
// would start without its values.
var ErrNoVariables = errors.New("sets no variable: the file is empty, or holds something else than NAME=value lines")

// holdsNothing reports whether a file sets no variable, though it should: a
// mapping names it, or it holds something else.
func holdsNothing(q keyring.Request) bool {
	return len(q.Doc.Entries()) == 0 && (q.Mapped() || len(q.Doc.UnparsedLines()) > 0)
}

// aboutFile adds the file's name to what a vault reports. The errors of a key
// that is missing have it already.
func aboutFile(name string, err error) error {
	if errors.As(err, new(*keyring.NoKeyError)) || errors.As(err, new(*keyring.UnmappedError)) {
		return err
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Targets decides which files are read: those that were named, else the
// mappings of the nearest folder above that has some, else .env.
func (o Options) Targets(w *workspace.Workspace) ([]mapping.Target, error) {
	if len(o.Files) > 0 {
		targets := make([]mapping.Target, len(o.Files))
		for i, name := range o.Files {
			t, err := namedFile(w, name)
			if err != nil {
				return nil, err
			}
			targets[i] = t
		}
		return targets, nil
	}
	here, err := w.Inside(".")
	if err != nil {
		return nil, err
	}
	mappings, err := serviceMappings(w, here, o.Env)
	if err != nil {
		return nil, err
	}
	if len(mappings) == 0 && o.Env != "" {
		return nil, fmt.Errorf("no mapping of environment %q here or above", o.Env)
	}
	if len(mappings) == 0 {
		t, err := namedFile(w, ".env")
		return []mapping.Target{t}, err
	}
	targets := mapping.Resolve(w.Files(), w.Base, w.Config, mappings)
	for _, t := range targets {
		if t.Err != nil {
			return nil, t.Err
		}
	}
	return oneEnvironment(targets, o.Env != "")
}

// oneEnvironment leaves out files of another environment: no program gets a mix
// of .env and .env.production that was not asked for. Of files called .env and
// .env.NAME it takes .env, which is everybody's default, unless an environment
// was chosen. Files with other names, such as db.env, go along with either.
func oneEnvironment(targets []mapping.Target, chosen bool) ([]mapping.Target, error) {
	isPlain := func(t mapping.Target) bool { return path.Base(t.File) == ".env" }
	inFamily := func(t mapping.Target) bool { // a profile's mapping was asked for
		return t.Mapping.Profile == "" && (isPlain(t) || strings.HasPrefix(path.Base(t.File), ".env."))
	}
	var family []mapping.Target
	for _, t := range targets {
		if inFamily(t) {
			family = append(family, t)
		}
	}
	if len(family) < 2 {
		return targets, nil
	}
	if slices.ContainsFunc(family, isPlain) {
		return slices.DeleteFunc(targets, func(t mapping.Target) bool {
			if chosen { // .env is labelled production if its mapping states nothing
				return isPlain(t) && t.Mapping.Environment == ""
			}
			return inFamily(t) && !isPlain(t)
		}), nil
	}
	e := &AmbiguousError{}
	for _, t := range family {
		if env := t.Mapping.Env(); !slices.Contains(e.Environments, env) {
			e.Environments = append(e.Environments, env)
		}
	}
	if len(e.Environments) > 1 {
		return nil, e
	}
	return targets, nil
}

// An AmbiguousError reports a folder with env files of several environments, of
// which none is the default.
type AmbiguousError struct{ Environments []string }

func (e *AmbiguousError) Error() string {
	return "there are env files of several environments here: " + strings.Join(e.Environments, ", ")
}

// serviceMappings returns the mappings of the nearest folder, from here up to
// the root, that has any for the profile and the environment.
func serviceMappings(w *workspace.Workspace, here, environment string) ([]config.Mapping, error) {
	if len(w.Config.Mappings) == 0 {
		return nil, nil
	}
	selected, err := w.Select()
	if err != nil {
		return nil, err
	}
	for folder := here; ; folder = path.Dir(folder) {
		var found []config.Mapping
		for _, m := range selected {
			if path.Join(w.Base, m.Folder) == folder && (environment == "" || m.Env() == environment) {
				found = append(found, m)
			}
		}
		if len(found) > 0 || folder == "." {
			return found, nil
		}
	}
}

// namedFile reads a file that was named. It may be outside the repository, since
// it is only read; its keys are then looked for beside it.
func namedFile(w *workspace.Workspace, name string) (mapping.Target, error) {
	file, err := w.Inside(name)
	if err == nil {
		if t, ok := w.Target(file); ok && t.Err == nil {
			return t, nil
		}
		doc, err := mapping.ReadEnvFile(w.Files(), file)
		return mapping.Target{File: file, Doc: doc}, err
	}
	abs := w.Absolute(name)
	doc, err := mapping.ReadEnvFile(os.DirFS(filepath.Dir(abs)), filepath.Base(abs))
	return mapping.Target{File: abs, Doc: doc}, err
}

// Fingerprint changes when the content of an env file does, or a local key for
// it.
func Fingerprint(ctx context.Context, w *workspace.Workspace, o Options) (sum [sha256.Size]byte) {
	targets, err := o.Targets(w)
	if err != nil {
		return sha256.Sum256([]byte(err.Error()))
	}
	h := sha256.New()
	for _, t := range targets {
		fmt.Fprintf(h, "%q %q %q\n", t.File, t.Doc.Bytes(), w.LocalKeys(ctx, t.File).For(t.Doc).Reveal())
	}
	h.Sum(sum[:0])
	return sum
}
