package hooks

import (
	"context"
	"fmt"
	"time"
)

// A LateError reports a vault that did not answer in the time that a hook has for all
// of its vault work. It is a [context.DeadlineExceeded].
type LateError struct{ Limit time.Duration }

func (e *LateError) Error() string {
	return fmt.Sprintf("no answer within the %v that a hook waits", e.Limit)
}

func (e *LateError) Unwrap() error { return context.DeadlineExceeded }

// Limit returns the context of a hook's vault work. Its cause is a [*LateError]. A
// limit of 0 is none.
func Limit(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	if limit == 0 {
		return context.WithCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, limit, &LateError{limit})
}
