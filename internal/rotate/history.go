package rotate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/workspace"
)

// newest returns the newest of the vault's keys: the one whose public key came into
// the history last, or has not come yet. The order in the vault does not tell: it
// changes in the course of a rotation. What nothing tells is an error, since a guess
// could encrypt for an old key again.
func (s *Secret) newest(ctx context.Context) (*ecies.PrivateKey, error) {
	if len(s.Keys) == 1 {
		return s.Keys[0], nil
	}
	repo, err := s.w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, ErrNoHistory
	}
	if shallow, err := repo.ShallowCommits(); err != nil || len(shallow) > 0 {
		return nil, errors.Join(err, ErrShallow) // of a key that was brought back, the rest looks like the first time
	}
	first := map[*ecies.PrivateKey][]gitops.OID{}
	var used, unused ecies.Keys // in a commit, and in none
	for _, k := range s.Keys {
		if first[k], err = repo.FirstWith(ctx, k.PublicKey().String(), s.names()); err != nil {
			return nil, err
		}
		if len(first[k]) > 0 {
			used = append(used, k)
		}
	}
	for _, k := range s.Keys {
		if len(first[k]) > 0 {
			continue
		}
		if replaced, err := s.replaced(ctx, repo, k, first); err != nil {
			return nil, err
		} else if !replaced {
			unused = append(unused, k)
		}
	}
	latest, err := s.latest(ctx, repo, used, first)
	if err != nil || len(unused) == 0 {
		return latest, err
	}
	return s.newestUnused(latest, unused)
}

// newestUnused returns the newest key where some are in no commit. latest is the
// newest of the others, or nil. Rotate stores a new key as the second one, and Finish
// makes it the first.
func (s *Secret) newestUnused(latest *ecies.PrivateKey, unused ecies.Keys) (*ecies.PrivateKey, error) {
	old, young := s.Keys[0], s.Keys[1]
	switch {
	case latest == old && len(unused) == 1 && unused[0] == young: // it was just stored, or others have not pushed
		return young, nil
	case latest == young && len(unused) == 1 && s.allFor(old): // finished before the commit
		return old, nil
	case latest == nil && len(s.Keys) == 2 && s.allFor(young): // rotated before the first commit
		return young, nil
	case latest == nil:
		return nil, ErrNoHistory
	}
	return nil, ErrNotFetched
}

// replaced reports whether a commit that brought in another key took the place of a
// file that needs k. Such a file may have had no public key in it.
func (s *Secret) replaced(ctx context.Context, repo *gitops.Repo, k *ecies.PrivateKey, first map[*ecies.PrivateKey][]gitops.OID) (bool, error) {
	for _, commits := range first {
		for _, commit := range commits {
			parent, err := repo.Resolve(ctx, string(commit)+"^")
			if errors.As(err, new(*gitops.RevisionError)) {
				continue // the first commit
			} else if err != nil {
				return false, err
			}
			files, err := repo.TreeFiles(ctx, string(parent))
			if err != nil {
				return false, err
			}
			blobs, err := contents(ctx, repo, s.maybe(files))
			if err != nil {
				return false, err
			}
			if slices.ContainsFunc(blobs, func(data []byte) bool { return needs(data, ecies.Keys{k}) }) {
				return true, nil
			}
		}
	}
	return false, nil
}

// latest returns the key of used that came in after the others, or nil if there is
// none. If two people rotated at once, each on a branch, there are two: it is the one
// that the files here are encrypted for, else the vault's first of them.
func (s *Secret) latest(ctx context.Context, repo *gitops.Repo, used ecies.Keys, first map[*ecies.PrivateKey][]gitops.OID) (latest *ecies.PrivateKey, err error) {
	comesAfter := func(k, other *ecies.PrivateKey) (after bool) {
		for _, old := range first[other] {
			for _, young := range first[k] {
				if old != young && !after && err == nil {
					after, err = repo.IsAncestor(ctx, old, young)
				}
			}
		}
		return after
	}
	isAfter := func(k, other *ecies.PrivateKey) bool { return comesAfter(k, other) && !comesAfter(other, k) }
	last := slices.DeleteFunc(slices.Clone(used), func(k *ecies.PrivateKey) bool {
		return slices.ContainsFunc(used, func(other *ecies.PrivateKey) bool { return isAfter(other, k) })
	})
	isRotated := func(k *ecies.PrivateKey) bool {
		return slices.ContainsFunc(used, func(other *ecies.PrivateKey) bool { return isAfter(k, other) })
	}
	switch i, j := slices.IndexFunc(last, s.allFor), slices.IndexFunc(last, isRotated); {
	case err != nil || len(used) == 0:
		return nil, err
	case len(last) == 1:
		return last[0], nil
	case i >= 0:
		return last[i], nil
	case j >= 0:
		return last[j], err
	}
	return nil, ErrNoHistory
}

