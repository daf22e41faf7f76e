#!/usr/bin/env bash
#
# git archive writes what the smudge filter makes of a file, not what was committed.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     the archive has the blobs of the tree, byte for byte, as git show prints
#            them. No file is checked out.
# Behaviour: every file goes through the filter of the tree's own gitattributes, as in a
#            checkout. In a clone with the filter's program and key that decrypts. The
#            archive of one tag is another on each machine, with the same commit in it.
# Seen:      git show: CNFFJBEQ=gehfgab1
#            git archive, with the filter: PASSWORD=trustno1
#            git archive, without: CNFFJBEQ=gehfgab1
#            same commit in both: yes
# Matters:   an archive for a release or a customer, made where the repository is
#            unlocked, has the secrets in plaintext. The list of its files shows nothing,
#            and CI, which has no key, makes one with ciphertext.
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
# Stands for any program that encrypts and decrypts.
git config filter.rot13.clean 'tr A-Za-z N-ZA-Mn-za-m'
git config filter.rot13.smudge 'tr A-Za-z N-ZA-Mn-za-m'
echo '*.env filter=rot13' >.gitattributes
echo PASSWORD=trustno1 >app.env
git add .
git commit --quiet -m first
git tag v1
git clone --quiet . ../other 2>/dev/null

git archive v1 >with.tar
git -C ../other archive v1 >without.tar
same=no
if [ "$(git get-tar-commit-id <with.tar)" = "$(git get-tar-commit-id <without.tar)" ]; then same=yes; fi
got="git show: $(git show v1:app.env)
git archive, with the filter: $(tar -xOf with.tar app.env)
git archive, without: $(tar -xOf without.tar app.env)
same commit in both: $same"

want='git show: CNFFJBEQ=gehfgab1
git archive, with the filter: PASSWORD=trustno1
git archive, without: CNFFJBEQ=gehfgab1
same commit in both: yes'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
