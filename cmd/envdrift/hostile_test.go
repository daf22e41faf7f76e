package main

import (
	"net"
	"os"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts called hostile_* are attacks by someone who can write to the
// repository, a vault's response or a neighboring file. Each attack is numbered
// and says what the attacker controls and what must not happen. A canary
// detects that: a server that must not be contacted, a file outside of the
// repository that must not be changed, a program that must not be run. Each
// canary is first shown to work.

// A canary is a server that records what it is sent.
type canary struct {
	net.Listener
	answer string // raw HTTP; empty: it closes the connection

	mu    sync.Mutex
	heard []string
}

func (c *canary) serve() {
	for {
		conn, err := c.Accept()
		if err != nil {
			return
		}
		go c.hear(conn)
	}
}

// hear reads up to the end of one request's header. The connection counts
// before a byte of it is read.
func (c *canary) hear(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	c.mu.Lock()
	i := len(c.heard)
	c.heard = append(c.heard, "")
	c.mu.Unlock()
	var request strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(request.String(), "\r\n\r\n") {
		n, err := conn.Read(buf)
		request.Write(buf[:n])
		c.mu.Lock()
		c.heard[i] = request.String()
		c.mu.Unlock()
		if err != nil {
			return
		}
	}
	_, _ = conn.Write([]byte(c.answer))
}

// said returns all that was sent, and the number of connections.
func (c *canary) said() (string, int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.heard, ""), len(c.heard)
}

type canariesKey struct{}

// cmdCanary starts a canary server, whose address is set in $NAME and whose
// port in $NAME_PORT, or checks what it received since the last check. file is
// its response, in which variables are replaced.
//
//	canary start NAME [file]
//	canary silent NAME
//	canary heard NAME [text…]
func cmdCanary(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: canary start|silent|heard NAME [arg…]")
	}
	canaries := ts.Value(canariesKey{}).(map[string]*canary)
	name := args[1]
	if args[0] == "start" {
		canaries[name] = startCanary(ts, name, args[2:])
		return
	}
	c, ok := canaries[name]
	if !ok {
		ts.Fatalf("no canary is called %s", name)
	}
	said, connections := c.said()
	switch args[0] {
	case "silent":
		if connections > 0 {
			ts.Fatalf("%s was contacted %d times:\n%s", name, connections, said)
		}
	case "heard":
		if connections == 0 {
			ts.Fatalf("%s was not contacted", name)
		}
		for _, text := range args[2:] {
			if !strings.Contains(said, text) {
				ts.Fatalf("%s did not hear %q:\n%s", name, text, said)
			}
		}
	default:
		ts.Fatalf("canary %s: start, silent or heard", args[0])
	}
	c.mu.Lock()
	c.heard = nil
	c.mu.Unlock()
}

func startCanary(ts *testscript.TestScript, name string, files []string) *canary {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { _ = listener.Close() })
	c := &canary{Listener: listener}
	if len(files) > 0 {
		c.answer = strings.ReplaceAll(os.Expand(ts.ReadFile(files[0]), ts.Getenv), "\n", "\r\n")
	}
	_, port, err := net.SplitHostPort(listener.Addr().String())
	ts.Check(err)
	ts.Setenv(name, "http://127.0.0.1:"+port)
	ts.Setenv(name+"_PORT", port)
	go c.serve()
	return c
}

// cmdFill writes a file in which variables are replaced:
//
//	fill template file
func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: fill template file")
	}
	text := os.Expand(ts.ReadFile(args[0]), ts.Getenv)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o644))
}

// cmdFlip makes a name refer to two things in turn, as fast as it can, until it
// is called with stop. A thing is a file, a pipe or a symbolic link.
//
//	flip name thing other
//	flip stop
func cmdFlip(ts *testscript.TestScript, neg bool, args []string) {
	flipper := ts.Value(flipperKey{}).(*flipper)
	switch {
	case !neg && len(args) == 1 && args[0] == "stop":
		if flipper.stop(); flipper.err != nil || flipper.times < 2 {
			ts.Fatalf("flipped %d times: %v", flipper.times, flipper.err)
		}
	case !neg && len(args) == 3:
		flipper.start(ts.MkAbs(args[0]), ts.MkAbs(args[1]), ts.MkAbs(args[2]))
		ts.Defer(flipper.stop)
	default:
		ts.Fatalf("usage: flip name thing other, flip stop")
	}
}

type flipperKey struct{}

type flipper struct {
	quit, done chan struct{}
	times      int
	err        error
}

func (f *flipper) start(name string, things ...string) {
	f.quit, f.done, f.times = make(chan struct{}), make(chan struct{}), 0
	go func() {
		defer close(f.done)
		for f.err == nil {
			select {
			case <-f.quit:
				return
			default:
			}
			f.err = replace(things[f.times%len(things)], name)
			f.times++
		}
	}()
}

// replace makes name another name of thing, without a moment at which it does
// not exist.
func replace(thing, name string) error {
	temp := name + ".flip"
	if err := os.Link(thing, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, name); err != nil {
		return err
	}
	_ = os.Remove(temp) // rename leaves it if name was thing already
	return nil
}

func (f *flipper) stop() {
	if f.quit == nil {
		return
	}
	close(f.quit)
	<-f.done
	f.quit = nil
}
