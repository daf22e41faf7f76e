package keystore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/userstate"
)

// backends returns the stores of Linux: the kernel answers in microseconds.
func backends(getenv func(string) string) []backend {
	return []backend{kernel{}, &secretService{getenv: getenv}}
}

// secretService is the store of a desktop: GNOME Keyring, KWallet or KeePassXC. See
// https://specifications.freedesktop.org/secret-service/latest.
//
// Its items have exactly the two attributes of dotenvx: with one more they would be
// other items, of which a search returns either.
//
// A bus or a service that says nothing makes every command wait, and git starts one for
// each file of a diff. So it is remembered for a while, by a file of the user's.
type secretService struct {
	getenv func(string) string

	conn   *dbus.Conn
	opened *dbus.Call // the session; its answer is waited for when it is needed
	err    error      // why there is no connection
}

const (
	secrets    = "org.freedesktop.secrets"
	secretRoot = "/org/freedesktop/secrets"
	isService  = "org.freedesktop.Secret.Service."
	none       = dbus.ObjectPath("/") // instead of an object
	property   = "org.freedesktop.DBus.Properties.Get"
	ours       = " (" + mark + ")" // the end of the label of envdrift's items
)

// A secretStruct is the Secret of the specification.
type secretStruct struct {
	Session     dbus.ObjectPath
	Parameters  []byte
	Value       []byte
	ContentType string
}

func (s *secretService) name() string         { return "Secret Service" }
func (s *secretService) limit() time.Duration { return 0 }

func (s *secretService) close() {
	if s.conn != nil {
		_ = s.conn.Close()
	}
}

// connect opens the connection, once.
func (s *secretService) connect(ctx context.Context) error {
	if s.conn != nil || s.err != nil {
		return s.err
	}
	address := busAddress(s.getenv)
	if address == "" || s.wasSilent(address) {
		s.err = ErrUnavailable
		return s.err
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	conn, err := dialBus(ctx, address)
	if err != nil {
		_ = s.late(ctx)
		s.err = ErrUnavailable
		return s.err
	}
	s.conn = conn
	s.opened = conn.Object(secrets, secretRoot).Go(isService+"OpenSession", dbus.FlagNoAutoStart, nil, "plain", dbus.MakeVariant(""))
	return nil
}

// silence is how long a bus that said nothing is left alone.
const silence = time.Minute

func (s *secretService) silent() (string, error) { return userstate.File(s.getenv, "bus-silent") }

// noteSilence remembers that no answer came in time. If it cannot, the next command waits
// too.
func (s *secretService) noteSilence() {
	file, err := s.silent()
	if err == nil && userstate.Regular(file) == nil && atomicfile.MkdirAll(filepath.Dir(file), 0o700) == nil {
		_ = os.WriteFile(file, []byte(busAddress(s.getenv)), 0o600)
	}
}

// wasSilent reports whether no answer came from that address a moment ago.
func (s *secretService) wasSilent(address string) bool {
	file, err := s.silent()
	if err != nil {
		return false
	}
	info, err := os.Stat(file)
	if err != nil || time.Since(info.ModTime()).Abs() > silence {
		return false
	}
	was, err := userstate.ReadFile(file)
	return err == nil && string(was) == address
}

// session returns the session in which secrets are passed: as they are, since the bus is
// the user's own socket.
func (s *secretService) session(ctx context.Context) (path dbus.ObjectPath, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case <-s.opened.Done:
		s.opened.Done <- s.opened
		err = s.opened.Store(new(dbus.Variant), &path)
	case <-ctx.Done():
		err = s.late(ctx)
	}
	if err != nil {
		err = ErrUnavailable
	}
	return path, err
}

// busAddress returns the address of the session's bus, which must be a socket: for others
// a program would be started. "" is none.
func busAddress(getenv func(string) string) string {
	if address := getenv("DBUS_SESSION_BUS_ADDRESS"); address != "" {
		if !strings.HasPrefix(address, "unix:") || strings.Contains(address, ";") {
			return ""
		}
		return address
	}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))
	}
	return ""
}

