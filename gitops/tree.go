package gitops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"path"
	"slices"
	"strings"
	"time"
)

// A Tree is the index or a commit as an [fs.FS]. Listings come from memory, the
// content of a file from one git process that runs until Close. It is not safe
// for concurrent use.
type Tree struct {
	files map[string]File
	dirs  map[string][]fs.DirEntry
	limit int64
	blob  func(OID) ([]byte, error)
	close func() error
}

// Tree gives the commit rev. Files of more than limit bytes cannot be read.
func (r *Repo) Tree(ctx context.Context, rev string, limit int64) (*Tree, error) {
	files, err := r.TreeFiles(ctx, rev)
	if err != nil {
		return nil, err
	}
	return r.newTree(ctx, files, limit)
}

// IndexTree gives the index of the running commit, else of the working tree.
// Of a file in conflict it holds no version.
func (r *Repo) IndexTree(ctx context.Context, limit int64) (*Tree, error) {
	out, err := r.run(ctx, nil, "ls-files", "--stage", "-z", "--full-name")
	if err != nil {
		return nil, err
	}
	files, err := parseStages(out)
	if err != nil {
		return nil, err
	}
	return r.newTree(ctx, files, limit)
}

func (r *Repo) newTree(ctx context.Context, files []File, limit int64) (*Tree, error) {
	t := &Tree{files: map[string]File{}, dirs: map[string][]fs.DirEntry{".": nil}, limit: limit}
	for _, f := range files {
		t.add(f)
	}
	if r.git == "" {
		t.close = func() error { return nil }
		t.blob = func(oid OID) ([]byte, error) {
			blobs, err := r.blobObjects([]OID{oid}, limit)
			if err != nil {
				return nil, err
			}
			return blobs[0], nil
		}
		return t, nil
	}
	return t, t.start(r.command(ctx, "cat-file", "--batch"))
}

// start runs the process that answers for object names, one at a time.
func (t *Tree) start(cmd *exec.Cmd) error {
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return &GitError{Command: "cat-file", Status: -1, Stderr: err.Error()}
	}
	answers := bufio.NewReader(out)
	t.blob = func(oid OID) ([]byte, error) {
		if _, err := io.WriteString(in, string(oid)+"\n"); err != nil {
			return nil, fmt.Errorf("git cat-file: %w", err)
		}
		return readBatch(answers, t.limit)
	}
	t.close = func() error { return errors.Join(in.Close(), cmd.Wait()) }
	return nil
}

func (t *Tree) add(f File) {
	if _, twice := t.files[f.Path]; twice {
		return
	}
	t.files[f.Path] = f
	for name, entry := f.Path, fs.DirEntry(treeEntry{f}); ; {
		dir := path.Dir(name)
		_, known := t.dirs[dir]
		t.dirs[dir] = append(t.dirs[dir], entry)
		if known {
			return
		}
		name, entry = dir, treeEntry{File{Path: dir, Mode: directory}}
	}
}

// Close ends the git process.
func (t *Tree) Close() error { return t.close() }

// File returns the entry at name.
func (t *Tree) File(name string) (File, bool) {
	f, ok := t.files[name]
	return f, ok
}

// Open opens a file for reading, or a directory. Symbolic links and submodules
// have no content here.
func (t *Tree) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	if entries, ok := t.dirs[name]; ok {
		sorted := slices.Clone(entries)
		slices.SortFunc(sorted, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
		return &treeFile{treeEntry: treeEntry{File{Path: name, Mode: directory}}, entries: sorted}, nil
	}
	f, ok := t.files[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	if !f.Mode.IsFile() {
		return &treeFile{treeEntry: treeEntry{f}}, nil
	}
	data, err := t.blob(f.OID)
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return &treeFile{treeEntry: treeEntry{f}, Reader: *bytes.NewReader(data)}, nil
}

// Stat tells of an entry without reading it.
func (t *Tree) Stat(name string) (fs.FileInfo, error) {
	if f, ok := t.files[name]; ok {
		return treeEntry{f}, nil
	}
	if _, ok := t.dirs[name]; ok {
		return treeEntry{File{Path: name, Mode: directory}}, nil
	}
	return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
}

// directory is the mode that git gives to a tree.
const directory Mode = 0o040000

// A treeEntry is a File as fs knows it. The size is known only once it is read.
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

// parseStages reads the output of "ls-files --stage -z":
// "<mode> <oid> <stage>\t<path>\0" for each entry; only stage 0 is no conflict.
func parseStages(out []byte) ([]File, error) {
	var files []File
	for len(out) > 0 {
		record, rest, ok := bytes.Cut(out, []byte{0})
		header, name, tab := bytes.Cut(record, []byte{'\t'})
		fields := strings.Split(string(header), " ")
		if !ok || !tab || len(fields) != 3 || len(name) == 0 {
			return nil, outputError("ls-files", out)
		}
		mode, valid := parseMode(fields[0])
		if !valid || !OID(fields[1]).valid() {
			return nil, outputError("ls-files", out)
		}
		if fields[2] == "0" {
			files = append(files, File{Path: string(name), Mode: mode, OID: OID(fields[1])})
		}
		out = rest
	}
	return files, nil
}
