// Package compare compares the variables of versions of env files: two with their
// values, or those of one service by their names alone, without any key.
package compare

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/audit"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/edit"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Version is one version of an env file.
type Version struct {
	mapping.Target
	Name   string // as the user calls it
	work   *workspace.Workspace
	absent bool // there is no such file
}

// A Difference is a variable that two versions do not have alike.
type Difference struct {
	Name     string
	Kind     Kind
	Old, New secret.Value // none where there is no such variable, or Kind is Unknown
}

// A Kind says how a variable differs.
type Kind string

// The kinds of differences. Unknown is two ciphertexts, of which no key at hand
// decrypts both.
const (
	Added   Kind = "added"
	Removed Kind = "removed"
	Changed Kind = "changed"
	Unknown Kind = "unknown"
)

// Versions returns the two versions that a user names, by none to two words: a file,
// an environment, a revision or REVISION:FILE. Without words they are HEAD's version
// and the working tree's of the env file that exec reads; with one, HEAD's version of
// that file and the working tree's or, if it names a revision, that version and the
// working tree's. A file that neither has, or that a word names where it is not, is
// an [*AbsentError].
func Versions(ctx context.Context, w *workspace.Workspace, words []string, file, environment string) (from, to Version, err error) {
	if from, to, err = versions(ctx, w, words, file, environment); err == nil && from.absent && to.absent {
		err = &AbsentError{from.Name}
	}
	return from, to, err
}

// An AbsentError reports a version that does not exist.
type AbsentError struct{ Name string }

func (e *AbsentError) Error() string { return "there is no " + e.Name }

func versions(ctx context.Context, w *workspace.Workspace, words []string, file, environment string) (from, to Version, err error) {
	if len(words) == 2 {
		if from, err = version(ctx, w, words[0], file, environment); err == nil {
			to, err = version(ctx, w, words[1], file, environment)
		}
		return from, to, err
	}
	rev := "HEAD"
	if len(words) == 1 {
		one, err := version(ctx, w, words[0], file, environment)
		if err != nil {
			return from, to, err
		}
		if one.work != w { // it is of a commit
			to, err = current(w, one.File)
			return one, to, err
		}
		to = one
	} else {
		t, err := edit.Target(w, file, environment)
		if err != nil {
			return from, to, err
		}
		to = Version{Target: t, Name: w.RelPath(t.File), work: w}
	}
	from, err = committed(ctx, w, rev, to.File)
	return from, to, err
}

// version returns the version that a word names.
func version(ctx context.Context, w *workspace.Workspace, word, file, environment string) (Version, error) {
	if rev, name, ok := strings.Cut(word, ":"); ok && rev != "" && !isFile(w, word) {
		inside, err := w.Inside(name)
		if err != nil {
			return Version{}, err
		}
		v, err := committed(ctx, w, rev, inside)
		if err == nil && v.absent {
			err = &AbsentError{v.Name}
		}
		return v, err
	}
	if isFile(w, word) {
		inside, err := w.Inside(word)
		if err != nil {
			return Version{}, err
		}
		return current(w, inside)
	}
	t, err := edit.Target(w, "", word)
	if err == nil {
		return Version{Target: t, Name: w.RelPath(t.File), work: w}, nil
	}
	if file == "" {
		t, targetErr := edit.Target(w, "", environment)
		if targetErr != nil {
			return Version{}, errors.Join(&WordError{word}, targetErr)
		}
		file = t.File
	} else if file, err = w.Inside(file); err != nil {
		return Version{}, err
	}
	v, err := committed(ctx, w, word, file)
	if errors.As(err, new(*gitops.RevisionError)) || errors.Is(err, gitops.ErrNotRepository) {
		err = &WordError{word}
	}
	return v, err
}

// A WordError reports a word that names no version.
type WordError struct{ Word string }

func (e *WordError) Error() string {
	return fmt.Sprintf("%q is no env file, environment or revision here", e.Word)
}

