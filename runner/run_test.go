//go:build unix

package runner_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
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

// A session is a wrapper that runs under a test, and its output.
type session struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// start runs cmd in a session without terminal.
func start(t *testing.T, cmd *exec.Cmd) *session {
	t.Helper()
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	return &session{t, cmd, in, bufio.NewReader(out)}
}

// startTTY runs cmd as the leader of a session with a terminal.
func startTTY(t *testing.T, cmd *exec.Cmd) (*session, *os.File) {
	t.Helper()
	near, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		near.Close()
	})
	return &session{t, cmd, near, bufio.NewReader(near)}, near
}

// until reads up to the first line with want in it, and returns those before.
func (s *session) until(want string) []string {
	s.t.Helper()
	var lines []string
	for {
		line, err := s.out.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if strings.Contains(line, want) {
			return lines
		}
		lines = append(lines, line)
		if err != nil {
			s.t.Fatalf("output %q ends with %v; want a line %q", lines, err, want)
		}
	}
}

func (s *session) kill(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func (s *session) wantStatus(want int) {
	s.t.Helper()
	if got := wait(s.cmd); got != want {
		s.t.Errorf("status = %d (%v); want %d", got, s.cmd.ProcessState, want)
	}
}

// listener returns the command line of the test binary as the helper listen,
// for a helper that wraps.
func listener() []string { return []string{helper + "=listen", os.Args[0]} }

func TestSignalsAreForwarded(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		s := start(t, as(part, nil, listener()...))
		s.until("ready")
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGINT, syscall.SIGQUIT, syscall.SIGTERM,
			syscall.SIGUSR2, syscall.SIGWINCH, syscall.SIGUSR1} {
			if signal.Ignored(sig) {
				continue // as under nohup, or as a background job: the program then ignores it too
			}
			s.kill(sig)
			if lines := s.until("got " + sig.String()); len(lines) > 0 {
				t.Errorf("%s: before %v came %q", part, sig, lines)
			}
		}
		s.wantStatus(7)
	}
}

func TestSignalsReachDescendants(t *testing.T) {
	t.Parallel()
	s := start(t, as("run", nil, helper+"=listen", "sh", "-c", `"$0"; exit 9`, os.Args[0]))
	s.until("ready")
	s.kill(syscall.SIGTERM)
	s.until("got terminated")
	s.in.Close()
	s.wantStatus(128 + 15)
}

// The program first signals its parent, which must by then be able to pass that
// on.
func TestSignalDuringStart(t *testing.T) {
	t.Parallel()
	for range 20 {
		s := start(t, as("run", nil, "sh", "-c", `trap 'exit 5' TERM; kill -TERM $PPID; while :; do sleep 0.01; done`))
		s.wantStatus(5)
	}
}

