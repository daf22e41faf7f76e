package gitops

import (
	"bytes"
	"cmp"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
)

// A StagedTree is the index of the running commit as an [fs.FS]: HEAD's tree with
// what is staged. It reads the folders that are asked for, where listing the index
// would take as long as the repository is large. It has no version of a file in
// conflict.
type StagedTree struct {
	reader  *Reader
	head    OID    // HEAD's tree; "" before the first commit
	root    []byte // its content
	changed map[string]map[string]Change
	added   map[string]bool // folders with a staged file below
	deleted map[string]bool // folders from below which a file was taken away

	mu      sync.Mutex
	folders map[string]folder
	kept    map[OID][]byte
	err     error
}

// A folder is what one folder holds itself.
type folder struct {
	files map[string]File
	trees map[string]OID // HEAD's folders, of which perhaps nothing is left
}

// ErrMoved reports a HEAD that is not what the staged changes were compared with.
var ErrMoved = errors.New("HEAD moved while what is staged was looked at; commit again")

// StagedTree returns HEAD's tree, to which [StagedTree.Stage] adds what is staged.
// Closing it closes d.
func (d *Reader) StagedTree() (*StagedTree, error) {
	t := &StagedTree{
		reader: d, changed: map[string]map[string]Change{}, added: map[string]bool{}, deleted: map[string]bool{},
		folders: map[string]folder{}, kept: map[OID][]byte{},
	}
	var err error
	if t.head, t.root, err = d.headTree(); errors.Is(err, ErrMissing) {
		err = nil
	}
	return t, err
}

// Stage makes the tree the index, of which changes are all differences from HEAD. It is
// called before anything is read.
func (t *StagedTree) Stage(changes []Change) {
	for _, ch := range changes {
		dir, name := path.Dir(ch.Path), path.Base(ch.Path)
		if t.changed[dir] == nil {
			t.changed[dir] = map[string]Change{}
		}
		t.changed[dir][name] = ch
		above := t.added
		if gone(ch) {
			above = t.deleted
		}
		for ; dir != "." && !above[dir]; dir = path.Dir(dir) {
			above[dir] = true
		}
	}
}

// gone reports whether the index has no version of a changed file.
func gone(ch Change) bool { return ch.Status == Deleted || ch.Status == Unmerged }

// Keep gives the tree the content of an object that was read already.
func (t *StagedTree) Keep(oid OID, content []byte) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.kept[oid] = content
}

// ReadAhead reads folders together, with those above them. What cannot be read is an
// error when it is asked for.
func (t *StagedTree) ReadAhead(dirs []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	levels := map[int][]string{}
	seen := map[string]bool{}
	for _, dir := range dirs {
		for ; !seen[dir]; dir = path.Dir(dir) {
			seen[dir] = true
			depth := strings.Count("/"+dir, "/")
			if dir == "." {
				depth = 0
			}
			levels[depth] = append(levels[depth], dir)
		}
	}
	for _, depth := range slices.Sorted(maps.Keys(levels)) {
		if t.readFolders(levels[depth]) != nil {
			return
		}
	}
}

// folder returns what is in dir.
func (t *StagedTree) folder(dir string) (folder, error) {
	if f, known := t.folders[dir]; known {
		return f, nil
	}
	if dir != "." {
		if _, err := t.folder(path.Dir(dir)); err != nil {
			return folder{}, err
		}
	}
	err := t.readFolders([]string{dir})
	return t.folders[dir], err
}

// readFolders reads folders of which those above were read.
func (t *StagedTree) readFolders(dirs []string) error {
	var oids []OID
	var places []string
	for _, dir := range dirs {
		oid := t.folders[path.Dir(dir)].trees[path.Base(dir)]
		if _, known := t.folders[dir]; known {
			continue
		}
		var err error
		switch {
		case dir == ".":
			err = t.addFolder(dir, t.root, len(t.head)/2)
		case oid == "":
			err = t.addFolder(dir, nil, 0)
		default:
			oids, places = append(oids, oid), append(places, dir)
		}
		if err != nil {
			return err
		}
	}
	contents, err := t.reader.read(oids, "tree")
	for i, dir := range places {
		if err == nil {
			err = t.addFolder(dir, contents[i], len(oids[i])/2)
		}
	}
	return err
}

