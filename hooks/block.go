package hooks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
)

// A block is envdrift's part of a file that the user of a hook manager owns,
// between two comment lines that are valid in sh and YAML. It is at the top,
// where no "exit" or "exec" comes before it. The file may be committed, so a
// block contains no path of this machine.

// blockMark begins every block.
const blockMark = "# >>> envdrift "

func blockBegin(name string) string {
	return blockMark + name + " >>> written by \"envdrift hook install\"\n"
}
func blockEnd(name string) string { return "# <<< envdrift " + name + " <<<\n" }

// openBlock is for a script that colleagues without envdrift run too, perhaps with
// sh -e: it lets them pass, and says so. It does not run an envdrift of the repository,
// at whose top git runs hooks, but for the program that npm or pnpm installed there: git
// says that it tracks no such file, so no branch brought it.
func openBlock(name string) string {
	body := `envdrift=$(command -v envdrift) || :
case $envdrift in
/*) case $(cd "${envdrift%/*}" && pwd -P)/ in "$(pwd -P)"/*) envdrift= ;; esac ;;
*) envdrift= ;;
esac
[ -n "$envdrift" ] || for own in node_modules/@envdrift/*/bin/envdrift node_modules/.pnpm/node_modules/@envdrift/*/bin/envdrift; do
	own=$(cd "${own%/*}" 2>/dev/null && pwd -P)/envdrift || continue
	[ ! -x "$own" ] || git ls-files --error-unmatch -- "$own" >/dev/null 2>&1 || [ $? != 1 ] || envdrift=$own
done
case $envdrift in
"") echo "envdrift: @WHAT@: envdrift is not in PATH" >&2 ;;
*) "$envdrift" hook run @NAME@ "$@" || @ELSE@ ;;
esac
`
	what, otherwise := "env files not brought up to date", ":"
	event, _ := EventNamed(name)
	switch {
	case event.Updates != nil:
		// The rest of the script reads the refs again.
		body = "refs=$(cat; echo .)\nrefs=${refs%.}\n" + strings.Replace(body, `*) "$envdrift"`, `*) printf %s "$refs" | "$envdrift"`, 1) +
			"[ -z \"$refs\" ] || exec <<EOF\n$(printf %s \"$refs\")\nEOF\n"
		what, otherwise = "NOT CHECKED whether the vault's keys decrypt the env files that are pushed", "exit"
	case event.Stops:
		what, otherwise = "NOT CHECKED whether the vault's keys decrypt the staged env files", "exit"
	}
	return blockBegin(name) + strings.NewReplacer("@NAME@", name, "@WHAT@", what, "@ELSE@", otherwise).Replace(body) + blockEnd(name)
}

// openLefthookBlock is an openBlock for a lefthook-local.yml that is committed.
func openLefthookBlock(name string) string {
	return strings.Replace(lefthookBlock(name), "run: ", `run: command -v envdrift >/dev/null || { echo "envdrift is not in PATH, so it did nothing" >&2; exit 0; }; `, 1)
}

// lefthookBlock is for a file that git ignores: a commit that cannot be checked is
// stopped.
func lefthookBlock(name string) string {
	stdin := ""
	if event, _ := EventNamed(name); event.Updates != nil {
		stdin = "      use_stdin: true\n"
	}
	return blockBegin(name) + name + ":\n  jobs:\n    - name: envdrift\n      run: envdrift hook run " + name + " {0}\n" + stdin + blockEnd(name)
}

// cutBlock splits data around the block of name.
func cutBlock(data []byte, name string) (before, block, after []byte, ok bool) {
	begin := bytes.Index(data, []byte(blockBegin(name)))
	if begin < 0 || begin > 0 && data[begin-1] != '\n' {
		return data, nil, nil, false
	}
	length := bytes.Index(data[begin:], []byte(blockEnd(name)))
	if length < 0 {
		return data, nil, nil, false
	}
	end := begin + length + len(blockEnd(name))
	return data[:begin], data[begin:end], data[end:], true
}

