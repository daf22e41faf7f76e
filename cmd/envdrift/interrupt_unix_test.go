//go:build unix

package main

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/servertest"
)

// TestInterrupt presses Ctrl-C while a vault does not answer: every command
// must end with 130, long before the timeout of twenty seconds, without having
// written anything. No time is measured: the server ends the request only when
// the client does, and go test would end a test that hangs.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []*faultyVault{faultyAWS(t, key), faultyAzure(t, key), faultyGCP(t, key), faultyHashicorp(t, key)} {
		for _, args := range []string{"verify", "sync", "exec -- true", "vault-pull . app-key"} {
			t.Run(v.title+"/"+args, func(t *testing.T) {
				t.Parallel()
				interruptVault(t, v, encrypted(t, key), strings.Fields(args))
			})
		}
	}
}

func interruptVault(t *testing.T, v *faultyVault, file string, args []string) {
	arrived := make(chan struct{}, 1)
	silent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case arrived <- struct{}{}:
		default:
		}
		servertest.Silence(w, r)
	})
	f := vaultFault{at: servertest.Web(t, silent)}
	if v.title == "Azure Key Vault" {
		f.at = servertest.WebTLS(t, silent)
	}
	dir := project(t, f.mapped(v, file))
	cmd := v.command(t.Context(), dir, f, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-arrived
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if got := cmd.ProcessState.ExitCode(); got != statusInterrupt || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("status %d; want %d\n%s", got, statusInterrupt, stderr.String())
	}
	if _, err := os.Lstat(filepath.Join(dir, ".env.keys")); err == nil {
		t.Error(".env.keys was written")
	}
}

// TestInterruptComputing presses Ctrl-C while a hundred thousand values are
// decrypted, which takes half a minute and looks at no context.
func TestInterruptComputing(t *testing.T) {
	t.Parallel()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	value, err := key.PublicKey().Encrypt([]byte("value"))
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&file, "A%d=%s\n", i, value)
	}
	b := newBench(t, t.TempDir())
	b.write(".env", []byte(file.String()))
	for _, args := range []string{"decrypt", "decrypt --stdout", "exec -f .env -- true", "env -f .env"} {
		t.Run(args, func(t *testing.T) {
			cmd := exec.Command("envdrift", strings.Fields(args)...)
			var stderr bytes.Buffer
			cmd.Dir, cmd.Env, cmd.Stderr = b.dir, append(b.env, "DOTENV_PRIVATE_KEY="+key.Reveal()), &stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Second)
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				t.Fatal(err)
			}
			pressed := time.Now()
			_ = cmd.Wait()
			if got := cmd.ProcessState.ExitCode(); got != statusInterrupt || !strings.Contains(stderr.String(), "interrupted") {
				t.Errorf("status %d; want %d\n%s", got, statusInterrupt, stderr.String())
			}
			if took := time.Since(pressed); took > 5*time.Second {
				t.Errorf("it took %v to end", took)
			} else {
				t.Logf("it took %v to end", took)
			}
			if b.read(".env") != file.String() {
				t.Error(".env was changed")
			}
		})
	}
}
