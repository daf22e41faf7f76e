package servertest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

// Servers in the place of a vault, or in front of it: the faults that do not
// depend on the kind of vault. [Web] and [Socket] serve them.

// Web serves h without TLS, to HTTP/1 as well as to gRPC.
func Web(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	server := unstarted(t, h)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetHTTP1(true)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	return server.URL
}

// WebTLS serves h with the certificate of [Azure].
func WebTLS(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	server := unstarted(t, h)
	server.EnableHTTP2 = true
	server.StartTLS()
	return server.URL
}

// Untrusted serves h with a certificate that no client trusts, for 127.0.0.1
// and, because clients may treat loopback as a test server, 0.0.0.0.
func Untrusted(t testing.TB, h http.Handler) (url string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv4zero},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	server := unstarted(t, h)
	server.EnableHTTP2 = true
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}
	server.StartTLS()
	return server.URL
}

func unstarted(t testing.TB, h http.Handler) *httptest.Server {
	server := httptest.NewUnstartedServer(h)
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // clients hang up here
	t.Cleanup(server.Close)
	return server
}

// Silence reads the request and sends nothing until the client gives up.
func Silence(_ http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // else the server does not notice the end
	<-r.Context().Done()
}

// Stranger responds as a server that is not a vault, such as a proxy's sign-in
// page.
func Stranger(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	_, _ = io.WriteString(w, "<html><title>Sign in to the network</title></html>")
}

// Elsewhere redirects every request to another host.
func Elsewhere(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://elsewhere.example.com"+r.URL.Path, http.StatusTemporaryRedirect)
}

// First makes fault answer the first request, and next all others.
func First(fault http.HandlerFunc, next http.Handler) http.HandlerFunc {
	var seen atomic.Bool
	return func(w http.ResponseWriter, r *http.Request) {
		if seen.Swap(true) {
			next.ServeHTTP(w, r)
			return
		}
		fault(w, r)
	}
}

// Socket passes each connection to serve and then closes it.
func Socket(t testing.TB, serve func(net.Conn)) (address string) {
	t.Helper()
	l := listen(t)
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				serve(conn)
				_ = conn.Close()
			}()
		}
	}()
	return l.Addr().String()
}

// Reset resets a connection after its first bytes.
func Reset(conn net.Conn) {
	_, _ = conn.Read(make([]byte, 4096))
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
}

// Closed returns an address on which nothing listens until the test ends. The
// port of an outgoing connection is one: a port that is only free would soon be
// another test's server.
func Closed(t testing.TB) (address string) {
	t.Helper()
	l := listen(t)
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = conn.Close(), l.Close() })
	return conn.LocalAddr().String()
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
