package keystore

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/godbus/dbus/v5"
)

// A bus is a connection to a D-Bus daemon whose greeting was sent in one piece, with the
// requests right behind it, as sd-bus does. The library waits for each of five answers
// instead, which takes longer than all that is asked afterwards. So what it writes and
// reads to greet does not go through: see
// https://dbus.freedesktop.org/doc/dbus-specification.html#auth-protocol.
type bus struct {
	net.Conn
	answers  *bufio.Reader
	greeted  bool // the library has read its greeting
	begun    bool // the library has written its greeting
	accepted bool // the daemon has answered the greeting
}

// dialBus connects to the bus at a socket's address, such as unix:path=/run/user/1000/bus.
// It waits for no answer: an error may come with the first request.
func dialBus(ctx context.Context, address string) (*dbus.Conn, error) {
	socket, err := socketOf(address)
	if err != nil {
		return nil, err
	}
	c, err := new(net.Dialer).DialContext(ctx, "unix", socket)
	if err != nil {
		return nil, err
	}
	b := &bus{Conn: c, answers: bufio.NewReader(c)}
	conn, err := dbus.NewConn(b)
	if err == nil {
		_, err = c.Write([]byte("\x00AUTH EXTERNAL\r\nDATA\r\nBEGIN\r\n")) // as the user that the socket shows
	}
	if err == nil {
		err = conn.Auth(nil)
	}
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	conn.BusObject().Go("org.freedesktop.DBus.Hello", 0, nil) // the first request must be this
	return conn, nil
}

// socketOf returns what the net package calls the socket of an address.
func socketOf(address string) (string, error) {
	for setting := range strings.SplitSeq(strings.TrimPrefix(address, "unix:"), ",") {
		key, escaped, _ := strings.Cut(setting, "=")
		value, err := dbus.UnescapeBusAddressValue(escaped)
		switch {
		case err != nil:
			return "", err
		case key == "path":
			return value, nil
		case key == "abstract":
			return "@" + value, nil
		}
	}
	return "", fmt.Errorf("no socket in the address %q of the bus", address)
}

func (b *bus) Write(p []byte) (int, error) {
	if !b.begun {
		b.begun = string(p) == "BEGIN\r\n"
		return len(p), nil
	}
	return b.Conn.Write(p)
}

func (b *bus) Read(p []byte) (int, error) {
	if !b.greeted {
		b.greeted = true
		return copy(p, "REJECTED EXTERNAL\r\nOK 0\r\n"), nil // the list of methods, and yes to the first
	}
	for !b.accepted {
		line, err := b.answers.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if string(line) != "DATA\r\n" && !strings.HasPrefix(string(line), "OK ") {
			return 0, errors.New("the bus does not accept this user")
		}
		b.accepted = line[0] == 'O'
	}
	return b.answers.Read(p)
}
