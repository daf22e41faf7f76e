#!/usr/bin/env bash
#
# In a new worktree of a repository with husky, every commit passes without its hooks.
#
# Version:   husky 9.1.7, git 2.39.5 (Debian 12)
# Guess:     hooks belong to the repository, and .husky is committed: they run in all its
#            worktrees, as those in .git/hooks do.
# Behaviour: core.hooksPath is .husky/_, which git looks for in each worktree. husky makes
#            that folder and has git ignore it, so a new worktree has .husky/pre-commit but
#            not the folder. For git there is no hook then, which is no error. git clean -X
#            takes it from the first one as well.
# Seen:      first worktree: status 1
#            git worktree add: status 0, .husky/pre-commit is there
#            first worktree, after git clean -X: status 0
# Matters:   a worktree for a hotfix or for a tool that works on a branch by itself gets
#            commits that no check has seen. "npm install" in it mends that, where package.json
#            has "prepare": "husky".
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
npm install --prefix "$tmp/npm" --ignore-scripts --no-audit --no-fund --loglevel=error --silent husky@9.1.7
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$tmp/npm/node_modules/.bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1
unset HUSKY

git init --quiet --initial-branch=main repo
cd repo
git config user.name Ada
git config user.email ada@example.com
husky
echo 'exit 1' >.husky/pre-commit # a check that always finds something
git add .
git commit --quiet --no-verify -m first

commit() {
	local status=0
	git commit --quiet --allow-empty -m second 2>>"$tmp/log" || status=$?
	echo "status $status"
}
got="first worktree: $(commit)"
git worktree add --quiet ../hotfix
cd ../hotfix
got+=$'\n'"git worktree add: $(commit)"
if [ -f .husky/pre-commit ]; then got+=', .husky/pre-commit is there'; fi
cd ../repo
git clean --quiet -d -f -X
got+=$'\n'"first worktree, after git clean -X: $(commit)"

want='first worktree: status 1
git worktree add: status 0, .husky/pre-commit is there
first worktree, after git clean -X: status 0'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
