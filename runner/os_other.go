//go:build !linux

package runner

import "syscall"

// limits returns zeros: the system knows its limits, this package does not.
func limits() (total, entry int) { return 0, 0 }

// endWithParent does nothing where there is no parent-death signal.
func endWithParent(*syscall.SysProcAttr) {}
