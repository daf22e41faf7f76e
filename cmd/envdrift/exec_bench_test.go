package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// BenchmarkExec measures how long a program waits for its start: bare, under
// exec with a local key and with a key from a vault on this machine, and under
// dotenvx if DOTENVX_2_38_2 names it.
//
//	go test ./cmd/envdrift -run '^$' -bench Exec -benchtime 100x
func BenchmarkExec(b *testing.B) {
	self := filepath.Join(b.TempDir(), "envdrift")
	build := exec.Command("go", "build", "-o", self, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0") // as the README says
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
	measure("20 values, supervised", few, true, self, "exec", "--mask", "--", "true")
	if dotenvx := os.Getenv("DOTENVX_2_38_2"); dotenvx != "" {
		measure("20 values, dotenvx", few, true, dotenvx, "run", "-q", "-f", ".env.production", "--", "true")
		measure("1000 values, dotenvx", many, true, dotenvx, "run", "-q", "-f", ".env.production", "--", "true")
	}
}
