package vaulthttp_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/vaulthttp"
	"github.com/envdrift/envdrift/vault"
)

func TestExplain(t *testing.T) {
	t.Parallel()
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	certificate := func(err error) error { return &tls.CertificateVerificationError{Err: err} }
	tests := []struct {
		name           string
		err            error
		detail, remedy string
	}{
		{"refused", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), "connection refused", "check url, the proxy and the network"},
		{"reset", dial(os.NewSyscallError("read", syscall.ECONNRESET)), "the connection was broken off", "check url,"},
		{"closed", io.EOF, "the connection was broken off", "check url,"},
		{"no host", dial(&net.DNSError{Name: "vault.example.com", Err: "server misbehaving"}), "no such host: vault.example.com", "check url,"},
		{"no route", dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), "connect: no route to host", "check url,"},
		{"unknown authority", certificate(x509.UnknownAuthorityError{}), "its certificate is signed by an unknown authority", "set X_CACERT to the file of the authority's certificate"},
		{"expired", certificate(errors.New("certificate has expired")), "certificate has expired", "check url, X_CACERT and the clock"},
		{"redirect", &vaulthttp.RedirectError{From: "a", To: "https://b"}, "it redirects to https://b, which is not followed", "check url,"},
		{"of a library", errors.New("hvs.t0ken"), "the request failed", "check url,"},
	}
	client := vaulthttp.Client{Address: "url", CA: "X_CACERT", Timeout: time.Second}
	for _, tt := range tests {
		for _, err := range []error{tt.err, fmt.Errorf("sdk: %w", &url.Error{Op: "Get", URL: "https://vault.example.com/v1/t0ken", Err: tt.err})} {
			detail, remedy, kind := client.Explain(err)
			if tt.name == "of a library" && detail == "hvs.t0ken" {
				continue // the transport's own message, if it came with a URL
			}
			if detail != tt.detail || !strings.HasPrefix(remedy, tt.remedy) || kind != vault.ErrUnavailable {
				t.Errorf("%s: Explain(%v) = %q, %q, %v; want %q, %q, unavailable", tt.name, err, detail, remedy, kind, tt.detail, tt.remedy)
			}
		}
	}
}

// A timeout is not worth another try, and the message says how long it was.
func TestExplainTimeout(t *testing.T) {
	t.Parallel()
	for timeout, want := range map[time.Duration]string{time.Second: "no answer within 1s", 0: "no answer in time"} {
		detail, remedy, kind := vaulthttp.Client{Address: "url", Timeout: timeout}.Explain(fmt.Errorf("sdk: %w", context.DeadlineExceeded))
		if detail != want || !strings.HasSuffix(remedy, "raise timeout in [vault]") ||
			!errors.Is(kind, vault.ErrUnavailable) || !errors.Is(kind, context.DeadlineExceeded) {
			t.Errorf("Explain = %q, %q, %v; want %q", detail, remedy, kind, want)
		}
	}
}

func TestCheckRedirect(t *testing.T) {
	t.Parallel()
	var asked int
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked++ }))
	t.Cleanup(elsewhere.Close)
	var to string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/here" {
			http.Redirect(w, r, to, http.StatusTemporaryRedirect)
		}
	}))
	t.Cleanup(server.Close)
	client := &http.Client{Transport: vaulthttp.Transport(), CheckRedirect: vaulthttp.CheckRedirect}
	for target, follows := range map[string]bool{"/here": true, elsewhere.URL: false, "/": false} {
		to = target
		resp, err := client.Get(server.URL)
		if err == nil {
			_ = resp.Body.Close()
		}
		if e, refused := errors.AsType[*vaulthttp.RedirectError](err); refused == follows || refused && e.From != strings.TrimPrefix(server.URL, "http://") {
			t.Errorf("redirect to %q = %v; want it followed: %t", target, err, follows)
		}
	}
	if asked > 0 {
		t.Errorf("the other host was asked %d times", asked)
	}
}

func TestIsLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true,
		"": false, "0.0.0.0": false, "localhost.example.com": false, "10.0.0.1": false, "127.0.0.1.example.com": false,
	} {
		if got := vaulthttp.IsLoopback(host); got != want {
			t.Errorf("IsLoopback(%q) = %t", host, got)
		}
	}
}

func TestOneLine(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"a\n\tb  c\r\n":          "a b c",
		"red\x1b[31m\u202e\xff":  "red[31m",
		strings.Repeat("é", 200): strings.Repeat("é", 150) + "…",
		strings.Repeat("a ", 140) + strings.Repeat("0a", 32):                            strings.Repeat("a ", 140) + "[redacted]", // not cut to half a key
		"a key \u200b" + strings.Repeat("0a", 16) + "\u200b" + strings.Repeat("0a", 16): "a key [redacted]",
		"unknown form " + strings.Repeat("xY-_", 20):                                    "unknown form [redacted]",
	} {
		if got := vaulthttp.OneLine(in); got != want {
			t.Errorf("OneLine(%q) = %q; want %q", in, got, want)
		}
	}
	if got := vaulthttp.Redact("token t0ken, id t0k3, a", "t0ken", "", "t0k3", "a"); got != "token [redacted], id [redacted], a" {
		t.Errorf("Redact = %q", got)
	}
}

func TestFirstOf(t *testing.T) {
	t.Parallel()
	if got := vaulthttp.FirstOf("", " \t", " a ", "b"); got != "a" {
		t.Errorf("FirstOf = %q; want a", got)
	}
	if got := vaulthttp.FirstOf(" "); got != "" {
		t.Errorf("FirstOf of blanks = %q; want nothing", got)
	}
}
