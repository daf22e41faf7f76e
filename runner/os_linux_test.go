package runner_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/runner"
)

// With -S, env(1) makes many arguments of one, so that env itself can be small
// enough to start when its program is not.
func TestTooBigAsEnv(t *testing.T) {
	t.Parallel()
	want := outcomeOf(t, exec.Command("sh", "-c", `ulimit -s 512; exec "$@"`, "sh",
		"env", "-S", "true "+strings.Repeat("x ", 60_000)))
	status, err := runner.Run(t.Context(), bulk(100_000, 100))
	if status != want.status.ExitStatus() {
		t.Errorf("Run = %d, %v; env(1): %v", status, err, want)
	}
}

// The limits that the error names must be those of the kernel.
func TestTooBigAtTheKernelsLimits(t *testing.T) {
	t.Parallel()
	_, err := runner.Run(t.Context(), bulk(128<<10-len("V0=\x00")+1, 1))
	e := tooBig(t, err)
	if e.Sizes[0] != (runner.Size{Name: "V0", Bytes: e.EntryLimit + 1}) {
		t.Errorf("the kernel refuses %v; want one byte more than EntryLimit %d", e.Sizes[0], e.EntryLimit)
	}
	if status, err := runner.Run(t.Context(), bulk(e.EntryLimit-len("V0=\x00"), 1)); status != 0 {
		t.Errorf("one entry of EntryLimit: %d, %v; want a start", status, err)
	}

	_, err = runner.Run(t.Context(), bulk(100_000, 100))
	e = tooBig(t, err)
	fits := bulk(100_000, 100)
	excess := e.Total - e.Limit
	for i := 0; excess > 0; i++ {
		cut := min(excess, 100_000)
		fits.Env.Set(fmt.Sprintf("V%d", i), strings.Repeat("v", 100_000-cut))
		excess -= cut
	}
	if status, err := runner.Run(t.Context(), fits); status != 0 {
		t.Errorf("environment of exactly the limit: %d, %v; want a start", status, err)
	}
	fits.Args = append(fits.Args, "")
	_, err = runner.Run(t.Context(), fits)
	tooBig(t, err)
}

// bulk returns true(1) with n variables of size bytes each, and nothing else.
func bulk(size, n int) runner.Command {
	c := runner.Command{Args: []string{"/bin/true"}}
	for i := range n {
		c.Env.Set(fmt.Sprintf("V%d", i), strings.Repeat("v", size))
	}
	return c
}

func tooBig(t *testing.T, err error) *runner.TooBigError {
	t.Helper()
	var e *runner.TooBigError
	if !errors.As(err, &e) {
		t.Fatalf("error = %v; want a TooBigError", err)
	}
	return e
}

func TestTooBigErrorNamesSizesOnly(t *testing.T) {
	t.Parallel()
	c := runner.Command{Args: []string{"/bin/true", "argument-text"}}
	c.Env.Set("BIG", strings.Repeat("secret", 50_000))
	c.Env.Set("SMALL", "secret")
	c.Env.Set("SMALLER", "")
	_, err := runner.Run(t.Context(), c)
	want := fmt.Sprintf(`start "/bin/true": arguments and environment take 300101 bytes; one entry may take %d; `+
		`the largest: BIG 300005, argument 1 14, SMALL 13`, 32*os.Getpagesize())
	if err == nil || err.Error() != want {
		t.Errorf("Run = %v; want %s", err, want)
	}
}

// A process that can no longer forward signals has the kernel signal the
// program.
func TestProgramIsToldOfOurDeath(t *testing.T) {
	t.Parallel()
	s := start(t, as("run", nil, listener()...))
	s.until("ready")
	s.kill(syscall.SIGKILL)
	s.until("got terminated")
}
