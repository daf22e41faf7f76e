#!/usr/bin/env bash
#
# lint-staged --no-stash: if a task fails, unstaged edits are gone from the file.
#
# Version:   lint-staged 16.4.0
# Guess:     --no-stash leaves the files as the tasks leave them. Edits that are
#            not staged are hidden from the tasks, and then put back.
# Behaviour: they are put back only if all tasks pass. After a failed task they
#            are in .git/lint-staged_unstaged.patch alone, and nothing says so.
# Seen:      commit: 1
#            working tree: staged
#            patch: +edited
# Matters:   a check of staged files is there to fail. In the first commit of a
#            repository there is no stash either, so the same happens without
#            the option. "git apply --unidiff-zero" brings the edits back.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
npm install --prefix "$tmp/npm" --ignore-scripts --no-audit --no-fund --loglevel=error --silent lint-staged@16.4.0
export PATH=$tmp/npm/node_modules/.bin:$PATH HOME=$tmp GIT_CONFIG_NOSYSTEM=1 NO_COLOR=1

git init --quiet "$tmp/repo"
cd "$tmp/repo"
git config user.name Ada
git config user.email ada@example.com
echo '{"*": "grep --quiet expected"}' >.lintstagedrc
echo first >file
git add .
git commit --quiet -m first
mkdir -p .git/hooks
printf '#!/bin/sh\nlint-staged --no-stash\n' >.git/hooks/pre-commit
chmod +x .git/hooks/pre-commit

echo staged >file
git add file
echo edited >file
status=0
git commit -m second >"$tmp/out" 2>&1 || status=$?
if grep -q 'unstaged.patch' "$tmp/out"; then
	echo 'changed: lint-staged names the patch' >&2
	exit 1
fi

want='commit: 1
working tree: staged
patch: +edited'
got="commit: $status
working tree: $(cat file)
patch: $(grep '^+[^+]' .git/lint-staged_unstaged.patch)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
