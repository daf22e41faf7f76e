//go:build unix

package main

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestExecInterruptedWhileLoading sends a signal while exec decrypts many values:
// it must end with the signal's status, and never start the program.
func TestExecInterruptedWhileLoading(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	plaintexts := make([][]byte, 6000)
	for i := range plaintexts {
		plaintexts[i] = fmt.Append(nil, i)
	}
	values, err := key.PublicKey().EncryptAll(plaintexts)
	if err != nil {
		t.Fatal(err)
	}
	file := "DOTENV_PUBLIC_KEY=" + key.PublicKey().String() + "\n"
	for i, v := range values {
		file += fmt.Sprintf("A%d=%s\n", i, v)
	}
	dir := project(t, vaultFault{files: map[string]string{".env": file, ".env.keys": dotenv.PrivatePrefix + "=" + ecies.Keys{key}.Reveal() + "\n"}})
	for _, flags := range []string{"", "--mask", "--watch"} {
		for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
			t.Run(signal.String()+flags, func(t *testing.T) {
				started := filepath.Join(dir, "started")
				args := append([]string{"-v", "exec", "-f", ".env"}, strings.Fields(flags)...)
				cmd := exec.Command("envdrift", append(args, "--", "touch", started)...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "CI=true", "GORACE="+noRaceSleep)
				stderr, err := cmd.StderrPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				lines := bufio.NewScanner(stderr)
				for lines.Scan() && !strings.HasPrefix(lines.Text(), "env file: ") {
				}
				if err := cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				for lines.Scan() {
				}
				_ = cmd.Wait()
				if got := cmd.ProcessState.ExitCode(); got != 128+int(signal) {
					t.Errorf("status %d; want %d", got, 128+int(signal))
				}
				if _, err := os.Lstat(started); err == nil {
					t.Error("the program was started")
				}
			})
		}
	}
}
