#!/usr/bin/env bash
#
# A password that Python's keyring has just set: its own get may return the old one.
#
# Version:   keyring 25.7.0, go-keyring 0.2.8, gnome-keyring 42.1 (Debian 12)
# Guess:     both keep a password under service and username, and read each other's.
#            So what either sets, both read.
# Behaviour: Python's adds an attribute of its own, "application". Its set does not
#            replace the item of the Go library but makes a second one. Both match
#            service and username, get returns the first of the answer, and the order
#            is the key store's: another one in each run. No error at either side.
# Seen:      items that Go stored and Python set: 64
#            read back by Python: some old, some new
#            the same the other way round: 64 new
# Matters:   "keyring set" after a rotation, on a machine where a program in Go stored
#            the password before, leaves the old one in use in about every second case.
#            "keyring del" removes one of the two: delete until there is none, then set.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'gnome-keyring=42.1-*' \
	libgck-1-0 libgcr-base-3-1 libp11-kit0 libcap-ng0 libglib2.0-0 \
	dbus-bin dbus-daemon dbus-session-bus-common libdbus-1-3 libapparmor1
for deb in *.deb; do dpkg -x "$deb" root; done
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check keyring==25.7.0 secretstorage==3.5.0
mkdir go
cat >go/main.go <<'END'
package main

import (
	"log"
	"os"

	"github.com/zalando/go-keyring"
)

func main() {
	if err := keyring.Set(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}
END
(
	cd go
	export GOMODCACHE=$tmp/mod GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off
	go mod init example.com/finding 2>/dev/null
	go get github.com/zalando/go-keyring@v0.2.8 2>/dev/null
	go build -o ../set .
)
export LD_LIBRARY_PATH=$tmp/root/usr/lib/$(uname -m)-linux-gnu:$tmp/root/lib/$(uname -m)-linux-gnu
export PATH=$tmp/root/usr/bin:$PATH HOME=$tmp/home XDG_DATA_HOME=$tmp/home XDG_RUNTIME_DIR=$tmp/run
mkdir -m 700 home run

cat >check.py <<'END'
import keyring, subprocess

users = [f"user{n}" for n in range(64)]

def by_go(service, user, password):
    subprocess.run(["./set", service, user, password], check=True)

for user in users:
    by_go("a", user, "old")
    keyring.set_password("a", user, "new")
read = [keyring.get_password("a", user) for user in users]
print("items that Go stored and Python set:", len(users))
print("read back by Python:", ", ".join("some " + word for word in sorted(set(read), reverse=True)))

for user in users:
    keyring.set_password("b", user, "old")
    by_go("b", user, "new")
read = [keyring.get_password("b", user) for user in users]
print("the same the other way round:", read.count("new"), "new")
END
cat >session.sh <<'END'
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
for _ in $(seq 100); do # it takes its name after it has gone to the background
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true && break
	sleep 0.1
done
venv/bin/python check.py
END
got=$(dbus-run-session --config-file=root/usr/share/dbus-1/session.conf -- bash session.sh 2>err)

want='items that Go stored and Python set: 64
read back by Python: some old, some new
the same the other way round: 64 new'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat err >&2
	exit 1
fi
printf '%s\n' "$got"
