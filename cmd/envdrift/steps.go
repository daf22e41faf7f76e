package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/mapping"
)

// problem names an error in a word, for the first column of a report.
func problem(err error) string {
	switch {
	case isDrift(err):
		return "drift"
	case errors.As(err, new(*drift.PlaintextError)):
		return "plaintext"
	case errors.As(err, new(*stagedKeysError)), errors.Is(err, mapping.ErrKeysFile):
		return "private key"
	}
	return "not checked"
}

// repairSteps gives the commands that mend what a proof found, as they can be
// typed where the person stands. staged says that the index is concerned too.
func (s *session) repairSteps(t mapping.Target, file string, err error, staged bool) []string {
	name := quote(s.shown(file))
	switch problem(err) {
	case "drift":
		restore := "git restore " + name
		if staged {
			restore = "git restore --source=HEAD --staged --worktree " + name
		}
		return []string{
			"1. " + restore + "   (copy your edit first, if there is one)",
			"2. " + s.keyLine(t, file),
			"3. " + s.self("encrypt "+name) + "   (after making the edit again)",
		}
	case "plaintext":
		if staged {
			return []string{s.self("encrypt "+name) + " && git add " + name}
		}
		return []string{s.self("encrypt " + name)}
	case "private key":
		return []string{"git rm --cached " + name + "   and see that .gitignore names it; a key that was ever pushed must be replaced"}
	}
	return nil
}

// driftSteps tells what was done about a staged file that drifted and what is
// left to do.
func (g *guard) driftSteps(sub *subject) []string {
	name, m := quote(g.shown(sub.change.Path)), sub.mended
	switch {
	case m == nil: // on_drift = "block"
		return g.repairSteps(sub.target, sub.change.Path, sub.err, true)
	case errors.Is(m.err, errEdited):
		return []string{m.err.Error(), "1. " + g.self("repair "+name) + "   mends the working tree", "2. commit again"}
	case m.err != nil && sub.head == nil:
		return []string{
			"not mended: " + m.err.Error(),
			"put the key that it was encrypted with into .env.keys, then " + g.self("repair "+name),
			"or take it out of the commit: git rm --cached " + name,
		}
	case m.err != nil:
		return append([]string{"not mended: " + m.err.Error()}, g.repairSteps(sub.target, sub.change.Path, sub.err, true)...)
	case m.Action == drift.Restored:
		return []string{
			"no key at hand decrypts this version: HEAD's is back " + m.place() + "; yours is kept as " + m.backup,
			"1. " + g.keyLine(sub.target, sub.change.Path),
			"2. make the edit again, " + g.self("encrypt "+name) + " && git add " + name,
		}
	}
	look := "git diff --cached " + name
	if !m.index {
		look = "git diff " + name
	}
	steps := []string{
		"encrypted for the vault's key now, " + m.place() + "; as it was: " + m.backup,
		"look: " + look,
	}
	if !m.tree {
		steps = append(steps, "your further edits in the working tree are as they were: "+g.self("repair "+name)+" mends them")
	}
	return steps
}

// place tells where the mended version is.
func (m *mended) place() string {
	switch {
	case m.index && m.tree:
		return "in the index and in the working tree"
	case m.tree:
		return "in the working tree"
	}
	return "in the index"
}

// keyLine is the command that brings the right key for a file.
func (s *session) keyLine(t mapping.Target, file string) string {
	if t.Mapping.Line > 0 {
		line := "sync --force"
		if t.Mapping.Profile != "" {
			line += " --profile " + quote(t.Mapping.Profile)
		}
		return s.self(line)
	}
	words := []string{"vault-pull", quote(s.shown(path.Dir(file))), quote(t.Mapping.SecretName)}
	if len(t.Names) > 0 {
		words = append(words, "--key", t.Names[0])
	}
	for _, flag := range []struct{ name, value string }{
		{"-p", s.overrides.Provider}, {"--vault-url", s.overrides.VaultURL},
		{"--region", s.overrides.Region}, {"--project-id", s.overrides.ProjectID},
	} {
		if flag.value != "" {
			words = append(words, flag.name, quote(flag.value))
		}
	}
	return s.self(strings.Join(words, " ") + " --force")
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
