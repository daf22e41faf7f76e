//go:build integration && linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestScratch builds the programs with the command of the Dockerfile, and runs them as
// process 1 of a root that has nothing else and cannot be written, as another user than
// root, without a home, a network, git or /proc.
func TestScratch(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root, to change the root directory")
	}
	dockerfile, err := os.ReadFile("../../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	build := regexp.MustCompile(`(?m)^RUN (.* go build .*)$`).FindSubmatch(dockerfile)
	if build == nil {
		t.Fatal("the Dockerfile builds nothing")
	}
	root, home := t.TempDir(), t.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		t.Fatal(err)
	}
	sh := func(dir, script string, env ...string) (string, error) {
		cmd := exec.Command("sh", "-c", script)
		cmd.Dir, cmd.Env = dir, append([]string{"PATH=" + os.Getenv("PATH")}, env...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(dir, script string, env ...string) {
		t.Helper()
		if out, err := sh(dir, script, env...); err != nil {
			t.Fatalf("%s: %v\n%s", script, err, out)
		}
	}
	must("../..", strings.ReplaceAll(string(build[1]), "/out/", root+"/"), append(os.Environ(), "TARGETOS=linux", "TARGETARCH=")...)

	// the program that it starts is envdrift again: there is nothing else to start
	repository := t.TempDir()
	if err := os.WriteFile(filepath.Join(repository, ".env.production"), []byte("API_KEY=s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	must(repository, "git init -q && envdrift init", "HOME="+home, "PATH="+root+":"+os.Getenv("PATH"))
	must(repository, "mkdir $ROOT/app && cp -r .env.production envdrift.toml .envdrift $ROOT/app && chmod -R a+rX $ROOT/app", "ROOT="+root)
	keys, err := os.ReadFile(filepath.Join(repository, ".env.keys"))
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`DOTENV_PRIVATE_KEY_PRODUCTION="?[0-9a-f]{64}`).FindString(string(keys))
	identity, err := os.ReadFile(filepath.Join(home, ".config/envdrift/identity.txt"))
	if err != nil {
		t.Fatal(err)
	}
	boxed := func(command string, env ...string) (string, error) {
		return sh(".", `unshare --mount --pid --net --fork sh -c 'mount --bind "$ROOT" "$ROOT" && mount -o remount,bind,ro "$ROOT" &&
			exec chroot --userspec=65532:65532 "$ROOT" /envdrift -C /app `+command+`'`, append(env, "ROOT="+root)...)
	}
	const twice = "exec -f .env.production -- /envdrift -C /app env --keys local -f .env.production"
	withKey := strings.ReplaceAll(key, `"`, "")
	for name, c := range map[string]struct {
		command, env, want string
	}{
		"key in the environment":   {"exec -f .env.production -- /envdrift version", withKey, "envdrift "},
		"values":                   {"env --format json -f .env.production", withKey, `"API_KEY": "s3cr3t"`},
		"the program gets no key":  {twice, withKey, "no private key"},
		"the vault, with identity": {"exec -- /envdrift version", "ENVDRIFT_AGE_KEY=" + string(identity), "envdrift "},
		"verify":                   {"verify --ci", "ENVDRIFT_AGE_KEY=" + string(identity), "1 of 1 verified"},
		"no identity":              {"exec -- /envdrift version", "ENVDRIFT_AGE_KEY=", "you have no identity"},
		"masked, as a parent":      {"exec --mask -f .env.production -- /envdrift version", withKey, "envdrift "},
	} {
		t.Run(name, func(t *testing.T) {
			if out, err := boxed(c.command, c.env); !strings.Contains(out, c.want) {
				t.Errorf("%s: %v\n%s\nwant %q", c.command, err, out, c.want)
			}
		})
	}
}
