package state_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/envdrift/envdrift/internal/state"
)

// Whatever the file contains, it is refused, or is read and saved unchanged.
func FuzzLoad(f *testing.F) {
	for _, text := range []string{
		"", "{}", "null", `{"profile":"local","files":{"a/.env":"pulled"},"activated":{"a":"0"}}`, `{"files":null}`, `{"files":[]}`, "[]", "{}{}", "\xff",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := state.Load(dir)
		if s.Files == nil || s.Activated == nil {
			t.Fatalf("Load of %q gives a nil map", text)
		}
		if err != nil {
			return
		}
		if err := s.Save(dir); err != nil {
			t.Fatal(err)
		}
		if again, err := state.Load(dir); err != nil || !reflect.DeepEqual(again, s) {
			t.Errorf("Load after Save = %+v, %v; want %+v", again, err, s)
		}
	})
}