// allFor reports whether there are files, and all of them are encrypted for k alone.
func (s *Secret) allFor(k *ecies.PrivateKey) bool {
	docs := s.docs()
	return len(docs) > 0 && !slices.ContainsFunc(docs, func(doc *dotenv.Document) bool { return !s.isFor(doc, k) })
}

// isFor reports whether a document is encrypted for a key and for no other of the
// vault's: a merge without envdrift may leave values for another key than the header's.
func (s *Secret) isFor(doc *dotenv.Document, k *ecies.PrivateKey) bool {
	return encryptedFor(doc, k.PublicKey()) && !needs(doc.Bytes(), s.others(k))
}

// others returns the vault's keys but k.
func (s *Secret) others(k *ecies.PrivateKey) ecies.Keys {
	return slices.DeleteFunc(slices.Clone(s.Keys), func(other *ecies.PrivateKey) bool { return other == k })
}

// needs reports whether a version of a file names one of keys or has a value that one
// of them decrypts.
func needs(data []byte, keys ecies.Keys) bool {
	if slices.ContainsFunc(keys, func(k *ecies.PrivateKey) bool { return bytes.Contains(data, []byte(k.PublicKey().String())) }) {
		return true
	}
	var values []string
	for _, e := range dotenv.Parse(data).Entries() {
		if e.Encrypted() {
			values = append(values, e.Value)
		}
	}
	return slices.ContainsFunc(keys.DecryptAll(values), func(d ecies.Decrypted) bool { return d.Err == nil })
}

func (s *Secret) docs() (docs []*dotenv.Document) {
	for _, t := range s.files() {
		docs = append(docs, t.Doc)
	}
	return docs
}

