package coredump

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestHide(t *testing.T) {
	defer func() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0) }()
	Hide()
	if got, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); got != 0 || err != nil {
		t.Errorf("dumpable: %d, %v; want 0", got, err)
	}
}
