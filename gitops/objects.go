package gitops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

// emptyTree is an object that git knows even if it is not stored.
var emptyTree = map[string]OID{
	"sha1":   "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
	"sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}

// Resolve returns the commit that rev names, or a [*RevisionError].
func (r *Repo) Resolve(ctx context.Context, rev string) (OID, error) {
	out, err := r.run(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev+"^{commit}")
	if exited(err, 1) {
		return "", r.unresolved(ctx, rev)
	}
	if failed := (*GitError)(nil); exited(err, 128) && errors.As(err, &failed) && failed.Stderr == "" {
		return "", &RevisionError{Revision: rev} // a reflog does not go back that far: --quiet hides only that
	}
	if err != nil {
		return "", err
	}
	// Git 2.30 and later accept --end-of-options, some earlier ones print
	// it.
	lines := strings.Fields(string(out))
	if len(lines) == 0 || !OID(lines[len(lines)-1]).valid() {
		return "", &RevisionError{Revision: rev}
	}
	return OID(lines[len(lines)-1]), nil
}

// unresolved returns why rev is not a commit: a [*RevisionError], or an
// [*ObjectError] if rev names an object that is missing. Only the former means
// that there is nothing.
func (r *Repo) unresolved(ctx context.Context, rev string) error {
	out, err := r.run(ctx, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", rev)
	oid := OID(strings.TrimSpace(string(out)))
	if err != nil || !oid.valid() {
		return &RevisionError{Revision: rev}
	}
	if _, err := r.run(ctx, nil, "cat-file", "-e", string(oid)); err != nil {
		return &ObjectError{OID: oid, Err: ErrMissing}
	}
	return &RevisionError{Revision: rev} // a tree or a file
}

// TreeFiles returns the files of the commit rev, sorted by path: all, or those
// of the given paths that are there. It returns a [*RevisionError] if there is
// no such commit.
func (r *Repo) TreeFiles(ctx context.Context, rev string, paths ...string) ([]File, error) {
	commit, err := r.Resolve(ctx, rev)
	if err != nil {
		return nil, err
	}
	out, err := r.run(ctx, nil, withPaths(paths, "ls-tree", "-r", "-z", "--full-tree", string(commit))...)
	if err != nil {
		return nil, err
	}
	files, err := parseTree(out)
	if len(paths) > 0 {
		wanted := set(paths)
		files = slices.DeleteFunc(files, func(f File) bool { return !wanted[f.Path] })
	}
	return files, err
}

// FilesOf returns the files of a tree that no commit need have.
func (r *Repo) FilesOf(ctx context.Context, tree OID) ([]File, error) {
	out, err := r.run(ctx, nil, "ls-tree", "-r", "-z", "--full-tree", string(tree))
	if err != nil {
		return nil, err
	}
	return parseTree(out)
}

// ReadFileAt returns the content of path in the commit rev, of at most limit
// bytes. The error is [fs.ErrNotExist] if the commit has no such file.
func (r *Repo) ReadFileAt(ctx context.Context, rev, path string, limit int64) ([]byte, error) {
	files, err := r.TreeFiles(ctx, rev, path)
	if err != nil {
		return nil, err
	}
	if len(files) != 1 || !files[0].Mode.IsFile() {
		return nil, &fs.PathError{Op: "read", Path: rev + ":" + path, Err: fs.ErrNotExist}
	}
	data, err := r.Blobs(ctx, []OID{files[0].OID}, limit)
	if err != nil {
		return nil, err
	}
	return data[0], nil
}

// Blobs returns the contents of oids, in that order, with one process. If an
// object is missing or has more than limit bytes, its content is nil and the
// error includes an [*ObjectError] for it; the other contents are returned all
// the same.
func (r *Repo) Blobs(ctx context.Context, oids []OID, limit int64) ([][]byte, error) {
	if len(oids) == 0 {
		return nil, nil
	}
	for _, oid := range oids {
		if !oid.valid() || oid.IsNull() {
			return nil, &ObjectError{OID: oid, Err: ErrMissing}
		}
	}
	return r.batch(ctx, oids, limit, "blob")
}

// Messages returns the contents of commits and annotated tags with one process, their
// headers included. What is another object, or has more than limit bytes, is nil.
func (r *Repo) Messages(ctx context.Context, oids []OID, limit int64) ([][]byte, error) {
	texts, err := r.batch(ctx, oids, limit, "commit", "tag")
	if errors.As(err, new(*ObjectError)) {
		err = nil
	}
	return texts, err
}

// batch is [Repo.Blobs] for objects of some types, and for whatever names one,
// without a line end.
func (r *Repo) batch(ctx context.Context, oids []OID, limit int64, types ...string) ([][]byte, error) {
	// A pipe, so that a large object is skipped and not kept.
	out, in := io.Pipe()
	done := make(chan error, 1)
	blobs := make([][]byte, len(oids))
	go func() {
		err := readBlobs(bufio.NewReader(out), oids, blobs, limit, types...)
		done <- errors.Join(err, out.Close())
	}()
	err := r.runTo(ctx, strings.NewReader(joinLines(oids)), in, "cat-file", "--batch", "--buffer")
	err = errors.Join(err, in.Close())
	if readErr := <-done; err == nil {
		return blobs, readErr
	}
	return nil, err
}

// readBlobs fills blobs with the contents of oids, which are of some types.
func readBlobs(out *bufio.Reader, oids []OID, blobs [][]byte, limit int64, types ...string) error {
	var problems []error
	for i, oid := range oids {
		_, data, err := readTyped(out, limit, types...)
		switch {
		case err == nil:
			blobs[i] = data
		case errors.Is(err, ErrMissing), errors.Is(err, ErrTooLarge):
			problems = append(problems, &ObjectError{OID: oid, Err: err})
		default:
			return err
		}
	}
	return errors.Join(problems...)
}

// HashObject stores data unchanged as a blob and returns its name.
func (r *Repo) HashObject(ctx context.Context, data []byte) (OID, error) {
	out, err := r.run(ctx, bytes.NewReader(data), "hash-object", "-w", "--stdin")
	if err != nil {
		return "", err
	}
	oid := OID(strings.TrimSpace(string(out)))
	if !oid.valid() {
		return "", outputError("hash-object", out)
	}
	// As root: a folder of root's would keep the user from storing more.
	folder := filepath.Join(r.CommonDir, "objects", string(oid[:2]))
	for _, name := range []string{folder, filepath.Join(folder, string(oid[2:]))} {
		if err := atomicfile.Adopt(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return oid, nil
}

// Changed returns what differs between the commits from and to. A null or empty
// from, which post-checkout gets after a clone, differs from everything.
func (r *Repo) Changed(ctx context.Context, from, to OID) ([]Change, error) {
	for _, oid := range []*OID{&from, &to} {
		if *oid == "" || oid.IsNull() {
			*oid = emptyTree[r.hash]
		}
		if !oid.valid() {
			return nil, &RevisionError{Revision: string(*oid)}
		}
	}
	out, err := r.run(ctx, nil, changedCommand(from, to)...)
	if err != nil {
		return nil, err
	}
	return parseRaw(out)
}

// Stashed returns the paths that a stash changes.
func (r *Repo) Stashed(ctx context.Context) (map[string]bool, error) {
	if _, err := r.Resolve(ctx, "refs/stash"); errors.As(err, new(*RevisionError)) {
		return nil, nil
	}
	// A stash is a merge of HEAD and the index.
	out, err := r.run(ctx, nil, "log", "--walk-reflogs", "--first-parent", "-m", "-z", "--format=", "--name-only",
		"--no-renames", "--no-ext-diff", "--no-textconv", "--no-relative", "refs/stash", "--")
	paths := map[string]bool{}
	for _, name := range parseList(out) {
		paths[strings.TrimLeft(name, "\n")] = true
	}
	return paths, err
}

// StashHasIndex reports whether the newest stash was made of what is staged now.
func (r *Repo) StashHasIndex(ctx context.Context) bool {
	_, err := r.run(ctx, nil, "diff-index", "--cached", "--quiet", "refs/stash^2", "--")
	return err == nil
}

// withPaths appends paths to the arguments of a command that lists everything
// without them. Paths that are too many for a command line are left out:
// callers filter.
func withPaths(paths []string, args ...string) []string {
	const longest = 16 << 10 // half of what Windows allows
	size := 0
	for _, p := range paths {
		size += len(p) + 3
	}
	if size > longest {
		paths = nil
	}
	return append(append(args, "--"), paths...)
}

func set(paths []string) map[string]bool {
	m := make(map[string]bool, len(paths))
	for _, p := range paths {
		m[p] = true
	}
	return m
}

func joinLines(oids []OID) string {
	var b strings.Builder
	for _, oid := range oids {
		b.WriteString(string(oid) + "\n")
	}
	return b.String()
}
