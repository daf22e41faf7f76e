package main

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/runner"
)

// supervise runs the program as a child, with its output masked or started
// again as f says, and returns its status.
func (s *session) supervise(ctx context.Context, f execFlags, env childEnv) (int, error) {
	// The program's terminal from now on: we neither ask nor draw.
	s.tty, s.colour = false, false
	prepare := func(env childEnv) (runner.Command, error) { return f.command(env), nil }
	if f.mask {
		v, err := s.openVeil()
		if err != nil {
			return statusExec, err
		}
		defer v.close()
		prepare = func(env childEnv) (runner.Command, error) {
			c := f.command(env)
			return c, v.cover(&c, env.secrets())
		}
	}
	command, err := prepare(env)
	if err != nil {
		return statusExec, err
	}
	// A signal for us is the program's: it may take more than its grace to
	// heed it, or not at all.
	ctx = context.WithoutCancel(ctx)
	if !f.watch {
		return runner.Run(ctx, command)
	}
	watching, stop := context.WithCancel(ctx)
	replacements := make(chan runner.Command)
	var wg sync.WaitGroup
	wg.Go(func() {
		s.watch(watching, f, env, func(env childEnv) error {
			next, err := prepare(env)
			if err != nil {
				return err
			}
			select {
			case replacements <- next:
			case <-watching.Done():
			}
			return nil
		})
	})
	defer func() { stop(); wg.Wait() }()
	return runner.Supervise(ctx, command, replacements, runner.Backoff{Min: time.Second, Max: time.Minute})
}

// watch calls replace when the files or the vault give another childEnv
// than the running program has. As long as they give none, because a value
// does not decrypt or the vault cannot be reached, that program is left alone.
func (s *session) watch(ctx context.Context, f execFlags, running childEnv, replace func(childEnv) error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var seen, read [sha256.Size]byte
	var asked time.Time
	var told string
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		if now := s.fingerprint(f.environFlags); now != seen {
			seen = now // and wait for one second without a change
			continue
		}
		if seen == read && time.Since(asked) < f.interval {
			continue
		}
		read, asked = seen, time.Now()
		env, err := s.environment(ctx, f.environFlags)
		if ctx.Err() != nil {
			return
		}
		if err == nil {
			err = s.renew(&running, env, replace)
		}
		text := fmt.Sprint(err)
		if err != nil && text != told {
			s.printError(fmt.Errorf("the program runs on with what it has: %w", err))
		}
		told = text
	}
}

// renew calls replace if env is not what is running.
func (s *session) renew(running *childEnv, env childEnv, replace func(childEnv) error) error {
	names := running.changed(env)
	if len(names) == 0 {
		s.detail("no value changed")
		return nil
	}
	s.say("%s changed: starting the program again", drift.List(names))
	if err := replace(env); err != nil {
		return err
	}
	*running = env
	return nil
}

// fingerprint changes when the content of an env file does, or the keys for it
// at hand.
func (s *session) fingerprint(f environFlags) (sum [sha256.Size]byte) {
	targets, err := s.execTargets(f)
	if err != nil {
		return sha256.Sum256([]byte(err.Error()))
	}
	h := sha256.New()
	for _, t := range targets {
		fmt.Fprintf(h, "%q %q %q\n", t.File, t.Doc.Bytes(), s.ring(t.File).For(t.Doc).Reveal())
	}
	h.Sum(sum[:0])
	return sum
}

// A veil masks the output of one program after the other.
type veil struct {
	stdout, stderr io.Writer
	terminal       *terminal // that the program gets if ours is one; else nil
	secrets        []string  // of all programs so far: an earlier one may still print
	covers         []io.Closer
}

func (s *session) openVeil() (*veil, error) {
	v := &veil{stdout: s.stdout, stderr: s.stderr}
	if !isTerminal(s.stdout) {
		return v, nil
	}
	var err error
	if v.terminal, err = openTerminal(s.stdin, s.stdout.(*os.File)); err != nil {
		return nil, err
	}
	if v.terminal != nil && v.terminal.isRaw() && isTerminal(s.stderr) {
		s.stderr = &rawWriter{s.stderr}
	}
	return v, nil
}

// cover leads the output of c through a mask.
func (v *veil) cover(c *runner.Command, secrets []string) error {
	v.secrets = append(v.secrets, secrets...)
	mask := runner.NewMask(v.secrets)
	through := func(w io.Writer) io.Writer {
		var idle time.Duration
		if isTerminal(w) {
			idle = 50 * time.Millisecond
		}
		cover := mask.Writer(w, idle)
		v.covers = append(v.covers, cover)
		return cover
	}
	if v.terminal == nil || !isTerminal(v.stderr) {
		c.Stderr = through(v.stderr)
	}
	if v.terminal != nil {
		return v.terminal.attach(c, through(v.stdout))
	}
	c.Stdout = through(v.stdout)
	return nil
}

// close passes on what the masks hold back, and gives our terminal back.
func (v *veil) close() {
	if v.terminal != nil {
		v.terminal.wait()
	}
	for _, c := range v.covers {
		_ = c.Close() // nobody reads what we write any more
	}
	if v.terminal != nil {
		v.terminal.close()
	}
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// A rawWriter begins a new line at the left edge of a terminal in raw mode.
type rawWriter struct{ w io.Writer }

func (r *rawWriter) Write(p []byte) (int, error) {
	if _, err := r.w.Write(append([]byte("\r"), p...)); err != nil {
		return 0, err
	}
	_, err := io.WriteString(r.w, "\r")
	return len(p), err
}
