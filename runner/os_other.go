//go:build !linux

package runner

import "syscall"

// limits returns zeros: the limits of this system are not known here.
func limits() (total, entry int) { return 0, 0 }

// endWithParent does nothing where there is no parent-death signal.
func endWithParent(*syscall.SysProcAttr) {}
