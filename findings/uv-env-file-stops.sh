#!/usr/bin/env bash
#
# uv run starts the program with the first lines of an env file, if a later one is odd.
#
# Version:   uv 0.13.9, just 1.59.0
# Guess:     a file given by --env-file is read as a whole, or it is an error: a file that
#            is not there is one.
# Behaviour: at a line that its parser does not take, such as a value of two words without
#            quotes, uv warns, drops this line and all after it, and starts the program,
#            whose status it returns. With UV_ENV_FILE it is the same. just, with the same
#            parser, is an error. Most other loaders read the line.
# Seen:      uv: status 0, HOST=db TITLE=None PASSWORD=None
#            uv, without the file: status 2
#            just: status 1
# Matters:   a program with a default for what is missing runs with it: another database, a
#            password that is empty, a debug mode. In a log of CI the warning is one line
#            among many.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check uv==0.13.9 rust-just==1.59.0
export PATH=$tmp/venv/bin:$PATH HOME=$tmp
unset HOST TITLE PASSWORD UV_ENV_FILE

printf '%s\n' HOST=db 'TITLE=The shop' PASSWORD=trustno1 >.env
printf '%s\n' 'set dotenv-load' 'start:' '	@echo started' >justfile
cat >program.py <<'END'
import os
print(*(name + "=" + str(os.environ.get(name)) for name in ("HOST", "TITLE", "PASSWORD")))
END
try() {
	local status=0 out
	out=$("$@" 2>>log) || status=$?
	echo "status $status${out:+, $out}"
}
uv=(uv run --no-project --offline --python venv/bin/python)
got="uv: $(try "${uv[@]}" --env-file .env program.py)
uv, without the file: $(try "${uv[@]}" --env-file other.env program.py)
just: $(try just start)"

want='uv: status 0, HOST=db TITLE=None PASSWORD=None
uv, without the file: status 2
just: status 1'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
