#!/usr/bin/env bash
#
# In pre-merge-commit there is no MERGE_HEAD: the hook cannot ask git what is merged.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     a merge is in progress when pre-merge-commit runs, so MERGE_HEAD
#            names the other side, as it does in pre-commit when a person
#            completes a merge that had conflicts.
# Behaviour: git merge writes MERGE_HEAD only if the hook fails, for the git
#            commit that completes it. While the hook runs, the other side is
#            named by the environment alone: the name of a variable is
#            GITHEAD_ and the object name, its value is what the user typed.
# Seen:      git merge: no MERGE_HEAD, GITHEAD_ of other: yes
#            git commit after it: MERGE_HEAD is other, GITHEAD_ of other: no
# Matters:   a hook that compares both sides of an encrypted file, or that must
#            not treat a merge as an edit of HEAD, finds "no merge" in the one
#            hook that git made for merges, and takes one side for all.
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
git config advice.mergeConflict false
git commit --quiet --allow-empty -m start
git switch --quiet -c other
echo 1 >other.txt
git add other.txt
git commit --quiet -m other
other=$(git rev-parse HEAD)
git switch --quiet main
git commit --quiet --allow-empty -m main

cat >.git/seen <<END
named=no
[ -n "\${GITHEAD_$other+set}" ] && named=yes
head=\$(git rev-parse --quiet --verify MERGE_HEAD || echo no MERGE_HEAD)
[ "\$head" = $other ] && head='MERGE_HEAD is other'
echo "\$head, GITHEAD_ of other: \$named" >"$tmp/said"
END
mkdir .git/hooks
printf '#!/bin/sh\n. .git/seen\nexit 1\n' >.git/hooks/pre-merge-commit
printf '#!/bin/sh\n. .git/seen\nexit 0\n' >.git/hooks/pre-commit
chmod +x .git/hooks/*
git merge --quiet -m merged other 2>/dev/null || true
got="git merge: $(cat "$tmp/said")"
git commit --quiet -m merged
got+=$'\n'"git commit after it: $(cat "$tmp/said")"

want='git merge: no MERGE_HEAD, GITHEAD_ of other: yes
git commit after it: MERGE_HEAD is other, GITHEAD_ of other: no'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
