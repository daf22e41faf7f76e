package gitops

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-git/go-billy/v5/osfs"
	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/cache"
	"github.com/go-git/go-git/v5/plumbing/filemode"
	"github.com/go-git/go-git/v5/plumbing/format/gitignore"
	"github.com/go-git/go-git/v5/plumbing/object"
	"github.com/go-git/go-git/v5/plumbing/storer"
	"github.com/go-git/go-git/v5/storage/filesystem"
	"github.com/go-git/go-git/v5/storage/filesystem/dotgit"
)

// Only this file uses go-git, and only for reading: go-git does not see
// GIT_INDEX_FILE, and writes an index without its lock and without the flags
// and conflicts that git keeps in it. The storage is opened directly.
// git.PlainOpen refuses every repository with an extension, as after "git
// sparse-checkout set", and would link half of go-git.

// discover finds the repository of dir without git.
func discover(dir string) (*Repo, error) {
	for {
		dotGit := filepath.Join(dir, ".git")
		if info, err := os.Stat(dotGit); err == nil {
			gitDir := dotGit
			if !info.IsDir() {
				if gitDir, err = readPath(dotGit, "gitdir: "); err != nil {
					return nil, &RefusedError{Dir: dir, Reason: "its .git file is malformed"}
				}
			}
			common, err := readPath(filepath.Join(gitDir, "commondir"), "")
			if err != nil {
				common = gitDir
			}
			return &Repo{Top: dir, GitDir: gitDir, CommonDir: common, Index: filepath.Join(gitDir, "index"), hash: "sha1"}, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return nil, ErrNotRepository
		}
		dir = parent
	}
}

// readPath returns the path that file contains after prefix, resolved relative
// to file.
func readPath(file, prefix string) (string, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	path, ok := strings.CutPrefix(strings.TrimRight(string(data), "\r\n"), prefix)
	if !ok || path == "" {
		return "", errors.New("malformed " + file)
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(file), path)
	}
	return filepath.Clean(path), nil
}

func (r *Repo) storage() *filesystem.Storage {
	dirs := dotgit.NewRepositoryFilesystem(osfs.New(r.GitDir), osfs.New(r.CommonDir))
	// Alternates are absolute paths, which may be anywhere.
	options := filesystem.Options{AlternatesFS: osfs.New(string(filepath.Separator))}
	return filesystem.NewStorageWithOptions(dirs, cache.NewObjectLRUDefault(), options)
}

// resolveObject resolves full object names, HEAD and the names of branches and
// tags.
func (r *Repo) resolveObject(rev string) (OID, error) {
	store := r.storage()
	hash := plumbing.NewHash(rev)
	if !OID(rev).valid() {
		ref, err := resolveName(store, rev)
		if err != nil {
			return "", &RevisionError{Revision: rev}
		}
		hash = ref.Hash()
	}
	if tag, err := object.GetTag(store, hash); err == nil {
		hash = tag.Target
	}
	if _, err := object.GetCommit(store, hash); err != nil {
		return "", &RevisionError{Revision: rev}
	}
	return OID(hash.String()), nil
}

func resolveName(store storer.ReferenceStorer, rev string) (ref *plumbing.Reference, err error) {
	for _, rule := range plumbing.RefRevParseRules {
		ref, err = storer.ResolveReference(store, plumbing.ReferenceName(fmt.Sprintf(rule, rev)))
		if err == nil {
			return ref, nil
		}
	}
	return nil, err
}

func (r *Repo) treeObjects(commit OID) ([]File, error) {
	store := r.storage()
	c, err := object.GetCommit(store, plumbing.NewHash(string(commit)))
	if err != nil {
		return nil, err
	}
	return appendTree(nil, store, "", c.TreeHash)
}

// appendTree lists a tree and its subtrees. [object.TreeWalker] would take a
// missing tree for the end of the list.
func appendTree(files []File, store storer.EncodedObjectStorer, dir string, hash plumbing.Hash) ([]File, error) {
	tree, err := object.GetTree(store, hash)
	if err != nil {
		return nil, &ObjectError{OID: OID(hash.String()), Err: ErrMissing}
	}
	for _, entry := range tree.Entries {
		path := dir + entry.Name
		if entry.Mode != filemode.Dir {
			files = append(files, File{Path: path, Mode: Mode(entry.Mode), OID: OID(entry.Hash.String())})
		} else if files, err = appendTree(files, store, path+"/", entry.Hash); err != nil {
			return nil, err
		}
	}
	return files, nil
}

func (r *Repo) blobObjects(oids []OID, limit int64) ([][]byte, error) {
	store := r.storage()
	blobs := make([][]byte, len(oids))
	var problems []error
	for i, oid := range oids {
		blob, err := object.GetBlob(store, plumbing.NewHash(string(oid)))
		if err == nil && blob.Size > limit {
			err = ErrTooLarge
		} else if err == nil {
			blobs[i], err = readBlobObject(blob)
		} else if errors.Is(err, plumbing.ErrObjectNotFound) {
			err = ErrMissing
		}
		if err != nil {
			problems = append(problems, &ObjectError{OID: oid, Err: err})
		}
	}
	return blobs, errors.Join(problems...)
}

func readBlobObject(blob *object.Blob) ([]byte, error) {
	r, err := blob.Reader()
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(r)
	return data, errors.Join(err, r.Close())
}

// ignoredByRules matches the rules of the .gitignore files above each path and
// of info/exclude. It does not read the index, so a tracked path counts too.
func (r *Repo) ignoredByRules(paths []string) (map[string]bool, error) {
	ignored := make(map[string]bool)
	for _, path := range paths {
		parts := strings.Split(path, "/")
		patterns, err := readPatterns(filepath.Join(r.CommonDir, "info", "exclude"), nil)
		if err != nil {
			return nil, err
		}
		for i := range parts {
			dir := filepath.Join(append([]string{r.Top}, parts[:i]...)...)
			more, err := readPatterns(filepath.Join(dir, ".gitignore"), parts[:i])
			if err != nil {
				return nil, err
			}
			patterns = append(patterns, more...)
		}
		// An ignored directory includes everything below it.
		matcher := gitignore.NewMatcher(patterns)
		for i := range parts {
			if matcher.Match(parts[:i+1], i+1 < len(parts)) {
				ignored[path] = true
			}
		}
	}
	return ignored, nil
}

func readPatterns(file string, domain []string) ([]gitignore.Pattern, error) {
	f, err := os.Open(file)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var patterns []gitignore.Pattern
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimRight(lines.Text(), "\r")
		if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
			patterns = append(patterns, gitignore.ParsePattern(line, domain))
		}
	}
	return patterns, lines.Err()
}
