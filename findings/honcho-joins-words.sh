#!/usr/bin/env bash
#
# honcho takes the blanks out of an env file's values.
#
# Version:   honcho 2.0.0
# Guess:     TITLE=Fish and chips is this text, as for foreman, whose files honcho reads; or
#            the first word of it, as for a shell; or an error.
# Behaviour: the line is split into words as a shell does it, and the words are put together
#            without anything between them. A # ends the value also inside a word. honcho
#            check and honcho start say nothing. With quotes the value is whole.
# Seen:      TITLE=Fish and chips -> Fishandchips
#            BACKUP=0 5 * * * -> 05***
#            COLOR=blue#0000ff -> blue
#            TITLE="Fish and chips" -> Fish and chips
# Matters:   the values look almost right: a schedule, a list of options or a key in one
#            line gets to the program as one word. Compose and node read these words from
#            the same file as they are written, so only the start by honcho is wrong.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check honcho==2.0.0
export PATH=$tmp/venv/bin:$PATH

got=
for line in 'TITLE=Fish and chips' 'BACKUP=0 5 * * *' 'COLOR=blue#0000ff' 'TITLE="Fish and chips"'; do
	echo "$line" >.env
	got+="$line -> $(honcho run printenv "${line%%=*}")"$'\n'
done
got=${got%$'\n'}

want='TITLE=Fish and chips -> Fishandchips
BACKUP=0 5 * * * -> 05***
COLOR=blue#0000ff -> blue
TITLE="Fish and chips" -> Fish and chips'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
