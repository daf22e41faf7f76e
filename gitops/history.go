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

// A Commit is a commit and its first parent.
type Commit struct {
	OID    OID
	Parent OID // "" if it has none
}

// Commits returns the commits of a range such as "A..B", the newest first.
func (r *Repo) Commits(ctx context.Context, revisions string) ([]Commit, error) {
	out, err := r.run(ctx, nil, "rev-list", "--parents", "--topo-order", "--end-of-options", revisions, "--")
	if exited(err, 128) {
		return nil, &RevisionError{Revision: revisions}
	}
	if err != nil {
		return nil, err
	}
	var commits []Commit
	for line := range strings.Lines(string(out)) {
		oids := strings.Fields(line)
		if len(oids) == 0 || !OID(oids[0]).valid() {
			return nil, outputError("rev-list", []byte(line))
		}
		c := Commit{OID: OID(oids[0])}
		if len(oids) > 1 {
			c.Parent = OID(oids[1])
		}
		commits = append(commits, c)
	}
	return commits, nil
}

// Touching returns the commits of HEAD's history that changed path, the newest
// first; none where there is no commit yet.
func (r *Repo) Touching(ctx context.Context, path string) ([]OID, error) {
	out, err := r.run(ctx, nil, "rev-list", "HEAD", "--", path)
	if exited(err, 128) {
		if _, headErr := r.Resolve(ctx, "HEAD"); errors.As(headErr, new(*RevisionError)) {
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
	blobs := make([][]byte, len(names))
	var asked []OID
	var places []int
	for i, name := range names {
		if !strings.Contains(name, "\n") {
			asked, places = append(asked, OID(name)), append(places, i)
		}
	}
	if len(asked) == 0 {
		return blobs, nil
	}
	found, err := r.batch(ctx, asked, limit)
	if err != nil && !errors.As(err, new(*ObjectError)) {
		return nil, err
	}
	for n, i := range places {
		blobs[i] = found[n]
	}
	return blobs, nil
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
