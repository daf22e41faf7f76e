package hooks

import (
	"bytes"
	"path/filepath"
	"strings"
	"sync"
)

// chainedSuffix ends the name of the hook that envdrift's replaced. The name is
// not taken from $0: the pre-commit framework renames envdrift's file.
const chainedSuffix = ".envdrift-chained"

// The texts that this package writes, or wrote: the newest first. Earlier ones
// stay in the list so that they are still recognized as envdrift's.
var (
	preTexts = sync.OnceValue(func() []string {
		return withEarlier(preText(), preBegin+askedMore+askStaged+askEnd+askRun+"\texit\n"+preEnd, preBegin+preUnasked+preEnd)
	})
	patchTexts = sync.OnceValue(func() []string {
		return saysAll(preTexts(), "patch", "git -c core.hooksPath=/dev/null am --continue")
	})
	pushTexts     = sync.OnceValue(func() []string { return saysAll(withEarlier(pushText), "push", "git push --no-verify") })
	checkoutTexts = sync.OnceValue(func() []string {
		return withEarlier(checkoutText(), strings.Replace(checkoutText(), askBegin, askedMore, 1), postText)
	})
	postTexts = sync.OnceValue(func() []string { return withEarlier(postText) })
)

// find sets envdrift to the one in PATH, unless that is in the repository, at
// whose top git runs hooks: a relative result of "command -v" is, and one whose real
// directory is. Then it is the one that was installed. What npm puts into PATH is a
// script, which starts that one a hundred times slower. An envdrift that was installed
// in the repository is not run if git tracks it: a branch brought it.
const find = `self=@SELF@
cd -P . && top=$PWD
envdrift=$(command -v envdrift)
case $self in "${envdrift%/bin/*}"/lib/node_modules/*) envdrift=$self ;; esac
case $envdrift in
"$self") ;;
` + outside + `*) envdrift=$self ;;
esac
case $envdrift in "$top"/*)
	real=$(cd "${envdrift%/*}" 2>/dev/null && pwd -P)/${envdrift##*/}
	git ls-files --error-unmatch -- "$real" >/dev/null 2>&1
	[ $? = 1 ] || envdrift="$real, which git tracks"
	;;
esac
`

// outside takes the real directory: PATH may have one such as "$PWD/../bin".
const outside = `/*)
	bin=$(cd "${envdrift%/*}" && pwd -P)
	case $bin/ in "$top"/*) envdrift=$self ;; *) envdrift=$bin/${envdrift##*/} ;; esac
	;;
`

// says returns a text of a commit with the words for something else that git does.
func says(text, doing, command string) string {
	return strings.NewReplacer("commit stopped", doing+" stopped", "to commit once", "to go on once", "git commit --no-verify", command).Replace(text)
}

func saysAll(texts []string, doing, command string) (list []string) {
	for _, text := range texts {
		list = append(list, says(text, doing, command))
	}
	return list
}

// withEarlier adds to texts those with the find that earlier versions had, the last
// one first.
func withEarlier(texts ...string) []string {
	const command = "envdrift=$(command -v envdrift)\n"
	all := texts
	for _, earlier := range []string{
		strings.Replace(find, outside, `/*) case $(cd "${envdrift%/*}" && pwd -P)/ in "$top"/*) envdrift=$self ;; esac ;;`+"\n", 1),
		"self=@SELF@\n" + command + `case $envdrift in
"$self") ;;
/*) case $(cd "${envdrift%/*}" && pwd -P)/ in "$(pwd -P)"/*) envdrift=$self ;; esac ;;
*) envdrift=$self ;;
esac
`,
		command + `case $envdrift in "$PWD"/* | [!/]* | "") envdrift=@SELF@ ;; esac` + "\n",
		command + `case $envdrift in /*) ;; *) envdrift=@SELF@ ;; esac` + "\n",
	} {
		for _, text := range texts {
			all = append(all, strings.ReplaceAll(text, find, earlier))
		}
	}
	return all
}

// A commit that cannot be checked is stopped.
const (
	chain = `#!/bin/sh
# Written by "envdrift hook install"; "envdrift hook uninstall" takes it away.
chained="${0%/*}/@NAME@.envdrift-chained"
if [ -x "$chained" ]; then
	"$chained" "$@" || exit
fi
`
	preBegin = chain + find + `if [ -x "$envdrift" ]; then
`
	preUnasked = `	exec "$envdrift" hook run @NAME@ "$@"
`
	preEnd  = "fi\n" + missing
	missing = `undo="rm '$0'"
if [ -e "$chained" ]; then
	undo="mv '$chained' '$0'"
fi
printf '%s\n' >&2 \
	"envdrift: commit stopped: envdrift is neither in PATH nor at $envdrift" \
	"envdrift: install it again, or remove this hook: $undo" \
	"envdrift: to commit once with no hook checking it: git commit --no-verify"
exit 1
`
)

// Git passes the refs of a push on standard input, which both hooks read to the
// end.
const pushText = `#!/bin/sh
# Written by "envdrift hook install"; "envdrift hook uninstall" takes it away.
refs=$(cat; echo .)
refs=${refs%.}
chained="${0%/*}/@NAME@.envdrift-chained"
if [ -x "$chained" ]; then
	printf %s "$refs" | "$chained" "$@" || exit
fi
[ -n "$refs" ] || exit 0
` + find + `if [ -x "$envdrift" ]; then
	printf %s "$refs" | "$envdrift" hook run @NAME@ "$@"
	exit
` + preEnd

