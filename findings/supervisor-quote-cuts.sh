#!/usr/bin/env bash
#
# supervisord cuts a value that it takes from its environment at a double quote.
#
# Version:   supervisor 4.3.0
# Guess:     environment=PASSWORD="%(ENV_SECRET)s" hands the value of SECRET on under
#            another name, whatever is in it: the quotes were there before it was put in.
# Behaviour: the value is put in first and the line is split into NAME="value" pairs
#            afterwards. At a double quote in the value it ends. The program is started,
#            and neither supervisord's status nor its log says so.
# Seen:      abc'd,e%f -> abc'd,e%f
#            abc"def -> abc
# Matters:   a password made by a generator has a quote now and then. After a rotation
#            the program gets the first part of it, and sign-in fails. Start the program
#            with the name it has in supervisord's environment, which it inherits.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check supervisor==4.3.0
export HOME=$tmp

# The program ends supervisord, its parent, when it has written what it got.
cat >program <<END
#!/bin/sh
printf '%s' "\$PASSWORD" >$tmp/out
kill \$PPID
END
chmod +x program
cat >supervisord.conf <<END
[supervisord]
nodaemon = true
logfile = $tmp/log
pidfile = $tmp/pid
[program:app]
command = $tmp/program
environment = PASSWORD="%(ENV_SECRET)s"
autorestart = false
startsecs = 0
END
got=
for value in "abc'd,e%f" 'abc"def'; do
	SECRET=$value venv/bin/supervisord --configuration supervisord.conf >>stdout
	got+="$value -> $(<out)"$'\n'
done
got=${got%$'\n'}

want="abc'd,e%f -> abc'd,e%f
abc\"def -> abc"
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
