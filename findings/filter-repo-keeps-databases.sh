#!/usr/bin/env bash
#
# git filter-repo --replace-text leaves the text in files that have a NUL byte.
#
# Version:   git-filter-repo 2.47.0, git 2.39.5 (Debian 12)
# Guess:     the help says that expressions which are found are replaced. After it has
#            finished, the text is in no file of the history.
# Behaviour: a file with a NUL in its first 8 KiB is left as it is, and no line says so: an
#            SQLite database, an archive without compression, a log with one stray byte.
#            The status is 0, the last line "Completely finished".
# Seen:      before: app.env shop.sqlite
#            status 0, Completely finished
#            after: shop.sqlite
# Matters:   it is run to take a leaked token out of the history, which is then pushed as
#            clean. A small database of fixtures with recorded answers has the same token.
#            Search once more with "git grep -a" in all commits, and take such files out by
#            --path and --invert-paths.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check git-filter-repo==2.47.0
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$tmp/venv/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet --initial-branch=main repo
cd repo
git config user.name Ada
git config user.email ada@example.com
echo TOKEN=fish-and-chips >app.env
python - <<'END'
import sqlite3
with sqlite3.connect("shop.sqlite") as db:
    db.execute("create table answer (body text)")
    db.execute("insert into answer values ('Authorization: fish-and-chips')")
END
git add .
git commit --quiet -m first

found() { git rev-list --all | xargs git grep -a -l fish-and-chips | cut -d : -f 2 | LC_ALL=C sort -u | paste -s -d ' '; }
got="before: $(found)"
echo 'fish-and-chips==>REMOVED' >../expressions
status=0
git filter-repo --force --replace-text ../expressions >../log 2>&1 || status=$?
got+=$'\n'"status $status, $(grep -o 'Completely finished' ../log)"
got+=$'\n'"after: $(found)"

want='before: app.env shop.sqlite
status 0, Completely finished
after: shop.sqlite'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
