//go:build unix

package main

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
