//go:build unix

package atomicfile

import (
	"errors"
	"io/fs"
	"os"
)

func chmod(f *os.File, perm fs.FileMode) error { return f.Chmod(perm) }

// syncDir makes the rename itself durable.
func syncDir(root *os.Root, dir string) error {
	d, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
