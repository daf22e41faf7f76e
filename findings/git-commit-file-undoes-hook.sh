#!/usr/bin/env bash
#
# git commit FILE: what the hook repaired is in the commit, and the next one undoes it.
#
# Version:   git 2.39.5 (Debian 12)
# Guess:     a pre-commit hook that repairs a file and calls "git add" leaves the same
#            behind by "git commit FILE" as by "git commit -a": a commit with the repair,
#            and nothing staged.
# Behaviour: with a FILE the hook works on an index that git makes for this commit. The
#            index that stays was written before the hook ran. So the commit has the
#            repair, and the file as it was before is staged, ready to take it out again.
# Seen:      -a: HEAD HELLO, index HELLO; next commit: nothing to commit
#            -i file: HEAD HELLO, index HELLO; next commit: nothing to commit
#            file: HEAD HELLO, index hello; next commit: HELLO to hello
# Matters:   a hook that formats, encrypts or strips a secret has its work reverted by
#            "git commit" without a FILE, if that hook does not run again or looks only at
#            some files. The working tree is right all the time, so nobody sees it there.
#            lefthook 2.2.2 with stage_fixed and lint-staged 16.4.0 leave the same behind.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
apt-get -qq -o APT::Sandbox::User=root download 'git=1:2.39.5-*'
dpkg -x git_*.deb root
export PATH=$tmp/root/usr/bin:$PATH GIT_EXEC_PATH=$tmp/root/usr/lib/git-core
export GIT_TEMPLATE_DIR='' HOME=$tmp GIT_CONFIG_NOSYSTEM=1

try() {
	rm -rf repo
	git init --quiet --initial-branch=main repo
	cd repo
	git config user.name Ada
	git config user.email ada@example.com
	touch file
	git add file
	git commit --quiet -m first
	mkdir -p .git/hooks
	cat >.git/hooks/pre-commit <<'END'
#!/bin/sh
tr a-z A-Z <file >repaired && cat repaired >file && rm repaired && git add file
END
	chmod +x .git/hooks/pre-commit

	echo hello >file
	git commit --quiet -m second "$@"
	echo -n "HEAD $(git show HEAD:file), index $(git show :file); next commit: "
	rm .git/hooks/pre-commit
	if git commit --quiet -m third >/dev/null; then
		echo "$(git show HEAD~:file) to $(git show HEAD:file)"
	else
		echo nothing to commit
	fi
	cd ..
}
got="-a: $(try -a)
-i file: $(try -i file)
file: $(try file)"

want='-a: HEAD HELLO, index HELLO; next commit: nothing to commit
-i file: HEAD HELLO, index HELLO; next commit: nothing to commit
file: HEAD HELLO, index hello; next commit: HELLO to hello'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
