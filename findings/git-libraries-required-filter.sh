#!/usr/bin/env bash
#
# pygit2 and isomorphic-git commit a file as it is where git's filter encrypts it.
#
# Version:   pygit2 1.21.0, isomorphic-git 1.44.19, git 2.39.5 (Debian 12)
# Guess:     with filter.NAME.required nothing is added that the filter did not clean:
#            a library that cannot run it fails.
# Behaviour: both read gitattributes for line ends or not at all, and know no filter of
#            the configuration. They add the file in plaintext, without an error. In the
#            clone "git status" then shows it as changed.
# Seen:      git: CNFFJBEQ=gehfgab1
#            git, the filter fails: status 128
#            pygit2: PASSWORD=trustno1
#            isomorphic-git: PASSWORD=trustno1
# Matters:   bots, editors and release tools commit with such libraries. In a repository
#            whose files are encrypted by a filter, the first such commit that touches one
#            has the secrets in plaintext, and the person's git would never have done it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pygit2==1.21.0
npm install --prefix "$tmp/npm" --ignore-scripts --no-audit --no-fund --loglevel=error --silent isomorphic-git@1.44.19
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1 NODE_PATH=$tmp/npm/node_modules

git init --quiet --initial-branch=main repo
cd repo
git config filter.rot13.clean 'tr A-Za-z N-ZA-Mn-za-m' # stands for any program that encrypts
git config filter.rot13.required true
echo '*.env filter=rot13' >.gitattributes
echo PASSWORD=trustno1 >app.env

git add app.env
got="git: $(git show :app.env)"
rm .git/index
status=0
git -c filter.rot13.clean=false add app.env 2>/dev/null || status=$?
got+=$'\n'"git, the filter fails: status $status"
../venv/bin/python -c '
import pygit2
index = pygit2.Repository(".").index
index.add("app.env")
index.write()'
got+=$'\n'"pygit2: $(git show :app.env)"
rm .git/index
node -e '
const fs = require("fs");
require("isomorphic-git").add({ fs, dir: ".", filepath: "app.env" });'
got+=$'\n'"isomorphic-git: $(git show :app.env)"

want='git: CNFFJBEQ=gehfgab1
git, the filter fails: status 128
pygit2: PASSWORD=trustno1
isomorphic-git: PASSWORD=trustno1'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
