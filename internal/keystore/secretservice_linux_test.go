package keystore

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/envdrift/envdrift/internal/secret"
)

// A bus or a service that does not answer is waited for once, not by each command and for
// each key: git starts a command for each file of a diff.
func TestSilence(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(net.Conn){"bus": func(net.Conn) {}, "service": greet} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, keys := t.TempDir(), newKeys(t, 2)
			var asked atomic.Int32
			listen(t, filepath.Join(dir, "bus"), func(c net.Conn) { asked.Add(1); answer(c) })
			env := map[string]string{"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir}
			for range 3 {
				s := &secretService{getenv: func(name string) string { return env[name] }}
				for _, key := range keys {
					if _, err := s.get(t.Context(), key.PublicKey().String()); err == nil {
						t.Error("get = a key of a silent store")
					}
					if err := s.put(t.Context(), key.PublicKey().String(), secret.New("x"), 0); err == nil {
						t.Error("put = nil; want an error")
					}
				}
				s.close()
			}
			if got := asked.Load(); got != 1 {
				t.Errorf("%d connections; want 1", got)
			}
			env["DBUS_SESSION_BUS_ADDRESS"] = "unix:path=" + filepath.Join(dir, "other")
			listen(t, filepath.Join(dir, "other"), func(c net.Conn) { asked.Add(1); c.Close() })
			s := &secretService{getenv: func(name string) string { return env[name] }}
			if _, err := s.get(t.Context(), keys[0].PublicKey().String()); err == nil || asked.Load() != 2 {
				t.Errorf("get from another bus = %v after %d connections; want an error after 2", err, asked.Load())
			}
		})
	}
}

// A program does not wait for a store that it turns out not to need.
func TestCloseDoesNotWaitForAhead(t *testing.T) {
	t.Parallel()
	dir, accepted := t.TempDir(), make(chan bool, 1)
	listen(t, filepath.Join(dir, "bus"), func(net.Conn) { accepted <- true })
	env := map[string]string{"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir}
	k := Open(func(name string) string { return env[name] })
	k.Ahead(t.Context())
	<-accepted
	begin := time.Now()
	k.Close()
	if took := time.Since(begin); took > patience/2 {
		t.Errorf("Close took %v", took)
	}
}

func listen(t *testing.T, path string, serve func(net.Conn)) {
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			go serve(c)
		}
	}()
}

// greet answers as a bus to its first call, and to nothing after.
func greet(c net.Conn) {
	r := bufio.NewReader(c)
	for line := ""; line != "BEGIN\r\n"; {
		var err error
		if line, err = r.ReadString('\n'); err != nil {
			return
		}
	}
	// The return of Hello, with serial 1, whose body is the name ":1.1".
	fmt.Fprint(c, "DATA\r\nOK 0123456789abcdef0123456789abcdef\r\n"+
		"l\x02\x01\x01\x09\x00\x00\x00\x01\x00\x00\x00\x0f\x00\x00\x00"+
		"\x05\x01u\x00\x01\x00\x00\x00\x08\x01g\x00\x01s\x00\x00"+"\x04\x00\x00\x00:1.1\x00")
	_, _ = io.Copy(io.Discard, r)
}

// A bus that ends the connection, or does not take this user, is none.
func TestBusRefuses(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]string{"ends": "", "rejects": "REJECTED EXTERNAL\r\n", "is another server": "HTTP/1.1 400 Bad Request\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir, key := t.TempDir(), newKeys(t, 1)[0]
			asked := make(chan bool, 1)
			listen(t, filepath.Join(dir, "bus"), func(c net.Conn) { asked <- true; fmt.Fprint(c, answer); c.Close() })
			env := map[string]string{"XDG_STATE_HOME": dir, "XDG_RUNTIME_DIR": dir}
			s := &secretService{getenv: func(name string) string { return env[name] }}
			defer s.close()
			if _, err := s.get(t.Context(), key.PublicKey().String()); !errors.Is(err, ErrUnavailable) {
				t.Errorf("get = %v; want %v", err, ErrUnavailable)
			}
			if err := s.put(t.Context(), key.PublicKey().String(), key.Value, 0); !errors.Is(err, ErrUnavailable) {
				t.Errorf("put = %v; want %v", err, ErrUnavailable)
			}
			<-asked
		})
	}
}

func TestSocketOf(t *testing.T) {
	for address, want := range map[string]string{
		"unix:path=/run/user/1000/bus":           "/run/user/1000/bus",
		"unix:guid=0,path=/tmp/a%20b%2c":         "/tmp/a b,",
		"unix:abstract=/tmp/dbus-x,guid=0123abc": "@/tmp/dbus-x",
		"unix:dir=/tmp":                          "",
		"unix:path=/tmp/%":                       "",
		"unix:":                                  "",
	} {
		if got, err := socketOf(address); got != want || (err == nil) != (want != "") {
			t.Errorf("socketOf(%q) = %q, %v; want %q", address, got, err, want)
		}
	}
}
