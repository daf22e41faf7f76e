//go:build unix

package workspace

import (
	"os"
	"syscall"
)

// isOwn reports whether a folder belongs to the user, as git wants it.
func isOwn(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == os.Geteuid()
}
