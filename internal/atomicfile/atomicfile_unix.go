//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

func chmod(f *os.File, perm fs.FileMode) error { return f.Chmod(perm) }

// own gives f the owner of like if root runs this, as with sudo: otherwise the
// user could not use the file afterwards.
func own(f *os.File, like fs.FileInfo) error {
	info, err := f.Stat()
	if err != nil || os.Geteuid() != 0 {
		return err
	}
	is, want := info.Sys().(*syscall.Stat_t), like.Sys().(*syscall.Stat_t)
	if is.Uid == want.Uid && is.Gid == want.Gid {
		return nil
	}
	return f.Chown(int(want.Uid), int(want.Gid))
}

// Adopt gives name, which was just made, the owner of its folder if root runs
// this.
func Adopt(name string) error {
	if os.Geteuid() != 0 {
		return nil
	}
	folder, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return err
	}
	want := folder.Sys().(*syscall.Stat_t)
	return os.Lchown(name, int(want.Uid), int(want.Gid))
}

// syncDir makes the rename itself durable.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
