#!/usr/bin/env bash
#
# Task runs the values of an env file as templates.
#
# Version:   Task 3.54.0
# Guess:     {{…}} is a template in the Taskfile. What dotenv: loads is data, the more so
#            in single quotes.
# Behaviour: each value is put through Go's text/template. An unknown name with a dot gives
#            nothing, without a word. Any other is an error, also for a task that does not
#            use the variable: it tells neither the file nor the variable. A value that
#            comes with the environment stays as it is.
# Seen:      '{{.Names}}: {{.Status}}' -> [: ]
#            the same from the environment -> [{{.Names}}: {{.Status}}]
#            'Dear {{name}}' -> status 1, template: :1: function "name" not defined
# Matters:   log formats, "docker ps --format", alert texts and mail templates have such
#            braces, and passwords from a generator may. The program gets less than the
#            file has, where any other loader hands all of it on.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check go-task-bin==3.54.0
export PATH=$tmp/venv/bin:$PATH HOME=$tmp
unset FORMAT

cat >Taskfile.yml <<'END'
version: '3'
dotenv: [.env]
tasks:
  default:
    silent: true
    cmds: ['echo "[$FORMAT]"']
  other:
    cmds: ['true']
END
echo "FORMAT='{{.Names}}: {{.Status}}'" >.env
got="'{{.Names}}: {{.Status}}' -> $(task)"
rm .env
got+=$'\n'"the same from the environment -> $(FORMAT='{{.Names}}: {{.Status}}' task)"
echo "FORMAT='Dear {{name}}'" >.env
status=0
err=$(task other 2>&1) || status=$?
got+=$'\n'"'Dear {{name}}' -> status $status, $err"

want="'{{.Names}}: {{.Status}}' -> [: ]
the same from the environment -> [{{.Names}}: {{.Status}}]
'Dear {{name}}' -> status 1, template: :1: function \"name\" not defined"
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
