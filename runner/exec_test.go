//go:build unix

package runner_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/runner"
)

// An outcome is what the parent of a process sees of it.
type outcome struct {
	status syscall.WaitStatus
	stdout string
}

func (o outcome) String() string {
	if o.status.Signaled() {
		return fmt.Sprintf("signal %d, output %q", o.status.Signal(), o.stdout)
	}
	return fmt.Sprintf("status %d, output %q", o.status.ExitStatus(), o.stdout)
}

func outcomeOf(t *testing.T, cmd *exec.Cmd) outcome {
	t.Helper()
	var stdout bytes.Buffer
	cmd.Stdout = &stdout
	err := cmd.Run()
	if e := (*exec.ExitError)(nil); err != nil && !errors.As(err, &e) {
		t.Fatal(err)
	}
	return outcome{cmd.ProcessState.Sys().(syscall.WaitStatus), stdout.String()}
}

// asRun returns o as a parent process in between reports it.
func (o outcome) asRun() outcome {
	if o.status.Signaled() {
		o.status = syscall.WaitStatus((128 + int(o.status.Signal())) << 8)
	}
	return o
}

// compare starts argv under env(1), Exec and Run.
func compare(t *testing.T, argv ...string) {
	t.Helper()
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatal(err)
	}
	want := outcomeOf(t, exec.Command(env, argv...))
	if got := outcomeOf(t, as("exec", nil, argv...)); got != want {
		t.Errorf("Exec(%.100q) = %v; env(1): %v", argv, got, want)
	}
	if got := outcomeOf(t, as("run", nil, argv...)); got != want.asRun() {
		t.Errorf("Run(%.100q) = %v; env(1): %v", argv, got, want)
	}
}

func TestExitStatusAsEnv(t *testing.T) {
	t.Parallel()
	for status := range 256 {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			compare(t, "sh", "-c", fmt.Sprint("exit ", status))
		})
	}
}

func TestSignalStatusAsEnv(t *testing.T) {
	t.Parallel()
	stopping := []syscall.Signal{syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU}
	for s := syscall.Signal(1); s <= 64; s++ {
		if slices.Contains(stopping, s) {
			continue
		}
		t.Run(fmt.Sprint(int(s)), func(t *testing.T) {
			t.Parallel()
			compare(t, "sh", "-c", fmt.Sprintf("kill -%d $$", int(s)))
		})
	}
}

func TestStartAsEnv(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string, perm os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), perm); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file("bin/plain", "data", 0o644)
	file("bin/tool", `echo first "$0" "$@"`, 0o644)
	file("bin2/tool", `echo second "$0" "$@"`, 0o755)
	file("bin/broken", "#!/no/such/interpreter\n", 0o755)
	file("bin2/broken", "#!/bin/sh\necho mended\n", 0o755)
	bin, bin2 := filepath.Join(dir, "bin"), filepath.Join(dir, "bin2")

	tests := []struct {
		name string
		argv []string
	}{
		{"name not found", []string{"no-such-program-here"}},
		{"path not found", []string{filepath.Join(dir, "none")}},
		{"path through a file", []string{filepath.Join(bin, "plain", "none")}},
		{"empty name", []string{""}},
		{"name too long", []string{strings.Repeat("n", 300)}},
		{"path not executable", []string{filepath.Join(bin, "plain")}},
		{"name not executable", []string{"PATH=" + bin, "plain"}},
		{"directory", []string{dir}},
		{"directory in PATH", []string{"PATH=" + dir, "bin"}},
		{"bad interpreter", []string{filepath.Join(bin, "broken")}},
		{"bad interpreter in PATH", []string{"PATH=" + bin, "broken"}},
		{"good interpreter later in PATH", []string{"PATH=" + bin + ":" + bin2, "broken"}},
		{"not executable, later executable", []string{"PATH=" + bin + ":" + bin2, "tool", "a b"}},
		{"not executable, later missing", []string{"PATH=" + bin + ":/none", "tool"}},
		{"PATH ends in a file", []string{"PATH=/none:" + filepath.Join(bin, "plain"), "tool"}},
		{"PATH of the child", []string{"PATH=" + bin2, "tool"}},
		{"script without #!", []string{filepath.Join(bin2, "tool"), "a  b", "", "$HOME"}},
		{"empty script", []string{file("empty", "", 0o755)}},
		{"empty PATH", []string{"PATH=", "sh", "-c", "exit 3"}},
		{"value with newlines", []string{"V=a\nb\n", "sh", "-c", `printf %s "$V"`}},
		{"value of 128 KiB", []string{"V=" + strings.Repeat("v", 128<<10-3), "sh", "-c", `echo ${#V}`}},
		{"standard input", []string{"cat"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			compare(t, tt.argv...)
		})
	}
}

func TestStartWithoutPathAsEnv(t *testing.T) {
	t.Parallel()
	env, err := exec.LookPath("env")
	if err != nil {
		t.Fatal(err)
	}
	want := outcomeOf(t, exec.Command(env, "-u", "PATH", "sh", "-c", "echo started"))
	c := command("sh", "-c", "echo started")
	c.Env.Delete("PATH")
	var stdout bytes.Buffer
	c.Stdout = &stdout
	status, err := runner.Run(t.Context(), c)
	if status != want.status.ExitStatus() || stdout.String() != want.stdout || err != nil {
		t.Errorf("Run without PATH = %d, %v, output %q; env(1): %v", status, err, stdout.String(), want)
	}
}

func TestStartErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "broken"), []byte("#!/none\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	with := func(name, value string) runner.Environ {
		e := runner.FromList([]string{"PATH=/none"})
		e.Set(name, value)
		return e
	}
	tests := []struct {
		name   string
		c      runner.Command
		status int
		is     error
		text   string
	}{
		{"no command", runner.Command{}, 125, runner.ErrNoCommand, "no command"},
		{"not found", runner.Command{Args: []string{"x"}, Env: with("A", "b")}, 127, exec.ErrNotFound,
			`start "x": executable file not found in $PATH`},
		{"no interpreter", runner.Command{Args: []string{"./broken"}, Dir: dir}, 127, runner.ErrNoInterpreter,
			`start "./broken": the file is there, but the interpreter or loader it names is not`},
		{"not allowed", runner.Command{Args: []string{dir}}, 126, syscall.EACCES,
			fmt.Sprintf("start %q: permission denied", dir)},
		{"relative PATH", runner.Command{Args: []string{"tool"}, Dir: dir, Env: with("PATH", "/none:")}, 126, exec.ErrDot,
			`start "tool": cannot run executable found relative to current directory`},
		{"no directory", runner.Command{Args: []string{"true"}, Dir: "/none"}, 125, os.ErrNotExist,
			"stat /none: no such file or directory"},
		{"directory is a file", runner.Command{Args: []string{"true"}, Dir: filepath.Join(dir, "tool")}, 125, syscall.ENOTDIR,
			"chdir " + filepath.Join(dir, "tool") + ": not a directory"},
		{"NUL in a value", runner.Command{Args: []string{"true"}, Env: with("A", "se\x00cret")}, 125, nil,
			`environment variable "A": NUL byte`},
		{"= in a name", runner.Command{Args: []string{"true"}, Env: with("A=B", "c")}, 125, nil,
			`environment variable "A=B": "=" in the name`},
		{"empty name of a variable", runner.Command{Args: []string{"true"}, Env: with("", "c")}, 125, nil,
			`environment variable "": empty name`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, err := runner.Run(t.Context(), tt.c)
			if status != tt.status || err == nil || err.Error() != tt.text {
				t.Errorf("Run = %d, %v; want %d, %s", status, err, tt.status, tt.text)
			}
			if tt.is != nil && !errors.Is(err, tt.is) {
				t.Errorf("Run: error %v is not %v", err, tt.is)
			}
		})
	}
}

func TestDirIsThatOfTheProgram(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "tool"), []byte("pwd"), 0o755); err != nil {
		t.Fatal(err)
	}
	var stdout bytes.Buffer
	c := command("./tool")
	c.Dir, c.Stdout = dir, &stdout
	if status, err := runner.Run(t.Context(), c); status != 0 || err != nil || strings.TrimSpace(stdout.String()) != dir {
		t.Errorf("Run in %s = %d, %v, output %q", dir, status, err, &stdout)
	}
}

// The child must see what env(1) would show it: no descriptor that this process
// opened, and those that it was given (a jobserver's, a socket of systemd).
func TestExecLeaksNoDescriptor(t *testing.T) {
	t.Parallel()
	given, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer given.Close()
	list := func(cmd *exec.Cmd) string {
		cmd.ExtraFiles = []*os.File{given}
		return outcomeOf(t, cmd).String()
	}
	argv := []string{"sh", "-c", "cd /dev/fd && echo *"}
	want := list(exec.Command("env", argv...))
	for _, part := range []string{"exec", "run"} {
		if got := list(as(part, nil, argv...)); got != want {
			t.Errorf("%s: descriptors %s; env(1): %s", part, got, want)
		}
	}
}

func TestExecKeepsThePid(t *testing.T) {
	t.Parallel()
	var stdout bytes.Buffer
	cmd := as("exec", nil, "sh", "-c", "echo $$")
	cmd.Stdout = &stdout
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := strings.TrimSpace(stdout.String()); got != fmt.Sprint(cmd.Process.Pid) {
		t.Errorf("pid of the program = %s; want %d", got, cmd.Process.Pid)
	}
}

func TestExecGivesEachNameOnce(t *testing.T) {
	t.Parallel()
	for _, part := range []string{"exec", "run"} {
		var stdout bytes.Buffer
		cmd := as(part, nil, "X=ours", "env")
		// os/exec would drop the duplicate that execve(2) keeps.
		cmd.Args = append([]string{"sh", "-c", `exec "$0" "$@"`, cmd.Path}, cmd.Args[1:]...)
		cmd.Path = "/bin/sh"
		cmd.Env = append(cmd.Env, "X=theirs")
		cmd.Stdout = &stdout
		if err := cmd.Run(); err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(stdout.String(), "\n")
		lines = slices.DeleteFunc(lines, func(s string) bool { return !strings.HasPrefix(s, "X=") })
		if !slices.Equal(lines, []string{"X=ours"}) {
			t.Errorf("%s: the program sees %q; want X=ours once", part, lines)
		}
	}
}
