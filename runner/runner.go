// Package runner starts a program with a chosen environment and reports how it
// ended. It knows nothing of files, vaults or git.
//
// [Exec] replaces this process by the program: same pid, terminal and signals,
// and no process in between. [Run] stays as a parent, which is needed to read
// output on its way ([Mask]), to restart ([Supervise]), and on Windows, which
// has no execve.
//
// # Exit status
//
// A program that ran decides the status. If it could not be started, the status
// follows env(1): 127 if it was not found, 126 if it could not be invoked, 125
// if it was not even tried. A program killed by signal n yields 128+n.
//
// # Differences from env(1)
//
// A program found through a relative entry of PATH is refused with
// [exec.ErrDot]. Signals that were ignored when this process began stay ignored
// for the program if they are SIGHUP or SIGINT, as nohup wants; the Go runtime
// resets the others to their default action.
package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Errors that a [StartError] wraps, besides those of the system,
// [exec.ErrNotFound] and [exec.ErrDot]. ErrNoCommand is not wrapped.
var (
	ErrNoCommand     = errors.New("no command")
	ErrNoInterpreter = errors.New("the file is there, but the interpreter or loader it names is not")
)

// A Command describes what to start. Only Args, Env and Dir matter to [Exec].
type Command struct {
	// Args is the program and its arguments. A name without a slash is looked
	// up in the PATH of Env, not in that of this process.
	Args []string
	// Env is the whole environment of the program. The zero value is an
	// empty one.
	Env Environ
	// Dir is the program's working directory; empty for this process's own.
	Dir string

	// The program's streams; nil for those of this process. A stream that
	// is no *os.File is copied through a pipe.
	Stdin          *os.File
	Stdout, Stderr io.Writer
	// Terminal, if set, becomes the controlling terminal of a new session
	// in which the program runs, and those of its streams that are nil. It
	// is the far side of a pseudo-terminal. The near side, raw mode and the
	// window's size are up to the caller. Not on Windows.
	Terminal *os.File
	// Grace is the time that a program has between SIGTERM and SIGKILL when
	// the context ends, and that its descendants have to close their output
	// once the program has ended. Zero means ten seconds.
	Grace time.Duration
}

// A StartError reports a program that could not be started.
type StartError struct {
	Name   string // as given in Args
	Status int    // 126 or 127
	Err    error
}

func (e *StartError) Error() string { return fmt.Sprintf("start %q: %v", e.Name, e.Err) }
func (e *StartError) Unwrap() error { return e.Err }

// check reports what cannot be passed to the system.
func (c Command) check() error {
	if len(c.Args) == 0 {
		return ErrNoCommand
	}
	return c.Env.check()
}

// command returns c as an [exec.Cmd] for one try with the file path.
func (c Command) command(path string, args []string) *exec.Cmd {
	cmd := &exec.Cmd{
		Path: path, Args: args, Env: c.Env.List(), Dir: c.Dir,
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		WaitDelay: c.grace(),
	}
	if c.Terminal != nil {
		cmd.Stdin, cmd.Stdout, cmd.Stderr = c.Terminal, c.Terminal, c.Terminal
	}
	if c.Stdin != nil {
		cmd.Stdin = c.Stdin
	}
	if c.Stdout != nil {
		cmd.Stdout = c.Stdout
	}
	if c.Stderr != nil {
		cmd.Stderr = c.Stderr
	}
	return cmd
}

func (c Command) grace() time.Duration {
	if c.Grace == 0 {
		return 10 * time.Second
	}
	return c.Grace
}
