package userstate_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/userstate"
)

// The error names the file as the user can find it.
func TestChangeNamesTheFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "state", "keys.json")
	if err := os.MkdirAll(file, 0o700); err != nil {
		t.Fatal(err)
	}
	err := userstate.Change(t.Context(), file, func() (any, error) { return nil, nil })
	if err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("Change of a folder = %v; want an error with %s", err, file)
	}
}
