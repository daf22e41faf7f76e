#!/usr/bin/env bash
#
# Without lefthook, lefthook's hook lets every commit pass.
#
# Version:   lefthook 2.2.2
# Guess:     the hook file that lefthook installed fails where there is no lefthook,
#            as that of the pre-commit framework does.
# Behaviour: it prints "Can't find lefthook in PATH" and ends with status 0, unless
#            lefthook.yml says assert_lefthook_installed: true.
# Seen:      with lefthook: 1
#            without lefthook: 0
#            without lefthook, asserted: 1
# Matters:   after "rm -rf node_modules", a new Python environment or an upgrade, a
#            secret that a job would have stopped is committed. The line is easily
#            missed, and a graphical client shows none of it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check lefthook==2.2.2
export HOME=$tmp GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.com
export GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.com

git init --quiet "$tmp/repo"
cd "$tmp/repo"
job='pre-commit:
  jobs:
    - run: exit 1
'
commit() {
	echo "$1" >file
	git add file
	echo "$1: $(git commit --quiet --message=m >/dev/null 2>&1 && echo 0 || echo 1)"
}

printf '%s' "$job" >lefthook.yml
"$tmp/venv/bin/lefthook" install >/dev/null
got=$(commit 'with lefthook')
mv "$tmp/venv" "$tmp/gone"
got+=$'\n'$(commit 'without lefthook')
mv "$tmp/gone" "$tmp/venv"
printf 'assert_lefthook_installed: true\n%s' "$job" >lefthook.yml
"$tmp/venv/bin/lefthook" install >/dev/null
mv "$tmp/venv" "$tmp/gone"
got+=$'\n'$(commit 'without lefthook, asserted')

want='with lefthook: 1
without lefthook: 0
without lefthook, asserted: 1'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
