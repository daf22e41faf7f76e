package gitops

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Version is a content of a file that a commit adds: none of its parents has it
// at that path.
type Version struct {
	Commit OID // "" if a ref leads to the content itself
	Path   string
	Mode   Mode
	OID    OID
}

// A History is what all refs and reflogs lead to: branches, tags, remote-tracking
// branches, stashes, notes, and what was on them before.
type History struct {
	Times    map[OID]time.Time // of all commits
	Order    []OID             // the commits, the oldest first
	Versions []Version         // in the order of the commits
	Tags     []OID             // annotated ones
}

// History reads the history of the repository, without contents.
func (r *Repo) History(ctx context.Context) (*History, error) {
	out, err := r.run(ctx, nil, "rev-list", "--all", "--reflog", "--topo-order", "--reverse", "--timestamp")
	if err != nil {
		return nil, err
	}
	h := &History{Times: map[OID]time.Time{}}
	for line := range strings.Lines(string(out)) {
		stamp, oid, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		seconds, err := strconv.ParseInt(stamp, 10, 64)
		if err != nil || !OID(oid).valid() {
			return nil, outputError("rev-list", []byte(line))
		}
		h.Order, h.Times[OID(oid)] = append(h.Order, OID(oid)), time.Unix(seconds, 0).UTC()
	}
	if err := r.readVersions(ctx, h); err != nil {
		return nil, err
	}
	return h, r.readRefs(ctx, h)
}

// readVersions adds what the commits bring. Of a merge that is what no side has.
func (r *Repo) readVersions(ctx context.Context, h *History) error {
	args := []string{"diff-tree", "--stdin", "--root", "-c", "-r", "--raw", "-z", "--no-abbrev", "--no-renames"}
	return r.stream(ctx, joinLines(h.Order), args, func(out *bufio.Reader) error {
		paths := map[string]string{} // most occur often
		var commit OID
		for {
			field, err := out.ReadSlice(0)
			if errors.Is(err, io.EOF) && len(field) == 0 {
				return nil
			}
			if err != nil {
				return fmt.Errorf("git diff-tree: %w", io.ErrUnexpectedEOF)
			}
			field = bytes.TrimSuffix(field, []byte{0})
			if OID(field).valid() {
				commit = OID(field)
				continue
			}
			v, err := parseVersion(string(field))
			if err != nil {
				return err
			}
			name, err := out.ReadString(0)
			if err != nil {
				return fmt.Errorf("git diff-tree: %w", io.ErrUnexpectedEOF)
			}
			if v.Mode == Absent || v.Mode == Submodule {
				continue
			}
			name = strings.TrimSuffix(name, "\x00")
			if paths[name] == "" {
				paths[name] = name
			}
			v.Commit, v.Path = commit, paths[name]
			h.Versions = append(h.Versions, v)
		}
	})
}

// parseVersion parses the header of one path: a colon for each parent, the modes of
// the parents and of the commit, the objects likewise, and a status.
func parseVersion(header string) (v Version, err error) {
	parents := len(header) - len(strings.TrimLeft(header, ":"))
	fields := strings.Fields(header[parents:])
	if parents == 0 || len(fields) != 2*parents+3 {
		return v, outputError("diff-tree", []byte(header))
	}
	mode, ok := parseMode(fields[parents])
	v.Mode, v.OID = mode, OID(fields[2*parents+1])
	if !ok || !v.OID.valid() {
		return v, outputError("diff-tree", []byte(header))
	}
	return v, nil
}

// readRefs adds annotated tags, and the files of refs that lead to no commit.
func (r *Repo) readRefs(ctx context.Context, h *History) error {
	out, err := r.run(ctx, nil, "for-each-ref", "--format=%(objecttype) %(objectname) %(refname)")
	if err != nil {
		return err
	}
	var names []string
	var oids []OID
	for line := range strings.Lines(string(out)) {
		fields := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 3)
		if len(fields) != 3 || !OID(fields[1]).valid() {
			return outputError("for-each-ref", []byte(line))
		}
		if fields[0] == "tag" {
			h.Tags = append(h.Tags, OID(fields[1]))
		}
		if fields[0] != "commit" {
			names, oids = append(names, fields[2]), append(oids, OID(fields[1]))
		}
	}
	if len(oids) == 0 {
		return nil
	}
	objects, err := r.Peel(ctx, oids)
	if err != nil {
		return err
	}
	for i, o := range objects {
		switch o.Type {
		case "blob":
			h.Versions = append(h.Versions, Version{Path: names[i], Mode: Regular, OID: o.OID})
		case "tree":
			files, err := r.FilesOf(ctx, o.OID)
			if err != nil {
				return err
			}
			for _, f := range files {
				h.Versions = append(h.Versions, Version{Path: names[i] + ":" + f.Path, Mode: f.Mode, OID: f.OID})
			}
		case "":
			return fmt.Errorf("%s: %w", names[i], ErrMissing)
		}
	}
	return nil
}

