#!/usr/bin/env bash
#
# python-dotenv replaces ${NAME} in single quotes too, and no backslash prevents it.
#
# Version:   python-dotenv 1.2.4
# Guess:     single quotes, as in a shell and in most loaders, or a backslash keep
#            ${HOME} as it is.
# Behaviour: the quotes are taken off first, then every ${…} of the text is replaced:
#            by nothing, if there is no such variable, and without a warning. Only
#            a reference without a name and with a default can stand for the $.
# Seen:      A='${NOPE}'       -> ''
#            B="\${NOPE}"      -> '\\'
#            C='${:-$}{NOPE}'  -> '${NOPE}'
# Matters:   a password or template with ${ in it arrives shortened, also through
#            pydantic-settings and environs. interpolate=False of dotenv_values keeps
#            it, and everything else literal too.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check python-dotenv==1.2.4
cat >.env <<'END'
A='${NOPE}'
B="\${NOPE}"
C='${:-$}{NOPE}'
END
got=$(env -u NOPE venv/bin/python -c 'from dotenv import dotenv_values
for name, value in dotenv_values(".env").items(): print(name, repr(value))')
want='A '"''"'
B '"'\\\\'"'
C '"'\${NOPE}'"
echo "$got"
[ "$got" = "$want" ] || { echo "python-dotenv does something else now" >&2; exit 1; }
