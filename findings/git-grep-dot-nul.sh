#!/usr/bin/env bash
#
# git grep: the dot does not match a NUL byte, a bracket expression does.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     with -a a file in UTF-16 is searched as text, and D.O.T finds the
#            letters with any byte between them.
# Behaviour: the dot matches every byte but NUL, which is the byte between the
#            letters of UTF-16. Status 1, nothing is printed, as for a file
#            without the word. [^D] matches NUL.
# Seen:      git grep -a -E D.O.T: nothing
#            git grep -a -E D[^D]O[^D]T: wide.txt
#            git grep -a -E DOT: plain.txt
# Matters:   Notepad and PowerShell write UTF-16. A search of a repository for
#            names such as DOTENV_PRIVATE_KEY, as a check in CI makes it, calls
#            it clean while the key is in it.
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
printf 'D\0O\0T\0' >wide.txt
echo DOT >plain.txt
git add .
git commit --quiet -m files

search() { echo "git grep -a -E $1: $(git grep -a -l -E -e "$1" HEAD -- | sed 's/^HEAD://' | paste -s -d ' ' | grep . || echo nothing)"; }
got=$(search D.O.T; search 'D[^D]O[^D]T'; search DOT)

want='git grep -a -E D.O.T: nothing
git grep -a -E D[^D]O[^D]T: wide.txt
git grep -a -E DOT: plain.txt'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
