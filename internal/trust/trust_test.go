package trust_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
)

func pins(t *testing.T) (trust.Pins, string) {
	t.Helper()
	state := t.TempDir()
	p, err := trust.At(func(name string) string {
		return map[string]string{"XDG_STATE_HOME": state}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	return p, filepath.Join(state, "envdrift", "trust.json")
}

func TestPinRevokeMove(t *testing.T) {
	t.Parallel()
	p, file := pins(t)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	of := func(repository string) []trust.Endpoint {
		t.Helper()
		got, err := p.Of(repository)
		must(err)
		return got
	}
	if got := of("/a"); len(got) != 0 {
		t.Errorf("Of before the first Pin = %v; want nothing", got)
	}
	must(p.Pin(t.Context(), "/a", "z", "y", "z"))
	must(p.Pin(t.Context(), "/b", "x"))
	if got := of("/a"); !slices.Equal(got, []trust.Endpoint{"y", "z"}) {
		t.Errorf("Of = %v; want y and z, once", got)
	}
	if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
		t.Errorf("the pins file is open to others: %v %v", info, err)
	}
	must(p.Move(t.Context(), "/a", "/c"))
	must(p.Revoke(t.Context(), "/b"))
	all, err := p.All()
	must(err)
	if len(all) != 1 || len(all["/c"]) != 2 {
		t.Errorf("All = %v; want the endpoints of /a under /c alone", all)
	}
}

func TestConcurrentPinsAreAllKept(t *testing.T) {
	t.Parallel()
	p, _ := pins(t)
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			if err := p.Pin(t.Context(), fmt.Sprint("/", i), "e"); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if all, err := p.All(); err != nil || len(all) != 20 {
		t.Errorf("All holds %d repositories, %v; want 20", len(all), err)
	}
}

func TestDamagedFileIsAnError(t *testing.T) {
	t.Parallel()
	p, file := pins(t)
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Of("/a"); err == nil {
		t.Error("Of with a damaged file = nil; want an error: nothing may pass as trusted or as new")
	}
	if err := p.Pin(t.Context(), "/a", "e"); err == nil {
		t.Error("Pin over a damaged file = nil; want an error")
	}
}

func TestAt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := []struct {
		name string
		vars map[string]string
		want string // below dir; "" for an error
	}{
		{"state directory", map[string]string{"XDG_STATE_HOME": dir, "HOME": "/elsewhere"}, "envdrift/trust.json"},
		{"Windows", map[string]string{"LocalAppData": dir}, "envdrift/trust.json"},
		{"home", map[string]string{"HOME": dir, "XDG_STATE_HOME": "relative"}, ".local/state/envdrift/trust.json"},
		{"relative home", map[string]string{"HOME": "home"}, ""},
		{"nothing", nil, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := trust.At(func(name string) string { return tt.vars[name] })
			if tt.want == "" {
				if err == nil {
					t.Errorf("At(%v) = %v; want an error", tt.vars, p)
				}
				return
			}
			if err == nil {
				err = p.Pin(t.Context(), "/"+tt.name, "e")
			}
			file := filepath.Join(dir, filepath.FromSlash(tt.want))
			if data, readErr := os.ReadFile(file); err != nil || !strings.Contains(string(data), tt.name) {
				t.Errorf("after At(%v) and Pin, %s holds %q, %v, %v", tt.vars, file, data, err, readErr)
			}
		})
	}
}

// Another user could agree instead of this one.
func TestWritableFileIsAnError(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("permissions are no such bits there")
	}
	p, file := pins(t)
	if err := p.Pin(t.Context(), "/a", "e"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(file, 0o620); err != nil {
		t.Fatal(err)
	}
	if got, err := p.Of("/a"); err == nil || len(got) != 0 {
		t.Errorf("Of, with a file that the group can write = %v, %v; want an error", got, err)
	}
}

func TestFileThatCannotBe(t *testing.T) {
	t.Parallel()
	p, file := pins(t)
	if err := os.WriteFile(filepath.Dir(file), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Pin(t.Context(), "/a", "e"); err == nil {
		t.Error("Pin below a file = nil; want an error")
	}
	p, file = pins(t)
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := p.All(); err == nil {
		t.Error("All of a directory = nil; want an error")
	}
}
