#!/usr/bin/env bash
#
# git log -S does not find a text that is in the commits, where a textconv hides it.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     -S and -G search what was committed. A textconv is for the diff that is
#            shown, and without -p none is shown.
# Behaviour: both search the output of the textconv. What it takes out is not found,
#            and nothing is printed, as if the text had never been there. git grep and
#            git diff-tree do not convert.
# Seen:      git log -S: nothing
#            git log -G: nothing
#            git log --no-textconv -S: remove the token, add a token
#            git grep in the commits: found
#            git diff-tree -S: found
# Matters:   "was this token ever committed?" gets no for an answer in the clone of the
#            person who has a textconv that masks, formats or decrypts, and yes in others.
#            Ciphertext is not found either where the textconv decrypts it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet --initial-branch=main repo
cd repo
git config user.name Ada
git config user.email ada@example.com
git config diff.names.textconv 'cut -d= -f1' # shows the names alone
echo '*.env diff=names' >.gitattributes
echo TOKEN=fish-and-chips >app.env
git add .
git commit --quiet -m 'add a token'
echo TOKEN= >app.env
git commit --quiet -a -m 'remove the token'

subjects() {
	local found
	found=$(git log --format=%s "$@")
	echo "${found:-nothing}" | paste -s -d , | sed 's/,/, /g'
}
got="git log -S: $(subjects -Sfish-and-chips)
git log -G: $(subjects -Gfish-and-chips)
git log --no-textconv -S: $(subjects --no-textconv -Sfish-and-chips)
git grep in the commits: $(git rev-list --all | xargs git grep -q fish-and-chips && echo found)
git diff-tree -S: $(git diff-tree -Sfish-and-chips --quiet HEAD~ HEAD || echo found)"

want='git log -S: nothing
git log -G: nothing
git log --no-textconv -S: remove the token, add a token
git grep in the commits: found
git diff-tree -S: found'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
