package upgrade

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestHow(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, dir := range []string{"venv/bin", "user/bin", "user/lib/python3.12/site-packages/envdrift-0.1.0.dist-info", "debian/var/lib/dpkg/info", "fedora/usr/lib/sysimage/rpm", "clone"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, file := range []string{"venv/pyvenv.cfg", "debian/var/lib/dpkg/info/envdrift.list"} {
		if err := os.WriteFile(filepath.Join(root, file), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		root, path string
		source     bool // and no release
		name       string
		command    string // begins like this
	}{
		{path: "/opt/homebrew/Caskroom/envdrift/0.1.0/envdrift", name: "brew", command: "brew upgrade --cask envdrift"},
		{path: "/home/a/app/node_modules/@envdrift/linux-x64/bin/envdrift", name: "npm", command: "npm install --save-dev envdrift@0.2.0"},
		{path: "/home/a/app/node_modules/.pnpm/@envdrift+linux-x64@0.1.0/node_modules/@envdrift/linux-x64/bin/envdrift", name: "pnpm", command: "pnpm add"},
		{path: "/home/a/app/node_modules/.deno/@envdrift+linux-x64@0.1.0/node_modules/@envdrift/linux-x64/bin/envdrift", name: "deno", command: "deno add npm:envdrift@0.2.0"},
		{path: "/home/a/app/.yarn/unplugged/@envdrift-linux-x64-npm-0.1.0-b0e3ed820e/node_modules/@envdrift/linux-x64/bin/envdrift", name: "yarn", command: "yarn add --dev"},
		{path: "/home/a/app/node_modules/.store/@envdrift-linux-x64-npm-0.1.0-b0e3ed820e/package/bin/envdrift", name: "yarn", command: "yarn add --dev"},
		{path: "/usr/lib/node_modules/envdrift/node_modules/@envdrift/linux-x64/bin/envdrift", name: "npm", command: "npm install --global envdrift@0.2.0"},
		{path: "/home/a/.cache/pre-commit/repo1/py_env-python3/bin/envdrift", name: "pre-commit", command: "pre-commit autoupdate"},
		{path: "/home/a/.local/share/uv/tools/envdrift/bin/envdrift", name: "uv", command: "uv tool upgrade envdrift"},
		{path: root + "/venv/bin/envdrift", name: "pip", command: root + "/venv/bin/python -m pip install --upgrade envdrift"},
		{path: root + "/user/bin/envdrift", name: "pip", command: root + "/user/bin/python -m pip"},
		{root: root + "/debian", path: "/usr/lib/envdrift/envdrift", name: "dpkg", command: "curl -fLO " + Repository + "/releases/download/v0.2.0/envdrift_0.2.0_linux_" + runtime.GOARCH + ".deb && "},
		{root: root + "/fedora", path: "/usr/lib/envdrift/envdrift", name: "rpm", command: "sudo rpm -U " + Repository},
		{root: root, path: root + "/clone/envdrift", name: "an archive", command: "unpack " + Repository + "/releases/tag/v0.2.0"},
		{root: root, path: root + "/clone/envdrift", source: true, name: "go install", command: "go install github.com/envdrift/envdrift/cmd/...@v0.2.0"},
	} {
		got := How(tt.root, tt.path, "0.2.0", !tt.source)
		if got.Name != tt.name || !strings.HasPrefix(got.Command, filepath.ToSlash(tt.command)) {
			t.Errorf("How(%q) = %+v; want %s, %s", tt.path, got, tt.name, tt.command)
		}
	}
}

func TestIsNewer(t *testing.T) {
	t.Parallel()
	// Each is newer than the one before, snapshots of scripts/release among them.
	order := []string{"devel", "0.0.0-20261128074018-164c556aa0d2", "0.1.0-pre.9", "0.1.0-pre.10", "0.1.0-rc.1", "0.1.0-rc.1.3", "0.1.0", "0.1.1-pre.2", "0.1.1", "0.10.0"}
	for i, a := range order {
		for j, b := range order {
			if got := IsNewer(a, b); got != (i > j) {
				t.Errorf("IsNewer(%q, %q) = %v", a, b, got)
			}
		}
	}
}
