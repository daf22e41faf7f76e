package main

import (
	"context"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/mapping"
)

// The lines to type that reports, hints and questions name. They work where this command
// was typed.

// commandLine returns an envdrift command line that works where this one was typed,
// with the same configuration and profile.
func (c *cli) commandLine(words string) string {
	line := "envdrift "
	if c.directory != "" {
		line += "-C " + quote(c.directory) + " "
	}
	line += words
	if c.configFile != "" {
		line += " -c " + quote(c.configFile)
	}
	if c.profile != "" {
		line += " --profile " + quote(c.profile)
	}
	return line
}

// commandIn returns a command line for the configuration of another directory.
func (c *cli) commandIn(base, words string) string {
	if base == c.work.Base {
		return c.commandLine(words)
	}
	return "envdrift -C " + quote(c.relPath(base)) + " " + words
}

// fileIn returns the path of a file as that command line names it.
func (c *cli) fileIn(base, file string) string {
	if base == c.work.Base {
		return c.relPath(file)
	}
	return strings.TrimPrefix(file, base+"/") // "." is the top, which paths are relative to
}

// git returns a git command line that works where this command was typed.
func (c *cli) git(words string) string {
	if c.directory != "" {
		words = "-C " + quote(c.directory) + " " + words
	}
	return "git " + words
}

// gitLine returns git command lines for the paths of a commit, which work where this
// command was typed.
func (c *cli) gitLine(paths []string) string {
	list := make([]string, len(paths))
	for i, file := range paths {
		name := c.relPath(file)
		if strings.ContainsAny(name, `*?[\`) || strings.HasPrefix(name, ":") {
			name = ":(literal)" + name
		}
		list[i] = quote(notFlag(name))
	}
	return c.git("add "+strings.Join(list, " ")) + " && " + c.git("commit")
}

// storeLine returns the command that stores a secret. Its mapping determines
// from where.
func (c *cli) storeLine(name string) string {
	folder, environment := "FOLDER", ""
	if t, ok := c.work.OfSecret(name); ok {
		folder = quote(c.relPath(path.Join(c.work.Base, t.Mapping.Folder)))
		environment = " --env " + quote(t.Mapping.Env())
	}
	return c.commandLine(fmt.Sprintf("vault-push %s %s%s", folder, quote(name), environment))
}

// pushLine returns the command that stores a new key in the vault.
func (c *cli) pushLine(file, private string) string {
	folder := c.relPath(path.Dir(file))
	if t, ok := c.work.Target(file); ok {
		return c.commandLine(fmt.Sprintf("vault-push %s %s --env %s", quote(folder), quote(t.Mapping.SecretName), quote(t.Mapping.Env())))
	}
	return c.commandLine(fmt.Sprintf("vault-push %s SECRET --key %s", quote(folder), private))
}

// keyLine returns the command that gets the right key for a file.
func (c *cli) keyLine(t mapping.Target, file string) string {
	if t.Mapping.Line > 0 {
		line := "sync --force"
		if t.Mapping.Profile != c.profile { // else commandLine has it
			line += " --profile " + quote(t.Mapping.Profile)
		}
		return c.commandLine(line)
	}
	words := []string{"vault-pull", quote(c.relPath(path.Dir(file))), quote(t.Mapping.SecretName)}
	if len(t.Names) > 0 {
		words = append(words, "--key", t.Names[0])
	}
	for _, flag := range append([]*config.Flag{{Name: "-p", Value: c.overrides.Provider}}, c.overrides.Flags...) {
		if flag.Value != "" {
			words = append(words, flag.Name, quote(flag.Value))
		}
	}
	return c.commandLine(strings.Join(words, " ") + " --force")
}

// oldSecretLine returns how to bring back what a secret held before. t is a target that
// the secret belongs to.
func (c *cli) oldSecretLine(t mapping.Target) string {
	if file := c.work.VaultFile(context.Background(), t); file != "" {
		name := c.words([]string{file})
		return c.git("log --oneline -- "+name) + "   finds the secret before; " + c.git("restore --source=COMMIT -- "+name) + " brings it back"
	}
	return "the vault's versions of " + t.Mapping.SecretName + " show what it held before: make that one the newest again"
}

// rotateLine returns the command that replaces the keys of mapped files.
func (c *cli) rotateLine(files []string) string {
	words := "rotate"
	for _, file := range files {
		words += " " + quote(c.relPath(file))
	}
	return c.commandLine(words)
}

// vaultFlag returns the flag that names an age vault.
func vaultFlag(name string) string {
	if name == "" {
		return ""
	}
	return " --vault " + quote(name)
}

// words returns paths of the tree as words of an envdrift command line.
func (c *cli) words(files []string) string {
	list := make([]string, len(files))
	for i, file := range files {
		list[i] = quote(notFlag(c.relPath(file)))
	}
	return strings.Join(list, " ")
}

// fromShell returns a path of the tree as a word that any program takes where this
// command was typed.
func (c *cli) fromShell(file string) string {
	return quote(notFlag(filepath.Join(c.directory, c.relPath(file))))
}

// notFlag returns a path in a form that no program takes for a flag.
func notFlag(name string) string {
	if strings.HasPrefix(name, "-") {
		return "./" + name
	}
	return name
}

// quote quotes a word for a POSIX shell.
func quote(word string) string {
	plain := strings.IndexFunc(word, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./-_", r))
	}) < 0
	if plain && word != "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
