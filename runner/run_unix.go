//go:build unix

package runner

import (
	"os"
	"os/exec"
	"slices"
	"syscall"
)

// A placement records how a child relates to this process and a terminal, and
// which signals it must therefore be sent.
type placement struct {
	attr      syscall.SysProcAttr
	group     bool // the child leads a process group
	forwarded []os.Signal
	dropped   []os.Signal // caught, but delivered by the terminal
}

func (c Command) place() placement {
	p := placement{forwarded: []os.Signal{syscall.SIGHUP, syscall.SIGTERM, syscall.SIGUSR1, syscall.SIGUSR2}}
	endWithParent(&p.attr)
	keyboard := []os.Signal{syscall.SIGINT, syscall.SIGQUIT}
	switch {
	case c.Terminal != nil:
		p.attr.Setsid, p.group = true, true
		p.forwarded = append(p.forwarded, keyboard...)
		// Ctty is one of the child's descriptors.
		p.attr.Ctty = slices.Index([]bool{c.Stdin == nil, c.Stdout == nil, c.Stderr == nil}, true)
		p.attr.Setctty = p.attr.Ctty >= 0
	case hasTerminal():
		p.dropped = keyboard
	default:
		p.attr.Setpgid, p.group = true, true
		p.forwarded = append(append(p.forwarded, keyboard...), syscall.SIGWINCH)
	}
	return p
}

// hasTerminal reports whether this process has a controlling terminal, whatever
// its streams are.
func hasTerminal() bool {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		return false
	}
	tty.Close()
	return true
}

func (p placement) prepare(cmd *exec.Cmd) {
	attr := p.attr
	cmd.SysProcAttr = &attr
}

// forward sends s. It is not an error if the child has just ended.
func (p placement) forward(child *os.Process, s os.Signal) {
	if p.group {
		_ = syscall.Kill(-child.Pid, s.(syscall.Signal))
		return
	}
	_ = child.Signal(s)
}

// terminate asks the child to end, and continues it if it is stopped.
func (p placement) terminate(child *os.Process) {
	p.forward(child, syscall.SIGTERM)
	p.forward(child, syscall.SIGCONT)
}

func (p placement) kill(child *os.Process) { p.forward(child, syscall.SIGKILL) }

func exitStatus(state *os.ProcessState) int {
	if status := state.Sys().(syscall.WaitStatus); status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}
