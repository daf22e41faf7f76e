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
// reach it. The editor may go on, and save while the folder is removed: then it is
// removed again. stop ends it.
func guard(dir string) (stop func(), err error) {
	cmd := exec.Command("/bin/sh", "-c", `read -r _; i=0; until rm -rf -- "$0" || [ $((i+=1)) -gt 60 ]; do sleep 1; done`, dir)
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
