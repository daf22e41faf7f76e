#!/usr/bin/env bash
#
# Variables with a dot or a dash in the name do not survive a shell in between.
#
# Version:   dash 0.5.12, mksh 59c, bash 5.2.15 (all Debian 12)
# Guess:     a shell hands on what it does not understand. It cannot expand
#            such a name, but its children find it.
# Behaviour: dash and mksh build the environment of their children anew, from
#            the names that are valid in a script. bash keeps the others too.
# Seen:      dash: node_name=a
#            mksh: node_name=a
#            bash: cluster-name=c discovery.type=b node_name=a
# Matters:   dotenv files may hold such names, and a wrapper sets them without
#            an error. "npm run", recipes of make, system(), the shell form of
#            CMD in a Dockerfile and most git hooks go through /bin/sh, which is
#            dash in Debian and Ubuntu. The program there lacks the variable; on
#            a machine whose sh is bash it works.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download \
	'dash=0.5.12-*' 'mksh=59c-*' 'bash=5.2.15-*'
for package in *.deb; do dpkg -x "$package" root; done

got=
for shell in dash mksh bash; do
	names=$(env -i node_name=a discovery.type=b cluster-name=c \
		"root/bin/$shell" -c '/usr/bin/env; :' | grep '=[abc]$' | LC_ALL=C sort | paste -sd ' ')
	got+="$shell: $names"$'\n'
done

want='dash: node_name=a
mksh: node_name=a
bash: cluster-name=c discovery.type=b node_name=a
'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf %s "$got"
