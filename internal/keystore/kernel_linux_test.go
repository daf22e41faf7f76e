package keystore

import (
	"errors"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/envdrift/envdrift/internal/secret"
)

// openKernel returns the kernel's keyring, or skips: a container may refuse it.
func openKernel(t *testing.T) kernel {
	t.Helper()
	if err := (kernel{}).ready(t.Context()); err != nil {
		t.Skip("no keyring: ", err)
	}
	return kernel{}
}

func TestKernel(t *testing.T) {
	t.Parallel()
	testBackend(t, openKernel(t), newKeys(t, 1)[0])
}

func TestKernelForgets(t *testing.T) {
	t.Parallel()
	k, key := openKernel(t), newKeys(t, 1)[0]
	public := key.PublicKey().String()
	for range 2 { // replacing a key keeps its limit
		if err := k.put(t.Context(), public, key.Value, time.Second); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := k.get(t.Context(), public); err != nil {
		t.Errorf("get at once = %v", err)
	}
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := k.get(t.Context(), public); errors.Is(err, errAbsent) {
			return
		}
		if time.Now().After(end) {
			t.Fatal("the key is still there")
		}
	}
}

// More seconds than the kernel counts are not a few, or no limit.
func TestKernelLongest(t *testing.T) {
	t.Parallel()
	k, keys := openKernel(t), newKeys(t, 3)
	for i, ttl := range []time.Duration{1 << 32 * time.Second, (1<<32 + 1) * time.Second, math.MaxInt64} {
		public := keys[i].PublicKey().String()
		if err := k.put(t.Context(), public, keys[i].Value, ttl); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = k.remove(t.Context(), public) }()
		all, err := os.ReadFile("/proc/keys")
		if err != nil {
			t.Skip(err)
		}
		for line := range strings.Lines(string(all)) {
			if fields := strings.Fields(line); strings.Contains(line, description(public)) && !strings.HasSuffix(fields[3], "w") {
				t.Errorf("with %v the key has %s left; want weeks", ttl, fields[3])
			}
		}
	}
}

// The same key needs no more room: its time begins again in a keyring that is full.
func TestKernelRenews(t *testing.T) {
	t.Parallel()
	k, keys := openKernel(t), newKeys(t, 2)
	public := keys[0].PublicKey().String()
	defer func() { _ = k.remove(t.Context(), public) }()
	var ids []int
	for _, value := range []secret.Value{keys[0].Value, keys[0].Value, keys[1].Value} {
		if err := k.put(t.Context(), public, value, time.Minute); err != nil {
			t.Fatal(err)
		}
		if got, err := k.get(t.Context(), public); err != nil || !got.Equal(value) {
			t.Errorf("get = another value, %v", err)
		}
		_ = k.enter(func() error {
			id, err := find(public)
			ids = append(ids, id)
			return err
		})
	}
	if len(ids) != 3 || ids[0] != ids[1] || ids[1] == ids[2] {
		t.Errorf("the keys have the numbers %v; want one for the same key, another for another", ids)
	}
}

// TestKernelKeyIsPrivate checks that only who possesses the key can read it.
func TestKernelKeyIsPrivate(t *testing.T) {
	t.Parallel()
	k, key := openKernel(t), newKeys(t, 1)[0]
	public := key.PublicKey().String()
	if err := k.put(t.Context(), public, key.Value, time.Minute); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = k.remove(t.Context(), public) }()
	var described string
	err := k.enter(func() error {
		id, err := find(public)
		if err != nil {
			return err
		}
		described, err = unix.KeyctlString(unix.KEYCTL_DESCRIBE, id)
		return err
	})
	const possessorAllUserView = ";3f010000;"
	if err != nil || len(described) < 4 || !strings.Contains(described, possessorAllUserView) {
		t.Errorf("the key is %q, %v; want permissions %s", described, err, possessorAllUserView)
	}
}
