package runner

import (
	"os"
	"syscall"
)

// limits returns what execve(2) allows for arguments and environment together,
// and for one of them.
func limits() (total, entry int) {
	const least, most = 128 << 10, 6 << 20
	total = most
	var stack syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_STACK, &stack); err == nil {
		total = int(min(most, max(least, stack.Cur/4)))
	}
	return total, 32 * os.Getpagesize()
}

// endWithParent makes the kernel ask the child to end when this process is
// killed and can no longer forward signals. It applies to the calling thread.
func endWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGTERM }
