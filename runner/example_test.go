//go:build unix

package runner_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"github.com/creack/pty"

	"github.com/envdrift/envdrift/runner"
)

// A wrapper in a few lines. If the program cannot be started, the wrapper ends
// with the status that env(1) would return. If it can, it replaces this process
// and Exec does not return.
func ExampleExec() {
	env := runner.FromList(os.Environ())
	env.Set("GREETING", "hello")
	err := runner.Exec(runner.Command{Args: []string{"no-such-program"}, Env: env})
	fmt.Println(err)

	status := 125
	if e := (*runner.StartError)(nil); errors.As(err, &e) {
		status = e.Status
	}
	fmt.Println(status)
	// Output:
	// start "no-such-program": executable file not found in $PATH
	// 127
}

func ExampleRun() {
	c := runner.Command{Args: []string{"sh", "-c", "kill -TERM $$"}, Env: runner.FromList(os.Environ())}
	status, err := runner.Run(context.Background(), c)
	fmt.Println(status, err)
	// Output: 143 <nil>
}

func ExampleMask() {
	env := runner.FromList(os.Environ())
	env.Set("TOKEN", "s3cr3t-token")
	out := runner.NewMask([]string{"s3cr3t-token"}).Writer(os.Stdout, 0)
	defer out.Close()

	c := runner.Command{Args: []string{"sh", "-c", "echo the token is $TOKEN"}, Env: env, Stdout: out}
	if _, err := runner.Run(context.Background(), c); err != nil {
		log.Print(err)
	}
	// Output: the token is [masked]
}

// Output can be masked while the program keeps a terminal: it writes to a
// pseudo-terminal, whose other side is copied to the real one. Raw mode and the
// window's size are left out here.
func ExampleCommand_terminal() {
	near, far, err := pty.Open()
	if err != nil {
		log.Print(err)
		return
	}
	defer near.Close()
	out := runner.NewMask([]string{"s3cr3t-token"}).Writer(os.Stdout, 50*time.Millisecond)
	defer out.Close()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		_, _ = io.Copy(out, near) // ends with an error when the terminal is gone
	}()

	env := runner.FromList(os.Environ())
	env.Set("TOKEN", "s3cr3t-token")
	c := runner.Command{Args: []string{"sh", "-c", `test -t 1 && echo "on a terminal: $TOKEN"`}, Env: env, Terminal: far}
	if _, err := runner.Run(context.Background(), c); err != nil {
		log.Print(err)
	}
	far.Close()
	<-copied
	// Output: on a terminal: [masked]
}

func ExampleSupervise() {
	env := runner.FromList(os.Environ())
	c := runner.Command{Args: []string{"sh", "-c", "echo version $V; test $V = 2 || sleep 60"}, Env: env}
	replacements := make(chan runner.Command, 1)
	c.Env.Set("V", "1")

	// The code that watches the files sends a new Command, with an Environ
	// that is not that of the first.
	next := c
	next.Env = env.Clone()
	next.Env.Set("V", "2")
	replacements <- next

	status, err := runner.Supervise(context.Background(), c, replacements, runner.Backoff{Min: 500 * time.Millisecond, Max: time.Minute})
	fmt.Println(status, err)
	// Output:
	// version 1
	// version 2
	// 0 <nil>
}