// addFolder adds a folder: that of a tree object, in which the names of objects have so
// many bytes, with what is staged.
func (t *StagedTree) addFolder(dir string, data []byte, size int) error {
	f := folder{map[string]File{}, map[string]OID{}}
	for len(data) > 0 {
		header, rest, ok := bytes.Cut(data, []byte{0})
		mode, name, ok2 := strings.Cut(string(header), " ")
		m, valid := parseMode(strings.Repeat("0", max(0, len("040000")-len(mode))) + mode)
		if !ok || !ok2 || !valid || name == "" || len(rest) < size {
			return outputError("cat-file", data)
		}
		entry := File{Path: path.Join(dir, name), Mode: m, OID: OID(hex.EncodeToString(rest[:size]))}
		if data = rest[size:]; m == directory {
			f.trees[name] = entry.OID
		} else if m != Submodule || !t.added[entry.Path] { // that a folder takes the place of one is not among the changes
			f.files[name] = entry
		}
	}
	for name, ch := range t.changed[dir] {
		before, was := f.files[name]
		if ch.Status != Unmerged && (was == ch.OldOID.IsNull() || was && before.OID != ch.OldOID) {
			return ErrMoved
		}
		if delete(f.files, name); !gone(ch) {
			f.files[name] = File{Path: ch.Path, Mode: ch.Mode, OID: ch.OID}
			delete(f.trees, name) // of submodules alone, whose deletion is not among the changes
		}
	}
	t.folders[dir] = f
	return nil
}

// isDir reports whether there is a file below dir.
func (t *StagedTree) isDir(dir string) (bool, error) {
	if dir == "." || t.added[dir] {
		return true, nil
	}
	parent, err := t.folder(path.Dir(dir))
	if err != nil || parent.trees[path.Base(dir)] == "" || !t.deleted[dir] {
		return err == nil && parent.trees[path.Base(dir)] != "", err
	}
	f, err := t.folder(dir)
	if err != nil || len(f.files) > 0 {
		return err == nil, err
	}
	for name := range f.trees {
		if is, err := t.isDir(path.Join(dir, name)); is || err != nil {
			return is, err
		}
	}
	return false, nil
}

// list returns what is in dir, sorted by name.
func (t *StagedTree) list(dir string) (entries []fs.DirEntry, err error) {
	f, err := t.folder(dir)
	if err != nil {
		return nil, err
	}
	for _, file := range f.files {
		entries = append(entries, treeEntry{file})
	}
	below := map[string]bool{}
	for name := range f.trees {
		below[path.Join(dir, name)] = true
	}
	for other := range t.added {
		if path.Dir(other) == dir {
			below[other] = true
		}
	}
	for other := range below {
		is, err := t.isDir(other)
		if err != nil {
			return nil, err
		}
		if is {
			entries = append(entries, treeEntry{File{Path: other, Mode: directory}})
		}
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	return entries, nil
}

// entry returns the file or the folder at name.
func (t *StagedTree) entry(name string) (File, error) {
	if !fs.ValidPath(strings.ToValidUTF8(name, "?")) {
		return File{}, fs.ErrInvalid
	}
	if name != "." {
		f, err := t.folder(path.Dir(name))
		if err != nil {
			return File{}, err
		}
		if file, ok := f.files[path.Base(name)]; ok {
			return file, nil
		}
	}
	is, err := t.isDir(name)
	if err == nil && !is {
		err = fs.ErrNotExist
	}
	return File{Path: name, Mode: directory}, err
}

// File returns the file at name. That HEAD could not be read is what Err returns.
func (t *StagedTree) File(name string) (File, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.entry(name)
	if err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrInvalid) && t.err == nil {
		t.err = err
	}
	return f, err == nil && f.Mode != directory
}

// Close ends the git process.
func (t *StagedTree) Close() error { return t.reader.Close() }

// Err returns why [StagedTree.File] could not look, if it once could not.
func (t *StagedTree) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// Open opens a file for reading, or a directory. Symbolic links and submodules
// have no content here.
func (t *StagedTree) Open(name string) (fs.File, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.entry(name)
	opened := &treeFile{treeEntry: treeEntry{f}}
	switch {
	case err != nil || !fs.ValidPath(name):
		return nil, &fs.PathError{Op: "open", Path: name, Err: cmp.Or(err, fs.ErrInvalid)}
	case f.Mode == directory:
		opened.entries, err = t.list(name)
	case f.Mode.IsFile():
		data, known := t.kept[f.OID]
		if !known {
			data, err = t.reader.object(f.OID, "blob")
		}
		opened.Reader = *bytes.NewReader(data)
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return opened, nil
}

// Stat describes an entry without reading it.
func (t *StagedTree) Stat(name string) (fs.FileInfo, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, err := t.entry(name)
	if err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	return treeEntry{f}, nil
}