// To find envdrift takes a moment too.
func preText() string {
	return chain + asking(askStaged, find+`[ ! -x "$envdrift" ] || exec "$envdrift" hook run @NAME@ --asked "$@"
`+missing)
}

// What a hook needs from git takes longer than envdrift's start, so the hook file
// starts both at once. The command is that of gitops, which parses the output. If the
// final line end is missing, gitops asks again itself.
const (
	askBegin = `	{
		export GIT_OPTIONAL_LOCKS=0 GIT_NO_REPLACE_OBJECTS=1
`
	// Earlier versions asked more.
	askedMore = `	{
		export GIT_OPTIONAL_LOCKS=0
		git rev-parse --path-format=absolute --show-object-format --show-toplevel \
			--git-dir --git-common-dir --git-path index --git-path hooks &&
`
	askStaged = `		git -c core.fsmonitor=false diff --cached --raw -z --no-abbrev --no-renames --no-ext-diff \
			--no-textconv --no-relative --ignore-submodules=all -- &&
`
	askSwitched = `		git diff-tree -r --raw -z --no-abbrev --no-renames "$1" "$2" -- &&
`
	askEnd = `		echo
	} 2>/dev/null | `
	askRun = `"$envdrift" hook run @NAME@ --asked "$@"
`
)

// asking returns lines that ask git while run runs, which reads the answer. While
// number 3 is the index, nothing else was staged: envdrift need not ask git again.
func asking(ask, run string) string {
	if ask != askStaged {
		return askBegin + ask + askEnd + run
	}
	return `index=/dev/null
[ -f "${GIT_INDEX_FILE-}" ] && index=$GIT_INDEX_FILE
{
` + askBegin + ask + askEnd + "{\n" + run + `}
} 3<"$index"
`
}

// envdrift never makes a checkout fail. After a checkout of single files, or
// one that stays on its commit, there is nothing to do.
func checkoutText() string {
	return postBegin + `if [ "${3-}" = 1 ] && [ "$1" != "$2" ] && [ -x "$envdrift" ]; then
` + asking(askSwitched, askRun) + `elif [ ! -x "$envdrift" ]; then
` + postEnd
}

const postText = postBegin + `if [ -x "$envdrift" ]; then
	"$envdrift" hook run @NAME@ "$@"
else
` + postEnd

const postBegin = `#!/bin/sh
# Written by "envdrift hook install"; "envdrift hook uninstall" takes it away.
# ENVDRIFT=0 in the environment skips it.
status=0
chained="${0%/*}/@NAME@.envdrift-chained"
if [ -x "$chained" ]; then
	"$chained" "$@"
	status=$?
fi
if [ "${ENVDRIFT-}" = 0 ]; then
	exit $status
fi
` + find

const postEnd = `	echo "envdrift: env files not brought up to date: envdrift is neither in PATH nor at $envdrift (hook: $0)" >&2
fi
exit $status
`

// script returns the hook file for an envdrift at the path self.
func script(name, self string) string { return fill(texts(name)[0], name, self) }

// texts returns the texts of the hook file name. There are none for a hook in
// which envdrift takes no part.
func texts(name string) []string {
	event, _ := EventNamed(name)
	if event.texts == nil {
		return nil
	}
	return event.texts()
}

func fill(text, name, self string) string {
	quoted := "'" + strings.ReplaceAll(filepath.ToSlash(self), "'", `'\''`) + "'"
	return strings.NewReplacer("@NAME@", name, "@SELF@", quoted).Replace(text)
}

// isOurs reports whether data as a whole is a hook that this package writes or
// wrote, for an envdrift at any path and with any line ends.
func isOurs(name string, data []byte) bool {
	data = bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n"))
	for _, text := range texts(name) {
		before, after, _ := strings.Cut(strings.ReplaceAll(text, "@NAME@", name), "@SELF@")
		rest, ok1 := strings.CutPrefix(string(data), before)
		self, ok2 := strings.CutSuffix(rest, after)
		if ok1 && ok2 && isQuoted(self) {
			return true
		}
	}
	return false
}

// isQuoted reports whether word is a path as fill quotes it.
func isQuoted(word string) bool {
	if len(word) < 2 || strings.Contains(word, "\n") {
		return false
	}
	path := strings.ReplaceAll(word[1:len(word)-1], `'\''`, "")
	return word[0] == '\'' && word[len(word)-1] == '\'' && !strings.Contains(path, "'")
}

// firstLineEndsInCR reports whether git cannot start a script, since the name of its
// interpreter ends in CR.
func firstLineEndsInCR(data []byte) bool {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	return bytes.HasPrefix(line, []byte("#!")) && bytes.HasSuffix(line, []byte("\r"))
}

func hasCRLF(data []byte) bool { return bytes.Contains(data, []byte("\r\n")) }

// isEarlier reports whether data contains the block that the earlier tool put
// into hooks. It calls "envdrift guard", so a hook that contains it would stop
// every commit.
func isEarlier(data []byte) bool { return bytes.Contains(data, []byte("# >>> envdrift hook: ")) }

func isPreCommit(data []byte) bool {
	return bytes.Contains(data, []byte("File generated by pre-commit: https://pre-commit.com")) ||
		bytes.Contains(data, []byte("File generated by prek: "))
}

func isLefthook(data []byte) bool { return bytes.Contains(data, []byte("call_lefthook")) }
