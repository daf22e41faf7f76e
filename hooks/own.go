package hooks

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
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
		files = lefthookFiles(l.Top)
	case Husky:
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

// runsEnvdrift reports whether a line of data, a script or a manager's
// configuration, runs envdrift's hook name, and does not ignore its status.
func runsEnvdrift(name string, data []byte) bool {
	// A command begins a line or follows a shell's operator or keyword, the key
	// of a configuration or a quote of it.
	call := regexp.MustCompile(`(^|[;&|({!]|\b(then|do|else|exec|if|env|run|command|entry)\b["']?\s*[:=]?)\s*(["']?[^\s"'#]*/|["'].*/)?["']?envdrift(\.exe)?["']?(\s+-\S+)*\s+hook\s+run\s+` + regexp.QuoteMeta(name) + `($|[\s"';&|)])`)
	for line := range strings.Lines(string(data)) {
		line = strings.TrimLeft(strings.TrimSpace(line), "- ")
		ignored := strings.HasSuffix(line, "|| true") || strings.HasSuffix(line, "|| :")
		event, _ := EventNamed(name)
		if !strings.HasPrefix(line, "#") && call.MatchString(line) && (!ignored || !event.Stops) {
			return true
		}
	}
	return false
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
	frameworkItem   = regexp.MustCompile(`(?m)^\s*(-|\[\[|\{)`)
	frameworkStages = regexp.MustCompile(`\bstages\s*[:=]\s*\[([^\]]*)\]`)
)

// frameworkRuns reports whether a hook in the framework's configuration runs
// envdrift at the hook name: by its command, or by its id in envdrift's
// .pre-commit-hooks.yaml.
func frameworkRuns(name string, data []byte) bool {
	id := "envdrift-" + name
	if event, _ := EventNamed(name); event.Stops {
		id = "envdrift"
	}
	ours := regexp.MustCompile(`\bid\s*[:=]\s*["']?` + id + `["']?\s*([,}]|$)|\bentry\s*[:=]\s*["']?(\S*/)?envdrift hook run ` + name + `\b`)
	comment := regexp.MustCompile(`(?m)(^|\s)#.*$`)
	text := comment.ReplaceAllString(string(data), "")
	at := append(frameworkItem.FindAllStringIndex(text, -1), []int{len(text)})
	for i := range len(at) - 1 {
		item := text[at[i][0]:at[i+1][0]]
		lines := strings.Split(item, "\n")
		if !slices.ContainsFunc(lines, ours.MatchString) {
			continue
		}
		if stages := frameworkStages.FindStringSubmatch(item); stages == nil || strings.Contains(stages[1], name) {
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
