package compare

import (
	"cmp"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Result is what comparing the names of one env file with those of its service
// found.
type Result struct {
	File      string
	Reference string   // what it was compared with: a template, or the other env files; "" if there is none
	Missing   []string // that the reference has
	Extra     []string // that the template has not
	Empty     []string // without a value
	Err       error    // a [*GapsError], or why it could not be compared
}

// A GapsError reports names that a file lacks, has beyond its template, or leaves
// empty.
type GapsError struct{ Missing, Extra, Empty []string }

func (e *GapsError) Error() string {
	var parts []string
	for _, part := range []struct {
		word  string
		names []string
	}{{"missing", e.Missing}, {"not in the template", e.Extra}, {"empty", e.Empty}} {
		if len(part.names) > 0 {
			parts = append(parts, part.word+": "+strings.Join(part.names, ", "))
		}
	}
	return strings.Join(parts, "; ")
}

// ErrNothing means that no service has two files whose names could be compared.
var ErrNothing = errors.New("no folder has two env files, or one and a template such as .env.example, so nothing was compared")

// Names compares, for each folder of mappings, the names in its env files with those
// of the templates beside them or, if there is none, with each other. It needs no
// key.
func Names(w *workspace.Workspace) ([]Result, error) {
	targets, err := w.Mapped()
	if err != nil {
		return nil, err
	}
	var folders []string
	services := map[string][]mapping.Target{}
	for _, t := range targets {
		if folder := path.Join(w.Base, t.Mapping.Folder); !slices.Contains(folders, folder) {
			folders = append(folders, folder)
		}
		services[path.Join(w.Base, t.Mapping.Folder)] = append(services[path.Join(w.Base, t.Mapping.Folder)], t)
	}
	var results []Result
	compared := false
	for _, folder := range folders {
		found, err := service(w, folder, services[folder])
		if err != nil {
			return nil, err
		}
		results, compared = append(results, found...), compared || found[0].Reference != ""
	}
	if !compared {
		err = ErrNothing
	}
	return results, err
}

// service compares the env files of one folder.
func service(w *workspace.Workspace, folder string, targets []mapping.Target) (results []Result, err error) {
	templates, err := templatesIn(w, folder)
	if err != nil {
		return nil, err
	}
	reference := "the other env files of " + w.RelPath(folder)
	var wanted []string
	if len(templates) > 0 {
		var names []string
		for _, name := range templates {
			doc, err := mapping.ReadEnvFile(w.Files(), name)
			if err != nil {
				return nil, err
			}
			names, wanted = append(names, w.RelPath(name)), union(wanted, namesIn(doc))
		}
		reference = strings.Join(names, ", ")
	} else {
		for _, t := range targets {
			if t.Err == nil {
				wanted = union(wanted, namesIn(t.Doc))
			}
		}
	}
	if len(templates) == 0 && len(targets) < 2 {
		reference = ""
	}
	only := dotenv.Selection{Only: w.Config.Check.Only}
	required := dotenv.Selection{Except: w.Config.Check.Optional}
	for _, t := range targets {
		r := Result{File: cmp.Or(t.File, t.Folder()), Reference: reference, Err: t.Err}
		if t.Err == nil && reference != "" {
			has := namesIn(t.Doc)
			for _, name := range wanted {
				if only.Has(name) && required.Has(name) && !slices.Contains(has, name) {
					r.Missing = append(r.Missing, name)
				}
			}
			for _, name := range has {
				if only.Has(name) && len(templates) > 0 && !slices.Contains(wanted, name) {
					r.Extra = append(r.Extra, name)
				}
				if e, _ := t.Doc.Get(name); only.Has(name) && required.Has(name) && (e.Value == "" || ecies.IsEmpty(e.Value)) {
					r.Empty = append(r.Empty, name)
				}
			}
			if len(r.Missing)+len(r.Extra)+len(r.Empty) > 0 {
				r.Err = &GapsError{r.Missing, r.Extra, r.Empty}
			}
		}
		results = append(results, r)
	}
	return results, nil
}

func templatesIn(w *workspace.Workspace, folder string) (templates []string, err error) {
	entries, err := fs.ReadDir(w.Files(), folder)
	for _, e := range entries {
		if config.IsTemplate(e.Name()) && e.Type().IsRegular() {
			templates = append(templates, path.Join(folder, e.Name()))
		}
	}
	return templates, err
}

func namesIn(doc *dotenv.Document) (names []string) {
	for _, v := range edit.List(doc) {
		names = append(names, v.Name)
	}
	return names
}

// union appends to a what it lacks of b.
func union(a, b []string) []string {
	for _, name := range b {
		if !slices.Contains(a, name) {
			a = append(a, name)
		}
	}
	return a
}