// Read passes the content of each of oids to a function, in their order, with one
// process. A reader holds size bytes, and need not be read to its end. Of an object
// that is missing it is nil: what a partial clone lacks is not fetched.
func (r *Repo) Read(ctx context.Context, oids []OID, each func(i int, content io.Reader, size int64) error) error {
	if len(oids) == 0 {
		return nil
	}
	absent, err := r.absent(ctx, oids)
	if err != nil {
		return err
	}
	asked := slices.DeleteFunc(slices.Clone(oids), func(oid OID) bool { return absent[oid] })
	return r.stream(ctx, joinLines(asked), []string{"cat-file", "--batch", "--buffer"}, func(out *bufio.Reader) error {
		for i, oid := range oids {
			if absent[oid] {
				if err := each(i, nil, 0); err != nil {
					return err
				}
				continue
			}
			header, err := out.ReadSlice('\n')
			if err != nil {
				return fmt.Errorf("git cat-file: %w", io.ErrUnexpectedEOF)
			}
			if bytes.HasSuffix(header, []byte(" missing\n")) {
				if err := each(i, nil, 0); err != nil {
					return err
				}
				continue
			}
			fields := strings.Fields(string(header))
			if len(fields) != 3 {
				return outputError("cat-file", header)
			}
			size, err := strconv.ParseInt(fields[2], 10, 64)
			if err != nil || size < 0 {
				return outputError("cat-file", header)
			}
			content := &io.LimitedReader{R: out, N: size}
			if err := each(i, content, size); err != nil {
				return err
			}
			if _, err := io.CopyN(io.Discard, out, content.N+1); err != nil {
				return fmt.Errorf("git cat-file: %w", io.ErrUnexpectedEOF)
			}
		}
		return nil
	})
}

// absent returns those of oids that git would have to fetch.
func (r *Repo) absent(ctx context.Context, oids []OID) (map[OID]bool, error) {
	if partial, err := r.IsPartial(ctx); err != nil || !partial {
		return nil, err
	}
	absent := make(map[OID]bool, len(oids))
	for _, oid := range oids {
		absent[oid] = true
	}
	err := r.stream(ctx, "", []string{"cat-file", "--batch-all-objects", "--batch-check=%(objectname)", "--buffer"}, func(out *bufio.Reader) error {
		for {
			line, err := out.ReadString('\n')
			if err != nil {
				return nil // the end; git's status says whether all was listed
			}
			delete(absent, OID(strings.TrimSuffix(line, "\n")))
		}
	})
	return absent, err
}

// stream runs a git command and has its output read while it runs. If reading fails
// the command is ended.
func (r *Repo) stream(ctx context.Context, stdin string, args []string, read func(*bufio.Reader) error) error {
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := read(bufio.NewReaderSize(out, 1<<20))
		_ = out.CloseWithError(io.ErrClosedPipe) // git gets a broken pipe, unless it has ended
		done <- err
	}()
	err := r.runTo(ctx, strings.NewReader(stdin), in, args...)
	_ = in.Close()
	if readErr := <-done; readErr != nil && (err == nil || !errors.Is(readErr, io.ErrUnexpectedEOF)) {
		return readErr
	}
	return err
}

// Outside returns those of commits that are not reached from the refs that some
// options of rev-list name, such as "--remotes".
func (r *Repo) Outside(ctx context.Context, commits []OID, refs ...string) (map[OID]bool, error) {
	outside, asked := map[OID]bool{}, map[OID]bool{}
	if len(commits) == 0 {
		return outside, nil
	}
	for _, oid := range commits {
		asked[oid] = true
	}
	out, err := r.run(ctx, strings.NewReader(joinLines(commits)), append([]string{"rev-list", "--stdin", "--not"}, refs...)...)
	for _, oid := range strings.Fields(string(out)) {
		if asked[OID(oid)] {
			outside[OID(oid)] = true
		}
	}
	return outside, err
}

// IsPartial reports whether git fetches objects of this clone only when they are
// needed.
func (r *Repo) IsPartial(ctx context.Context) (bool, error) {
	settings, err := r.Settings(ctx, `^(extensions\.partialclone|remote\..*\.promisor)$`)
	return len(settings) > 0, err
}
