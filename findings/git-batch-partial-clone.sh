#!/usr/bin/env bash
#
# git cat-file --batch: in a partial clone it does not say "missing" of an object
# that is not there: without a connection it ends at the first one.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     "If a name is specified that cannot be resolved to an object in the
#            repository, then cat-file will ignore any custom format and print:
#            <object> SP missing", and goes on with the next name.
# Behaviour: so it is in a complete repository. In a clone with a filter it fetches
#            such an object, alone; if that fails, or GIT_NO_LAZY_FETCH forbids it,
#            the command ends with 128, and what was asked for after it is not
#            answered, though it is there.
# Seen:      complete clone: absent missing, present blob, status 0
#            partial clone: status 128
# Matters:   what searches a history for secrets with one cat-file, as scanners do,
#            has read a part of it, up to the first file that was never checked out.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet --initial-branch=main origin
cd origin
git config user.name Ada
git config user.email ada@example.com
git config uploadpack.allowFilter true
echo old >file
git add .
git commit --quiet -m one
absent=$(git rev-parse HEAD:file)
echo new >file
git commit --quiet -a -m two
present=$(git rev-parse HEAD:file)
cd ..
git clone --quiet --depth 1 "file://$tmp/origin" complete
git clone --quiet --filter=blob:none "file://$tmp/origin" partial
rm -r origin

ask() {
	local answer status=0
	answer=$(printf '%s\n' "$absent" "$present" | git -C "$1" cat-file --batch-check 2>/dev/null) || status=$?
	answer=$(sed "s/$absent/absent/; s/$present/present/; s/ [0-9]*$/,/; s/missing/&,/" <<<"$answer" | paste -s -d ' ')
	echo "$1 clone:${answer:+ $answer} status $status"
}
got=$(ask complete; ask partial)

want='complete clone: absent missing, present blob, status 0
partial clone: status 128'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
