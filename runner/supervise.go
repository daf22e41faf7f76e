package runner

import (
	"context"
	"os"
	"syscall"
	"time"
)

// A Backoff spaces restarts. A program is not replaced before it has run for
// Min. As long as programs live for less than twice the delay, the delay
// doubles, up to Max.
type Backoff struct{ Min, Max time.Duration }

// Supervise runs c as [Run] does, and replaces it by each Command that comes
// from replacements: the running program gets SIGTERM and, after its Grace,
// SIGKILL; then the new one starts. If several come during the backoff, the
// last one counts.
//
// A program that ends by itself ends Supervise, which returns its status.
// Restarting it is up to the parent of this process. SIGINT, SIGQUIT and
// SIGTERM are passed on as by Run, and nothing is replaced after them.
func Supervise(ctx context.Context, c Command, replacements <-chan Command, b Backoff) (status int, err error) {
	signals, release := c.catch()
	defer release()
	delay := b.Min
	for {
		started := time.Now()
		next, status, err := c.runUntilReplaced(ctx, signals, replacements, delay)
		if next == nil {
			return status, err
		}
		c = *next
		if time.Since(started) < 2*delay {
			delay = max(b.Min, min(2*delay, b.Max))
		} else {
			delay = b.Min
		}
	}
}

// runUntilReplaced runs c. Once c has run for delay and there is a replacement,
// it ends c and returns the replacement. If next is nil, the program ended by
// itself. A signal that comes between two programs is delivered to the second.
func (c Command) runUntilReplaced(ctx context.Context, signals <-chan os.Signal, replacements <-chan Command,
	delay time.Duration) (next *Command, status int, err error) {
	running, stop := context.WithCancel(ctx)
	defer stop()
	forward := make(chan os.Signal, cap(signals))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		status, err = c.run(running, forward)
	}()
	early := time.After(delay) // nil once it has come
	for {
		select {
		case s := <-signals:
			select {
			case forward <- s:
			default: // lost, as signals are when too many are pending
			}
			if endsProgram(s) {
				next, replacements = nil, nil
			}
		case r, ok := <-replacements:
			if !ok {
				replacements = nil
				continue
			}
			next = &r
		case <-early:
			early = nil
		case <-ended:
			if running.Err() == nil || ctx.Err() != nil {
				next = nil
			}
			return next, status, err
		}
		if next != nil && early == nil {
			stop()
		}
	}
}

func endsProgram(s os.Signal) bool {
	return s == os.Interrupt || s == syscall.SIGQUIT || s == syscall.SIGTERM
}
