// Package runner starts a program with a chosen environment and reports how it
// ended. It knows nothing of files, vaults or git.
//
// [Exec] puts the program in the place of this process: same pid, terminal,
// signals, status, and nobody in between. [Run] stays as a parent, for what
// needs one: output that is read on its way ([Mask]), restarts ([Supervise]),
// and Windows, which has no execve.
//
// # Exit status
//
// A program that ran decides the status. One that could not be started follows
// env(1): 127 when it was not found, 126 when it could not be invoked; 125 when
// it was not even tried. A program killed by signal n yields 128+n.
//
// # Differences from env(1)
//
// A program found through a relative entry of PATH is refused with
// [exec.ErrDot]. Signals that were ignored when this process began stay ignored
// for the program if they are SIGHUP and SIGINT, as nohup wants; the Go runtime
// gives it the others with their default action.
package runner

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"
)

// Errors that a [StartError] wraps besides those of the system,
// [exec.ErrNotFound] and [exec.ErrDot]. ErrNoCommand comes alone.
var (
	ErrNoCommand     = errors.New("no command")
	ErrNoInterpreter = errors.New("the file is there, but the interpreter or loader it names is not")
)

// A Command says what to start. All but Args, Env and Dir matter to [Run] only.
type Command struct {
	// Args is the program and its arguments. A name without a slash is looked
	// up in the PATH of Env, not in that of this process.
	Args []string
	// Env is the whole environment of the program; the zero value an empty one.
	Env Environ
	// Dir is the program's working directory; empty for this process's own.
	Dir string

	// The program's streams; nil for those of this process. What is no *os.File
	// is fed from a pipe.
	Stdin          *os.File
	Stdout, Stderr io.Writer
	// Terminal, if set, becomes the controlling terminal of a new session in
	// which the program runs, and the streams left nil. It is the far side of a
	// pseudo-terminal; the near side, raw mode and the window's size are the
	// caller's. Not on Windows.
	Terminal *os.File
	// Grace is the time a program has between SIGTERM and SIGKILL when the
	// context ends, and its descendants to close their output once the program
	// has ended; zero for ten seconds.
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

// check finds what cannot be put to the system as it is.
func (c Command) check() error {
	if len(c.Args) == 0 {
		return ErrNoCommand
	}
	return c.Env.check()
}

// command returns c for one try at the file path.
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
