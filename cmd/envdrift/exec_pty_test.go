//go:build unix

package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

// A console is a terminal of 24 lines and 80 columns that a program runs on.
type console struct {
	*testing.T
	near *os.File
	out  *bufio.Reader
	cmd  *exec.Cmd
}

// onConsole starts argv beside an env file.
func onConsole(t *testing.T, argv ...string) *console {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".env"), []byte("KEY=s3cr3t-value\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TERM=xterm")
	near, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 24, Cols: 80})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		near.Close()
	})
	return &console{t, near, bufio.NewReader(near), cmd}
}

// read returns the output up to and including want.
func (c *console) read(want string) string {
	c.Helper()
	var seen strings.Builder
	for !strings.HasSuffix(seen.String(), want) {
		b, err := c.out.ReadByte()
		if err != nil {
			c.Fatalf("no %q in %q: %v", want, seen.String(), err)
		}
		seen.WriteByte(b)
	}
	return seen.String()
}

func (c *console) enter(text string) {
	c.Helper()
	if _, err := c.near.WriteString(text); err != nil {
		c.Fatal(err)
	}
}

// end returns the rest of the output and the status.
func (c *console) end() (rest string, status int) {
	data, _ := io.ReadAll(c.out) // ends with EIO on Linux
	_ = c.cmd.Wait()
	return string(data), c.cmd.ProcessState.ExitCode()
}

// ways are the ways in which a program can use envdrift's terminal.
var ways = [][]string{
	{"envdrift", "exec"},
	{"envdrift", "exec", "--mask"},
	{"envdrift", "exec", "--watch"},
	{"envdrift", "exec", "--mask", "--watch"},
}

func eachWay(t *testing.T, test func(t *testing.T, run func(argv ...string) *console)) {
	for _, way := range ways {
		t.Run(strings.Join(way, " "), func(t *testing.T) {
			t.Parallel()
			test(t, func(argv ...string) *console {
				t.Helper()
				return onConsole(t, append(append(way[:len(way):len(way)], "--"), argv...)...)
			})
		})
	}
}

// What the keyboard sends arrives once: as a signal, as a line, or as a byte if
// the program reads those.
func TestExecKeyboard(t *testing.T) {
	t.Parallel()
	const counter = `n=0; trap 'n=$((n+1)); echo int $n' INT; echo ready
		while :; do read -r line && echo "line $line, int $n" && exit 7; done`
	eachWay(t, func(t *testing.T, run func(...string) *console) {
		c := run("sh", "-c", counter)
		c.read("ready")
		c.enter("\x03")
		c.read("int 1")
		c.enter("end\n")
		c.read("line end, int 1")
		if _, status := c.end(); status != 7 {
			t.Errorf("status %d; want 7", status)
		}
	})
	eachWay(t, func(t *testing.T, run func(...string) *console) {
		c := run("sh", "-c", "stty raw -echo; echo ready; dd bs=1 count=1 2>/dev/null | od -An -tx1")
		c.read("ready")
		c.enter("\x03")
		c.read(" 03")
	})
}

// A program that dies of the ^C that it got is reported as the shell does.
func TestExecInterrupted(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(...string) *console) {
		c := run("sh", "-c", "echo ready; exec sleep 60")
		c.read("ready")
		c.enter("\x03")
		_, status := c.end()
		if killed := c.cmd.ProcessState.Sys().(syscall.WaitStatus); status != 130 && killed.Signal() != syscall.SIGINT {
			t.Errorf("status %d, %v; want 130 or an interrupt", status, killed)
		}
	})
}

func TestExecWindow(t *testing.T) {
	t.Parallel()
	eachWay(t, func(t *testing.T, run func(...string) *console) {
		c := run("sh", "-c", "trap 'stty size; exit' WINCH; stty size; echo ready; while :; do sleep 0.02; done")
		c.read("24 80")
		c.read("ready")
		if err := pty.Setsize(c.near, &pty.Winsize{Rows: 30, Cols: 100}); err != nil {
			t.Fatal(err)
		}
		c.read("30 100")
	})
}

