#!/usr/bin/env bash
#
# A push that the server's hook refused: Dulwich says successful, with status 0.
#
# Version:   Dulwich 1.2.21, against git daemon of git 2.39.5 (Debian 12)
# Guess:     "dulwich push" fails as "git push" does if the server refuses the ref:
#            status 1, and porcelain.push raises.
# Behaviour: it prints "Push to … successful." before it looks at what the server
#            said of the ref, then a line of that. The status is 0, and
#            porcelain.push returns: only ref_status of its result tells.
# Seen:      git push: status 1
#            dulwich push: status 0, successful, failed: pre-receive hook declined
#            porcelain.push: returned, ref_status: pre-receive hook declined
#            the server has first
# Matters:   a script that pushes by Dulwich takes commits for published that a
#            server refused, because of a secret in them or for any other reason.
set -euo pipefail

tmp=$(mktemp -d)
daemon=
trap '[ -z "$daemon" ] || kill "$daemon"; rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check dulwich==1.2.21
cd -- "$tmp"
export HOME=$tmp GIT_CONFIG_NOSYSTEM=1 PYTHONWARNINGS=ignore

git init --quiet --initial-branch=main repo
git -C repo config user.name Ada
git -C repo config user.email ada@example.com
git -C repo commit --quiet --allow-empty -m first
git clone --quiet --bare repo server.git
printf '#!/bin/sh\nexit 1\n' >server.git/hooks/pre-receive
chmod +x server.git/hooks/pre-receive
git -C repo commit --quiet --allow-empty -m second

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
"$(git --exec-path)/git-daemon" --listen=127.0.0.1 --port="$port" --reuseaddr \
	--export-all --enable=receive-pack --base-path="$tmp" "$tmp" &
daemon=$!
url=git://127.0.0.1:$port/server.git
until git ls-remote --quiet "$url" >ls 2>ls.err; do
	kill -0 "$daemon"
	sleep 0.1
done

cd repo
status=0
git push --quiet "$url" main 2>../git.txt || status=$?
got="git push: status $status"
status=0
../venv/bin/dulwich push "$url" main >../dulwich.txt 2>&1 || status=$?
got+=$'\n'"dulwich push: status $status, $(grep -o 'successful' ../dulwich.txt), $(grep -o 'failed: .*' ../dulwich.txt)"
got+=$'\n'"porcelain.push: $(../venv/bin/python -c "
from io import BytesIO
from dulwich import porcelain
result = porcelain.push('.', '$url', 'refs/heads/main', outstream=BytesIO(), errstream=BytesIO())
print('returned, ref_status:', result.ref_status[b'refs/heads/main'])")"
got+=$'\n'"the server has $(git -C ../server.git log --format=%s main)"

want='git push: status 1
dulwich push: status 0, successful, failed: pre-receive hook declined
porcelain.push: returned, ref_status: pre-receive hook declined
the server has first'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