func TestIgnoredHangupStaysIgnored(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		cmd := as(part, nil, "sh", "-c", "kill -HUP $$; kill -HUP $PPID; exit 6")
		cmd.Args = append([]string{"sh", "-c", `trap '' HUP; "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		start(t, cmd).wantStatus(6)
	}
}

func TestContextEndsTheProgram(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		c    runner.Command
		want int
	}{
		{"one that listens", command("sh", "-c", `trap 'exit 5' TERM; echo ready; while :; do sleep 0.01; done`), 5},
		{"one that is stopped", command("sh", "-c", `trap 'exit 5' TERM; echo ready; kill -STOP $$`), 5},
		{"one that ignores SIGTERM", command(os.Args[0]), 128 + 9},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			near, far := openTTY(t)
			out := bufio.NewReader(near)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				(&session{t: t, out: out}).until("ready")
				cancel()
			}()
			tt.c.Env.Set(helper, "deaf")
			tt.c.Terminal = far
			if tt.want == 128+9 {
				tt.c.Grace = time.Millisecond
			}
			if got, err := runner.Run(ctx, tt.c); got != tt.want || err != nil {
				t.Errorf("Run = %d, %v; want %d", got, err, tt.want)
			}
			// The terminal ends when no process has it open any
			// more: no descendant lives.
			far.Close()
			_, _ = io.Copy(io.Discard, out)
		})
	}
}

func TestContextEndedBefore(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got, err := runner.Run(ctx, command("true")); got != 125 || !errors.Is(err, context.Canceled) {
		t.Errorf("Run = %d, %v; want 125, %v", got, err, context.Canceled)
	}
}

// A daemon that keeps the pipe open must not keep this process.
func TestDescendantsHoldOutput(t *testing.T) {
	t.Parallel()
	stdin, hold, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Close()
	defer stdin.Close()
	var stdout bytes.Buffer
	c := command("sh", "-c", `exec 3<&0; "$0" <&3 & echo started`, os.Args[0])
	c.Env.Set(helper, "listen")
	c.Stdin, c.Stdout, c.Grace = stdin, &stdout, 100*time.Millisecond
	if got, err := runner.Run(t.Context(), c); got != 0 || err != nil || !strings.Contains(stdout.String(), "started\n") {
		t.Errorf("Run = %d, %v, output %q; want 0 and started", got, err, stdout.String())
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestOutputCannotBeWritten(t *testing.T) {
	t.Parallel()
	c := command("sh", "-c", "echo lost")
	c.Stdout = brokenWriter{}
	if got, err := runner.Run(t.Context(), c); got != 0 || !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("Run = %d, %v; want 0, %v", got, err, io.ErrClosedPipe)
	}
}

// The terminal sends its signals to the whole group, so the program must not
// get them from its parent as well. It must get what another process sends to
// the parent alone.
func TestKeyboardReachesTheProgramOnce(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		s, near := startTTY(t, as(part, nil, listener()...))
		s.until("ready")
		for _, key := range []struct{ text, want string }{{"\x03", "got interrupt"}, {"\x1c", "got quit"}} {
			if _, err := near.WriteString(key.text); err != nil {
				t.Fatal(err)
			}
			s.until(key.want)
			s.kill(syscall.SIGUSR2)
			if lines := s.until("got " + syscall.SIGUSR2.String()); len(lines) > 0 {
				t.Errorf("%s: after %q came %q", part, key.want, lines)
			}
		}
		if err := pty.Setsize(near, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
			t.Fatal(err)
		}
		s.until("100x30")
		s.kill(syscall.SIGUSR1)
		if lines := s.until("got " + syscall.SIGUSR1.String()); len(lines) > 0 {
			t.Errorf("%s: after the size came %q", part, lines)
		}
		s.wantStatus(7)
	}
}

func TestRawTerminal(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		s, near := startTTY(t, as(part, nil, "sh", "-c", `stty raw -echo; echo ready; dd bs=1 count=1 2>&- | od -An -tx1`))
		s.until("ready")
		if _, err := near.WriteString("\x03"); err != nil {
			t.Fatal(err)
		}
		s.until(" 03")
		s.wantStatus(0)
	}
}

// The program does not read the terminal here. It may stop later than its
// parent, and would read the line meant for the shell.
func TestJobControl(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		cmd := exec.Command("sh", "-i")
		cmd.Env = append(os.Environ(), "ENV=", "PS1=")
		s, near := startTTY(t, cmd)
		for _, step := range []struct{ keys, want string }{
			{helper + "=" + part + " " + os.Args[0] + " " + strings.Join(listener(), " ") + " interrupt\n", "ready"},
			{"\x1a", "Stopped"},
			{"fg\n", "got continued"},
			{"\x03", "got interrupt"},
			{"echo status=$?\n", "status=7"},
			{"exit 3\n", "exit 3"},
		} {
			if _, err := near.WriteString(step.keys); err != nil {
				t.Fatal(err)
			}
			s.until(step.want)
		}
		s.wantStatus(3)
	}
}

// With a terminal of its own the program has a session, and none of its
// parent's streams.
func TestTerminal(t *testing.T) {
	t.Parallel()
	near, far := openTTY(t)
	s := &session{t: t, out: bufio.NewReader(near)}
	c := command("sh", "-c", `test -t 0 -a -t 1 -a -t 2 && : </dev/tty && exec "$0"`, os.Args[0])
	c.Env.Set(helper, "listen")
	c.Terminal = far
	ended := make(chan int, 1)
	go func() {
		status, err := runner.Run(t.Context(), c)
		if err != nil {
			t.Error(err)
		}
		ended <- status
	}()
	s.until("ready")
	for _, step := range []struct{ keys, want string }{{"\x03", "got interrupt"}, {"\x04", ""}} {
		if _, err := near.WriteString(step.keys); err != nil {
			t.Fatal(err)
		}
		if step.want != "" {
			s.until(step.want)
		}
	}
	if got := <-ended; got != 7 {
		t.Errorf("status = %d; want 7", got)
	}
}

func TestTerminalBesideOtherStreams(t *testing.T) {
	t.Parallel()
	_, far := openTTY(t)
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	c := command("sh", "-c", `test ! -t 0 -a ! -t 1 -a -t 2 && : </dev/tty`)
	c.Terminal, c.Stdin, c.Stdout = far, null, io.Discard
	if got, err := runner.Run(t.Context(), c); got != 0 || err != nil {
		t.Errorf("Run = %d, %v; want a terminal at stderr only", got, err)
	}
}

func openTTY(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, far, err := pty.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		near.Close()
		far.Close()
	})
	return near, far
}
