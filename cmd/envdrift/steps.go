package main

import (
	"errors"
	"fmt"
	"path"
	"strings"

	"github.com/envdrift/envdrift/internal/drift"
)

// problem names an error in a word, for the first column of a report.
func problem(err error) string {
	switch {
	case errors.As(err, new(*drift.DriftError)):
		return "drift"
	case errors.As(err, new(*drift.PlaintextError)):
		return "plaintext"
	case errors.As(err, new(*stagedKeysError)), errors.Is(err, drift.ErrKeysFile):
		return "private key"
	}
	return "not checked"
}

// repairSteps gives the commands that mend what a proof found, as they can be
// typed where the person stands. staged says that the index is concerned too.
func (s *session) repairSteps(t drift.Target, file string, err error, staged bool) []string {
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

// keyLine is the command that brings the right key for a file.
func (s *session) keyLine(t drift.Target, file string) string {
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
