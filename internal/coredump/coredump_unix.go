//go:build unix && !linux

package coredump

import "golang.org/x/sys/unix"

// Hide keeps the memory of this process, which contains keys from now on,
// out of core dumps. The returned function ends that: a program would inherit
// the limit.
func Hide() (show func()) {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		return func() {}
	}
	none := limit
	none.Cur = 0
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &none)
	return func() { _ = unix.Setrlimit(unix.RLIMIT_CORE, &limit) }
}