func isFile(w *workspace.Workspace, name string) bool {
	inside, err := w.Inside(name)
	if err != nil {
		return false
	}
	info, err := fs.Stat(w.Files(), inside)
	return err == nil && !info.IsDir()
}

// current returns the working tree's version of a file, which may be missing.
func current(w *workspace.Workspace, file string) (Version, error) {
	v := Version{Name: w.RelPath(file), work: w}
	if t, ok := w.Target(file); ok && t.Err == nil {
		v.Target = t
		return v, nil
	}
	doc, err := mapping.ReadEnvFile(w.Files(), file)
	if errors.Is(err, fs.ErrNotExist) {
		v.absent, doc, err = true, dotenv.Parse(nil), nil
	}
	v.Target = mapping.Target{File: file, Doc: doc}
	return v, err
}

// committed returns a commit's version of a file, which may be missing. A vault in
// the repository is that of the commit.
func committed(ctx context.Context, w *workspace.Workspace, rev, file string) (Version, error) {
	v := Version{Name: rev + ":" + file}
	repo, err := w.Git(ctx)
	if err != nil {
		return v, err
	}
	if repo == nil {
		return v, gitops.ErrNotRepository
	}
	tree, err := repo.Tree(ctx, rev, workspace.MaxFile)
	if err != nil {
		return v, err
	}
	v.work = w.WithTree(keep{tree})
	if at, err := w.At(keep{tree}, path.Dir(file)); err == nil {
		v.work = at
	}
	if t, ok := v.work.Target(file); ok && t.Err == nil {
		v.Target = t
		return v, nil
	}
	doc, err := mapping.ReadEnvFile(tree, file)
	if errors.Is(err, fs.ErrNotExist) {
		v.absent, doc, err = true, dotenv.Parse(nil), nil
	}
	v.Target = mapping.Target{File: file, Doc: doc}
	return v, err
}

// keep is a tree that lives as long as the process.
type keep struct{ *gitops.Tree }

// Diff returns the variables that differ, in the order of the new version and then
// of those that it lacks. Equal ciphertexts need no key; others are decrypted.
func Diff(ctx context.Context, from, to Version) ([]Difference, error) {
	var names []string
	for _, v := range []Version{to, from} {
		for _, variable := range edit.List(v.Doc) {
			if !slices.Contains(names, variable.Name) {
				names = append(names, variable.Name)
			}
		}
	}
	names = slices.DeleteFunc(names, func(name string) bool { return same(from.Doc, to.Doc, name) })
	if len(names) == 0 {
		return nil, nil
	}
	old, oldErr := from.values(ctx)
	now, nowErr := to.values(ctx)
	for _, err := range []error{oldErr, nowErr} {
		if errors.As(err, new(*audit.Error)) {
			return nil, err
		}
	}
	var list []Difference
	for _, name := range names {
		_, was := from.Doc.Get(name)
		_, is := to.Doc.Get(name)
		d := Difference{Name: name, Old: old[name], New: now[name]}
		switch {
		case !was:
			d.Kind = Added
		case !is:
			d.Kind = Removed
		case oldErr != nil || nowErr != nil:
			d.Kind = Unknown
		case old[name].Equal(now[name]):
			continue
		default:
			d.Kind = Changed
		}
		list = append(list, d)
	}
	return list, ctx.Err()
}

func same(a, b *dotenv.Document, name string) bool {
	x, inA := a.Get(name)
	y, inB := b.Get(name)
	return inA && inB && x.Value == y.Value && x.Quote == y.Quote
}

// values decrypts a version. Without a key the error says so, and there are none.
func (v Version) values(ctx context.Context) (map[string]secret.Value, error) {
	key := v.work.Keys(ctx, []keyring.Request{{Target: v.Target}}, keyring.Auto)[0]
	if key.Err != nil {
		v.work.Debug("%s: %v", v.Name, key.Err)
		return nil, key.Err
	}
	revealed, err := v.Doc.Reveal(key.Keys)
	if err != nil {
		return nil, err
	}
	values := map[string]secret.Value{}
	for _, r := range revealed {
		values[r.Name] = r.Plaintext
	}
	return values, nil
}
