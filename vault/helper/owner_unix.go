//go:build unix

package helper

import (
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"syscall"
)

// changeable says how other users may change a file or folder, "" if they may not.
// allowed are the bits of its mode that do no harm; it may have the owner of self.
func changeable(path string, info fs.FileInfo, allowed fs.FileMode, self fs.FileInfo) string {
	owner, group := ownerOf(info)
	// On macOS the administrators, who may do anything, write where Homebrew installs.
	if runtime.GOOS == "darwin" && group == 80 {
		allowed |= 0o020
	}
	if info.Mode()&^allowed&0o022 != 0 {
		return "others can write to it: chmod go-w " + path
	}
	if self != nil {
		if as, _ := ownerOf(self); owner == as {
			return ""
		}
	}
	if owner != 0 && owner != os.Geteuid() {
		return fmt.Sprintf("%s belongs to the user with the ID %d", path, owner)
	}
	return ""
}

// stop asks a process to end.
func stop(p *os.Process) error { return p.Signal(syscall.SIGTERM) }

func ownerOf(info fs.FileInfo) (owner, group int) {
	if stat, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(stat.Uid), int(stat.Gid)
	}
	return -1, -1
}
