#!/usr/bin/env bash
#
# git mv to a name that git-crypt encrypts commits the plaintext, and the other way round.
#
# Version:   git-crypt 0.7.0, git 2.39.5 (Debian 12)
# Guess:     git-crypt's filter is required, so no commit has a file under its pattern in
#            plaintext. Renaming a file in or out converts it.
# Behaviour: git mv moves the entry of the index with the blob it has, and runs no filter.
#            A file that was added under another name is committed as it was. A renamed
#            encrypted file is committed as ciphertext that nothing decrypts any more.
# Seen:      draft to app.secret, committed: PASSWORD=trustno1
#            db.secret to db.txt, committed: GITCRYPT
#            db.txt in an unlocked clone: GITCRYPT
#            db.txt here: PASSWORD=trustno1
# Matters:   "add, then rename so that it is encrypted" pushes the secret. The other way
#            everybody else gets a broken file, and the one who renamed it the right one.
#            "git status" shows the file as changed right after the commit: that is all.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*' 'git-crypt=0.7.0-*'
for package in *.deb; do dpkg -x "$package" root; done
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

git init --quiet --initial-branch=main repo
cd repo
git config user.name Ada
git config user.email ada@example.com
git-crypt init >/dev/null 2>&1
git-crypt export-key ../key
echo '*.secret filter=git-crypt diff=git-crypt' >.gitattributes
echo PASSWORD=trustno1 | tee draft db.secret >/dev/null
git add .
git commit --quiet -m first -- .gitattributes db.secret

git mv draft app.secret
git mv db.secret db.txt
git commit --quiet -m second
git clone --quiet . ../clone
(cd ../clone && git-crypt unlock ../key 2>../log)

text() { tr -d '\0' | head -c 17 | sed 's/^GITCRYPT.*/GITCRYPT/' | head -n 1; }
got="draft to app.secret, committed: $(git show HEAD:app.secret | text)
db.secret to db.txt, committed: $(git show HEAD:db.txt | LC_ALL=C text)
db.txt in an unlocked clone: $(LC_ALL=C text <../clone/db.txt)
db.txt here: $(text <db.txt)"

want='draft to app.secret, committed: PASSWORD=trustno1
db.secret to db.txt, committed: GITCRYPT
db.txt in an unlocked clone: GITCRYPT
db.txt here: PASSWORD=trustno1'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
