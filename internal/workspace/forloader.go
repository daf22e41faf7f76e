package workspace

import (
	"bytes"
	"errors"
	"maps"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/secret"
)

// ForLoader returns an env file with the variables of a decrypted one, as a loader
// reads them: their values as dotenvx evaluates them, without comments, and without
// the keys that are for dotenvx. References to other variables are to those of the
// file, then to those of the process. The error joins a [*loader.SpellingError] for
// each variable that the loader has no spelling for, or is that of
// [dotenv.Evaluate].
func (w *Workspace) ForLoader(l loader.Loader, file string, plain []byte) ([]byte, error) {
	process := maps.Clone(w.options.Env)
	maps.DeleteFunc(process, func(name, _ string) bool { return secret.ClassOf(name) != secret.Public })
	source := dotenv.Source{Name: file, Doc: dotenv.Parse(plain)}
	vars, err := dotenv.Evaluate([]dotenv.Source{source}, process, dotenv.EvalOptions{Override: true})
	if err != nil {
		return nil, err
	}
	return Lines(l, vars)
}

// Lines returns an env file that a loader reads as the variables, without keys. The
// error is as of [Workspace.ForLoader].
func Lines(l loader.Loader, vars []dotenv.Variable) ([]byte, error) {
	var out bytes.Buffer
	var errs []error
	for _, v := range vars {
		if strings.HasPrefix(v.Name, dotenv.PublicPrefix) || secret.ClassOf(v.Name) == secret.Private {
			continue
		}
		line, err := l.Line(v.Name, v.Value)
		if err != nil {
			errs = append(errs, err)
		}
		out.WriteString(line)
	}
	return out.Bytes(), errors.Join(errs...)
}
