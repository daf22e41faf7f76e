package rotate

import (
	"context"
	"errors"
	"fmt"
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
// changes in the course of a rotation.
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
	first := map[*ecies.PrivateKey]gitops.OID{}
	var unused []*ecies.PrivateKey // in no commit
	for _, k := range s.Keys {
		if first[k], err = repo.FirstWith(ctx, k.PublicKey().String(), s.names()); err != nil {
			return nil, err
		}
		if first[k] == "" {
			unused = append(unused, k)
		}
	}
	if len(unused) > 0 {
		return s.newestUnused(repo, unused)
	}
	for _, k := range s.Keys {
		isOlder := func(other *ecies.PrivateKey) bool {
			if first[other] == first[k] || err != nil {
				return false
			}
			var before bool
			before, err = repo.IsAncestor(ctx, first[k], first[other])
			return before
		}
		if !slices.ContainsFunc(s.Keys, isOlder) {
			return k, err
		}
	}
	return nil, err // not reached: ancestry has no cycles
}

// newestUnused returns which of the keys that no commit has is the newest one: the
// files are not committed yet, so what they are encrypted for is older, unless it is
// the only one.
func (s *Secret) newestUnused(repo *gitops.Repo, unused []*ecies.PrivateKey) (*ecies.PrivateKey, error) {
	if shallow, err := repo.ShallowCommits(); err != nil || len(shallow) > 0 {
		return nil, errors.Join(err, ErrShallow)
	}
	if len(unused) > 1 {
		unused = slices.DeleteFunc(unused, func(k *ecies.PrivateKey) bool {
			return slices.ContainsFunc(s.docs(), func(doc *dotenv.Document) bool { return encryptedFor(doc, k.PublicKey()) })
		})
	}
	if len(unused) != 1 {
		return nil, ErrNoHistory
	}
	return unused[0], nil
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
		if !encryptedFor(dotenv.Parse(blobs[i]), s.Newest.PublicKey()) {
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

// Carriers returns what has a file that is encrypted for another of the vault's keys
// than the newest one: refs, stashes, and the worktrees' HEADs and files. What
// another clone has is not known here.
func (s *Secret) Carriers(ctx context.Context) (carriers []Carrier, err error) {
	repo, err := s.w.Git(ctx)
	if err != nil || repo == nil {
		return nil, err
	}
	var old []string
	for _, k := range s.Keys {
		if k != s.Newest {
			old = append(old, k.PublicKey().String())
		}
	}
	isOld := func(data []byte) bool {
		return slices.ContainsFunc(old, func(key string) bool { return strings.Contains(string(data), key) })
	}
	tips, err := repo.Tips(ctx)
	if err != nil {
		return nil, err
	}
	known := map[gitops.OID]bool{} // whether a blob is old
	for _, tip := range tips {
		files, err := repo.TreeFiles(ctx, string(tip.Commit))
		if err != nil {
			return nil, err
		}
		files = slices.DeleteFunc(files, func(f gitops.File) bool { return !f.Mode.IsFile() || !s.mayBe(f.Path) })
		unread := slices.DeleteFunc(slices.Clone(files), func(f gitops.File) bool { _, read := known[f.OID]; return read })
		blobs, err := contents(ctx, repo, unread)
		if err != nil {
			return nil, err
		}
		for i, f := range unread {
			known[f.OID] = isOld(blobs[i])
		}
		for _, f := range files {
			if c := (Carrier{tip.Name, f.Path}); known[f.OID] && !slices.Contains(carriers, c) {
				carriers = append(carriers, c)
			}
		}
	}
	worktrees, err := repo.Worktrees(ctx)
	for _, top := range worktrees {
		for _, t := range s.Targets {
			if t.File == "" {
				continue
			}
			data, err := atomicfile.ReadFile(os.DirFS(top), t.File)
			if err == nil && isOld(data) {
				carriers = append(carriers, Carrier{"worktree " + filepath.ToSlash(top), t.File})
			}
		}
	}
	return carriers, err
}

// mayBe reports whether a path may be one of the secret's files, perhaps under an
// earlier name.
func (s *Secret) mayBe(file string) bool {
	base := path.Base(file)
	return strings.Contains(strings.ToLower(base), "env") || slices.Contains(s.names(), base)
}

// contents returns the contents of files. One that is too large is an error.
func contents(ctx context.Context, repo *gitops.Repo, files []gitops.File) ([][]byte, error) {
	oids := make([]gitops.OID, len(files))
	for i, f := range files {
		oids[i] = f.OID
	}
	return repo.Blobs(ctx, oids, workspace.MaxFile)
}
