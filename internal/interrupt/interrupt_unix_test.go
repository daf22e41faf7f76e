//go:build unix

package interrupt_test

import (
	"context"
	"errors"
	"os"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/internal/interrupt"
)

func TestContext(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM} {
		ctx, release := interrupt.Context(t.Context())
		if err := syscall.Kill(os.Getpid(), s); err != nil {
			t.Fatal(err)
		}
		<-ctx.Done()
		for range 2 {
			err := release()
			e := (*interrupt.Error)(nil)
			if !errors.As(err, &e) || e.Status() != 128+int(s) || !errors.Is(err, context.Canceled) {
				t.Errorf("release after signal %d = %v; want an interrupt by it", s, err)
			}
		}
	}
}

func TestReleaseWithoutSignal(t *testing.T) {
	ctx, release := interrupt.Context(t.Context())
	if err := release(); err != nil || ctx.Err() != nil {
		t.Errorf("release = %v, and the context's error is %v; want none", err, ctx.Err())
	}
}
