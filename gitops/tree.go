package gitops

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Tree is the index or a commit as an [fs.FS]. Listings are in memory. The
// content of files comes from one git process, which runs until Close.
type Tree struct {
	files []File // sorted by path
	limit int64
	mu    sync.Mutex // for blob
	blob  func(OID) ([]byte, error)
	close func() error
}

// Tree returns the commit rev as a Tree. Files of more than limit bytes cannot
// be read.
func (r *Repo) Tree(ctx context.Context, rev string, limit int64) (*Tree, error) {
	files, err := r.TreeFiles(ctx, rev)
	if err != nil {
		return nil, err
	}
	return r.tree(ctx, files, limit)
}

// IndexTree returns the index of the running commit, else of the worktree. It
// has no version of a file in conflict.
func (r *Repo) IndexTree(ctx context.Context, limit int64) (*Tree, error) {
	files, err := r.IndexFiles(ctx)
	if err != nil {
		return nil, err
	}
	return r.tree(ctx, files, limit)
}

// IndexFiles returns the files of IndexTree.
func (r *Repo) IndexFiles(ctx context.Context) ([]File, error) {
	out, err := r.run(ctx, nil, "ls-files", "--stage", "-z", "--full-name")
	if err != nil {
		return nil, err
	}
	files, _, err := parseStages(out)
	return files, err
}

// TrackedFiles returns the files that git tracks, also those in conflict, of which the mode is
// that of one side. Some may not be in the working tree.
func (r *Repo) TrackedFiles(ctx context.Context) ([]File, error) {
	out, err := r.run(ctx, nil, "ls-files", "--stage", "-z", "--full-name")
	if err != nil {
		return nil, err
	}
	files, conflicts, err := parseStages(out)
	conflicts = slices.CompactFunc(conflicts, func(a, b File) bool { return a.Path == b.Path })
	return append(files, conflicts...), err
}

func newTree(files []File, limit int64) *Tree {
	if !slices.IsSortedFunc(files, byPath) { // git mostly sorts like this too
		slices.SortFunc(files, byPath)
	}
	return &Tree{files: files, limit: limit}
}

func (r *Repo) tree(ctx context.Context, files []File, limit int64) (*Tree, error) {
	t := newTree(files, limit)
	reader, err := r.Reader(ctx, limit)
	if err != nil {
		return nil, err
	}
	t.blob = func(oid OID) ([]byte, error) { return reader.object(oid, "blob") }
	t.close = reader.Close
	return t, nil
}

func byPath(a, b File) int { return strings.Compare(a.Path, b.Path) }

// find returns the index of name among the files, or where it would be
// inserted.
func (t *Tree) find(name string) (at int, found bool) {
	return slices.BinarySearchFunc(t.files, name, func(f File, name string) int { return strings.Compare(f.Path, name) })
}

