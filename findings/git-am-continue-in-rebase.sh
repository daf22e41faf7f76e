#!/usr/bin/env bash
#
# git am --continue in a rebase --apply makes a rebase that cannot be continued.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     rebase --apply is a series of git am, so am --continue either goes
#            on with it or refuses, as am --abort does elsewhere.
# Behaviour: am --continue applies all remaining patches with status 0 and leaves
#            the state of the rebase. The branch is not moved, HEAD is detached,
#            and rebase --continue finds nothing to resume.
# Seen:      am --continue: 0
#            rebase --continue: fatal: cannot resume: .git/rebase-apply/final-commit does not exist.
#            topic: old
# Matters:   a pre-applypatch hook that stops a patch runs for both. If it says
#            "git am --continue", the commits look right and are on no branch,
#            and the usual way out, rebase --abort, throws them away.
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
git switch --quiet -c topic
echo one >file
git add file
git commit --quiet -m one
old=$(git rev-parse topic)
git switch --quiet main
git commit --quiet --allow-empty -m meanwhile
git switch --quiet topic

mkdir -p .git/hooks
printf '#!/bin/sh\n! test -e "$(git rev-parse --git-dir)/stop"\n' >.git/hooks/pre-applypatch
chmod +x .git/hooks/pre-applypatch
touch .git/stop
if git rebase --quiet --apply main; then
	echo 'the hook did not stop the rebase' >&2
	exit 1
fi
rm .git/stop
status=0
git am --quiet --continue || status=$?

want='am --continue: 0
rebase --continue: fatal: cannot resume: .git/rebase-apply/final-commit does not exist.
topic: old'
got="am --continue: $status
rebase --continue: $(git rebase --continue 2>&1 || :)
topic: $([ "$(git rev-parse topic)" = "$old" ] && echo old || echo new)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
