package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/config"
)

// BenchmarkExec measures how long a program waits for its start: bare, under
// exec with a local key, one in the operating system's store and one from a vault on
// this machine, and under dotenvx if DOTENVX_2_38_2 names it. The store is the kernel's
// keyring, or the Secret Service if there is one:
//
//	go test ./cmd/envdrift -run '^$' -bench Exec -benchtime 100x
//	"$KEYRING_SESSION" go test ./cmd/envdrift -run '^$' -bench Exec -benchtime 100x
func BenchmarkExec(b *testing.B) {
	self := filepath.Join(b.TempDir(), "envdrift")
	build := exec.Command("go", "build", "-o", filepath.Dir(self), "../...") // with the vaults' programs
	build.Env = append(os.Environ(), "CGO_ENABLED=0")                        // as the README says
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("go build: %v\n%s", err, out)
	}
	few, many := newTeam(b, 1, 20), newTeam(b, 1, 1000)
	measure := func(name string, t *team, atHand bool, argv ...string) {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Dir, cmd.Env = filepath.Join(t.dir, "services", "s000"), t.env
				if atHand {
					cmd.Env = append(t.env[:len(t.env):len(t.env)], "DOTENV_PRIVATE_KEY_PRODUCTION="+t.keys[0].Reveal())
				}
				if out, err := cmd.CombinedOutput(); err != nil {
					b.Fatalf("%v\n%s", err, out)
				}
			}
		})
	}
	measure("bare", few, false, "true")
	measure("20 values", few, true, self, "exec", "--", "true")
	measure("1000 values", many, true, self, "exec", "--", "true")
	measure("20 values, key from a vault", few, false, self, "exec", "--", "true")
	inFile, inStore := newTeam(b, 1, 20), newTeam(b, 1, 20)
	inFile.run(self, "sync")
	inStore.keepInStore(self)
	measure("20 values, key in a file", inFile, false, self, "exec", "--", "true")
	measure("20 values, key in a store", inStore, false, self, "exec", "--", "true")
	measure("20 values, supervised", few, true, self, "exec", "--mask", "--", "true")
	if dotenvx := os.Getenv("DOTENVX_2_38_2"); dotenvx != "" {
		measure("20 values, dotenvx", few, true, dotenvx, "run", "-q", "-f", ".env.production", "--", "true")
		measure("1000 values, dotenvx", many, true, dotenvx, "run", "-q", "-f", ".env.production", "--", "true")
	}
}

func (t *team) run(self string, args ...string) {
	t.Helper()
	cmd := exec.Command(self, args...)
	cmd.Dir, cmd.Env = t.dir, t.env
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("envdrift %q: %v\n%s", args, err, out)
	}
}

// keepInStore puts the team's keys into the operating system's store for this benchmark.
func (t *team) keepInStore(self string) {
	t.Helper()
	t.env = append(t.env, "DBUS_SESSION_BUS_ADDRESS="+os.Getenv("DBUS_SESSION_BUS_ADDRESS"))
	user := config.UserFile(func(name string) string {
		for _, set := range t.env {
			if value, ok := strings.CutPrefix(set, name+"="); ok {
				return value
			}
		}
		return ""
	})
	if err := errors.Join(os.MkdirAll(filepath.Dir(user), 0o700), os.WriteFile(user, []byte("[keys]\nstore = \"store\"\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.run(self, "sync")
	t.Cleanup(func() { t.run(self, "keys", "forget", "--all") })
}
