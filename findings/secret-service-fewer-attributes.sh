#!/usr/bin/env bash
#
# An item stored with fewer attributes replaces another that has all of them.
#
# Version:   gnome-keyring 42.1, libsecret 0.20.5 (Debian 12)
# Guess:     the attributes are the item's key: storing {service} makes a second item
#            beside {service, user}. With the same attributes it replaces.
# Behaviour: CreateItem with replace, as secret-tool calls it, and keyring and go-keyring
#            as well, replaces the first item that has at least the given attributes.
#            The other attributes, and so the way to find the old item, are gone. Status
#            0, and no message. The other way round, with more attributes than before, it
#            is a second item.
# Seen:      {service, user}: password of ann
#            stored {service}: status 0
#            {service, user}: not found
#            {service}: shared password
# Matters:   two tools that use one service name and of which one stores an attribute
#            less: the second deletes the first one's secret, such as the only copy of
#            a private key. Give every item of a tool all of its attributes.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'gnome-keyring=42.1-*' 'libsecret-tools=0.20.5-*' \
	libsecret-1-0 libgck-1-0 libgcr-base-3-1 libp11-kit0 libcap-ng0 libglib2.0-0 \
	dbus-bin dbus-daemon dbus-session-bus-common libdbus-1-3 libapparmor1
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/$(uname -m)-linux-gnu:$tmp/root/lib/$(uname -m)-linux-gnu
export PATH=$tmp/root/usr/bin:$PATH HOME=$tmp/home XDG_DATA_HOME=$tmp/home XDG_RUNTIME_DIR=$tmp/run
mkdir -m 700 home run

cat >session.sh <<'END'
printf pw | gnome-keyring-daemon --unlock --components=secrets >/dev/null
for _ in $(seq 100); do # it takes its name after it has gone to the background
	dbus-send --session --print-reply --dest=org.freedesktop.DBus / \
		org.freedesktop.DBus.NameHasOwner string:org.freedesktop.secrets | grep -q true && break
	sleep 0.1
done
show() { secret-tool lookup "$@" || echo 'not found'; }
printf 'password of ann\n' | secret-tool store --label=ann service app user ann
printf '{service, user}: '; show service app user ann
printf 'shared password\n' | secret-tool store --label=app service app
echo "stored {service}: status $?"
printf '{service, user}: '; show service app user ann
printf '{service}: '; show service app
END
got=$(dbus-run-session --config-file=root/usr/share/dbus-1/session.conf -- bash session.sh 2>err)

want='{service, user}: password of ann
stored {service}: status 0
{service, user}: not found
{service}: shared password'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat err >&2
	exit 1
fi
printf '%s\n' "$got"
