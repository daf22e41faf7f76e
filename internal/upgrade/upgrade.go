// Package upgrade says which release is the newest, and how to get it where this
// program was installed. Only [Newest] uses the network, by way of git.
package upgrade

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"golang.org/x/mod/semver"

	"github.com/envdrift/envdrift/gitops"
)

// Repository is where the releases are.
const Repository = "https://github.com/envdrift/envdrift"

// ErrNoRelease means that the repository has no release.
var ErrNoRelease = errors.New(Repository + " has no release yet")

// Newest returns the version of the newest release, without its "v". It asks git, which
// knows the user's proxy and certificates, for the tags of [Repository].
func Newest(ctx context.Context, environ []string) (string, error) {
	const patience = 10 * time.Second
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %v", patience))
	defer cancel()
	tags, err := gitops.RemoteTags(ctx, environ, Repository)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		return "", fmt.Errorf("%s could not be asked: %w", Repository, err)
	}
	newest := ""
	for _, tag := range tags {
		// A tag v1 moves on: it is no release.
		if semver.Canonical(tag) == tag && semver.Prerelease(tag) == "" && semver.Compare(tag, newest) > 0 {
			newest = tag
		}
	}
	if newest == "" {
		return "", ErrNoRelease
	}
	return newest[1:], nil
}

// IsNewer reports whether version a is newer than b. Every version is newer than what
// has none, such as a build in a clone.
func IsNewer(a, b string) bool { return semver.Compare("v"+a, "v"+b) > 0 }

// A Way is how a program was installed.
type Way struct {
	Name    string // "npm"
	Command string // what upgrades it
}

// ways are told by a part of the program's path, the first that fits.
var ways = []struct{ part, name, command string }{
	{"/nix/store/", "nix", "nix profile upgrade envdrift"},
	{"/Caskroom/", "brew", "brew upgrade --cask envdrift"},
	{"/Cellar/", "brew", "brew upgrade envdrift"},
	{"/scoop/apps/", "scoop", "scoop update envdrift"},
	{"/WinGet/Packages/", "winget", "winget upgrade envdrift.envdrift"},
	{"/.pnpm/", "pnpm", "pnpm add --save-dev envdrift@VERSION"},
	{"/.deno/", "deno", "deno add npm:envdrift@VERSION"},
	{"/.yarn/unplugged/", "yarn", "yarn add --dev envdrift@VERSION"},
	{"/node_modules/.store/", "yarn", "yarn add --dev envdrift@VERSION"},
	{"/lib/node_modules/", "npm", "npm install --global envdrift@VERSION"},
	{"/npm/node_modules/", "npm", "npm install --global envdrift@VERSION"}, // Windows
	{"/node_modules/", "npm", "npm install --save-dev envdrift@VERSION"},
	{"/pre-commit/", "pre-commit", "pre-commit autoupdate"},
	{"/prek/", "prek", "prek auto-update"},
	{"/pipx/venvs/", "pipx", "pipx upgrade envdrift"},
	{"/uv/tools/", "uv", "uv tool upgrade envdrift"},
}

// packages are told by what a distribution has on record for a program below /usr.
var packages = []struct{ record, name, command string }{
	{"/var/lib/dpkg/info/envdrift.list", "dpkg", "curl -fLO URL/envdrift_VERSION_linux_ARCH.deb && sudo dpkg -i envdrift_VERSION_linux_ARCH.deb"},
	{"/lib/apk/db/installed", "apk", "wget URL/envdrift_VERSION_linux_ARCH.apk && sudo apk add --allow-untrusted envdrift_VERSION_linux_ARCH.apk"},
	{"/var/lib/pacman/local", "pacman", "build the new envdrift-bin of the AUR"},
	{"/var/lib/rpm", "rpm", "sudo rpm -U URL/envdrift_VERSION_linux_ARCH.rpm"},
	{"/usr/lib/sysimage/rpm", "rpm", "sudo rpm -U URL/envdrift_VERSION_linux_ARCH.rpm"},
}

// How returns how the program at path was installed, and what makes it the given
// version. A released one is not from "go install". Root is "" but in tests.
func How(root, path, version string, released bool) Way {
	way := how(root, filepath.ToSlash(path), released)
	way.Command = strings.NewReplacer(
		"URL", Repository+"/releases/download/v"+version, "VERSION", version, "ARCH", runtime.GOARCH,
	).Replace(way.Command)
	return way
}

func how(root, path string, released bool) Way {
	for _, w := range ways {
		if strings.Contains(path, w.part) {
			return Way{w.name, w.command}
		}
	}
	dir := filepath.Dir(path)
	for _, record := range []string{"pyvenv.cfg", "lib/python*/*-packages/envdrift-*.dist-info", "Lib/site-packages/envdrift-*.dist-info"} {
		if exists(filepath.Join(dir, "..", record)) {
			return Way{"pip", filepath.ToSlash(filepath.Join(dir, "python")) + " -m pip install --upgrade envdrift"}
		}
	}
	for _, p := range packages {
		if strings.HasPrefix(path, "/usr/lib/envdrift/") && exists(root+p.record) {
			return Way{p.name, p.command}
		}
	}
	if !released {
		return Way{"go install", "go install github.com/envdrift/envdrift/cmd/...@vVERSION"}
	}
	return Way{"an archive", "unpack " + Repository + "/releases/tag/vVERSION over it"}
}

// exists reports whether a file has a path that fits pattern.
func exists(pattern string) bool {
	found, err := filepath.Glob(pattern)
	return err == nil && len(found) > 0
}
