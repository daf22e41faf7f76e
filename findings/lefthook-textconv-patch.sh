#!/usr/bin/env bash
#
# lefthook takes the output of a textconv for a patch, and unstaged edits vanish.
#
# Version:   lefthook 2.2.2
# Guess:     a textconv changes what people see in git diff, and nothing else.
#            Unstaged edits of a partly staged file are back after the hook.
# Behaviour: lefthook saves the edits with "git diff --patch", which converts:
#            the patch has text that is in no file, and does not apply. The edits
#            are taken out of the working tree, and the commit fails although its
#            job passes. They are left in a stash, and converted in .git/info.
# Seen:      commit: 1
#            working tree: name=staged
#            left: stash@{0}: lefthook auto backup
#            patch: +NAME=EDITED
# Matters:   with a textconv that decrypts, a commit beside unstaged edits of an
#            env file always fails, and leaves the values in plaintext in .git.
#            lint-staged 16.4.0 makes its patch in the same way, but puts the
#            edits back. "git diff --no-textconv" would be right.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
npm install --prefix "$tmp/npm" --ignore-scripts --no-audit --no-fund --loglevel=error --silent lefthook@2.2.2
export PATH=$tmp/npm/node_modules/.bin:$PATH HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet "$tmp/repo"
cd "$tmp/repo"
git config user.name Ada
git config user.email ada@example.com
git config diff.upper.textconv 'tr a-z A-Z <' # stands for any program that decrypts
echo 'file diff=upper' >.gitattributes
printf 'pre-commit:\n  jobs:\n    - run: git --version\n' >lefthook.yml
echo name=first >file
git add .
git commit --quiet -m first
lefthook install >/dev/null

echo name=staged >file
git add file
echo name=edited >file
status=0
git commit -m second >"$tmp/out" 2>&1 || status=$?

want='commit: 1
working tree: name=staged
left: stash@{0}: lefthook auto backup
patch: +NAME=EDITED'
got="commit: $status
working tree: $(cat file)
left: $(git stash list)
patch: $(grep '^+[^+]' .git/info/lefthook-unstaged.patch)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
