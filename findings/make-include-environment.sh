#!/usr/bin/env bash
#
# "include .env" in a Makefile sends the file's ciphertext to the recipes, in
# place of the values that the environment already has.
#
# Version:   GNU make 4.3 (Debian 12)
# Guess:     the environment wins over the file, as in most loaders; or, since
#            nothing says "export", what is included never leaves make.
# Behaviour: a makefile's assignment wins over the environment. Names that came
#            with the environment are exported anyway, now with the file's
#            value. So exactly the names that were set right arrive wrong, and
#            the others do not arrive at all. "make -e" turns the order round.
# Seen:      KEY=encrypted:BAsE64 OTHER=
#            with -e: KEY=value OTHER=
# Matters:   a wrapper decrypts .env and starts "make deploy" with the values.
#            One include line, often there for a name like PORT, undoes it, and
#            programs are started with ciphertext for a password.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'make=4.3-*'
dpkg -x make_*.deb root
unset OTHER MAKEFLAGS MAKELEVEL

printf '%s\n' KEY=encrypted:BAsE64 OTHER=encrypted:OtHeR >.env
cat >Makefile <<'END'
include .env
deploy:
	@sh -c 'echo "KEY=$$KEY OTHER=$$OTHER"'
END

want='KEY=encrypted:BAsE64 OTHER=
with -e: KEY=value OTHER='
got="$(KEY=value root/usr/bin/make deploy)
with -e: $(KEY=value root/usr/bin/make -e deploy)"

if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
