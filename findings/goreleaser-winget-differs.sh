#!/usr/bin/env bash
#
# goreleaser's winget manifest differs between two builds of one commit.
#
# Version:   goreleaser 2.15.1, Go 1.26 (Debian 12)
# Guess:     With mod_timestamp and mtime from the commit, as its page on reproducible
#            builds has it, and one job at a time, one tag gives the same files.
# Behaviour: the archives are the same. The manifest lists them in the order of a Go map,
#            so that two platforms change places in half of the builds; its ReleaseDate is
#            the day on which goreleaser ran. No setting changes either.
# Seen:      commit of 2020-01-02: archives of 2020-01-02, ReleaseDate of today, installers
#            in 2 orders
# Matters:   a release that others build again to compare it differs in one file, now and
#            then on the same day, always on the next.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
GOBIN=$tmp/bin GOFLAGS= go install github.com/goreleaser/goreleaser/v2@v2.15.1
mkdir "$tmp/tool"
cd "$tmp/tool"
export GIT_CONFIG_NOSYSTEM=1 GIT_CONFIG_GLOBAL=/dev/null GOFLAGS=-buildvcs=false TZ=UTC
export GIT_AUTHOR_DATE='2020-01-02 12:00 +0000' GIT_COMMITTER_DATE='2020-01-02 12:00 +0000'

git init --quiet --initial-branch=main
git config user.name Ada
git config user.email ada@example.com
git remote add origin https://github.com/example/tool.git
printf 'module example.com/tool\ngo 1.26\n' >go.mod
printf 'package main\nfunc main() {}\n' >main.go
echo dist >.gitignore
cat >.goreleaser.yaml <<'END'
version: 2
builds: [{ env: [CGO_ENABLED=0], goos: [windows], goarch: [amd64, arm64], flags: [-trimpath], mod_timestamp: "{{ .CommitTimestamp }}" }]
archives: [{ formats: [zip], builds_info: { mtime: "{{ .CommitDate }}" }, files: [none*] }]
winget: [{ publisher: example, short_description: a tool, license: MIT, repository: { owner: example, name: pkgs, token: none }, skip_upload: "true" }]
END
git add .
git commit --quiet -m first
git tag v1.0.0
before=$(date +%F)
: >"$tmp/orders"
for _ in $(seq 20); do
	"$tmp/bin/goreleaser" release --clean --parallelism 1 --skip=publish,announce >"$tmp/log" 2>&1 || { cat "$tmp/log" >&2; exit 1; }
	manifest=$(find dist/winget -name '*.installer.yaml')
	grep Architecture: "$manifest" | xargs >>"$tmp/orders"
	[ "$(sort -u "$tmp/orders" | wc -l)" = 1 ] || break
done

zipped=$(python3 -c 'import sys, zipfile; print(*{"%d-%02d-%02d" % zipfile.ZipFile(f).infolist()[0].date_time[:3] for f in sys.argv[1:]})' dist/*.zip)
released=$(sed -n 's/^ReleaseDate: "\(.*\)"$/\1/p' "$manifest")
case $released in "$before" | "$(date +%F)") released=today ;; esac
got="commit of $(git show -s --format=%cs): archives of $zipped, ReleaseDate of $released, installers in $(sort -u "$tmp/orders" | wc -l) orders"
want='commit of 2020-01-02: archives of 2020-01-02, ReleaseDate of today, installers in 2 orders'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
