package gitops

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// An OID names an object: 40 or 64 lowercase hex digits.
type OID string

// IsNull reports whether o means "nothing": all zeros.
func (o OID) IsNull() bool { return o != "" && strings.Trim(string(o), "0") == "" }

// valid reports whether o can be passed to git, which reads one per line.
func (o OID) valid() bool {
	for i := range len(o) {
		if c := o[i]; c-'0' > 9 && c-'a' > 5 {
			return false
		}
	}
	return len(o) == 40 || len(o) == 64
}

// A Mode is the mode of an index or tree entry.
type Mode uint32

// The modes that git knows. Absent is the mode on the side of a [Change] where
// there is no file.
const (
	Absent     Mode = 0
	Regular    Mode = 0o100644
	Executable Mode = 0o100755
	Symlink    Mode = 0o120000
	Submodule  Mode = 0o160000
)

// IsFile reports whether the entry is a file with content, neither a link nor a
// submodule.
func (m Mode) IsFile() bool { return m == Regular || m == Executable || m == 0o100664 }

// String returns the mode as git writes it.
func (m Mode) String() string { return fmt.Sprintf("%06o", uint32(m)) }

// A Status is what happened to a path.
type Status byte

// Renames are not detected: they are a Deleted and an Added.
const (
	Added       Status = 'A'
	Modified    Status = 'M' // content or mode
	Deleted     Status = 'D'
	TypeChanged Status = 'T' // such as from a file to a symbolic link
	Unmerged    Status = 'U' // in conflict: there is no single staged version
)

// A Change is one path that differs between two sides.
type Change struct {
	Path          string
	Status        Status
	OldMode, Mode Mode
	OldOID, OID   OID // null where there is nothing, or nothing is known
	Theirs        OID // in a merge, another side's, if that differs from OID too
}

// A RefUpdate is what a push does to one ref.
type RefUpdate struct {
	Name     string // of the ref where it is pushed to
	Old, New OID    // null where there is none
}

// A File is an entry of a commit's tree.
type File struct {
	Path string
	Mode Mode
	OID  OID
}

// parseRaw parses the output of "diff --raw -z --no-abbrev --no-renames":
// ":<mode> <mode> <oid> <oid> <status>\0<path>\0" for each change.
func parseRaw(out []byte) ([]Change, error) {
	var changes []Change
	for len(out) > 0 {
		header, path, rest, ok := cut2(out)
		if !ok || len(path) == 0 {
			return nil, outputError("diff --raw", out)
		}
		c, err := parseRawHeader(header)
		if err != nil {
			return nil, err
		}
		c.Path = path
		changes = append(changes, c)
		out = rest
	}
	return changes, nil
}

func parseRawHeader(header string) (Change, error) {
	f := strings.Split(header, " ")
	if len(f) != 5 || !strings.HasPrefix(f[0], ":") || len(f[4]) != 1 || !strings.Contains("AMDTU", f[4]) {
		return Change{}, outputError("diff --raw", []byte(header))
	}
	oldMode, ok1 := parseMode(f[0][1:])
	mode, ok2 := parseMode(f[1])
	c := Change{Status: Status(f[4][0]), OldMode: oldMode, Mode: mode, OldOID: OID(f[2]), OID: OID(f[3])}
	if !ok1 || !ok2 || !c.OldOID.valid() || !c.OID.valid() {
		return Change{}, outputError("diff --raw", []byte(header))
	}
	return c, nil
}

// parseTree parses the output of "ls-tree -r -z": "<mode> <type>
// <oid>\t<path>\0".
func parseTree(out []byte) ([]File, error) {
	var files []File
	for len(out) > 0 {
		entry, rest, ok := bytes.Cut(out, []byte{0})
		header, path, ok2 := strings.Cut(string(entry), "\t")
		f := strings.Split(header, " ")
		if !ok || !ok2 || path == "" || len(f) != 3 {
			return nil, outputError("ls-tree", out)
		}
		mode, ok := parseMode(f[0])
		if !ok || !OID(f[2]).valid() {
			return nil, outputError("ls-tree", out)
		}
		files = append(files, File{Path: path, Mode: mode, OID: OID(f[2])})
		out = rest
	}
	return files, nil
}

// parseList parses names that each end in NUL.
func parseList(out []byte) []string {
	if len(out) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

func parseMode(s string) (Mode, bool) {
	m, err := strconv.ParseUint(s, 8, 32)
	return Mode(m), err == nil && len(s) == 6
}

// cut2 splits two NUL-terminated fields off b.
func cut2(b []byte) (first, second string, rest []byte, ok bool) {
	f, b, ok1 := bytes.Cut(b, []byte{0})
	s, rest, ok2 := bytes.Cut(b, []byte{0})
	return string(f), string(s), rest, ok1 && ok2
}

// readTyped reads one object of one of some types, and its name, from the output of
// "cat-file --batch". The error is [ErrMissing], for another type too, or
// [ErrTooLarge] when the next object can still be read.
func readTyped(r *bufio.Reader, limit int64, types ...string) (oid OID, data []byte, err error) {
	header, err := r.ReadSlice('\n')
	if err != nil {
		return "", nil, fmt.Errorf("cat-file: %w", io.ErrUnexpectedEOF)
	}
	if bytes.HasSuffix(header, []byte(" missing\n")) {
		return "", nil, ErrMissing
	}
	f := strings.Split(strings.TrimSuffix(string(header), "\n"), " ")
	if len(f) != 3 || !OID(f[0]).valid() {
		return "", nil, outputError("cat-file", header)
	}
	size, err := strconv.ParseInt(f[2], 10, 64)
	if err != nil || size < 0 {
		return "", nil, outputError("cat-file", header)
	}
	if size > limit || !slices.Contains(types, f[1]) {
		if _, err := io.CopyN(io.Discard, r, size); err != nil {
			return "", nil, fmt.Errorf("cat-file: %w", err)
		}
		if !slices.Contains(types, f[1]) {
			return "", nil, endOfObject(r, ErrMissing)
		}
		return "", nil, endOfObject(r, ErrTooLarge)
	}
	data, err = io.ReadAll(io.LimitReader(r, size))
	if err != nil || int64(len(data)) != size {
		return "", nil, fmt.Errorf("cat-file: %w", io.ErrUnexpectedEOF)
	}
	return OID(f[0]), data, endOfObject(r, nil)
}

// endOfObject reads the line feed that follows the content and returns verdict.
func endOfObject(r *bufio.Reader, verdict error) error {
	if b, err := r.ReadByte(); err != nil || b != '\n' {
		return fmt.Errorf("cat-file: %w", io.ErrUnexpectedEOF)
	}
	return verdict
}

// outputError reports output of git that this package does not understand.
func outputError(command string, out []byte) error {
	return fmt.Errorf("git %s: unexpected output %.60q", command, out)
}