// call calls a method. A service that does not run is not started.
func (s *secretService) call(ctx context.Context, path dbus.ObjectPath, method string, args ...any) *dbus.Call {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	call := s.conn.Object(secrets, path).CallWithContext(ctx, method, dbus.FlagNoAutoStart, args...)
	named := dbus.Error{}
	switch {
	case call.Err == nil:
	case errors.As(call.Err, &named):
		call.Err = fmt.Errorf("failed: %s", named.Name) // its text may hold anything
	case s.late(ctx) != nil:
		call.Err = errors.New("failed: no answer")
	default: // the bus ended the connection
		call.Err = ErrUnavailable
	}
	return call
}

// late returns the error of ctx. If its time is over, nothing is asked again.
func (s *secretService) late(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		s.err = ErrUnavailable
		s.noteSilence()
	}
	return ctx.Err()
}

func (s *secretService) ready(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	_, err := s.collection(ctx)
	return err
}

// collection returns the collection for new items.
func (s *secretService) collection(ctx context.Context) (dbus.ObjectPath, error) {
	var path dbus.ObjectPath
	if err := s.call(ctx, secretRoot, isService+"ReadAlias", "default").Store(&path); err != nil || path == none { // nothing answers, or it was never set up
		return "", ErrUnavailable
	}
	var locked bool
	if err := s.call(ctx, path, property, "org.freedesktop.Secret.Collection", "Locked").Store(&locked); err != nil {
		return "", err
	}
	if locked {
		return "", ErrLocked
	}
	return path, nil
}

func attributes(public string) map[string]string {
	return map[string]string{"service": service, "public-key": public}
}

// search returns an item that is not locked.
func (s *secretService) search(ctx context.Context, public string) (dbus.ObjectPath, error) {
	if err := s.connect(ctx); err != nil {
		return "", err
	}
	var unlocked, locked []dbus.ObjectPath
	if err := s.call(ctx, secretRoot, isService+"SearchItems", attributes(public)).Store(&unlocked, &locked); err != nil {
		return "", err
	}
	switch {
	case len(unlocked) > 0:
		return unlocked[0], nil
	case len(locked) > 0:
		return "", ErrLocked
	}
	return "", errAbsent
}

func (s *secretService) get(ctx context.Context, public string) (secret.Value, error) {
	item, err := s.search(ctx, public)
	if err != nil {
		return secret.Value{}, err
	}
	session, err := s.session(ctx)
	if err != nil {
		return secret.Value{}, err
	}
	var got secretStruct
	if err := s.call(ctx, item, "org.freedesktop.Secret.Item.GetSecret", session).Store(&got); err != nil {
		return secret.Value{}, err
	}
	return secret.New(strings.TrimSpace(string(got.Value))), nil
}

func (s *secretService) put(ctx context.Context, public string, key secret.Value, _ time.Duration) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	collection, err := s.collection(ctx)
	if err != nil {
		return err
	}
	session, err := s.session(ctx)
	if err != nil {
		return err
	}
	properties := map[string]dbus.Variant{
		"org.freedesktop.Secret.Item.Label":      dbus.MakeVariant("dotenvx private key of " + public[:8] + "…" + ours),
		"org.freedesktop.Secret.Item.Attributes": dbus.MakeVariant(attributes(public)),
	}
	value := secretStruct{session, []byte{}, []byte(key.Reveal()), "text/plain"}
	var item, prompt dbus.ObjectPath
	const replace = true
	err = s.call(ctx, collection, "org.freedesktop.Secret.Collection.CreateItem", properties, value, replace).Store(&item, &prompt)
	return asked(err, prompt)
}

// made tells by the label: an attribute would make it another item.
func (s *secretService) made(ctx context.Context, public string) bool {
	item, err := s.search(ctx, public)
	if err != nil {
		return false
	}
	var label string
	err = s.call(ctx, item, property, "org.freedesktop.Secret.Item", "Label").Store(&label)
	return err == nil && strings.HasSuffix(label, ours)
}

func (s *secretService) remove(ctx context.Context, public string) error {
	item, err := s.search(ctx, public)
	if err != nil {
		return err
	}
	var prompt dbus.ObjectPath
	return asked(s.call(ctx, item, "org.freedesktop.Secret.Item.Delete").Store(&prompt), prompt)
}

// asked returns ErrLocked for a request that would go on only with a prompt.
func asked(err error, prompt dbus.ObjectPath) error {
	if err == nil && prompt != none {
		return ErrLocked
	}
	return err
}
