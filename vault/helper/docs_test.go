//go:build unix

package helper_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/conformance"
	"github.com/envdrift/envdrift/vault/helper"
)

// TestDocumented: the helper of the manual passes the suite.
func TestDocumented(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("python3"); err != nil && os.Getenv("CI") == "" {
		t.Skip("needs python3")
	}
	page, err := os.ReadFile("../../docs/vaults/helpers.md")
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile("(?s)```python\n(.*?)```").FindSubmatch(page)
	if code == nil {
		t.Fatal("the page has no helper")
	}
	program, home := filepath.Join(t.TempDir(), "helper"), t.TempDir()
	folder := filepath.Join(home, "keys")
	if err := errors.Join(os.WriteFile(program, code[1], 0o755), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	store, err := helper.Open(t.Context(), helper.Program{
		Provider: "exec:folder", Path: program, Env: []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home},
	}, vault.Config{})
	if err != nil {
		t.Fatal(err)
	}
	trial := conformance.NewTrial(store, "")
	for r := range trial.Results(t.Context()) {
		if len(r.Failures) > 0 || r.Without != "" && r.Test != "Batch" && r.Test != "Existing" {
			t.Errorf("%s: %q, left out: %s", r.Test, r.Failures, r.Without)
		}
	}
	left := trial.CleanUp(t.Context())
	if files, err := os.ReadDir(folder); err != nil || len(files) > 0 || len(left) > 0 {
		t.Errorf("afterwards there is %v, %v; said to be left: %q", files, err, left)
	}
}
