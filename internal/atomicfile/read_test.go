package atomicfile_test

import (
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/envdrift/envdrift/internal/atomicfile"
)

func TestReadFile(t *testing.T) {
	t.Parallel()
	fsys := fstest.MapFS{
		"a/.env":   {Data: []byte("A=1\n")},
		"empty":    {},
		"link":     {Data: []byte("a/.env"), Mode: fs.ModeSymlink},
		"dir-link": {Data: []byte("a"), Mode: fs.ModeSymlink},
		"dangling": {Data: []byte("nothing"), Mode: fs.ModeSymlink},
		"fifo":     {Data: []byte("A=1\n"), Mode: fs.ModeNamedPipe},
		"socket":   {Data: []byte("A=1\n"), Mode: fs.ModeSocket},
		"device":   {Data: []byte("A=1\n"), Mode: fs.ModeDevice | fs.ModeCharDevice},
	}
	tests := []struct {
		name, file, want string
		wantErr          error
	}{
		{name: "file in a folder", file: "a/.env", want: "A=1\n"},
		{name: "empty file", file: "empty", want: ""},
		{name: "link to a file", file: "link", want: "A=1\n"},
		{name: "link to a folder", file: "dir-link", wantErr: atomicfile.ErrNotRegular},
		{name: "link to nothing", file: "dangling", wantErr: fs.ErrNotExist},
		{name: "no file", file: "b/.env", wantErr: fs.ErrNotExist},
		{name: "folder", file: "a", wantErr: atomicfile.ErrNotRegular},
		{name: "FIFO", file: "fifo", wantErr: atomicfile.ErrNotRegular},
		{name: "socket", file: "socket", wantErr: atomicfile.ErrNotRegular},
		{name: "device", file: "device", wantErr: atomicfile.ErrNotRegular},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := atomicfile.ReadFile(fsys, tt.file)
			if tt.wantErr == nil {
				if string(got) != tt.want || got == nil || err != nil {
					t.Errorf("ReadFile(%q) = %#v, %v; want %q and no error", tt.file, got, err, tt.want)
				}
				return
			}
			if got != nil || !errors.Is(err, tt.wantErr) {
				t.Errorf("ReadFile(%q) = %q, %v; want %v", tt.file, got, err, tt.wantErr)
			}
			if e := (*fs.PathError)(nil); !errors.As(err, &e) || e.Op != "read" || e.Path != tt.file {
				t.Errorf("ReadFile(%q) = %#v; want a PathError of read and the path", tt.file, err)
			}
		})
	}
}

// stubFS has one file, "f". Stat is a method of its own, as the working tree
// has one, so that a test can tell what was opened.
type stubFS struct {
	mode             fs.FileMode
	statErr, openErr error
	content          io.Reader
	closeErr         error
	opened, closed   int
}

func (s *stubFS) Stat(string) (fs.FileInfo, error) {
	if s.statErr != nil {
		return nil, s.statErr
	}
	return fstest.MapFS{"f": {Mode: s.mode}}.Stat("f")
}

func (s *stubFS) Open(string) (fs.File, error) {
	s.opened++
	if s.openErr != nil {
		return nil, s.openErr
	}
	return stubFile{s}, nil
}

type stubFile struct{ fsys *stubFS }

func (f stubFile) Stat() (fs.FileInfo, error) { return f.fsys.Stat("f") }
func (f stubFile) Read(b []byte) (int, error) { return f.fsys.content.Read(b) }
func (f stubFile) Close() error               { f.fsys.closed++; return f.fsys.closeErr }

var errDisk = errors.New("disk on fire")

func TestReadFileReportsTheFileSystemsErrors(t *testing.T) {
	t.Parallel()
	failing := func() io.Reader {
		return io.MultiReader(strings.NewReader("A=1\n"), failingReader{})
	}
	tests := []struct {
		name string
		fsys stubFS
		want string // the error's text
	}{
		{"stat", stubFS{statErr: &fs.PathError{Op: "statat", Path: "f", Err: errDisk}}, "read f: disk on fire"},
		{"open", stubFS{openErr: &fs.PathError{Op: "openat", Path: "f", Err: errDisk}}, "read f: disk on fire"},
		{"open, a bare error", stubFS{openErr: errDisk}, "read f: disk on fire"},
		{"read", stubFS{content: failing()}, "disk on fire"},
		{"close", stubFS{content: strings.NewReader("A=1\n"), closeErr: errDisk}, "disk on fire"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := atomicfile.ReadFile(&tt.fsys, "f")
			if !errors.Is(err, errDisk) || err.Error() != tt.want {
				t.Errorf("ReadFile(f) = %v; want %s", err, tt.want)
			}
			if wantClosed := tt.fsys.opened; tt.fsys.openErr == nil && tt.fsys.closed != wantClosed {
				t.Errorf("ReadFile(f) closed %d of %d files", tt.fsys.closed, wantClosed)
			}
		})
	}
}

type failingReader struct{}

func (failingReader) Read([]byte) (int, error) { return 0, errDisk }

// To open a FIFO waits for a writer, which may never come.
func TestReadFileOpensNothingThatIsNotRegular(t *testing.T) {
	t.Parallel()
	for _, mode := range []fs.FileMode{fs.ModeNamedPipe, fs.ModeSocket, fs.ModeDevice, fs.ModeDir} {
		fsys := &stubFS{mode: mode}
		if _, err := atomicfile.ReadFile(fsys, "f"); !errors.Is(err, atomicfile.ErrNotRegular) || fsys.opened != 0 {
			t.Errorf("ReadFile(%v) = %v, opened %d times; want %v and never", mode, err, fsys.opened, atomicfile.ErrNotRegular)
		}
	}
}

// zeros never ends; it counts what was taken from it.
type zeros struct{ read int }

func (z *zeros) Read(b []byte) (int, error) {
	clear(b)
	z.read += len(b)
	return len(b), nil
}

func TestReadFileIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 64 << 20
	if got, err := atomicfile.ReadFile(&stubFS{content: io.LimitReader(&zeros{}, limit)}, "f"); len(got) != limit || err != nil {
		t.Errorf("ReadFile(64 MiB) = %d bytes, %v; want all of them", len(got), err)
	}
	endless := &zeros{}
	_, err := atomicfile.ReadFile(&stubFS{content: endless}, "f")
	if e := (*fs.PathError)(nil); !errors.Is(err, atomicfile.ErrTooLarge) || !errors.As(err, &e) || e.Path != "f" {
		t.Errorf("ReadFile(endless) = %v; want %v with the path", err, atomicfile.ErrTooLarge)
	}
	if endless.read != limit+1 {
		t.Errorf("ReadFile(endless) read %d bytes; want %d", endless.read, limit+1)
	}
}
