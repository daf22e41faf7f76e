package state_test

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/envdrift/envdrift/internal/state"
)

func TestSaveThenLoad(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, err := state.Load(dir)
	if err != nil || s.Files == nil || s.Activated == nil {
		t.Fatalf("Load of nothing = %+v, %v; want an empty state", s, err)
	}
	s.Profile = "local"
	s.Files["a/.env"] = state.Pulled
	s.Files["b/.env"] = state.Locked
	s.Activated["a/.env.copy"] = state.Sum([]byte("A=1\n"))
	if err := s.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := state.Load(dir)
	if err != nil || !reflect.DeepEqual(got, s) {
		t.Errorf("Load = %+v, %v; want %+v", got, err, s)
	}
	info, err := os.Stat(filepath.Join(dir, "state.json"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600", info.Mode(), err)
	}
}

func TestLoadOfOtherText(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "{", "[]", `{"files": 1}`} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "state.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := state.Load(dir); err == nil {
			t.Errorf("Load of %q = nil error; want one", text)
		}
	}
}
