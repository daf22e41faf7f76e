package trust_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/envdrift/envdrift/internal/trust"
)

// Whatever the file contains, it is refused and stays as it is, or accepts one
// more pin and keeps the others.
func FuzzPins(f *testing.F) {
	for _, text := range []string{
		"", "{}", "null", `{"repositories":{"/r":["aws"]}}`, `{"repositories":null}`, `{"repositories":{"/r":null}}`, `{"repositories":[]}`, "{}{}", "\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		file := filepath.Join(dir, "envdrift", "trust.json")
		if err := os.Mkdir(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		pins, err := trust.At(func(name string) string {
			if name == "XDG_STATE_HOME" {
				return dir
			}
			return ""
		})
		if err != nil {
			t.Fatal(err)
		}
		before, readErr := pins.All()
		err = pins.Pin(t.Context(), "/new", "gcp")
		if (err == nil) != (readErr == nil) {
			t.Fatalf("All() = %v, but Pin = %v", readErr, err)
		}
		if err != nil {
			if data, _ := os.ReadFile(file); string(data) != text {
				t.Errorf("a file that is not understood was replaced: %q", data)
			}
			return
		}
		after, err := pins.All()
		if err != nil || !slices.Contains(after["/new"], "gcp") {
			t.Errorf("All() after Pin = %v, %v; want gcp for /new", after, err)
		}
		for repository, endpoints := range before {
			if repository != "/new" && !slices.Equal(after[repository], endpoints) {
				t.Errorf("%q has %q after Pin; want %q", repository, after[repository], endpoints)
			}
		}
	})
}
