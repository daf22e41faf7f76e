//go:build integration && linux

package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// Each script has a real Secret Service of its own:
//
//	eval "$(scripts/install-keyring)" && go test -tags integration -run Keyring ./cmd/envdrift
func TestKeyringScript(t *testing.T) {
	t.Parallel()
	session, dotenvx := os.Getenv("KEYRING_SESSION"), os.Getenv("DOTENVX_2_38_2")
	if session == "" || dotenvx == "" {
		t.Fatal("KEYRING_SESSION or DOTENVX_2_38_2 is not set; scripts/install-keyring and install-dotenvx tell them")
	}
	p := params("testdata/keyring")
	p.Setup = func(env *testscript.Env) error {
		env.Setenv("KEYRING_SESSION", session)
		env.Setenv("DOTENVX", dotenvx)
		for _, name := range []string{"XDG_RUNTIME_DIR", "XDG_DATA_HOME"} {
			env.Setenv(name, env.WorkDir+"/.home")
		}
		return setup(env)
	}
	testscript.Run(t, p)
}
