package hooks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
)

// A user can let git run envdrift without Install: by git's configuration, by a
// hook manager's, or by a line in a hook. Install leaves such a hook alone, for
// envdrift would run twice.

// own returns what runs envdrift at the hook name, other than what Install writes:
// a file; "" for nothing.
func (l Location) own(name string, t target) (string, error) {
	files, runs := []string{t.file}, runsEnvdrift
	switch t.manager {
	case PreCommit:
		files, runs = l.frameworkFiles(name), frameworkRuns
	case Lefthook:
		files, runs = lefthookFiles(l.Top), namesEnvdrift
	case Husky:
		runs = namesEnvdrift
	default:
		files = append(files, l.chained(name))
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return "", err
		}
		before, _, after, _ := cutBlock(data, name)
		if !isOurs(name, data) && runs(name, append(bytes.Clone(before), after...)) {
			return file, nil
		}
	}
	return "", nil
}

// GitConfiguration is the place of a hook that git takes from its configuration.
const GitConfiguration = "git's configuration"

// runsEnvdrift reports whether a line of data, which a shell reads, runs envdrift's
// hook name, and its status counts.
func runsEnvdrift(name string, data []byte) bool {
	event, _ := EventNamed(name)
	lines := strings.Split(string(data), "\n")
	for i, line := range lines {
		if rest, ok := callsEnvdrift(name, line); ok && (!event.Stops || counts(lines, i, rest)) {
			return true
		}
	}
	return false
}

// namesEnvdrift is like [runsEnvdrift] for what stops at the first command that
// fails: a manager's configuration, or a script under "sh -e".
func namesEnvdrift(name string, data []byte) bool {
	event, _ := EventNamed(name)
	for line := range strings.Lines(string(data)) {
		if rest, ok := callsEnvdrift(name, line); ok && (!event.Stops || !ignoring().MatchString(rest)) {
			return true
		}
	}
	return false
}

// callsEnvdrift reports whether a line runs envdrift's hook name, and returns what
// follows that.
func callsEnvdrift(name, line string) (rest string, ok bool) {
	// A command begins a line or follows a shell's operator or keyword, the key
	// of a configuration or a quote of it.
	call := regexp.MustCompile(`(^|[;&|({!]|\b(then|do|else|exec|if|env|run|command|entry)\b["']?\s*[:=]?)\s*(["']?[^\s"'#]*/|["'].*/)?["']?envdrift(\.exe)?["']?(\s+-\S+)*\s+hook\s+run\s+` + regexp.QuoteMeta(name) + `($|[\s"';&|)].*)`)
	line = strings.TrimLeft(strings.TrimSpace(line), "- ")
	m := call.FindStringSubmatch(line)
	if m == nil || strings.HasPrefix(line, "#") {
		return "", false
	}
	return m[len(m)-1], true
}

var (
	ignoring = lazy.Regexp(`\|\|\s*(true|:|(echo|printf)\b[^;|&]*)\s*["']?$`)
	errexit  = lazy.Regexp(`(?m)^(#!.*sh|\s*set)\s+(-[a-z]*e|-o errexit)`)
	handled  = lazy.Regexp(`^\s*(if|elif|while|until)\b|\bexec\b|\|\|\s*(exit|return|false|[{(])`)
	closing  = lazy.Regexp(`^\s*(#.*|(fi|done|esac|\}|then|exit|exit \$\?|return)?[\s;]*)*$`)
)

// counts reports whether a shell that reads lines ends with the status of the command
// in line i, which rest follows there, if that fails: not if it goes on.
func counts(lines []string, i int, rest string) bool {
	_, next, _ := strings.Cut(rest, ";")
	return !ignoring().MatchString(rest) && (handled().MatchString(lines[i]) ||
		errexit().MatchString(strings.Join(lines[:i], "\n")) ||
		closing().MatchString(next) && closing().MatchString(strings.Join(lines[i+1:], ";")))
}

// frameworkFiles returns where the pre-commit framework, or prek, may have its
// configuration: the file that the hook names, else the usual ones.
func (l Location) frameworkFiles(name string) []string {
	data, _ := os.ReadFile(l.slot(name))
	files := []string{".pre-commit-config.yaml", ".pre-commit-config.yml", "prek.toml"}
	if m := regexp.MustCompile(`--config[= ]["']?([^\s"']+)`).FindSubmatch(data); m != nil {
		files = []string{string(m[1])}
	}
	for i, file := range files {
		if !filepath.IsAbs(file) {
			files[i] = filepath.Join(l.Top, file)
		}
	}
	return files
}

var (
	frameworkItem   = lazy.Regexp(`(?m)^\s*(-|\[\[|\{)`)
	frameworkStages = lazy.Regexp(`\bstages\s*[:=]\s*\[([^\]]*)\]`)
	frameworkList   = lazy.Regexp(`\bstages:[ \t]*((\s*\n\s*-[ \t]*["']?[a-z-]+["']?[ \t]*)+)`)
)

// frameworkRuns reports whether a hook in the framework's configuration runs
// envdrift at the hook name: by its command, or by its id in envdrift's
// .pre-commit-hooks.yaml.
func frameworkRuns(name string, data []byte) bool {
	id, entry := "envdrift-"+name, name
	if event, _ := EventNamed(name); event.Stops { // one check, at several stages
		id, entry = "envdrift", "("+name+"|pre-commit)"
	}
	ours := regexp.MustCompile(`\bid\s*[:=]\s*["']?` + id + `(-wheel)?["']?\s*([,}]|$)|\bentry\s*[:=]\s*["']?(\S*/)?envdrift hook run ` + entry + `\b`)
	comment := regexp.MustCompile(`(?m)(^|\s)#.*$`)
	text := comment.ReplaceAllString(string(data), "")
	text = frameworkList().ReplaceAllStringFunc(text, func(list string) string { // in one line, as the others
		return "stages: [" + strings.Join(strings.Fields(strings.ReplaceAll(list, "- ", " "))[1:], ", ") + "]"
	})
	at := append(frameworkItem().FindAllStringIndex(text, -1), []int{len(text)})
	for i := range len(at) - 1 {
		item := text[at[i][0]:at[i+1][0]]
		lines := strings.Split(item, "\n")
		if !slices.ContainsFunc(lines, ours.MatchString) {
			continue
		}
		stages := frameworkStages().FindStringSubmatch(item)
		if stages == nil || slices.Contains(strings.FieldsFunc(stages[1], func(r rune) bool { return strings.ContainsRune(` ,"'`, r) }), name) {
			return true
		}
	}
	return false
}

// lefthookFiles returns lefthook's configuration files.
func lefthookFiles(top string) []string {
	var files []string
	for _, pattern := range []string{"lefthook.*", ".lefthook.*", ".config/lefthook.*", "lefthook-local.*", ".lefthook-local.*", ".config/lefthook-local.*"} {
		found, _ := filepath.Glob(filepath.Join(globQuote(top), pattern))
		files = append(files, found...)
	}
	return files
}
