package gitops

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A Commit is a commit and its parents.
type Commit struct {
	OID    OID
	Parent OID   // the first one; "" if it has none
	Others []OID // in a merge
}

// Commits returns the commits of a range such as "A..B", the newest first.
func (r *Repo) Commits(ctx context.Context, revisions string) ([]Commit, error) {
	out, err := r.run(ctx, nil, "rev-list", "--parents", "--topo-order", "--end-of-options", revisions, "--")
	if exited(err, 128) {
		return nil, &RevisionError{Revision: r.unknownSide(ctx, revisions)}
	}
	if err != nil {
		return nil, err
	}
	commits, _, err := parseCommits(out)
	return commits, err
}

// unknownSide returns the side of a range A..B or A...B that does not exist, or all of it.
func (r *Repo) unknownSide(ctx context.Context, revisions string) string {
	for side := range strings.SplitSeq(revisions, "..") {
		side = strings.TrimPrefix(side, ".")
		if _, err := r.Resolve(ctx, side); side != "" && errors.As(err, new(*RevisionError)) {
			return side
		}
	}
	return revisions
}

// NewCommits returns the commits that are reached from tips but not from known, nor
// from the refs that an option of rev-list names, such as "--all" or
// "--remotes=origin": the newest first. The boundary is the commits among the
// others that they build on.
func (r *Repo) NewCommits(ctx context.Context, tips, known []OID, refs string) (commits []Commit, boundary []OID, err error) {
	in := joinLines(tips)
	for _, oid := range known {
		in += "^" + string(oid) + "\n"
	}
	args := []string{"rev-list", "--parents", "--topo-order", "--boundary", "--stdin"}
	if refs != "" {
		args = append(args, "--not", refs)
	}
	out, err := r.run(ctx, strings.NewReader(in), args...)
	if err != nil {
		return nil, nil, err
	}
	return parseCommits(out)
}

// parseCommits parses what "rev-list --parents --boundary" prints: "OID
// PARENT…", with a dash before a commit of the boundary.
func parseCommits(out []byte) (commits []Commit, boundary []OID, err error) {
	for line := range strings.Lines(string(out)) {
		oids := strings.Fields(line)
		if len(oids) == 0 || !OID(strings.TrimPrefix(oids[0], "-")).valid() {
			return nil, nil, outputError("rev-list", []byte(line))
		}
		if oid, beyond := strings.CutPrefix(oids[0], "-"); beyond {
			boundary = append(boundary, OID(oid))
			continue
		}
		c := Commit{OID: OID(oids[0])}
		if len(oids) > 1 {
			c.Parent = OID(oids[1])
		}
		for _, other := range oids[min(2, len(oids)):] {
			c.Others = append(c.Others, OID(other))
		}
		commits = append(commits, c)
	}
	return commits, boundary, nil
}

// An Object is what a name leads to, tags followed.
type Object struct {
	OID  OID
	Type string // "commit", "tree" or "blob"; "" if it is missing
}

// Peel returns what each of oids leads to.
func (r *Repo) Peel(ctx context.Context, oids []OID) ([]Object, error) {
	var in strings.Builder
	for _, oid := range oids {
		in.WriteString(string(oid) + "^{}\n")
	}
	out, err := r.run(ctx, strings.NewReader(in.String()), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return nil, err
	}
	objects := make([]Object, 0, len(oids))
	for line := range strings.Lines(string(out)) {
		words := strings.Fields(line)
		o := Object{}
		if len(words) == 2 && OID(words[0]).valid() {
			o = Object{OID(words[0]), words[1]}
		}
		objects = append(objects, o)
	}
	if len(objects) != len(oids) {
		return nil, outputError("cat-file", out)
	}
	return objects, nil
}

// Touching returns the commits of a revision's history that changed path, the newest
// first; none where there is no such revision, as HEAD before the first commit.
func (r *Repo) Touching(ctx context.Context, rev, path string) ([]OID, error) {
	out, err := r.run(ctx, nil, "rev-list", "--full-history", "--end-of-options", rev, "--", path)
	if exited(err, 128) {
		if _, headErr := r.Resolve(ctx, rev); errors.As(headErr, new(*RevisionError)) {
			return nil, nil
		}
	}
	if err != nil {
		return nil, err
	}
	var oids []OID
	for _, line := range strings.Fields(string(out)) {
		oids = append(oids, OID(line))
	}
	return oids, nil
}

// ChangedIn returns, for each of commits that changes anything, what differs
// between its first parent and it. One without a parent differs from nothing.
func (r *Repo) ChangedIn(ctx context.Context, commits []Commit) (map[OID][]Change, error) {
	var in strings.Builder
	for _, c := range commits {
		in.WriteString(strings.TrimSpace(string(c.OID)+" "+string(c.Parent)) + "\n")
	}
	out, err := r.run(ctx, strings.NewReader(in.String()), "diff-tree", "--stdin", "--root", "-r", "--raw", "-z", "--no-abbrev", "--no-renames")
	if err != nil {
		return nil, err
	}
	changed := make(map[OID][]Change)
	for len(out) > 0 {
		name, rest, ok := bytes.Cut(out, []byte{0})
		if !ok || !OID(name).valid() {
			return nil, outputError("diff-tree", out)
		}
		end := endOfChanges(rest)
		if changed[OID(name)], err = parseRaw(rest[:end]); err != nil {
			return nil, err
		}
		out = rest[end:]
	}
	return changed, nil
}

// endOfChanges returns the length of the changes that out begins with: pairs of
// a header, which begins with a colon, and a path.
func endOfChanges(out []byte) int {
	end := 0
	for end < len(out) && out[end] == ':' {
		_, _, rest, ok := cut2(out[end:])
		if !ok {
			return len(out)
		}
		end = len(out) - len(rest)
	}
	return end
}

// ShallowCommits returns the commits whose parents a shallow clone lacks; none in a
// complete one.
func (r *Repo) ShallowCommits() (map[OID]bool, error) {
	data, err := os.ReadFile(filepath.Join(r.CommonDir, "shallow"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	commits := map[OID]bool{}
	for _, line := range strings.Fields(string(data)) {
		commits[OID(line)] = true
	}
	return commits, err
}

// Objects returns the contents of blobs with one process, by their names or as
// REVISION:PATH; in :PATH the revision is the index. What is not there, or has
// more than limit bytes, is nil. A name with a line end names nothing.
func (r *Repo) Objects(ctx context.Context, names []string, limit int64) ([][]byte, error) {
	return namedObjects(names, func(asked []OID) ([][]byte, error) { return r.batch(ctx, asked, limit, "blob") })
}

// Holding returns the paths of the commit rev, or of the index if rev is empty,
// whose content an extended regular expression matches.
func (r *Repo) Holding(ctx context.Context, rev, expression string) ([]string, error) {
	where := rev
	if rev == "" {
		where = "--cached"
	}
	out, err := r.run(ctx, nil, "grep", "--no-color", "--no-recurse-submodules", "--full-name", "-l", "-z", "-a", "-E", "-e", expression, where, "--")
	if exited(err, 1) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	paths := parseList(out)
	for i := range paths {
		paths[i] = strings.TrimPrefix(paths[i], rev+":")
	}
	return paths, nil
}
