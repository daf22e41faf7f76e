// Package terminal passes the output of programs through a mask, and gives them
// a pseudo-terminal if the user has a terminal.
package terminal

import (
	"io"
	"os"
	"slices"
	"time"

	"golang.org/x/term"

	"github.com/envdrift/envdrift/runner"
)

// An Output masks the output of programs that run one after the other.
type Output struct {
	stdout, stderr io.Writer
	messages       io.Writer       // stderr, in the form that a terminal in raw mode needs
	terminal       *pseudoTerminal // for the program if this process has a terminal; else nil
	secrets        []string        // of all programs so far: an earlier one may still print
	masks          []*runner.Mask
	covers         []io.Closer
}

// Open returns an output for programs that inherit the three streams. If stdout
// is a terminal, each program gets a pseudo-terminal of its own.
func Open(stdin *os.File, stdout, stderr io.Writer) (*Output, error) {
	o := &Output{stdout: stdout, stderr: stderr, messages: stderr}
	if !IsTerminal(stdout) {
		return o, nil
	}
	var err error
	if o.terminal, err = openTerminal(stdin, stdout.(*os.File)); err != nil {
		return nil, err
	}
	if o.terminal != nil && o.terminal.isRaw() && IsTerminal(stderr) {
		o.messages = &rawWriter{stderr}
	}
	return o, nil
}

// Messages returns the writer for messages beside the program's output.
func (o *Output) Messages() io.Writer { return o.messages }

// Attach passes the output of c through a mask that hides secrets.
func (o *Output) Attach(c *runner.Command, secrets []string) error {
	o.secrets = append(o.secrets, secrets...)
	mask := runner.NewMask(o.secrets)
	o.masks = append(o.masks, mask)
	through := func(w io.Writer) io.Writer {
		var idle time.Duration
		if IsTerminal(w) {
			idle = 50 * time.Millisecond
		}
		cover := mask.Writer(w, idle)
		o.covers = append(o.covers, cover)
		return cover
	}
	if o.terminal == nil || !IsTerminal(o.stderr) {
		c.Stderr = through(o.stderr)
	}
	if o.terminal != nil {
		return o.terminal.attach(c, through(o.stdout))
	}
	c.Stdout = through(o.stdout)
	return nil
}

// Close passes on what the masks hold back, and restores the terminal.
func (o *Output) Close() {
	if o.terminal != nil {
		o.terminal.wait()
	}
	for _, c := range o.covers {
		_ = c.Close() // no process reads what is written any more
	}
	if o.terminal != nil {
		o.terminal.close()
	}
}

// Masked reports whether a secret was replaced. It is called after Close.
func (o *Output) Masked() bool { return slices.ContainsFunc(o.masks, (*runner.Mask).Used) }

// IsTerminal reports whether w is a terminal.
func IsTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A rawWriter starts each new line at the left edge of a terminal in raw mode.
type rawWriter struct{ w io.Writer }

func (r *rawWriter) Write(p []byte) (int, error) {
	if _, err := r.w.Write(append([]byte("\r"), p...)); err != nil {
		return 0, err
	}
	_, err := io.WriteString(r.w, "\r")
	return len(p), err
}
