// Package interrupt ends a context when a signal asks the process to end, and
// remembers which signal it was.
package interrupt

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// An Error is the cause of a context that a signal ended. It is a
// [context.Canceled].
type Error struct{ Signal syscall.Signal }

func (e *Error) Error() string { return fmt.Sprintf("interrupted by signal %d", int(e.Signal)) }
func (e *Error) Unwrap() error { return context.Canceled }

// Status returns the exit status that a shell reports for the signal.
func (e *Error) Status() int { return 128 + int(e.Signal) }

// Context returns a context that the first HUP, INT, QUIT or TERM ends. A signal
// that the process ignores is left alone: a shell makes its background jobs
// ignore some, and exec's program must ignore them too.
//
// release gives the signals their usual effect again, and returns an [*Error] if
// one came before: after release none is lost, and no later one ends the context.
func Context(parent context.Context) (ctx context.Context, release func() error) {
	ctx, cancel := context.WithCancelCause(parent)
	arrived, done := make(chan os.Signal, 1), make(chan struct{})
	for _, s := range []os.Signal{syscall.SIGHUP, os.Interrupt, syscall.SIGQUIT, syscall.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(arrived, s)
		}
	}
	go func() {
		defer close(done)
		if s, ok := (<-arrived).(syscall.Signal); ok {
			cancel(&Error{s})
		}
	}()
	return ctx, sync.OnceValue(func() error {
		signal.Stop(arrived) // what was delivered is in the channel now
		close(arrived)
		<-done
		return context.Cause(ctx)
	})
}
