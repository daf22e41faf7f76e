//go:build integration && linux

package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// wrapped contains what the programs below need: a value, and a project of each
// kind that prints it and exits with 7.
var wrapped = map[string]string{
	".env":         "KEY=s3cr3t\nLINES2=\"a\nb\"\n",
	"package.json": `{"name": "app", "version": "1.0.0", "scripts": {"start": "node app.js"}}`,
	"app.js":       "console.log('got ' + process.env.KEY); process.exit(7)\n",
	"app.py":       "import os, sys\nprint('got ' + os.environ['KEY'])\nsys.exit(7)\n",
	"Makefile":     "start:\n\t@echo got $$KEY\n\t@exit 7\n",
	"go.mod":       "module app\n\ngo 1.24\n",
	"main.go": `package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Println("got " + os.Getenv("KEY"))
	os.Exit(7)
}
`,
	"server.py": `import http.server, os, signal, sys
server = http.server.HTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)
def stop(*_):
    os.write(1, ('stopped ' + os.environ['KEY'] + '\n').encode()) # print is not reentrant
    os._exit(5)
signal.signal(signal.SIGTERM, stop)
os.write(1, b'ready\n')
server.serve_forever()
`,
	"screen.py": `import curses, os
def main(screen):
    rows, cols = screen.getmaxyx()
    screen.addstr(0, 0, '%dx%d %s' % (rows, cols, os.environ['KEY']))
    screen.refresh()
    key = screen.getch()
    return 'key %d' % key
print(curses.wrapper(main))
`,
}

func wrappedDir(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range wrapped {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Programs that users commonly wrap see the value and keep their status, which
// some tools replace.
func TestExecWraps(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		argv []string
		want int
	}{
		{"npm", []string{"npm", "start", "--silent"}, 7},
		{"node", []string{"node", "app.js"}, 7},
		{"python", []string{"python3", "app.py"}, 7},
		{"python -c", []string{"python3", "-c", "import os; print('got ' + os.environ['KEY'], flush=True); os._exit(7)"}, 7},
		{"sh", []string{"sh", "-c", `echo "got $KEY"; exit 7`}, 7},
		{"make", []string{"make", "start"}, 2},
		{"go run", []string{"go", "run", "."}, 1},
		{"env -i keeps what it is told", []string{"sh", "-c", `env -i KEY="$KEY" sh -c 'echo "got $KEY"; exit 7'`}, 7},
		{"setsid", []string{"setsid", "--wait", "sh", "-c", `echo "got $KEY"; exit 7`}, 7},
		{"nohup", []string{"nohup", "sh", "-c", `echo "got $KEY"; exit 7`}, 7},
		{"xargs", []string{"sh", "-c", `echo "$KEY" | xargs echo got; exit 7`}, 7},
	}
	for _, flags := range [][]string{nil, {"--mask"}} {
		want := "got s3cr3t"
		if flags != nil {
			want = "got [masked]"
		}
		for _, tt := range tests {
			t.Run(strings.Join(append([]string{tt.name}, flags...), " "), func(t *testing.T) {
				t.Parallel()
				cmd := exec.Command("envdrift", append(append(append([]string{"exec"}, flags...), "--"), tt.argv...)...)
				cmd.Dir = wrappedDir(t)
				out, err := cmd.CombinedOutput()
				if got := cmd.ProcessState.ExitCode(); got != tt.want || !strings.Contains(string(out), want) {
					t.Errorf("%q: status %d (%v), output %q; want %d and %q", tt.argv, got, err, out, tt.want, want)
				}
			})
		}
	}
}

// A server that is told to stop does so by its own rules, also as PID 1.
func TestExecServer(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{{"--keys=auto"}, {"--mask"}, {"--watch"}} {
		t.Run(flags[0], func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command("envdrift", append(append([]string{"exec"}, flags...), "--", "python3", "server.py")...)
			cmd.Dir = wrappedDir(t)
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(out)
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), "ready") {
				t.Fatalf("the server says %q", lines.Text())
			}
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
			if !lines.Scan() || !strings.HasPrefix(lines.Text(), "stopped") {
				t.Errorf("the server says %q", lines.Text())
			}
			if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 5 {
				t.Errorf("status %d; want 5", cmd.ProcessState.ExitCode())
			}
		})
	}
}

// As PID 1, which gets no signal that it has no handler for, and which adopts
// orphans.
func TestExecAsInit(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--keys=auto", "--mask", "--watch"} {
		cmd := exec.Command("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child",
			"envdrift", "exec", flag, "--", "sh", "-c", `trap 'echo heard; exit 5' TERM; kill -TERM $$; exit 6`)
		cmd.Dir = wrappedDir(t)
		out, err := cmd.CombinedOutput()
		if got := cmd.ProcessState.ExitCode(); got != 5 || !strings.Contains(string(out), "heard") {
			t.Errorf("%s: status %d (%v), output %q; want 5", flag, got, err, out)
		}
	}
}

// A full-screen program gets its size, draws, and reads single keys.
func TestExecFullScreen(t *testing.T) {
	t.Parallel()
	for _, flag := range []string{"--keys=auto", "--mask"} {
		dir := wrappedDir(t)
		c := onConsole(t, "envdrift", "-C", dir, "exec", flag, "--", "python3", "screen.py")
		c.read("24x80 ")
		c.enter("q")
		c.read("key 113")
		if rest, status := c.end(); status != 0 {
			t.Errorf("%s: status %d, then %q", flag, status, rest)
		}
	}
}

// The program has the rules for core dumps and tracing that it would have
// without envdrift. envdrift has stricter ones while it has keys.
func TestExecMemory(t *testing.T) {
	t.Parallel()
	const look = `import ctypes, resource
print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), resource.getrlimit(resource.RLIMIT_CORE))`
	bare, err := exec.Command("python3", "-c", look).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, flag := range []string{"--keys=auto", "--mask"} {
		cmd := exec.Command("envdrift", "exec", flag, "--", "python3", "-c", look)
		cmd.Dir = wrappedDir(t)
		got, err := cmd.Output()
		if err != nil || string(got) != string(bare) {
			t.Errorf("%s: %q, %v; want %q", flag, got, err, bare)
		}
	}
}
