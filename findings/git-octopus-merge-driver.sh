#!/usr/bin/env bash
#
# git merge A B: the merge drivers of gitattributes are not used.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     the driver merges the file, as in git merge A and then git merge B.
# Behaviour: the octopus strategy merges files by a script of its own, which calls
#            git merge-file. The driver, which would have merged, is never run, not
#            even for merge=union. git stops with status 1.
# Seen:      one after the other: merged, one two three
#            both at once: status 1, one
# Matters:   files that need a driver, such as lists, lock files and env files, do
#            not merge in an octopus, and nothing says that the driver was not asked.
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
echo 'list merge=union' >.gitattributes
echo one >list
git add .
git commit --quiet -m start
for word in two three; do
	git switch --quiet -c $word main
	echo $word >>list
	git commit --quiet -a -m $word
done
git switch --quiet main
touch other
git add other
git commit --quiet -m other

git switch --quiet -c serial
git merge --quiet -m merged two >/dev/null
git merge --quiet -m merged three >/dev/null
got="one after the other: merged, $(paste -s -d ' ' list)"
git switch --quiet -c octopus main
status=0
git merge --quiet -m merged two three >/dev/null 2>&1 || status=$?
got+="
both at once: status $status, $(git show HEAD:list)"

want='one after the other: merged, one two three
both at once: status 1, one'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
