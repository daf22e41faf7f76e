#!/usr/bin/env bash
#
# In pre-commit, "types: [dotenv]" does not mean .env.
#
# Version:   pre-commit 4.7.0, identify 2.6.20
# Guess:     the type dotenv stands for .env and its kin, .env.production too.
# Behaviour: the type belongs to the extension "env". A name that is nothing but
#            a dot and "env" has no extension, and .env.production has another.
#            Both are plain text, so the hook gets prod.env alone.
# Seen:      checked prod.env
#            .env is text
# Matters:   .env and .env.NAME are the usual names. A hook for env files that
#            is limited by type never gets them, and shows "Passed" as soon as
#            one prod.env is there. "files: '(^|/)\.env(\.|$)'" finds them.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check \
	pre-commit==4.7.0 identify==2.6.20
export PATH=$tmp/venv/bin:$PATH HOME=$tmp PRE_COMMIT_HOME=$tmp/cache GIT_CONFIG_NOSYSTEM=1

git init --quiet "$tmp/repo"
cd "$tmp/repo"
cat >.pre-commit-config.yaml <<'END'
repos:
  - repo: local
    hooks:
      - id: env-files
        name: env files
        language: system
        entry: echo checked
        types: [dotenv]
        require_serial: true
        verbose: true
END
for file in .env .env.local .env.production prod.env; do
	echo 'API_KEY=one' >"$file"
done
git add .

want='checked prod.env
.env is text'
got="$(pre-commit run --all-files | grep '^checked')
.env is $(identify-cli .env | grep -oE 'dotenv|text' | paste -sd ' ')"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