// names returns the base names of the secret's files.
func (s *Secret) names() (names []string) {
	for _, t := range s.Targets {
		if name := path.Base(t.File); t.File != "" && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

var (
	// ErrNoHistory reports several keys in the vault where nothing tells which of
	// them is the newest one.
	ErrNoHistory = errors.New("the vault holds several keys, and no commit tells which of them is the newest one")
	// ErrNotFetched reports that some of the keys are in no commit that is here.
	ErrNotFetched = errors.New("the vault holds several keys, and no commit here has those that tell which of them is the newest one")
	// ErrShallow reports that the history which would tell is not here.
	ErrShallow = errors.New("the vault holds several keys, and this clone lacks the history that tells which of them is the newest one")
)

// isOn returns an error unless the files on a branch are encrypted for the newest
// key.
func (s *Secret) isOn(ctx context.Context, branch string) error {
	repo, err := s.w.Git(ctx)
	if err != nil || repo == nil {
		return err
	}
	if branch == "" {
		if branch, err = repo.DefaultBranch(ctx); err != nil {
			return err
		}
	}
	if branch == "" {
		return ErrNoBranch
	}
	var paths []string
	for _, t := range s.Targets {
		if t.File != "" {
			paths = append(paths, t.File)
		}
	}
	files, err := repo.TreeFiles(ctx, branch, paths...)
	if err != nil {
		return err
	}
	old := &NotMergedError{Branch: branch}
	blobs, err := contents(ctx, repo, files)
	if err != nil {
		return err
	}
	for i, f := range files {
		if !s.isFor(dotenv.Parse(blobs[i]), s.Newest) {
			old.Files = append(old.Files, f.Path)
		}
	}
	if len(files) == 0 || len(old.Files) > 0 {
		return old
	}
	return nil
}

// ErrNoBranch reports that the default branch is not known.
var ErrNoBranch = errors.New("which branch is the default one is not known here")

// A NotMergedError reports a branch that has not got the files of a rotation yet.
type NotMergedError struct {
	Branch string
	Files  []string // that it has in an older version; none if it has none at all
}

func (e *NotMergedError) Error() string {
	if len(e.Files) == 0 {
		return e.Branch + " has none of the files"
	}
	return fmt.Sprintf("%s has %s still encrypted for the old key", e.Branch, strings.Join(e.Files, ", "))
}

// A Carrier is what has a file that is encrypted for an old key.
type Carrier struct {
	Where string // a branch, a tag, a stash, a worktree
	File  string // relative to the top
}

// An InUseError reports that an old key is still needed.
type InUseError struct{ Carriers []Carrier }

func (e *InUseError) Error() string { return "the old key is still needed by " + e.List() }

// List returns what has files for the old key, by file.
func (e *InUseError) List() string {
	var lists []string
	for i, c := range e.Carriers {
		if slices.ContainsFunc(e.Carriers[:i], func(other Carrier) bool { return other.File == c.File }) {
			continue
		}
		var places []string
		for _, other := range e.Carriers[i:] {
			if other.File == c.File {
				places = append(places, other.Where)
			}
		}
		lists = append(lists, strings.Join(places, ", ")+" ("+c.File+")")
	}
	return strings.Join(lists, "; ")
}

// Carriers returns what has a file that needs another of the vault's keys than the
// newest one: refs, stashes, and the worktrees' HEADs, indexes and files. What another
// clone has is not known here.
func (s *Secret) Carriers(ctx context.Context) (carriers []Carrier, err error) {
	repo, err := s.w.Git(ctx)
	if err != nil || repo == nil {
		return nil, err
	}
	old := s.others(s.Newest)
	known := map[gitops.OID]bool{} // whether a blob is old
	add := func(where string, files []gitops.File) error {
		unread := slices.DeleteFunc(slices.Clone(files), func(f gitops.File) bool { _, read := known[f.OID]; return read })
		blobs, err := contents(ctx, repo, unread)
		if err != nil {
			return err
		}
		for i, f := range unread {
			known[f.OID] = needs(blobs[i], old)
		}
		for _, f := range files {
			if c := (Carrier{where, f.Path}); known[f.OID] && !slices.Contains(carriers, c) {
				carriers = append(carriers, c)
			}
		}
		return nil
	}
	tips, err := repo.Tips(ctx)
	if err != nil {
		return nil, err
	}
	for _, tip := range tips {
		files, err := repo.TreeFiles(ctx, string(tip.Commit))
		if err == nil {
			err = add(tip.Name, s.maybe(files))
		}
		if err != nil {
			return nil, err
		}
	}
	worktrees, err := repo.Worktrees(ctx)
	if err != nil {
		return nil, err
	}
	for _, top := range worktrees {
		there, err := s.w.GitIn(ctx, top)
		if err != nil {
			return nil, err
		}
		files, err := there.IndexFiles(ctx)
		if err == nil {
			err = add("index of "+filepath.ToSlash(top), s.maybe(files))
		}
		if err != nil {
			return nil, err
		}
		for _, t := range s.Targets {
			if t.File == "" {
				continue
			}
			data, err := atomicfile.ReadFile(os.DirFS(top), t.File)
			if err != nil && !errors.Is(err, fs.ErrNotExist) {
				return nil, err
			}
			if needs(data, old) {
				carriers = append(carriers, Carrier{"worktree " + filepath.ToSlash(top), t.File})
			}
		}
	}
	return carriers, nil
}

// maybe returns which of files may be the secret's, perhaps under an earlier name.
func (s *Secret) maybe(files []gitops.File) []gitops.File {
	names := s.names()
	return slices.DeleteFunc(files, func(f gitops.File) bool {
		base := path.Base(f.Path)
		return !f.Mode.IsFile() || !strings.Contains(strings.ToLower(base), "env") && !slices.Contains(names, base)
	})
}

// contents returns the contents of files. One that is too large is an error.
func contents(ctx context.Context, repo *gitops.Repo, files []gitops.File) ([][]byte, error) {
	oids := make([]gitops.OID, len(files))
	for i, f := range files {
		oids[i] = f.OID
	}
	return repo.Blobs(ctx, oids, workspace.MaxFile)
}
