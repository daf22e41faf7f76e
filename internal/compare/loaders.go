package compare

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/loader"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Misread is a plaintext line of an env file that a program reads otherwise than
// dotenvx, or may.
type Misread struct {
	File    string
	Line    int
	Name    string
	Loaders []loader.Sign // of the programs
}

func (m Misread) String() string {
	var by []string
	for _, l := range m.Loaders {
		by = append(by, fmt.Sprintf("%s (%s)", l.Loader, l.File))
	}
	return fmt.Sprintf("line %d, %s: read otherwise, or not at all, by %s", m.Line, m.Name, strings.Join(by, ", "))
}

// Misreads looks for lines in the mapped env files that are read otherwise by the
// programs that the configuration names or that have signs in the repository. loaders
// has these. Values that are encrypted, as nobody but dotenvx reads them, are not
// looked at.
func Misreads(w *workspace.Workspace) (misreads []Misread, loaders []loader.Sign, err error) {
	targets, err := w.Mapped()
	for _, t := range targets {
		if t.Err != nil {
			continue
		}
		readers, err := readersOf(w, t)
		if err != nil {
			return nil, nil, err
		}
		for _, r := range readers {
			if !slices.Contains(loaders, r) {
				loaders = append(loaders, r)
			}
		}
		misreads = append(misreads, misreadsIn(t, readers)...)
	}
	return misreads, loaders, err
}

// readersOf returns the loaders that read the files of a mapping.
func readersOf(w *workspace.Workspace, t mapping.Target) (readers []loader.Sign, err error) {
	named := w.Config.Check.Loaders
	if t.Mapping.Loader != "" {
		named = []string{t.Mapping.Loader}
	}
	if len(named) == 0 {
		return loader.Signs(w.Files(), path.Dir(t.File))
	}
	for _, name := range named {
		readers = append(readers, loader.Sign{Loader: name, File: path.Base(w.Config.File)})
	}
	return readers, nil
}

func misreadsIn(t mapping.Target, readers []loader.Sign) (misreads []Misread) {
	seen := map[string]bool{}
	for _, e := range t.Doc.Entries() {
		if e.Encrypted() || strings.HasPrefix(e.Name, dotenv.PublicPrefix) {
			continue
		}
		m := Misread{File: t.File, Line: e.Line, Name: e.Name}
		for _, r := range readers {
			if l, ok := loader.Find(r.Loader); ok && (seen[e.Name] && l.FirstWins() || misread(l, t.Doc, e)) {
				m.Loaders = append(m.Loaders, r)
			}
		}
		if seen[e.Name] = true; len(m.Loaders) > 0 {
			misreads = append(misreads, m)
		}
	}
	return misreads
}

// misread reports whether the loader reads an entry otherwise than dotenvx. Of a value
// with a reference to another variable, only those are reported that surely keep it as
// it is written: what others make of it depends on the environment.
func misread(l loader.Loader, doc *dotenv.Document, e dotenv.Entry) bool {
	head, raw, tail := doc.Line(e)
	line := loader.Line{Head: head, Raw: raw, Tail: tail}
	if strings.Contains(e.Value, "$") && e.Quote != '\'' {
		return l.Reads(line, e.Name, e.Value)
	}
	return !l.Reads(line, e.Name, e.Value)
}
