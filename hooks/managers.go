package hooks

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// What is here looks at managers of hooks, and never writes for them.

// A SimpleGitHooksError reports a clone whose hook files simple-git-hooks writes:
// when it runs again, with every npm install, it removes those that its
// configuration does not name.
type SimpleGitHooksError struct {
	File  string   // its configuration
	Names []string // the hooks that have to be in there
}

func (e *SimpleGitHooksError) Error() string {
	return fmt.Sprintf("simple-git-hooks (%s) would remove %s when it runs again", e.File, strings.Join(e.Names, ", "))
}

// simpleGitHooks returns the configuration of simple-git-hooks, "" if there is none,
// and whether it leaves a hook file alone.
func simpleGitHooks(top string) (file string, leaves func(name string) bool) {
	var config map[string]json.RawMessage
	for _, pattern := range []string{".simple-git-hooks.*", "simple-git-hooks.*", "package.json"} {
		found, _ := filepath.Glob(filepath.Join(globQuote(top), pattern))
		for _, file := range found {
			data, _ := os.ReadFile(file)
			config = nil
			_ = json.Unmarshal(data, &config) // a program: it leaves nothing
			if filepath.Base(file) == "package.json" {
				section := config["simple-git-hooks"]
				if config = nil; json.Unmarshal(section, &config) != nil {
					continue
				}
			}
			var unused []string
			_ = json.Unmarshal(config["preserveUnused"], &unused)
			return file, func(name string) bool { return config[name] == nil && slices.Contains(unused, name) }
		}
	}
	return "", func(string) bool { return true }
}

// simpleGitHooksError returns a [*SimpleGitHooksError] if hook files would not stay.
func (l Location) simpleGitHooksError() error {
	file, leaves := simpleGitHooks(l.Top)
	e := &SimpleGitHooksError{File: file}
	for _, name := range Names() {
		if h, err := l.inspectFile(name); !leaves(name) && (err != nil || h.Own == "") {
			e.Names = append(e.Names, name)
		}
	}
	if len(e.Names) == 0 {
		return nil
	}
	return e
}

// lefthookIsGone reports whether lefthook's hook, whose content is data, finds no
// lefthook: unless its configuration asserts that, it then lets everything pass. Where
// another program could start it, such as bundle, that is believed.
func lefthookIsGone(top string, data []byte) bool {
	if os.Getenv("LEFTHOOK_BIN") != "" || !bytes.Contains(data, []byte("Can't find lefthook")) {
		return false
	}
	names := []string{"lefthook"}
	for _, m := range regexp.MustCompile(`(?m)if (/\S+) -h >/dev/null`).FindAllSubmatch(data, -1) {
		names = append(names, string(m[1]))
	}
	for _, name := range names {
		if _, err := exec.LookPath(name); err == nil {
			return false
		}
	}
	for _, pattern := range []string{"lefthook-*/bin/lefthook*", "@evilmartians/lefthook*/bin/*", "lefthook/bin/index.js"} {
		if found, _ := filepath.Glob(filepath.Join(globQuote(top), "node_modules", filepath.FromSlash(pattern))); len(found) > 0 {
			return false
		}
	}
	for _, file := range []string{"go.mod", "Gemfile", ".pnp.cjs", "Package.swift", "Mintfile", "pyproject.toml", "composer.json", "mise.toml", ".mise.toml", "devbox.json"} {
		if data, _ := os.ReadFile(filepath.Join(top, file)); bytes.Contains(data, []byte("lefthook")) {
			return false
		}
	}
	return true
}

// warnings returns what may keep a hook that runs, or one that seems to, from
// stopping what it should.
func (l Location) warnings(h Hook) (list []Problem) {
	event, _ := EventNamed(h.Name)
	if event.Stops && h.Scope == "" && h.Manager == Lefthook && h.Runs() {
		if stub, _ := os.ReadFile(l.slot(h.Name)); bytes.Contains(stub, []byte("Can't find lefthook")) && !bytes.Contains(stub, []byte("aborted due to lefthook settings")) {
			list = append(list, Unasserted)
		}
		if h.Own == "" && filepath.Base(h.File) == lefthookLocal && !l.tracked(h.File) {
			list = append(list, OneTree)
		}
	}
	if h.Name == "pre-commit" && lintStagedRuns(l.Top) {
		list = append(list, AsTask)
	}
	if _, leaves := simpleGitHooks(l.Top); h.Scope == "" && h.Own == "" && h.Runs() && !leaves(h.Name) {
		list = append(list, Removed)
	}
	if h.Own == "" && h.Runs() && fleeting(l.Self) {
		list = append(list, Fleeting)
	}
	return list
}

// fleeting reports whether a program is where npx, pnpm dlx, bunx, uvx or go run put one
// that was not installed.
func fleeting(program string) bool {
	program = filepath.ToSlash(program)
	return slices.ContainsFunc([]string{"/_npx/", "/pnpm/dlx/", "/.bunx-", "/uv/archive-v0/", "/b001/exe/"}, func(part string) bool {
		return strings.Contains(program, part)
	})
}

// lintStagedRuns reports whether envdrift is a task of lint-staged.
func lintStagedRuns(top string) bool {
	var files []string
	for _, pattern := range []string{".lintstagedrc*", "lint-staged.config.*"} {
		found, _ := filepath.Glob(filepath.Join(globQuote(top), pattern))
		files = append(files, found...)
	}
	var texts [][]byte
	for _, file := range files {
		data, _ := os.ReadFile(file)
		texts = append(texts, data)
	}
	var sections map[string]json.RawMessage
	data, _ := os.ReadFile(filepath.Join(top, "package.json"))
	_ = json.Unmarshal(data, &sections)
	return slices.ContainsFunc(append(texts, sections["lint-staged"]), func(text []byte) bool {
		return bytes.Contains(text, []byte("envdrift hook run"))
	})
}
