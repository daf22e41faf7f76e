//go:build unix

package runner_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/runner"
)

// A supervised is a Supervise that runs under a test.
type supervised struct {
	*session
	replacements chan runner.Command
	status       chan int
	stop         context.CancelFunc
	stdout       *io.PipeWriter
}

func supervise(t *testing.T, script string, b runner.Backoff) *supervised {
	t.Helper()
	out, in := io.Pipe()
	ctx, stop := context.WithCancel(t.Context())
	s := &supervised{
		session:      &session{t: t, out: bufio.NewReader(out)},
		replacements: make(chan runner.Command), status: make(chan int, 1), stop: stop, stdout: in,
	}
	t.Cleanup(stop)
	go func() {
		status, err := runner.Supervise(ctx, s.script(script), s.replacements, b)
		if err != nil {
			t.Error(err)
		}
		in.Close()
		s.status <- status
	}()
	return s
}

func (s *supervised) script(text string) runner.Command {
	c := command("sh", "-c", text)
	c.Stdout, c.Stderr, c.Grace = s.stdout, io.Discard, 100*time.Millisecond
	return c
}

func (s *supervised) wantStatus(want int) {
	s.t.Helper()
	if got := <-s.status; got != want {
		s.t.Errorf("Supervise = %d; want %d", got, want)
	}
}

const untilTerm = `trap 'echo bye; exit 1' TERM; echo ready $V; while :; do sleep 0.01; done`

func TestSuperviseReplaces(t *testing.T) {
	t.Parallel()
	s := supervise(t, untilTerm, runner.Backoff{})
	s.until("ready")
	polite := s.script(untilTerm)
	polite.Env.Set("V", "second")
	s.replacements <- polite
	s.until("bye")
	s.until("ready second")
	s.replacements <- s.script(`trap '' TERM; echo deaf; while :; do sleep 0.01; done`)
	s.until("bye")
	s.until("deaf")
	s.replacements <- s.script(`echo last; exit 6`)
	s.until("last")
	s.wantStatus(6)
}

func TestSuperviseEndsWithTheProgram(t *testing.T) {
	t.Parallel()
	s := supervise(t, "exit 4", runner.Backoff{})
	close(s.replacements)
	s.wantStatus(4)
}

func TestSuperviseEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := supervise(t, untilTerm, runner.Backoff{})
	s.until("ready")
	s.stop()
	s.until("bye")
	s.wantStatus(1)
}

func TestSuperviseBacksOff(t *testing.T) {
	t.Parallel()
	s := supervise(t, `echo ready; kill -STOP $$; exit 4`, runner.Backoff{Min: time.Hour})
	s.until("ready")
	s.replacements <- s.script("exit 5")
	s.replacements <- s.script("exit 6")
	s.stop()
	s.wantStatus(128 + 15)

	s = supervise(t, untilTerm, runner.Backoff{Min: 10 * time.Millisecond, Max: 20 * time.Millisecond})
	for range 4 {
		s.until("ready")
		s.replacements <- s.script(untilTerm)
	}
	s.until("ready")
	s.replacements <- s.script("exit 6")
	s.until("bye")
	s.wantStatus(6)
}

func TestSuperviseCannotStart(t *testing.T) {
	t.Parallel()
	status, err := runner.Supervise(t.Context(), command("no-such-program-here"), nil, runner.Backoff{})
	if e := (*runner.StartError)(nil); status != 127 || !errors.As(err, &e) {
		t.Errorf("Supervise = %d, %v; want 127 and a StartError", status, err)
	}
}

// However a stop of the service coincides with a restart, the restarted program
// must not survive it.
func TestSuperviseUnderSIGTERM(t *testing.T) {
	t.Parallel()
	s := start(t, as("supervise", nil, "sh", "-c", `trap '' USR2; trap 'n=x$n' TERM; echo ready
		until [ "$n" = x ]; do sleep 0.01; done; echo bye
		until [ "$n" = xx ]; do sleep 0.01; done; exit 3`))
	s.until("ready")
	s.kill(syscall.SIGUSR2)
	s.until("bye")
	s.kill(syscall.SIGTERM)
	s.wantStatus(3)
}
