#!/usr/bin/env bash
#
# A key added to the user keyring may be searched for by its owner, but not read.
#
# Version:   keyutils 1.6.3 (Debian 12), Linux 6.18
# Guess:     @u is the user's keyring: whoever may add to it and find a key in it reads
#            the key as well. It is the same user, after all.
# Behaviour: a new key's permissions are for its possessor; its user may only view it.
#            Possession comes from the session keyring, and one that a process has made
#            for itself, as "keyctl session" does and services and containers are given,
#            does not link to @u. So add and search have status 0, and print, update and
#            timeout are denied, to the process that added it and as root too.
# Seen:      add: status 0
#            search @u: status 0
#            print: Permission denied
#            timeout: Permission denied
#            link @u @s, print: secret
# Matters:   a key cache in @u works on a desktop, where the login linked it, and fails
#            in CI or a service. Link @u to @s, or to @p, before anything else.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'keyutils=1.6.3-*' libkeyutils1
for deb in *.deb; do dpkg -x "$deb" root; done
export LD_LIBRARY_PATH=$tmp/root/usr/lib/$(uname -m)-linux-gnu:$tmp/root/lib/$(uname -m)-linux-gnu
export PATH=$tmp/root/bin:$PATH

cat >session.sh <<'END'
name=finding-$$
key=$(keyctl add user "$name" secret @u)
trap 'keyctl link @u @s; keyctl unlink "$key" @u' EXIT
echo "add: status $?"
keyctl search @u user "$name" >/dev/null
echo "search @u: status $?"
echo "print: $(keyctl print "$key" 2>&1 | sed 's/^.*: //')"
echo "timeout: $(keyctl timeout "$key" 60 2>&1 | sed 's/^.*: //')"
keyctl link @u @s
echo "link @u @s, print: $(keyctl print "$key")"
END
got=$(keyctl session - bash session.sh 2>err)

want='add: status 0
search @u: status 0
print: Permission denied
timeout: Permission denied
link @u @s, print: secret'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	cat err >&2
	exit 1
fi
printf '%s\n' "$got"
