//go:build unix

package edit

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// guard starts a process that removes dir when this process ends, however it does.
// It is in a session of its own, so that a signal to this process's group does not
// reach it. stop ends it.
func guard(dir string) (stop func(), err error) {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; rm -rf -- "$0"`, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir, cmd.Env = "/", []string{"PATH=/usr/bin:/bin"}
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		_ = pipe.Close()
		_ = cmd.Wait()
	}, nil
}

// private returns an error unless dir is a folder that only this user can use.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return &fs.PathError{Op: "use", Path: dir, Err: fmt.Errorf("it is not a private folder of this user's")}
	}
	return nil
}
