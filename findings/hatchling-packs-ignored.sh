#!/usr/bin/env bash
#
# hatchling packs files that git ignores: it reads one .gitignore, and no other list.
#
# Version:   hatchling 1.33.0, build 1.6.1
# Guess:     its documentation says that all files are packed which are not ignored by the
#            version control system. So what "git status" calls ignored stays out.
# Behaviour: it reads the .gitignore in the root, and neither those in folders nor
#            .git/info/exclude nor the list of core.excludesFile. Files that are ignored
#            there go into the sdist, and from the package's folder into the wheel too.
# Seen:      git: .env.keys ignored, deploy/.env.keys ignored, shop/certs/key.pem ignored
#            sdist: .env.keys deploy/.env.keys shop/certs/key.pem
#            wheel: shop/certs/key.pem
# Matters:   a folder that ignores itself with "*" in its own .gitignore, and names that a
#            person excludes for all repositories, are often the private ones. They are
#            published with the next release, and an upload cannot be taken back.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check hatchling==1.33.0 build==1.6.1
export HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet repo
cd repo
mkdir -p .git/info deploy shop/certs
cat >pyproject.toml <<'END'
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "shop"
version = "1"
END
touch shop/__init__.py
printf '%s\n' dist >.gitignore
printf '%s\n' /.env.keys >.git/info/exclude
printf '%s\n' .env.keys >deploy/.gitignore
printf '%s\n' '*' >shop/certs/.gitignore
private=(.env.keys deploy/.env.keys shop/certs/key.pem)
touch "${private[@]}"
git add .

got=git:
for file in "${private[@]}"; do
	if git check-ignore --quiet "$file"; then got+=" $file ignored,"; fi
done
got=${got%,}
../venv/bin/python -m build --no-isolation >../log 2>&1
packed=$(tar -tf dist/shop-1.tar.gz | sed 's,^shop-1/,,' | grep -Fx "$(printf '%s\n' "${private[@]}")" | LC_ALL=C sort | paste -s -d ' ')
got+=$'\n'"sdist: $packed"
packed=$(python3 -m zipfile -l dist/shop-1-*.whl | cut -d ' ' -f 1 | grep -Fx "$(printf '%s\n' "${private[@]}")" | paste -s -d ' ')
got+=$'\n'"wheel: $packed"

want='git: .env.keys ignored, deploy/.env.keys ignored, shop/certs/key.pem ignored
sdist: .env.keys deploy/.env.keys shop/certs/key.pem
wheel: shop/certs/key.pem'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
