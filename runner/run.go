package runner

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// Run starts the program, waits for its end and returns its status. If the
// error is not nil, the program was not started (a *[StartError], or status
// 125), or one of its streams could not be copied.
//
// Signals that ask a process to do something (HUP, INT, QUIT, TERM, USR1, USR2,
// WINCH) are passed on. A program without controlling terminal gets a process
// group of its own, and its descendants the signals too. One that shares this
// process's terminal stays in its process group, where it gets the terminal's
// signals directly: INT, QUIT and WINCH are not sent a second time. On Windows
// the program shares the console and receives Ctrl-C from there.
//
// When ctx ends, the program gets SIGTERM and, after c.Grace, SIGKILL.
func Run(ctx context.Context, c Command) (status int, err error) {
	signals, release := c.catch()
	defer release()
	return c.run(ctx, signals)
}

// catch starts receiving the signals that c may need to be sent. It is called
// before the child exists: a signal in between must not end this process and
// leave the child alone.
func (c Command) catch() (signals chan os.Signal, release func()) {
	signals = make(chan os.Signal, 16)
	p := c.place()
	if caught := notIgnored(p.forwarded, p.dropped); len(caught) > 0 {
		signal.Notify(signals, caught...)
	}
	return signals, func() { signal.Stop(signals) }
}

// run is like Run, with signals that are already caught.
func (c Command) run(ctx context.Context, signals <-chan os.Signal) (int, error) {
	if err := errors.Join(ctx.Err(), c.check(), c.checkDir()); err != nil {
		return 125, err
	}
	// endWithParent applies to the thread that forks, so that thread must
	// live on.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	p := c.place()
	var cmd *exec.Cmd
	err := c.start(func(path string, args []string) error {
		cmd = c.command(path, args)
		p.prepare(cmd)
		return cmd.Start()
	})
	if e := (*StartError)(nil); errors.As(err, &e) {
		return e.Status, err
	}
	if err != nil {
		return 125, err
	}
	return c.supervise(ctx, cmd, p, signals)
}

// supervise passes signals on until cmd has ended.
func (c Command) supervise(ctx context.Context, cmd *exec.Cmd, p placement, signals <-chan os.Signal) (int, error) {
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()

	stop := ctx.Done()
	var kill <-chan time.Time
	for {
		select {
		case s := <-signals:
			if slices.Contains(p.forwarded, s) {
				p.forward(cmd.Process, s)
			}
		case <-stop:
			stop = nil
			kill = time.After(c.grace())
			p.terminate(cmd.Process)
		case <-kill:
			p.kill(cmd.Process)
		case err := <-ended:
			if ctx.Err() != nil {
				p.kill(cmd.Process) // what is left of its group
			}
			if e := (*exec.ExitError)(nil); errors.As(err, &e) || errors.Is(err, exec.ErrWaitDelay) {
				err = nil
			}
			return exitStatus(cmd.ProcessState), err
		}
	}
}

// checkDir reports a bad Dir, which would otherwise look like a bad program.
func (c Command) checkDir() error {
	if c.Dir == "" {
		return nil
	}
	info, err := os.Stat(c.Dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "chdir", Path: c.Dir, Err: syscall.ENOTDIR}
	}
	return err
}

// notIgnored returns the signals that this process does not ignore: catching
// the others would undo nohup(1).
func notIgnored(lists ...[]os.Signal) []os.Signal {
	var signals []os.Signal
	for _, list := range lists {
		for _, s := range list {
			if !signal.Ignored(s) {
				signals = append(signals, s)
			}
		}
	}
	return signals
}
