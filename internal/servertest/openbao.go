// Package servertest starts the real servers for integration tests, on
// loopback, each with its own data. They end with the test. If a server is not
// installed, the test fails: a test that did not run must not pass.
package servertest

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// Bao is a running OpenBao server, unsealed, with a version 2 KV engine at
// secret/.
type Bao struct {
	URL    string
	Token  string // root's
	CACert string // file; "" without TLS

	http *http.Client
}

// OpenBao starts a server in development mode with further arguments, of which
// "-dev-tls" makes it use TLS. The environment variable BAO names the program;
// scripts/install-openbao prints it.
func OpenBao(t testing.TB, args ...string) *Bao {
	t.Helper()
	program := os.Getenv("BAO")
	if program == "" {
		t.Fatal(`BAO is not set; run: eval "$(scripts/install-openbao)"`)
	}
	for range 5 {
		if b := startBao(t, program, args); b != nil {
			return b
		}
	}
	t.Fatal("openbao found no free port in 5 attempts")
	return nil
}

// startBao returns nil if another process took the port.
func startBao(t testing.TB, program string, args []string) *Bao {
	t.Helper()
	b := &Bao{Token: "root", http: http.DefaultClient}
	address, scheme := freePorts(t), "http"
	home := t.TempDir()
	argv := append([]string{"server", "-dev", "-dev-root-token-id=" + b.Token, "-dev-no-store-token",
		"-dev-listen-address=" + address}, args...)
	if slices.Contains(args, "-dev-tls") {
		scheme, b.CACert = "https", filepath.Join(home, "vault-ca.pem")
		argv = append(argv, "-dev-tls-cert-dir="+home)
	}
	b.URL = scheme + "://" + address

	var log syncBuffer
	cmd := exec.Command(program, argv...)
	cmd.Dir, cmd.Env = home, []string{"HOME=" + home, "PATH=" + os.Getenv("PATH")}
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatalf("openbao: %v", err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })

	for deadline := time.After(time.Minute); ; {
		select {
		case <-exited:
			if strings.Contains(log.String(), "address already in use") {
				return nil
			}
			t.Fatalf("openbao ended:\n%s", log.String())
		case <-deadline:
			t.Fatalf("openbao does not answer:\n%s", log.String())
		case <-time.After(20 * time.Millisecond):
			if b.answers() {
				return b
			}
		}
	}
}

// freePorts returns the first of two ports: the server takes the next one for
// its cluster.
func freePorts(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		port := l.Addr().(*net.TCPAddr).Port
		next, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port+1))
		_ = l.Close()
		if err == nil {
			_ = next.Close()
			return fmt.Sprintf("127.0.0.1:%d", port)
		}
	}
	t.Fatal("no two free ports in a row")
	return ""
}

func (b *Bao) answers() bool {
	if b.CACert != "" && b.http == http.DefaultClient {
		pem, err := os.ReadFile(b.CACert)
		roots := x509.NewCertPool()
		if err != nil || !roots.AppendCertsFromPEM(pem) {
			return false
		}
		b.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	}
	// It is mounted at the end of the start; the health check may succeed
	// earlier.
	resp, err := b.do("GET", "secret/config", nil)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

// Do sends one request to the API, as root, and returns the content of the
// response; path is below /v1/ and may begin with "namespace:". It fails the
// test unless the response is a success.
func (b *Bao) Do(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	resp, err := b.do(method, path, body)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var answer map[string]any
	if resp.StatusCode != http.StatusNoContent {
		err = json.NewDecoder(resp.Body).Decode(&answer)
	}
	if err != nil || resp.StatusCode >= 300 {
		t.Fatalf("openbao: %s %s: %s %v %v", method, path, resp.Status, answer, err)
	}
	return answer
}

func (b *Bao) do(method, path string, body any) (*http.Response, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	namespace, path, ok := strings.Cut(path, ":")
	if !ok {
		namespace, path = "", namespace
	}
	req, err := http.NewRequest(method, b.URL+"/v1/"+path, bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-Vault-Token", b.Token)
	req.Header.Set("X-Vault-Namespace", namespace)
	return b.http.Do(req)
}

// Policy makes a policy and returns a token that has it and the default one.
func (b *Bao) Policy(t testing.TB, name, rules string) (token string) {
	t.Helper()
	b.Do(t, "PUT", "sys/policies/acl/"+name, map[string]string{"policy": rules})
	return b.NewToken(t, map[string]any{"policies": []string{name}})
}

// NewToken creates a token with the options of the API's auth/token/create.
func (b *Bao) NewToken(t testing.TB, options map[string]any) string {
	t.Helper()
	auth, _ := b.Do(t, "POST", "auth/token/create", options)["auth"].(map[string]any)
	token, ok := auth["client_token"].(string)
	if !ok {
		t.Fatal("openbao: no token in the answer")
	}
	return token
}

// A syncBuffer is written by a process while the test reads it.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