// list returns what is in the directory dir, sorted by name. It is not ok if
// there is no such directory.
func (t *Tree) list(dir string) (entries []fs.DirEntry, ok bool) {
	prefix := dir + "/"
	if dir == "." {
		prefix = ""
	}
	at, _ := t.find(prefix)
	for at < len(t.files) && strings.HasPrefix(t.files[at].Path, prefix) {
		name, _, below := strings.Cut(t.files[at].Path[len(prefix):], "/")
		if !below {
			entries = append(entries, treeEntry{t.files[at]})
			at++
			continue
		}
		entries = append(entries, treeEntry{File{Path: prefix + name, Mode: directory}})
		at, _ = t.find(prefix + name + "0") // the first that does not begin with "name/": '0' follows '/'
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, len(entries) > 0 || dir == "."
}

// isDir reports whether there is a file below name.
func (t *Tree) isDir(name string) bool {
	at, _ := t.find(name + "/")
	return name == "." || at < len(t.files) && strings.HasPrefix(t.files[at].Path, name+"/")
}

// Close ends the git process.
func (t *Tree) Close() error { return t.close() }

// Files returns all entries, sorted by path.
func (t *Tree) Files() []File { return t.files }

// File returns the entry at name.
func (t *Tree) File(name string) (File, bool) {
	at, ok := t.find(name)
	if !ok {
		return File{}, false
	}
	return t.files[at], true
}

// Open opens a file for reading, or a directory. Symbolic links and submodules
// have no content here.
func (t *Tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	f, ok := t.File(name)
	if !ok {
		if entries, ok := t.list(name); ok {
			return &treeFile{treeEntry: treeEntry{File{Path: name, Mode: directory}}, entries: entries}, nil
		}
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if !f.Mode.IsFile() {
		return &treeFile{treeEntry: treeEntry{f}}, nil
	}
	t.mu.Lock()
	data, err := t.blob(f.OID)
	t.mu.Unlock()
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return &treeFile{treeEntry: treeEntry{f}, Reader: *bytes.NewReader(data)}, nil
}

// Stat describes an entry without reading it.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if f, ok := t.File(name); ok {
		return treeEntry{f}, nil
	}
	if t.isDir(name) {
		return treeEntry{File{Path: name, Mode: directory}}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// directory is the mode of a tree in git.
const directory Mode = 0o040000

// A treeEntry implements fs.DirEntry for a File. The size is known only once
// the file has been read.
type treeEntry struct{ file File }

func (e treeEntry) Name() string               { return path.Base(e.file.Path) }
func (e treeEntry) IsDir() bool                { return e.file.Mode == directory }
func (e treeEntry) Type() fs.FileMode          { return e.Mode().Type() }
func (e treeEntry) Info() (fs.FileInfo, error) { return e, nil }
func (e treeEntry) Size() int64                { return 0 }
func (e treeEntry) ModTime() time.Time         { return time.Time{} }
func (e treeEntry) Sys() any                   { return e.file }

func (e treeEntry) Mode() fs.FileMode {
	switch e.file.Mode {
	case directory:
		return fs.ModeDir | 0o755
	case Symlink:
		return fs.ModeSymlink | 0o777
	case Submodule:
		return fs.ModeIrregular
	case Executable:
		return 0o755
	default:
		return 0o644
	}
}

type treeFile struct {
	treeEntry
	bytes.Reader
	entries []fs.DirEntry
}

func (f *treeFile) Stat() (fs.FileInfo, error) { return f.treeEntry, nil }
func (f *treeFile) Size() int64                { return f.treeEntry.Size() }
func (f *treeFile) Close() error               { return nil }

// ReadDir implements [fs.ReadDirFile].
func (f *treeFile) ReadDir(n int) ([]fs.DirEntry, error) {
	if !f.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: f.file.Path, Err: errors.New("not a directory")}
	}
	if n <= 0 {
		n = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	list := f.entries[:n]
	f.entries = f.entries[n:]
	return list, nil
}

// parseStages parses the output of "ls-files --stage -z": "<mode> <oid>
// <stage>\t<path>\0" for each entry; only stage 0 is not a conflict.
func parseStages(out []byte) (files, conflicts []File, err error) {
	files = make([]File, 0, bytes.Count(out, []byte{0}))
	for rest := string(out); rest != ""; {
		record, after, ok := strings.Cut(rest, "\x00")
		header, name, tab := strings.Cut(record, "\t")
		mode, header, _ := strings.Cut(header, " ")
		oid, stage, _ := strings.Cut(header, " ")
		m, valid := parseMode(mode)
		if !ok || !tab || name == "" || !valid || !OID(oid).valid() || len(stage) != 1 {
			return nil, nil, outputError("ls-files", []byte(rest))
		}
		if f := (File{Path: name, Mode: m, OID: OID(oid)}); stage == "0" {
			files = append(files, f)
		} else {
			conflicts = append(conflicts, f)
		}
		rest = after
	}
	return files, conflicts, nil
}

// A Conflict is a file that a merge could not resolve: its version before, and
// those of both sides. A nil version does not exist.
type Conflict struct{ Base, Ours, Theirs []byte }

// Conflict returns the versions of a file that is in conflict in the index, or
// nil.
func (r *Repo) Conflict(ctx context.Context, path string, limit int64) (*Conflict, error) {
	out, err := r.run(ctx, nil, "ls-files", "--unmerged", "-z", "--full-name", "--", path)
	if err != nil || len(out) == 0 {
		return nil, err
	}
	c := &Conflict{}
	sides := map[string]*[]byte{"1": &c.Base, "2": &c.Ours, "3": &c.Theirs}
	for _, record := range parseList(out) {
		header, _, _ := strings.Cut(record, "\t")
		words := strings.Fields(header)
		if len(words) != 3 || sides[words[2]] == nil || !OID(words[1]).valid() {
			return nil, outputError("ls-files", []byte(record))
		}
		blobs, err := r.Blobs(ctx, []OID{OID(words[1])}, limit)
		if err != nil {
			return nil, err
		}
		*sides[words[2]] = blobs[0]
	}
	return c, nil
}
