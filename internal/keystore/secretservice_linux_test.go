package keystore

import (
	"bufio"
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
	for {
		line, err := r.ReadString('\n')
		switch {
		case err != nil:
			return
		case line == "BEGIN\r\n":
			// The return of Hello, with serial 1, whose body is the name ":1.1".
			fmt.Fprint(c, "l\x02\x01\x01\x09\x00\x00\x00\x01\x00\x00\x00\x0f\x00\x00\x00"+
				"\x05\x01u\x00\x01\x00\x00\x00\x08\x01g\x00\x01s\x00\x00"+"\x04\x00\x00\x00:1.1\x00")
			_, _ = io.Copy(io.Discard, r)
			return
		case line[:2] == "\x00A" || line[:2] == "AU":
			if len(line) < 9 || line[len(line)-3] == 'H' { // the list of methods
				fmt.Fprint(c, "REJECTED EXTERNAL\r\n")
			} else {
				fmt.Fprint(c, "OK 0123456789abcdef0123456789abcdef\r\n")
			}
		default:
			fmt.Fprint(c, "ERROR\r\n")
		}
	}
}
