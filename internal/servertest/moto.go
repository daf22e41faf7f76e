package servertest

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Moto is a running moto server, which responds as AWS does but accepts every
// access key.
type Moto struct{ URL string }

// StartMoto starts a server without any data. The environment variable
// MOTO_SERVER names the program; scripts/install-moto prints it.
func StartMoto(t testing.TB) *Moto {
	t.Helper()
	program := os.Getenv("MOTO_SERVER")
	if program == "" {
		t.Fatal(`MOTO_SERVER is not set; run: eval "$(scripts/install-moto)"`)
	}
	for range 5 {
		if m := startMoto(t, program); m != nil {
			return m
		}
	}
	t.Fatal("moto found no free port in 5 attempts")
	return nil
}

// startMoto returns nil if another process took the port.
func startMoto(t testing.TB, program string) *Moto {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	_ = l.Close()
	host, port, _ := net.SplitHostPort(address)

	var log syncBuffer
	cmd := exec.Command(program, "-H", host, "-p", port)
	cmd.Dir, cmd.Env = t.TempDir(), []string{"HOME=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("moto: %v", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })

	for deadline := time.After(time.Minute); ; {
		select {
		case <-exited:
			if strings.Contains(log.String(), "Address already in use") {
				return nil
			}
			t.Fatalf("moto ended:\n%s", log.String())
		case <-deadline:
			t.Fatalf("moto does not answer:\n%s", log.String())
		case <-time.After(20 * time.Millisecond):
			if resp, err := http.Get("http://" + address + "/moto-api/data.json"); err == nil {
				_ = resp.Body.Close()
				return &Moto{URL: "http://" + address}
			}
		}
	}
}

// Do sends Secrets Manager of eu-central-1 a request for an operation, such as
// "CreateSecret", and returns the content of the response. It fails the test
// unless the response is a success.
func (m *Moto) Do(t testing.TB, operation string, in any) map[string]any {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, m.URL, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-amz-json-1.1")
	req.Header.Set("X-Amz-Target", "secretsmanager."+operation)
	// Moto reads the region and the service from here, and ignores the
	// signature.
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAROOT/20260101/eu-central-1/secretsmanager/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("moto: %s: %s %v %v", operation, resp.Status, out, err)
	}
	return out
}
