#!/usr/bin/env bash
#
# simple-git-hooks deletes the hooks that it did not write.
#
# Version:   simple-git-hooks 2.14.0
# Guess:     it writes the hooks that package.json names, and leaves others alone.
# Behaviour: it overwrites those that package.json names and deletes all others, also
#            those that another tool or a person put there. It says nothing of that.
# Seen:      before: pre-push
#            after: pre-commit
# Matters:   it runs at each npm install, where package.json calls it in "prepare". A
#            check for secrets before a push is gone from then on, and nothing says
#            so. "preserveUnused": ["pre-push"] in its section keeps the file.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
export HOME=$tmp GIT_CONFIG_NOSYSTEM=1 npm_config_update_notifier=false
git init --quiet "$tmp/repo"
cd "$tmp/repo"
rm -f .git/hooks/*
echo '{"name": "x", "version": "1.0.0", "simple-git-hooks": {"pre-commit": "true"}}' >package.json
npm install --silent --ignore-scripts --no-audit --no-fund simple-git-hooks@2.14.0 >/dev/null
printf '#!/bin/sh\necho checked\n' >.git/hooks/pre-push
chmod +x .git/hooks/pre-push

got="before: $(ls .git/hooks)"
npx --no-install simple-git-hooks >/dev/null
got+=$'\n'"after: $(ls .git/hooks)"

want='before: pre-push
after: pre-commit'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
