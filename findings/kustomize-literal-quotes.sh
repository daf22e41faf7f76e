#!/usr/bin/env bash
#
# In a kustomize generator the quotes of NAME="value" go or stay, by where it is written.
#
# Version:   kustomize 5.7.1
# Guess:     literals: and envs: take the same NAME=value, one from the list, the other from
#            a file. So a line may move from one to the other.
# Behaviour: literals: loses one quote at each end, also where these two do not belong
#            together. envs: keeps all of them as part of the value. A name alone in the
#            file is empty, whatever the environment has.
# Seen:      literals: GREETING="hello world" -> hello world
#            envs: GREETING="hello world" -> "hello world"
#            literals: LIST="a" "b" -> a" "b
#            envs: HOST -> (empty)
# Matters:   a quoted password that moves from the list into a file, to keep it out of
#            kustomization.yaml, gets two characters more. The YAML shows it for a ConfigMap,
#            and for a Secret base64 hides it.
set -euo pipefail

tmp=$(mktemp -d)
trap 'rm -rf -- "$tmp"' EXIT
cd -- "$tmp"
export GOMODCACHE=$tmp/mod GOFLAGS=-modcacherw GOTOOLCHAIN=local GOWORK=off
GOBIN=$tmp go install sigs.k8s.io/kustomize/kustomize/v5@v5.7.1 2>log

mkdir shop
printf '%s\n' 'GREETING="hello world"' HOST >shop/file.env
cat >shop/kustomization.yaml <<'END'
configMapGenerator:
  - name: shop
    literals:
      - LITERAL="hello world"
      - LIST="a" "b"
    envs: [file.env]
END
HOST=db ./kustomize build shop >built.yaml
value() {
	local line
	line=$(grep "^  $1: " built.yaml)
	line=${line#*: }
	case $line in
	"'"*) line=${line#?} line=${line%?} ;; # YAML's own quotes
	'""') line='(empty)' ;;
	esac
	echo "$line"
}
got="literals: GREETING=\"hello world\" -> $(value LITERAL)
envs: GREETING=\"hello world\" -> $(value GREETING)
literals: LIST=\"a\" \"b\" -> $(value LIST)
envs: HOST -> $(value HOST)"

want='literals: GREETING="hello world" -> hello world
envs: GREETING="hello world" -> "hello world"
literals: LIST="a" "b" -> a" "b
envs: HOST -> (empty)'
if [ "$got" != "$want" ]; then
	printf 'changed\n--- want\n%s\n--- got\n%s\n' "$want" "$got" >&2
	exit 1
fi
printf '%s\n' "$got"
