//go:build unix

package runner

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Exec replaces this process by the program, with the streams as they are. It
// returns only if that fails: with a *[StartError], a *[VariableError],
// [ErrNoCommand] or what is wrong with Dir, which may by then be this process's
// working directory. On Windows it returns [errors.ErrUnsupported]; use [Run].
func Exec(c Command) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.Dir != "" {
		if err := os.Chdir(c.Dir); err != nil {
			return err
		}
		c.Dir = ""
	}
	env := c.Env.List()
	return c.start(func(path string, args []string) error {
		return syscall.Exec(path, args, env)
	})
}

// start calls try with the files that execvp(3) would pass to execve, one after
// the other until one starts. Its error is a *StartError.
func (c Command) start(try func(path string, args []string) error) error {
	name := c.Args[0]
	var err error
	switch {
	case name == "":
		err = syscall.ENOENT
	case strings.Contains(name, "/"):
		err = c.tryFile(name, try)
	default:
		err = c.tryPath(name, try)
	}
	if err == nil {
		return nil
	}
	status := 126
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, exec.ErrNotFound) || errors.Is(err, ErrNoInterpreter) {
		status = 127
	}
	return &StartError{name, status, err}
}

// tryPath searches PATH by the rules of execvp(3): a file that is missing or
// not accessible does not end the search. A relative entry that contains the
// program does, with [exec.ErrDot]: otherwise the owner of that directory could
// run code here.
func (c Command) tryPath(name string, try func(path string, args []string) error) error {
	path, ok := c.Env.Lookup("PATH")
	if !ok {
		path = "/bin:/usr/bin"
	}
	var last, unusable error
	for dir := range strings.SplitSeq(path, ":") {
		file := filepath.Join(dir, name)
		if !filepath.IsAbs(dir) {
			if c.isExecutable(file) {
				return exec.ErrDot
			}
			last = syscall.ENOENT
			continue
		}
		last = c.tryFile(file, try)
		switch {
		case errors.Is(last, syscall.EACCES), errors.Is(last, ErrNoInterpreter) && unusable == nil:
			unusable = last
		case last == nil || !isMissing(last):
			return last
		}
	}
	if unusable != nil {
		return unusable
	}
	if last == syscall.ENOENT {
		return exec.ErrNotFound
	}
	return last
}

// tryFile tries one file. If the kernel does not recognize it as a program, it
// is a script without "#!", which execvp(3) passes to the shell.
func (c Command) tryFile(file string, try func(path string, args []string) error) error {
	const shell = "/bin/sh"
	path, args := file, c.Args
	err := try(path, args)
	if errors.Is(err, syscall.ENOEXEC) {
		path, args = shell, append([]string{shell, file}, c.Args[1:]...)
		err = try(path, args)
	}
	// What os.StartProcess adds to the errno is of no use to the user.
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return err
	}
	switch errno {
	case syscall.E2BIG:
		return tooBig(path, args, c.Env)
	case syscall.ENOENT:
		if _, err := os.Stat(c.inDir(file)); err == nil {
			return ErrNoInterpreter
		}
	}
	return errno
}

// isMissing reports whether execvp(3) goes on with the next directory.
func isMissing(err error) bool {
	switch err {
	case syscall.ENOENT, syscall.ENOTDIR, syscall.ESTALE, syscall.ENODEV, syscall.ETIMEDOUT, ErrNoInterpreter:
		return true
	}
	return false
}

func (c Command) isExecutable(file string) bool {
	info, err := os.Stat(c.inDir(file))
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// inDir returns the path at which the program will look for file.
func (c Command) inDir(file string) string {
	if c.Dir == "" || filepath.IsAbs(file) {
		return file
	}
	return filepath.Join(c.Dir, file)
}
