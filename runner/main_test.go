//go:build unix

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/envdrift/envdrift/runner"
)

// helper names the variable that makes the test binary run as a helper program.
const helper = "RUNNER_TEST_HELPER"

func TestMain(m *testing.M) {
	part := os.Getenv(helper)
	os.Unsetenv(helper)
	switch part {
	case "":
		os.Exit(m.Run())
	case "exec", "run", "supervise":
		os.Exit(wrap(part))
	case "listen":
		os.Exit(listen())
	case "deaf":
		os.Exit(deaf())
	}
	panic("unknown part " + part)
}

// wrap starts os.Args[1:] as a command-line program based on this package
// would. Leading "name=value" arguments become variables, as with env(1).
func wrap(part string) int {
	// It would not be close-on-exec, were it not for package os.
	file, err := os.Open(os.Args[0])
	if err != nil {
		panic(err)
	}
	defer file.Close()
	c := runner.Command{Args: os.Args[1:], Env: runner.FromList(os.Environ())}
	for len(c.Args) > 0 && strings.Contains(c.Args[0], "=") {
		name, value, _ := strings.Cut(c.Args[0], "=")
		c.Env.Set(name, value)
		c.Args = c.Args[1:]
	}
	status := 125
	switch part {
	case "exec":
		err = runner.Exec(c)
	case "run":
		status, err = runner.Run(context.Background(), c)
	case "supervise":
		status, err = runner.Supervise(context.Background(), c, onUSR2(c), runner.Backoff{})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if e := (*runner.StartError)(nil); errors.As(err, &e) {
		status = e.Status
	}
	return status
}

// onUSR2 returns c each time USR2 comes.
func onUSR2(c runner.Command) <-chan runner.Command {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR2)
	replacements := make(chan runner.Command)
	go func() {
		for range signals {
			replacements <- c
		}
	}()
	return replacements
}

// listen prints "ready" and the signals that arrive. USR1 and the end of its
// input end it, with status 7; if its argument is "interrupt", it does not read
// its input, and INT ends it.
func listen() int {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
		syscall.SIGUSR1, syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGCONT)
	last := os.Signal(syscall.SIGUSR1)
	closed := make(chan bool)
	if len(os.Args) > 1 {
		last = os.Interrupt
	} else {
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			close(closed)
		}()
	}
	fmt.Println("ready")
	for {
		select {
		case s := <-signals:
			if s == syscall.SIGWINCH {
				if rows, cols, err := pty.Getsize(os.Stdout); err == nil {
					fmt.Printf("%dx%d\n", cols, rows)
					continue
				}
			}
			fmt.Printf("got %v\n", s)
			if s == last {
				return 7
			}
		case <-closed:
			return 7
		}
	}
}

// deaf ignores SIGTERM, as does the descendant that it starts.
func deaf() int {
	signal.Ignore(syscall.SIGTERM)
	if len(os.Args) > 1 {
		time.Sleep(time.Hour) // not select{}: the runtime calls that a deadlock
	}
	cmd := as("deaf", nil, "descendant")
	cmd.Stdout = os.Stdout
	if err := cmd.Start(); err != nil {
		panic(err)
	}
	fmt.Println("ready")
	_ = cmd.Wait() // it may die first of the two
	time.Sleep(time.Hour)
	return 0
}

func wait(cmd *exec.Cmd) int {
	_ = cmd.Wait()
	return cmd.ProcessState.ExitCode()
}

// as returns the command line of the test binary as a helper, with args.
func as(part string, env []string, args ...string) *exec.Cmd {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Env = append(append(os.Environ(), env...), helper+"="+part)
	return cmd
}

// command returns argv with this process's environment.
func command(argv ...string) runner.Command {
	return runner.Command{Args: argv, Env: runner.FromList(os.Environ())}
}
