//go:build unix

package hooks

import (
	"os"
	"syscall"
)

// executable reports, as git does, whether the system would start file: not
// without the mode, nor from a file system that is mounted noexec.
func executable(file string) bool {
	const mayExecute = 1
	info, err := os.Stat(file)
	return err == nil && info.Mode().IsRegular() && syscall.Access(file, mayExecute) == nil
}

// hasMode reports whether file has the mode of an executable, which does not say
// that the system starts it.
func hasMode(file string) bool {
	info, err := os.Stat(file)
	return err == nil && info.Mode().Perm()&0o111 == 0o111
}
