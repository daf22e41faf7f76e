//go:build integration

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each script runs the real pre-commit framework, which builds envdrift from
// this checkout without a network: the modules are those of the tests.
//
//	eval "$(scripts/install-pre-commit)" && go test -tags integration -run PreCommit ./cmd/envdrift
func TestPreCommitFramework(t *testing.T) {
	t.Parallel()
	framework := os.Getenv("PRE_COMMIT_BIN")
	if framework == "" {
		t.Fatal("PRE_COMMIT_BIN is not set: see scripts/install-pre-commit")
	}
	checkout := output(t, "git", "rev-parse", "--show-toplevel")
	golang := strings.Split(output(t, "go", "env", "GOMODCACHE", "GOCACHE"), "\n")
	revision := output(t, "git", "rev-parse", "HEAD")
	p := params("testdata/framework")
	p.Setup = func(env *testscript.Env) error {
		path := filepath.Dir(framework) + string(os.PathListSeparator) + env.Getenv("PATH")
		for name, value := range map[string]string{
			"CHECKOUT": checkout, "REVISION": revision, "PATH": path, "WITHOUT_ENVDRIFT": without(path, "envdrift"),
			"GOMODCACHE": golang[0], "GOCACHE": golang[1], "GOPROXY": "off", "GOTOOLCHAIN": "local",
		} {
			env.Setenv(name, value)
		}
		return setup(env)
	}
	testscript.Run(t, p)
}

// output returns what a program prints, without the last line end.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %q: %v", name, args, err)
	}
	return strings.TrimSpace(string(out))
}

// without returns path without the folders that contain program.
func without(path, program string) string {
	dirs := slices.DeleteFunc(filepath.SplitList(path), func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, program))
		return err == nil
	})
	return strings.Join(dirs, string(os.PathListSeparator))
}
