package hooks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func FuzzIsOurs(f *testing.F) {
	for _, self := range []string{"/usr/bin/envdrift", "/it's/envdrift", "'", "", "a\nb"} {
		f.Add(self)
	}
	f.Fuzz(func(t *testing.T, self string) {
		for _, name := range Names() {
			text := script(name, self)
			if !bytes.ContainsAny([]byte(self), "\r\n") && !isOurs(name, []byte(text)) {
				t.Errorf("isOurs does not know the %s hook of %q", name, self)
			}
			if isOurs(name, []byte(text+"\n")) || isOurs(name, []byte(text[1:])) {
				t.Errorf("isOurs takes a changed %s hook of %q", name, self)
			}
		}
	})
}

// earlierPreCommit is what a version wrote that asked git for more before it ran envdrift.
const earlierPreCommit = `#!/bin/sh
# Written by "envdrift hook install"; "envdrift hook uninstall" takes it away.
chained="${0%/*}/pre-commit.envdrift-chained"
if [ -x "$chained" ]; then
	"$chained" "$@" || exit
fi
self='/usr/bin/envdrift'
envdrift=$(command -v envdrift)
case $envdrift in
"$self") ;;
/*) case $(cd "${envdrift%/*}" && pwd -P)/ in "$(pwd -P)"/*) envdrift=$self ;; esac ;;
*) envdrift=$self ;;
esac
if [ -x "$envdrift" ]; then
	{
		export GIT_OPTIONAL_LOCKS=0
		git rev-parse --path-format=absolute --show-object-format --show-toplevel \
			--git-dir --git-common-dir --git-path index --git-path hooks &&
		git -c core.fsmonitor=false diff --cached --raw -z --no-abbrev --no-renames --no-ext-diff \
			--no-textconv --no-relative --ignore-submodules=all -- &&
		echo
	} 2>/dev/null | "$envdrift" hook run pre-commit --asked "$@"
	exit
fi
undo="rm '$0'"
if [ -e "$chained" ]; then
	undo="mv '$chained' '$0'"
fi
printf '%s\n' >&2 \
	"envdrift: commit stopped: envdrift is neither in PATH nor at $envdrift" \
	"envdrift: install it again, or remove this hook: $undo" \
	"envdrift: to commit once with no hook checking it: git commit --no-verify"
exit 1
`

// TestEarlierText: what earlier versions wrote is ours, and is replaced.
func TestEarlierText(t *testing.T) {
	for name, text := range map[string]string{
		"pre-commit":       earlierPreCommit,
		"pre-merge-commit": strings.ReplaceAll(earlierPreCommit, "pre-commit", "pre-merge-commit"),
		"pre-applypatch":   says(strings.ReplaceAll(earlierPreCommit, "pre-commit", "pre-applypatch"), "patch", "git -c core.hooksPath=/dev/null am --continue"),
		"post-checkout":    strings.Replace(script("post-checkout", "/usr/bin/envdrift"), askBegin, askedMore, 1),
	} {
		if text == script(name, "/usr/bin/envdrift") || !isOurs(name, []byte(text)) {
			t.Errorf("isOurs does not know the earlier %s hook", name)
		}
	}
}

// TestTextBeforeNpm: the same for the hooks as they were before those of npm's program.
func TestTextBeforeNpm(t *testing.T) {
	const earlier = `self=@SELF@
envdrift=$(command -v envdrift)
case $envdrift in
"$self") ;;
/*) case $(cd "${envdrift%/*}" && pwd -P)/ in "$(pwd -P)"/*) envdrift=$self ;; esac ;;
*) envdrift=$self ;;
esac
`
	for _, event := range events {
		if event.texts == nil {
			continue
		}
		now := texts(event.Name)[0]
		text := strings.Replace(now, find, earlier, 1)
		if text == now || !isOurs(event.Name, []byte(fill(text, event.Name, "/usr/bin/envdrift"))) {
			t.Errorf("isOurs does not know the earlier %s hook", event.Name)
		}
	}
}

func TestWithoutVersion(t *testing.T) {
	for _, store := range []string{".pnpm", ".deno"} {
		testWithoutVersion(t, filepath.Join(t.TempDir(), "node_modules", store))
	}
}

func testWithoutVersion(t *testing.T, store string) {
	real := filepath.Join(store, "@envdrift+x@1.0.0", "node_modules", "@envdrift", "x")
	links := filepath.Join(store, "node_modules", "@envdrift")
	if err := errors.Join(os.MkdirAll(real, 0o700), os.MkdirAll(links, 0o700), os.WriteFile(filepath.Join(real, "envdrift"), nil, 0o700)); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(real, "envdrift")
	info, err := os.Stat(program)
	if err != nil {
		t.Fatal(err)
	}
	if got := withoutVersion(program, info); got != program {
		t.Errorf("without a link it is %s; want %s", got, program)
	}
	if err := os.Symlink(real, filepath.Join(links, "x")); err != nil {
		t.Skip(err)
	}
	if got, want := withoutVersion(program, info), filepath.Join(links, "x", "envdrift"); got != want {
		t.Errorf("with a link it is %s; want %s", got, want)
	}
	if got := withoutVersion("/usr/bin/envdrift", info); got != "/usr/bin/envdrift" {
		t.Errorf("another program is %s", got)
	}
}

func TestFleeting(t *testing.T) {
	for program, want := range map[string]bool{
		"/home/a/.npm/_npx/f1fab2c4/node_modules/@envdrift/linux-x64/bin/envdrift":                         true,
		"/home/a/.cache/pnpm/dlx/894d/mx0/node_modules/.pnpm/@envdrift+linux-x64@1.0.0/x/bin/envdrift":     true,
		"/home/a/.bun/install/cache/.bunx-0/envdrift@latest/node_modules/@envdrift/linux-x64/bin/envdrift": true,
		"/home/a/.cache/uv/archive-v0/YWCrpQ9FuqZerLS3/bin/envdrift":                                       true,
		"/tmp/go-build123/b001/exe/envdrift":                                                               true,
		"/home/a/app/node_modules/@envdrift/linux-x64/bin/envdrift":                                        false,
		"/home/a/.local/share/uv/tools/envdrift/bin/envdrift":                                              false,
		"/home/a/.local/bin/envdrift":                                                                      false,
	} {
		if got := fleeting(program); got != want {
			t.Errorf("fleeting(%q) = %v", program, got)
		}
	}
}

func FuzzBlock(f *testing.F) {
	f.Add([]byte("#!/bin/sh\necho x\n"))
	f.Add([]byte("# comment\r\npre-push:\r\n"))
	f.Add([]byte("#!"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, block := range []string{openBlock("pre-commit"), lefthookBlock("pre-commit")} {
			if _, _, _, ok := cutBlock(data, "pre-commit"); ok {
				return
			}
			before, got, after, ok := cutBlock(insertBlock(data, block), "pre-commit")
			if !ok || string(got) != block || !bytes.Equal(append(bytes.Clone(before), after...), data) {
				t.Errorf("block put into %q comes out as %q, %q, %q", data, before, got, after)
			}
		}
	})
}
