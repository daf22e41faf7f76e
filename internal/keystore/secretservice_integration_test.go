//go:build integration && linux

package keystore

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// TestSecretService runs the tests of this file with a GNOME Keyring of their own.
func TestSecretService(t *testing.T) {
	session := os.Getenv("KEYRING_SESSION")
	if session == "" {
		t.Fatal("KEYRING_SESSION is not set; scripts/install-keyring DIR tells it")
	}
	home := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, session, os.Args[0], "-test.run", "^TestInSession$", "-test.v")
	cmd.Env = append(os.Environ(), "IN_SESSION=1", "HOME="+home, "XDG_RUNTIME_DIR="+home, "XDG_DATA_HOME="+filepath.Join(home, "data"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func openService(t *testing.T) *secretService {
	t.Helper()
	if os.Getenv("IN_SESSION") == "" {
		t.Skip("TestSecretService runs it")
	}
	s := &secretService{getenv: os.Getenv}
	t.Cleanup(s.close)
	return s
}

func TestInSession(t *testing.T) {
	t.Run("as every store", func(t *testing.T) { testBackend(t, openService(t), newKeys(t, 1)[0]) })
	t.Run("with dotenvx's tool", testSecretTool)
	t.Run("locked", testLocked) // the last one
}

// testSecretTool checks that items go to and fro between envdrift and secret-tool(1),
// which dotenvx calls.
func testSecretTool(t *testing.T) {
	s, keys := openService(t), newKeys(t, 2)
	theirs, ours := keys[0].PublicKey().String(), keys[1].PublicKey().String()
	cmd := exec.Command("secret-tool", "store", "--label=dotenvx", "service", "dotenvx", "public-key", theirs)
	cmd.Stdin = strings.NewReader(keys[0].Reveal() + "\n")
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got, err := s.get(t.Context(), theirs); err != nil || !got.Equal(keys[0].Value) {
		t.Errorf("get of secret-tool's item = another value, %v", err)
	}
	if s.made(t.Context(), theirs) {
		t.Error("made = true for secret-tool's item; want false")
	}
	if err := s.put(t.Context(), ours, keys[1].Value, 0); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("secret-tool", "lookup", "service", "dotenvx", "public-key", ours).Output()
	if err != nil || string(out) != keys[1].Reveal() {
		t.Errorf("secret-tool finds %d characters, %v; want the key", len(out), err)
	}
}

// testLocked checks that a locked keyring asks nothing and shows nothing.
func testLocked(t *testing.T) {
	s, key := openService(t), newKeys(t, 1)[0]
	public := key.PublicKey().String()
	if err := s.put(t.Context(), public, key.Value, 0); err != nil {
		t.Fatal(err)
	}
	collection, err := s.collection(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.call(t.Context(), secretRoot, isService+"Lock", []dbus.ObjectPath{collection}).Err; err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, getErr := s.get(t.Context(), public)
	for what, err := range map[string]error{"get": getErr, "ready": s.ready(t.Context()), "put": s.put(t.Context(), public, key.Value, 0), "remove": s.remove(t.Context(), public)} {
		if !errors.Is(err, ErrLocked) {
			t.Errorf("%s = %v; want %v", what, err, ErrLocked)
		}
	}
	if took := time.Since(begin); took > patience {
		t.Errorf("it took %v", took)
	}
}