func hasBlock(name string, data []byte) bool {
	_, _, _, ok := cutBlock(data, name)
	return ok
}

// insertBlock puts block at the top of data, below the line that names the
// interpreter.
func insertBlock(data []byte, block string) []byte {
	at := 0
	if bytes.HasPrefix(data, []byte("#!")) {
		at = bytes.IndexByte(data, '\n') + 1
	}
	return bytes.Join([][]byte{data[:at], []byte(block), data[at:]}, nil)
}

func (t target) inspectBlock(h *Hook) error {
	data, err := os.ReadFile(t.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if h.State = Foreign; err != nil && t.manager != Lefthook { // lefthook's hook is there
		h.State = Absent
	}
	if _, block, _, ok := cutBlock(data, h.Name); ok {
		h.State = Outdated
		if string(block) == t.block(h.Name) {
			h.State = Chained
		}
	}
	if t.runs && h.State != Foreign && !executable(t.file) {
		h.Problem = NotExecutable
	}
	return nil
}

func (t target) installBlock(name string) error {
	data, err := os.ReadFile(t.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before, _, after, _ := cutBlock(data, name)
	rest := append(bytes.Clone(before), after...)
	if len(rest) == 0 && t.runs {
		rest = []byte(shebang)
	}
	info, err := os.Lstat(t.file)
	if isLink := err == nil && info.Mode()&os.ModeSymlink != 0; isLink || !t.accepts(name, rest) {
		return &ForeignError{Name: name, File: t.file, Manager: t.manager}
	}
	perm := os.FileMode(0o644)
	if t.runs {
		perm = 0o755
	}
	if text := insertBlock(rest, t.block(name)); !bytes.Equal(text, data) {
		return write(t.file, string(text), perm)
	}
	return nil
}

// shebang begins a hook that is nothing but a block.
const shebang = "#!/bin/sh\n"

// uninstallBlock removes the block, and the file too if nothing else is in it.
func uninstallBlock(name, file string) error {
	data, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	before, _, after, ok := cutBlock(data, name)
	if !ok {
		return nil
	}
	if rest := append(bytes.Clone(before), after...); len(rest) > 0 && string(rest) != shebang {
		return write(file, string(rest), 0o644)
	}
	return os.Remove(file)
}

// shell matches the interpreters that read a husky hook.
var shell = lazy.Regexp(`^#!\s*\S*[/ ](ba|da|z|k)?sh\b[^\n]*\n`)

// acceptsShell reports whether sh can read a file with content data.
func acceptsShell(_ string, data []byte) bool {
	return !isEarlier(data) && (!bytes.HasPrefix(data, []byte("#!")) || shell().Match(data))
}

// acceptsYAML reports whether the section name can be put above data: data must
// be one document in block style that has no such section.
func acceptsYAML(name string, data []byte) bool {
	for line := range strings.Lines(string(data)) {
		key := strings.Trim(strings.TrimSpace(strings.SplitN(line, ":", 2)[0]), `"'`)
		if key == name && !strings.HasPrefix(line, " ") {
			return false
		}
		if line != "" && strings.ContainsRune("{[-%\ufeff?&*!|>", []rune(line)[0]) {
			return false
		}
	}
	return true
}

// lefthookLocal is read by lefthook after lefthook.yml. By convention git
// ignores it.
const lefthookLocal = "lefthook-local.yml"

// otherLefthook finds a local configuration with another name, next to which
// lefthook would not read lefthook-local.yml.
func otherLefthook(top string) string {
	for _, pattern := range []string{"lefthook-local.*", ".lefthook-local.*", ".config/lefthook-local.*"} {
		files, _ := filepath.Glob(filepath.Join(globQuote(top), pattern))
		for _, file := range files {
			if filepath.Base(file) != lefthookLocal || filepath.Dir(file) != top {
				return file
			}
		}
	}
	return ""
}

// globQuote quotes path for [filepath.Glob].
func globQuote(path string) string {
	if filepath.Separator == '\\' {
		return path // Windows has no quoting, and of these characters only "["
	}
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(path)
}
