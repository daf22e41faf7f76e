//go:build integration

// Package interop proves against the real dotenvx, versions 2.38.2 and 1.51.4,
// that files work both ways: what one writes the other reads, keys files
// included, and an odd file means the same to both. It contains only tests,
// under the build tag integration:
//
//	eval "$(scripts/install-dotenvx /tmp/dotenvx)"
//	go test -tags integration ./internal/interop
//
// All files are generated, from fixed seeds; [TestGrammar] can be asked for
// more.
package interop

import (
	"bytes"
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
)

// A dotenvx is one version of the real program.
type dotenvx struct{ version, path string }

func v2(t *testing.T) dotenvx { return find(t, "2.38.2", "DOTENVX_2_38_2") }
func v1(t *testing.T) dotenvx { return find(t, "1.51.4", "DOTENVX_1_51_4") }

// each runs test with both versions.
func each(t *testing.T, test func(*testing.T, dotenvx)) {
	for _, d := range []dotenvx{v2(t), v1(t)} {
		t.Run(d.version, func(t *testing.T) {
			t.Parallel()
			test(t, d)
		})
	}
}

func find(t *testing.T, version, variable string) dotenvx {
	t.Helper()
	path := os.Getenv(variable)
	if path == "" {
		t.Fatalf("%s is not set: see scripts/install-dotenvx", variable)
	}
	return dotenvx{version, path}
}

// run runs dotenvx in dir, with no variable of the user's environment but PATH,
// and returns its standard output. It fails the test if the command fails.
func (d dotenvx) run(t *testing.T, dir string, environ []string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), d.path, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "CI=true",
		"DOTENVX_NO_ARMOR=true", "DOTENVX_NO_NATIVE=true",
	}, environ...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("dotenvx %s %q: %v\n%s", d.version, args, err, stderr.Bytes())
	}
	return out
}

// get returns the variables that dotenvx reads from files in dir, with the
// variables environ and more arguments.
func (d dotenvx) get(t *testing.T, dir string, files, environ []string, args ...string) map[string]string {
	t.Helper()
	args = append([]string{"get", "--format", "json"}, args...)
	for _, f := range files {
		args = append(args, "-f", f)
	}
	var values map[string]string
	if err := json.Unmarshal(d.run(t, dir, environ, args...), &values); err != nil {
		t.Fatal(err)
	}
	return values
}

func write(t *testing.T, dir, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, dir, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// values returns variables as a map.
func values(vars []dotenv.Variable) map[string]string {
	m := map[string]string{}
	for _, v := range vars {
		m[v.Name] = v.Value.Reveal()
	}
	return m
}

// compare fails the test for each name whose values differ.
func compare(t *testing.T, got, want map[string]string) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want)) {
		if value, ok := got[name]; !ok || value != want[name] {
			t.Errorf("%s = %.300q; want %.300q", name, value, want[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(got)) {
		if _, ok := want[name]; !ok {
			t.Errorf("%s = %.300q; want none", name, got[name])
		}
	}
}

func seeded(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, seed)) }

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
