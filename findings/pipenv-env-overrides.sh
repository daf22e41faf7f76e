#!/usr/bin/env bash
#
# "pipenv run" puts the values of .env in place of those the environment has.
#
# Version:   pipenv 2026.10.3, python-dotenv's "dotenv run" 1.2.4 beside it
# Guess:     pipenv loads .env with python-dotenv, and there, as in nearly all loaders,
#            the environment wins.
# Behaviour: pipenv asks python-dotenv to override. Each name that stands in .env gets
#            the file's value, with a short "Loading .env environment variables…".
# Seen:      dotenv run --no-override: KEY=value
#            pipenv run: KEY=encrypted:BAsE64
#            with PIPENV_DONT_LOAD_ENV=1: KEY=value
# Matters:   a wrapper decrypts an encrypted .env and starts "pipenv run". The program
#            gets the ciphertext for a password, just for the names that were set right.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pipenv==2026.10.3 'python-dotenv[cli]==1.2.4'
export PATH=$tmp/venv/bin:$PATH HOME=$tmp PIPENV_IGNORE_VIRTUALENVS=1
export XDG_CACHE_HOME=$tmp/cache WORKON_HOME=$tmp/envs VIRTUALENV_NO_PERIODIC_UPDATE=1
unset PIPENV_DONT_LOAD_ENV PIPENV_DOTENV_LOCATION VIRTUAL_ENV
mkdir app
cd app
printf '[packages]\n' >Pipfile
printf '%s\n' KEY=encrypted:BAsE64 >.env

want='dotenv run --no-override: KEY=value
pipenv run: KEY=encrypted:BAsE64
with PIPENV_DONT_LOAD_ENV=1: KEY=value'
# shellcheck disable=SC2016 # expanded by the program that is started
got="dotenv run --no-override: $(KEY=value dotenv run --no-override sh -c 'echo KEY=$KEY')
pipenv run: $(KEY=value pipenv run sh -c 'echo KEY=$KEY' 2>../err)
with PIPENV_DONT_LOAD_ENV=1: $(KEY=value PIPENV_DONT_LOAD_ENV=1 pipenv run sh -c 'echo KEY=$KEY' 2>>../err)"
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat ../err >&2
	exit 1
fi
printf '%s\n' "$got"
