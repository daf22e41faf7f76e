package main

import (
	"context"
	"errors"

	"github.com/envdrift/envdrift/internal/agent"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/vault"
)

// The exit statuses. exec has the child's, or 125 to 127.
const (
	statusOK    = 0
	statusFail  = 1 // a check failed or the work could not be done
	statusUsage = 2 // wrong usage or configuration
	statusVault = 3 // the vault could not be used
)

// statusExec means, as with env(1), that envdrift failed before the child
// started.
const statusExec = 125

// An exitError carries an exit status of its own.
type exitError struct {
	err    error
	status int
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// errReported says that the rows of the report describe what failed.
var errReported = errors.New("see above")

func isReported(err error) bool { return errors.Is(err, errReported) }

// statusOf returns the exit status for an error that packages return by type.
func statusOf(err error) int {
	var usage *usageError
	var toAgent *agent.Error
	var conf *config.Error
	var exit *exitError
	switch {
	case err == nil:
		return statusOK
	case errors.As(err, &exit):
		return exit.status
	case errors.As(err, &usage) && usage.command == "exec":
		return statusExec // 2 may be that of its child
	case errors.As(err, &usage), errors.As(err, &conf), errors.As(err, &toAgent),
		errors.Is(err, config.ErrNoConfig), errors.Is(err, vault.ErrConfig), errors.Is(err, vault.ErrName):
		return statusUsage
	case errors.Is(err, vault.ErrNotFound), errors.Is(err, vault.ErrDenied),
		errors.Is(err, vault.ErrUnauthenticated), errors.Is(err, vault.ErrUnavailable), errors.Is(err, vault.ErrUnsupported),
		errors.Is(err, context.DeadlineExceeded):
		return statusVault
	}
	return statusFail
}
