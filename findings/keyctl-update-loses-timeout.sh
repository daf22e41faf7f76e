#!/usr/bin/env bash
#
# A kernel key with a timeout that is given a new value never expires.
#
# Version:   keyutils 1.6.3 (Debian 12), Linux 6.18
# Guess:     the timeout belongs to the key: a new value keeps what is left of it, or
#            starts it again.
# Behaviour: "keyctl add" of a name that the keyring has updates that key, under the
#            same number, and takes its timeout away, as "keyctl update" does. Nothing
#            says so; /proc/keys then has "perm" in the column of the time.
# Seen:      timeout 1: Key has expired
#            timeout 1, add: the same key, new value
#            timeout 1, update: newer value
#            update, timeout 1: Key has expired
# Matters:   a cache of keys with a time to live that renews a key after a rotation
#            keeps it until the session ends. Set the timeout after every add.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'keyutils=1.6.3-*' libkeyutils1
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/$(uname -m)-linux-gnu:$tmp/root/lib/$(uname -m)-linux-gnu
export PATH=$tmp/root/bin:$PATH

cat >session.sh <<'END'
read_key() { sleep 2; keyctl print "$1" 2>&1 | sed 's/^.*: //'; }
for name in first second third; do
	declare "$name=$(keyctl add user "$name" 'old value' @s)"
done
keyctl timeout "$first" 1
echo "timeout 1: $(read_key "$first")"

keyctl timeout "$second" 1
again=$(keyctl add user second 'new value' @s)
[ "$again" != "$second" ] || same='the same key, '
echo "timeout 1, add: ${same-}$(read_key "$second")"

keyctl timeout "$third" 1
keyctl update "$third" 'newer value'
echo "timeout 1, update: $(read_key "$third")"
keyctl update "$third" 'newest value'
keyctl timeout "$third" 1
echo "update, timeout 1: $(read_key "$third")"
END
got=$(keyctl session - bash session.sh 2>err) # a session keyring of its own

want='timeout 1: Key has expired
timeout 1, add: the same key, new value
timeout 1, update: newer value
update, timeout 1: Key has expired'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat err >&2
	exit 1
fi
printf '%s\n' "$got"
