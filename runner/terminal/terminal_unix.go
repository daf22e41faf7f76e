//go:build unix

package terminal

import (
	"io"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"github.com/envdrift/envdrift/runner"
)

// A pseudoTerminal stands between the programs and the real terminal. Each
// program gets a pseudo-terminal of its own, with the real window's size. Its
// output goes through a mask to the real terminal. It gets what is typed if
// this process is in the foreground.
type pseudoTerminal struct {
	screen   *os.File
	state    *term.State // of the screen, as new terminals begin
	keyboard *os.File    // in raw mode; nil if this process may not read it
	cooked   *term.State // of the keyboard, as it was

	near    atomic.Pointer[os.File] // of the newest program
	far     []*os.File
	copying sync.WaitGroup
	resized chan os.Signal
}

func openTerminal(stdin, screen *os.File) (*pseudoTerminal, error) {
	t := &pseudoTerminal{screen: screen, resized: make(chan os.Signal, 1)}
	var err error
	if t.state, err = term.GetState(int(screen.Fd())); err != nil || !inForeground(stdin) {
		return t, err
	}
	t.keyboard = stdin
	t.cooked, err = term.MakeRaw(int(stdin.Fd()))
	return t, err
}

// inForeground reports whether f is a terminal that this process may read from
// and change without being stopped for it.
func inForeground(f *os.File) bool {
	group, err := unix.IoctlGetInt(int(f.Fd()), unix.TIOCGPGRP)
	return err == nil && group == unix.Getpgrp()
}

// attach gives c a pseudo-terminal of its own. That of an earlier program is
// hung up when that program ends.
func (t *pseudoTerminal) attach(c *runner.Command, out io.Writer) error {
	near, far, err := pty.Open()
	if err != nil {
		return err
	}
	_ = pty.InheritSize(t.screen, near)
	_ = term.Restore(int(far.Fd()), t.state)
	first := t.near.Swap(near) == nil
	t.far = append(t.far, far)
	c.Terminal = far
	if t.keyboard == nil {
		c.Stdin = os.Stdin
	}
	t.copying.Go(func() {
		_, _ = io.Copy(out, near) // until no process has the far side open any more
	})
	if first {
		signal.Notify(t.resized, syscall.SIGWINCH)
		go t.resize()
		go t.typed()
	}
	return nil
}

func (t *pseudoTerminal) isRaw() bool { return t.keyboard != nil }

func (t *pseudoTerminal) resize() {
	for range t.resized {
		_ = pty.InheritSize(t.screen, t.near.Load())
	}
}

// typed passes on what is typed, as long as this process lives.
func (t *pseudoTerminal) typed() {
	if t.keyboard == nil {
		return
	}
	p := make([]byte, 4096)
	for {
		n, err := t.keyboard.Read(p)
		if n > 0 {
			_, _ = t.near.Load().Write(p[:n])
		}
		if err != nil {
			return
		}
	}
}

// wait returns when all that programs wrote has gone to the mask.
func (t *pseudoTerminal) wait() {
	for _, far := range t.far {
		far.Close()
	}
	t.copying.Wait()
}

func (t *pseudoTerminal) close() {
	if t.keyboard != nil {
		_ = term.Restore(int(t.keyboard.Fd()), t.cooked)
	}
}
