package runner

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// Exec returns [errors.ErrUnsupported]: Windows cannot replace a process.
func Exec(Command) error { return errors.ErrUnsupported }

// start calls try with the file that is found in the PATH of c.Env. cmd.exe
// runs a batch file, with a command line that batchLine makes.
func (c Command) start(try func(path string, args []string) error) error {
	name := c.Args[0]
	file, err := c.find(name)
	if err == nil {
		err = try(file, c.Args)
	}
	switch {
	case err == nil:
		return nil
	case errors.Is(err, exec.ErrNotFound), errors.Is(err, os.ErrNotExist):
		return &StartError{name, 127, err}
	}
	return &StartError{name, 126, err}
}

func (c Command) find(name string) (string, error) {
	if strings.ContainsAny(name, `:\/`) {
		if c.Dir != "" && !filepath.IsAbs(name) {
			name = filepath.Join(c.Dir, name)
		}
		return exec.LookPath(name)
	}
	path, _ := c.Env.Lookup("PATH")
	for _, dir := range filepath.SplitList(path) {
		file, err := exec.LookPath(filepath.Join(dir, name))
		switch {
		case dir == "" || err != nil && !errors.Is(err, exec.ErrDot):
		case !filepath.IsAbs(dir):
			return "", exec.ErrDot
		default:
			return file, nil
		}
	}
	return "", exec.ErrNotFound
}

// A placement records which signals are caught: the console signals the child.
type placement struct{ forwarded, dropped []os.Signal }

func (c Command) place() placement {
	return placement{dropped: []os.Signal{os.Interrupt, syscall.SIGTERM}}
}

// prepare passes a batch file to cmd.exe.
func (p placement) prepare(cmd *exec.Cmd) {
	if !isBatch(cmd.Path) {
		return
	}
	line, err := batchLine(cmd.Path, cmd.Args[1:])
	root := os.Getenv("SystemRoot")
	if err == nil && !filepath.IsAbs(root) {
		err = exec.ErrNotFound // and not a cmd.exe in the current directory
	}
	cmd.Err = err
	cmd.Path = filepath.Join(root, "System32", "cmd.exe")
	cmd.SysProcAttr = &syscall.SysProcAttr{CmdLine: line}
}

func (p placement) forward(*os.Process, os.Signal) {}

func (p placement) terminate(child *os.Process) { p.kill(child) }

func (p placement) kill(child *os.Process) { _ = child.Kill() }

func exitStatus(state *os.ProcessState) int { return state.ExitCode() }