// With masked output a program still has a terminal for everything, its screen
// control arrives unchanged, and envdrift's terminal is restored afterwards.
func TestExecMaskOnTerminal(t *testing.T) {
	t.Parallel()
	c := onConsole(t, "sh", "-c", `stty -echo; before=$(stty -g)
		envdrift exec --mask -- sh -c 'test -t 0 && test -t 1 && test -t 2 && : >/dev/tty && echo terminal; stty -a | grep -o -- "-echo "
			printf "\033[?1049h\033[2J\033[5;5H%s\033[?1049l\n" "$KEY"; echo "$KEY" >&2; seq 1 20000; exit 7'
		echo status $?; test "$before" = "$(stty -g)" && echo restored`)
	c.read("terminal")
	c.read("-echo")
	if got := c.read("1049l"); !strings.Contains(got, "\x1b[?1049h\x1b[2J\x1b[5;5H[masked]\x1b[?1049l") {
		t.Errorf("the screen got %q", got)
	}
	c.read("[masked]")
	c.read("20000")
	c.read("status 7")
	c.read("restored")
	if rest, _ := c.end(); strings.Contains(rest, "s3cr3t") {
		t.Errorf("the output holds the secret: %q", rest)
	}
}

// Agents give programs terminals of their own, and read what is on them.
func TestExecMaskOnAgentsTerminal(t *testing.T) {
	t.Parallel()
	c := onConsole(t, "env", "CODEX_CI=1", "envdrift", "exec", "--", "sh", "-c", `test -t 0 && test -t 1 && test -t 2 && echo "terminal $KEY"; exit 7`)
	c.read("terminal [masked]")
	if rest, status := c.end(); status != 7 || !strings.Contains(rest, "a coding agent runs this") {
		t.Errorf("status %d, %q", status, rest)
	}
}

// A prompt is seen before the line that answers it, although it could begin a
// secret.
func TestExecMaskShowsPrompts(t *testing.T) {
	t.Parallel()
	c := onConsole(t, "envdrift", "exec", "--mask", "--", "sh", "-c", `printf s3; read -r x; echo "got $x"`)
	prompt := make([]byte, len("s3"))
	if _, err := io.ReadFull(c.out, prompt); err != nil || string(prompt) != "s3" {
		t.Fatalf("prompt %q, %v", prompt, err)
	}
	c.enter("answer\n")
	c.read("got answer")
}

// If standard output is not a terminal, the program has the keyboard itself,
// and of a pipeline only the last part matters.
func TestExecMaskIntoPipe(t *testing.T) {
	t.Parallel()
	c := onConsole(t, "sh", "-c", `envdrift exec --mask -- sh -c 'test -t 0 && test ! -t 1 && read -r x && echo "$x $KEY"' | cat`)
	c.enter("typed\n")
	c.read("typed [masked]")

	c = onConsole(t, "sh", "-c", `echo piped | envdrift exec --mask -- sh -c 'test ! -t 0 && test -t 1 && read -r x && echo "$x $KEY"'`)
	c.read("piped [masked]")
}

// A background job of a shell without job control does not receive ^C.
func TestExecKeepsIgnoredInterrupt(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--keys=auto", "--mask", "--watch"} {
		c := onConsole(t, "sh", "-c", `trap '' INT; envdrift exec `+flag+` -- sh -c 'kill -INT $$; echo alive'`)
		c.read("alive")
	}
}

func TestEnvRefusesTerminal(t *testing.T) {
	t.Parallel()
	c := onConsole(t, "envdrift", "env")
	got, status := c.end()
	if status != statusUsage || !strings.Contains(got, "--yes") || strings.Contains(got, "s3cr3t") {
		t.Errorf("status %d, %q; want %d and no secret", status, got, statusUsage)
	}
	onConsole(t, "envdrift", "env", "--yes").read("export KEY='s3cr3t-value'")
}
