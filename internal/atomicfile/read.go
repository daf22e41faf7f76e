package atomicfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
)

// maxFile bounds what ReadFile reads, in bytes. The largest known env files
// have some ten thousand values, 3 MB.
const maxFile = 64 << 20

var (
	// ErrNotRegular reports a directory, a device, a FIFO or a socket.
	ErrNotRegular = errors.New("not a regular file")
	// ErrTooLarge reports a file of more than 64 MiB.
	ErrTooLarge = errors.New("larger than 64 MiB")
)

// ReadFile reads a regular file of bounded size. Errors are [*fs.PathError].
func ReadFile(fsys fs.FS, name string) ([]byte, error) {
	// Checked before opening: opening a FIFO waits for a writer.
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, ReadError(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrNotRegular}
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, ReadError(name, err)
	}
	data := bytes.NewBuffer(make([]byte, 0, min(info.Size(), maxFile)+bytes.MinRead)) // which a file of that size does not outgrow
	_, err = data.ReadFrom(io.LimitReader(f, maxFile+1))
	if err == nil && data.Len() > maxFile {
		err = &fs.PathError{Op: "read", Path: name, Err: ErrTooLarge}
	}
	return data.Bytes(), errors.Join(err, f.Close())
}

// ReadError returns err, from reading name, as an [*fs.PathError] that does not
// include the system call: statat, openat.
func ReadError(name string, err error) error {
	if e := (*fs.PathError)(nil); errors.As(err, &e) {
		err = e.Err
	}
	return &fs.PathError{Op: "read", Path: name, Err: err}
}
