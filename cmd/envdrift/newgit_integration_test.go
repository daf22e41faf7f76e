//go:build integration

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each script runs a git that takes hooks from its configuration; $OLDER is a PATH
// with the machine's own.
//
//	eval "$(scripts/install-git)" && go test -tags integration -run NewGit ./cmd/envdrift
func TestNewGit(t *testing.T) {
	t.Parallel()
	git := os.Getenv("GIT_NEW")
	if git == "" {
		t.Fatal("GIT_NEW is not set: see scripts/install-git")
	}
	p := params("testdata/newgit")
	p.Setup = func(env *testscript.Env) error {
		if err := setup(env); err != nil {
			return err
		}
		env.Setenv("GITDIR", filepath.Dir(git))
		env.Setenv("OLDER", env.Getenv("PATH"))
		env.Setenv("NEWER", filepath.Dir(git)+string(os.PathListSeparator)+env.Getenv("PATH"))
		env.Setenv("PATH", env.Getenv("NEWER"))
		return nil
	}
	testscript.Run(t, p)
}
