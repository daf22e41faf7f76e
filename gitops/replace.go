package gitops

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/lazy"
)

// A Staged is a version of a path to put in the place of the staged one.
type Staged struct {
	Path string
	Mode Mode
	Old  OID    // the staged one
	Data []byte // as it is committed, not as a filter would write it to the working tree

	IndexOnly bool // leave the working tree as it is
}

// A Replaced says where a version was put.
type Replaced struct {
	Index bool // else another version was staged in the meantime
	Tree  bool // else the working tree had, or got, further edits
}

// Replace puts files into every index of the commit being made and into the
// working tree, each only where the version is that it replaces. Git works on
// copies of the indexes and prints what the working tree gets: it may be killed
// at any moment. What remains is done here, under git's lock, and takes no time
// that a user notices. Entries keep their skip-worktree and assume-unchanged
// flags. The caller has the clone's lock.
//
// If there is an error, the result still says what was done.
func (r *Repo) Replace(ctx context.Context, files []Staged) (done []Replaced, err error) {
	done = make([]Replaced, len(files))
	versions, err := r.prepare(ctx, files)
	if err != nil || len(files) == 0 {
		return done, err
	}
	var held []*heldIndex
	defer func() {
		for _, h := range held {
			err = errors.Join(err, h.release())
		}
	}()
	for _, index := range r.indexes() {
		h := &heldIndex{path: index, fits: make([]bool, len(files))}
		held = append(held, h)
		if err := h.hold(ctx, r, versions); err != nil {
			return done, err
		}
	}
	if ctx.Err() != nil {
		return done, context.Cause(ctx)
	}
	return done, r.put(held, versions, done)
}

// put writes the files, then the indexes.
func (r *Repo) put(held []*heldIndex, versions []version, done []Replaced) error {
	root, err := os.OpenRoot(r.Top)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for i, v := range versions {
		if !held[0].fits[i] || v.edited {
			continue
		}
		err := atomicfile.Replace(root, v.Path, v.was, v.file, 0o644, false)
		if err != nil && !errors.Is(err, atomicfile.ErrChanged) {
			return err
		}
		done[i].Tree = err == nil
	}
	for n, h := range held {
		if err := h.publish(); err != nil {
			return err
		}
		for i := range done {
			done[i].Index = done[i].Index || n == 0 && h.fits[i]
		}
	}
	return nil
}

// A version is a Staged with what git says of it.
type version struct {
	Staged
	oid    OID
	edited bool   // the working tree has something else than the staged version
	was    []byte // the file in the working tree
	file   []byte // what it is to be
}

func (r *Repo) prepare(ctx context.Context, files []Staged) ([]version, error) {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	edited, err := r.Unstaged(ctx, paths)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(r.Top)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	versions := make([]version, len(files))
	for i, f := range files {
		v := &versions[i]
		v.Staged, v.edited = f, f.IndexOnly || edited[f.Path]
		if v.oid, err = r.HashObject(ctx, f.Data); err != nil {
			return nil, err
		}
		if err := r.readTree(ctx, root, v); err != nil {
			return nil, err
		}
	}
	return versions, nil
}

// readTree reads the file in the working tree. What git says of it before or
// afterwards may be true of another save, so its content is what counts.
func (r *Repo) readTree(ctx context.Context, root *os.Root, v *version) error {
	info, err := root.Lstat(v.Path)
	if v.edited = v.edited || err != nil || !info.Mode().IsRegular(); v.edited {
		return nil
	}
	if v.was, err = atomicfile.ReadFile(root.FS(), v.Path); err != nil {
		return err
	}
	out, err := r.run(ctx, bytes.NewReader(v.was), "hash-object", "--stdin", "--path="+v.Path)
	if err != nil {
		return err
	}
	if v.edited = OID(strings.TrimSpace(string(out))) != v.Old; v.edited {
		return nil
	}
	v.file, err = r.run(ctx, nil, "cat-file", "--filters", "--path="+v.Path, string(v.oid))
	return err
}

// nextIndex is the index from which "git commit <path>" commits.
var nextIndex = lazy.Regexp(`^next-index-[0-9]+\.lock$`)

// indexes returns the indexes of the commit being made. "git commit <path>" has
// two: one to commit, and index.lock, which becomes the index afterwards. If
// only the first were written, the next commit would undo this one.
func (r *Repo) indexes() []string {
	indexes := []string{r.Index}
	lock := filepath.Join(r.GitDir, "index.lock")
	if nextIndex().MatchString(filepath.Base(r.Index)) && exists(lock) {
		indexes = append(indexes, lock)
	}
	return indexes
}

// A heldIndex is an index and a changed copy that is to replace it.
type heldIndex struct {
	path   string
	fits   []bool      // which versions the copy has; the others are not those of the index
	seen   fs.FileInfo // of the index that was copied
	locked bool
}

func (h *heldIndex) copy() string { return h.path + ".envdrift" }
func (h *heldIndex) lock() string { return h.path + ".lock" }

// hold makes the changed copy, and locks the index while it is what was copied.
// So the lock is not held while git runs, unless other processes write the index
// all the time.
func (h *heldIndex) hold(ctx context.Context, r *Repo, versions []version) error {
	const patience = 4
	for try := 1; ; try++ {
		if try == patience {
			if err := h.take(ctx); err != nil {
				return err
			}
		}
		if err := h.copyIndex(); err != nil {
			return err
		}
		if err := h.change(ctx, r, versions); err != nil {
			return err
		}
		if !h.locked {
			if err := h.take(ctx); err != nil {
				return err
			}
		}
		now, err := os.Stat(h.path)
		if err != nil {
			return err
		}
		if os.SameFile(now, h.seen) && now.ModTime().Equal(h.seen.ModTime()) && now.Size() == h.seen.Size() {
			return nil
		}
		if try >= patience {
			return fmt.Errorf("%s changes although it is locked", h.path)
		}
		if err := h.release(); err != nil {
			return err
		}
	}
}

