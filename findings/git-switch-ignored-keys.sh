#!/usr/bin/env bash
#
# git switch replaces an ignored .env.keys, and switching back deletes it.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     git never destroys a file it does not track. It refuses with
#            "untracked working tree files would be overwritten".
# Behaviour: it refuses only while the file is not ignored. What .gitignore
#            names may be overwritten: a branch that tracks the same path
#            replaces it without a word, and on the way back the file is gone.
#            --no-overwrite-ignore prevents it.
# Seen:      not ignored: refused, mine
#            ignored, --no-overwrite-ignore: refused, mine
#            ignored: switched, theirs
#            and back: no file
# Matters:   .env.keys is ignored in every repository that uses dotenvx. One
#            branch in which somebody committed it with -f, years ago, takes the
#            only copy of your key. The line in .gitignore that keeps the key
#            out of commits is what removes the protection.
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
git commit --quiet --allow-empty -m start
git switch --quiet -c old
echo theirs >.env.keys
git add .env.keys
git commit --quiet -m 'keys, by mistake'
git switch --quiet main

try() { git switch --quiet "$@" 2>/dev/null && echo switched || echo refused; }
echo mine >.env.keys
got="not ignored: $(try old), $(cat .env.keys)"
echo .env.keys >.gitignore
got+=$'\n'"ignored, --no-overwrite-ignore: $(try --no-overwrite-ignore old), $(cat .env.keys)"
got+=$'\n'"ignored: $(try old), $(cat .env.keys)"
try main >/dev/null
got+=$'\n'"and back: $(cat .env.keys 2>/dev/null || echo no file)"

want='not ignored: refused, mine
ignored, --no-overwrite-ignore: refused, mine
ignored: switched, theirs
and back: no file'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
