package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"syscall"
	"time"
)

// A command is a program with its arguments, where it runs and with which
// environment.
type command struct {
	dir  string
	env  []string
	argv []string
}

// A sample is the result of one run.
type sample struct {
	Wall, CPU time.Duration
	Peak      int64 // resident memory, bytes
	Status    int
}

var errCapped = errors.New("stopped: took longer than the cap")

// run measures c once. The program is started by a process of its own, this
// program as "bench child", because Linux counts the memory of the process that
// starts a program as that program's: with a small parent the error is small.
func (c command) run(ctx context.Context, limit time.Duration) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return sample{}, err
	}
	out, report, err := os.Pipe()
	if err != nil {
		return sample{}, err
	}
	defer out.Close()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, self, append([]string{"child"}, c.argv...)...)
	cmd.Dir, cmd.Env, cmd.Stderr, cmd.ExtraFiles = c.dir, c.env, &stderr, []*os.File{report}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	err = cmd.Run()
	report.Close()
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return sample{}, errCapped
	}
	var s sample
	if err == nil {
		err = json.NewDecoder(out).Decode(&s)
	}
	if err == nil && s.Status != 0 {
		err = fmt.Errorf("status %d", s.Status)
	}
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", c, err, stderr.Bytes())
	}
	return s, nil
}

func (c command) String() string { return fmt.Sprintf("%q in %s", c.argv, c.dir) }

// child does the other half of run: it starts argv, waits, and reports on
// descriptor 3.
func child(argv []string) error {
	syscall.CloseOnExec(3)
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stderr = os.Stderr
	begin := time.Now()
	err := cmd.Run()
	wall := time.Since(begin)
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		return err
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	peak := usage.Maxrss
	if runtime.GOOS != "darwin" { // which counts bytes
		peak *= 1024
	}
	return json.NewEncoder(os.NewFile(3, "report")).Encode(sample{
		Wall: wall, CPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(),
		Peak: peak, Status: cmd.ProcessState.ExitCode(),
	})
}

// A summary summarizes a number of samples, in seconds and bytes.
type summary struct {
	Runs                  int
	Median, Min, P10, P90 float64
	CPU                   float64 // median
	Peak                  int64   // the largest
}

func summarize(samples []sample) summary {
	s := summary{Runs: len(samples)}
	var walls, cpus []float64
	for _, x := range samples {
		walls, cpus = append(walls, x.Wall.Seconds()), append(cpus, x.CPU.Seconds())
		s.Peak = max(s.Peak, x.Peak)
	}
	s.Min, s.P10, s.Median, s.P90 = quantile(walls, 0), quantile(walls, 0.1), quantile(walls, 0.5), quantile(walls, 0.9)
	s.CPU = quantile(cpus, 0.5)
	return s
}

// quantile interpolates between the two nearest values; it returns 0 if there
// are none.
func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := q * float64(len(sorted)-1)
	i := min(int(at), len(sorted)-2)
	if i < 0 {
		return sorted[0]
	}
	return sorted[i] + (at-float64(i))*(sorted[i+1]-sorted[i])
}