// indexWait bounds how long envdrift waits for another git process.
const indexWait = 5 * time.Second

// ours is what a lock of envdrift's holds.
const ours = "envdrift\n"

// take locks the index as git does. The git of an editor, which asks for the
// status, is done in a moment, and no repair would be worse than a late one.
func (h *heldIndex) take(ctx context.Context) error {
	for end := time.Now().Add(indexWait); ; {
		f, err := os.OpenFile(h.lock(), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err == nil {
			h.locked = true
			_, err = f.WriteString(ours)
			return errors.Join(err, f.Close())
		}
		if text, _ := os.ReadFile(h.lock()); string(text) == ours {
			_ = os.Remove(h.lock()) // of a run that was killed: its clone's lock is free
			continue
		}
		if !errors.Is(err, fs.ErrExist) {
			return err
		}
		if time.Now().After(end) {
			return &IndexLockedError{h.lock()}
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// An IndexLockedError reports that another git process keeps the index locked,
// or one that died did.
type IndexLockedError struct{ Lock string }

func (e *IndexLockedError) Error() string {
	return "git's index is locked: " + e.Lock + " exists"
}

func (h *heldIndex) copyIndex() (err error) {
	from, err := os.Open(h.path)
	if err != nil {
		return err
	}
	defer func() { _ = from.Close() }()
	if h.seen, err = from.Stat(); err != nil {
		return err
	}
	to, err := os.OpenFile(h.copy(), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(to, from)
	return errors.Join(err, to.Close())
}

// change puts into the copy the versions whose predecessor is there.
func (h *heldIndex) change(ctx context.Context, r *Repo, versions []version) error {
	r = r.with("GIT_INDEX_FILE=" + h.copy())
	var paths []string
	for _, v := range versions {
		paths = append(paths, v.Path)
	}
	entries, err := r.entries(ctx, paths)
	if err != nil {
		return err
	}
	var info strings.Builder
	var skipped, assumed []string
	for i, v := range versions {
		e := entries[v.Path]
		if h.fits[i] = e.OID == v.Old && e.Mode == v.Mode; !h.fits[i] {
			continue
		}
		fmt.Fprintf(&info, "%o %s\t%s\x00", uint32(v.Mode), v.oid, v.Path)
		if e.tag == tagSkipWorktree || e.tag == tagAssumeSkipped {
			skipped = append(skipped, v.Path)
		}
		if e.tag == tagAssumeCached || e.tag == tagAssumeSkipped {
			assumed = append(assumed, v.Path)
		}
	}
	// An entry that is set anew has no flags.
	for _, step := range []struct{ option, stdin string }{
		{"--index-info", info.String()}, {"--skip-worktree", nulList(skipped)}, {"--assume-unchanged", nulList(assumed)},
	} {
		args := []string{"update-index", "-z", step.option, "--stdin"}
		if step.option == "--index-info" {
			args = args[:3]
		}
		if step.stdin == "" {
			continue
		}
		if _, err := r.run(ctx, strings.NewReader(step.stdin), args...); err != nil {
			return err
		}
	}
	return nil
}

// An indexEntry is a version in the index, and its tag.
type indexEntry struct {
	File
	tag byte
}

// entries returns the entries of paths that are not in conflict.
func (r *Repo) entries(ctx context.Context, paths []string) (map[string]indexEntry, error) {
	out, err := r.run(ctx, nil, withPaths(paths, "ls-files", "-v", "--stage", "-z", "--full-name")...)
	if err != nil {
		return nil, err
	}
	entries := map[string]indexEntry{}
	for _, record := range parseList(out) {
		tag, stage, ok := strings.Cut(record, " ")
		if !ok || len(tag) != 1 {
			return nil, outputError("ls-files", []byte(record))
		}
		files, _, err := parseStages([]byte(stage + "\x00"))
		if err != nil {
			return nil, err
		}
		for _, f := range files {
			entries[f.Path] = indexEntry{f, tag[0]}
		}
	}
	return entries, nil
}

// publish makes the copy the index.
func (h *heldIndex) publish() error {
	if err := atomicfile.Adopt(h.copy()); err != nil {
		return err
	}
	if strings.HasSuffix(h.path, ".lock") {
		return h.publishLock()
	}
	// As git does it: the lock file becomes the index, and is gone at once.
	if err := os.Rename(h.copy(), h.lock()); err != nil {
		return err
	}
	err := os.Rename(h.lock(), h.path)
	h.locked = err != nil
	return err
}

// publishLock replaces an index that is the lock of the git process for which
// the hook runs. If that has ended, interrupted with the hook, its lock is gone
// and must not come back: no git would ever remove it.
func (h *heldIndex) publishLock() error {
	root, err := os.OpenRoot(filepath.Dir(h.path))
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	copied, path := filepath.Base(h.copy()), filepath.Base(h.path)
	err = atomicfile.Exchange(root, copied, path)
	if errors.Is(err, errors.ErrUnsupported) {
		if _, err = root.Lstat(path); err == nil {
			err = root.Rename(copied, path)
		}
	}
	return err
}

// release unlocks the index and removes the copy.
func (h *heldIndex) release() error {
	remove := []string{h.copy(), h.copy() + ".lock"} // of a git that was killed
	if h.locked {
		h.locked = false
		remove = append(remove, h.lock())
	}
	var errs []error
	for _, name := range remove {
		if err := os.Remove(name); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
