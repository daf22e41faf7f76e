#!/usr/bin/env bash
#
# git commit -v writes what a textconv decrypts to a file on disk.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     a diff driver with a textconv shows plaintext in the pager only.
#            The repository, .git included, holds ciphertext.
# Behaviour: commit -v, and commit.verbose=true alike, put the converted diff
#            below the message for the editor. git cuts it from the commit, but
#            not from .git/COMMIT_EDITMSG: that text stays until the next commit.
# Seen:      message: rotate
#            -API_KEY=one
#            +API_KEY=two
# Matters:   an env file is encrypted in every object, and still both the old
#            and the new value lie in .git, where backups and CI caches take
#            them along. diff.NAME.cachetextconv is not needed for that.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet repo
cd repo
git config user.name Ada
git config user.email ada@example.com
git config diff.env.textconv 'base64 -d' # stands for any program that decrypts
echo '.env diff=env' >.gitattributes
echo 'API_KEY=one' | base64 >.env
git add .
git commit --quiet -m start

echo 'API_KEY=two' | base64 >.env
GIT_EDITOR='sed -i 1s/^/rotate/' git commit --quiet -a -v

want='message: rotate
-API_KEY=one
+API_KEY=two'
got="message: $(git log -1 --format=%B)
$(grep '^[-+]API_KEY' .git/COMMIT_EDITMSG)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
