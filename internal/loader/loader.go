// Package loader knows how other programs read env files: what a line means to them,
// and how a value is written so that they read it as it is. It holds a model of each
// loader, which says nothing where it is not sure; the real loaders are what the
// models are tested with. It runs none of them.
package loader

import (
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
)

// A Loader is a program or library that reads env files, in one version or several
// that people use.
type Loader struct {
	Name string
	What string // what it is, for people

	names    string // what a name may have besides letters, digits and _; 0 for a digit in front
	versions []dialect
}

// All returns the loaders, in the order of their names.
func All() []Loader {
	return []Loader{
		{"bun", "Bun, also its --env-file", ".-0", []dialect{bun}},
		{"compose", "Docker Compose: env_file, and .env", ".-", []dialect{compose.read}},
		{"deno", "deno run --env-file", ".-0", []dialect{deno.read}},
		{"docker", "docker run --env-file", ".-0", []dialect{docker}},
		{"dotenv", "the npm package dotenv", ".-0", []dialect{dotenv}},
		{"dotenv-expand", "the npm packages dotenv and dotenv-expand", ".-0", []dialect{escapedDollars(dotenv)}},
		{"dotenvy", "the Rust crate dotenvy, also in uv and just", "", []dialect{dotenvy.read}},
		{"godotenv", "the Go module godotenv", ".0", []dialect{godotenv}},
		{"java", "the library dotenv-java", ".-0", []dialect{java}},
		{"next", "Next.js", ".-0", []dialect{escapedDollars(dotenv)}},
		{"node", "node --env-file", ".-0", []dialect{node.read}},
		{"php", "phpdotenv, as in Laravel, and symfony/dotenv", "", []dialect{phpdotenv, symfony}},
		{"python-dotenv", "python-dotenv, also in pydantic-settings and environs", ".-0", []dialect{python}},
		{"ruby", "the gem dotenv, any version", ".0", []dialect{ruby(ruby2.read), withoutBreaks(ruby3.read)}},
		{"ruby2", "the gem dotenv before 2.8", ".0", []dialect{ruby(ruby2.read)}},
		{"ruby3", "the gem dotenv since 3.0", ".0", []dialect{withoutBreaks(ruby3.read)}},
		{"sh", "a POSIX shell: set -a; . ./FILE", "", []dialect{sh}},
		{"systemd", "systemd's EnvironmentFile=", "", []dialect{systemd}},
		{"vite", "Vite", ".-0", []dialect{escapedDollars(node.read)}},
	}
}

// Names returns the names of the loaders.
func Names() (names []string) {
	for _, l := range All() {
		names = append(names, l.Name)
	}
	return names
}

// Find returns the loader of a name.
func Find(name string) (Loader, bool) {
	all := All()
	i := slices.IndexFunc(all, func(l Loader) bool { return l.Name == name })
	if i < 0 {
		return Loader{}, false
	}
	return all[i], true
}

// Read returns what the loader makes of raw, the text of an assignment behind its
// "NAME=". It is not sure of text that the loader refuses or expands, that its
// versions read differently, or that the model does not cover.
func (l Loader) Read(raw string) (value string, sure bool) {
	for i, read := range l.versions {
		v, ok := read(raw)
		if !ok || i > 0 && v != value {
			return "", false
		}
		value = v
	}
	return value, true
}

// A SpellingError reports a variable that a loader has no spelling for. It does not
// hold the value.
type SpellingError struct {
	Name, Loader string
	Problem      string
}

func (e *SpellingError) Error() string {
	return fmt.Sprintf("%s: %s has no spelling for it: %s", e.Name, e.Loader, e.Problem)
}

// Line returns a line, with its end, that the loader reads as the variable. The error
// is a [*SpellingError].
func (l Loader) Line(name string, value secret.Value) (string, error) {
	text := value.Reveal()
	if !l.takes(name) {
		return "", &SpellingError{name, l.Name, "it takes no such name"}
	}
	for raw := range spellings(text) {
		if got, sure := l.Read(raw); sure && got == text {
			return name + "=" + raw + "\n", nil
		}
	}
	return "", &SpellingError{name, l.Name, l.problem(text)}
}

func (l Loader) takes(name string) bool {
	for i := range len(name) {
		c := name[i]
		digit := '0' <= c && c <= '9' && (i > 0 || strings.Contains(l.names, "0"))
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '_'
		if !letter && !digit && ((c != '.' && c != '-') || i == 0 || strings.IndexByte(l.names, c) < 0) {
			return false
		}
	}
	return name != ""
}

// problem says what of a value is in the way: the characters without any of which
// there would be a spelling, without showing which others there are.
func (l Loader) problem(value string) string {
	has := func(value string) bool {
		for raw := range spellings(value) {
			if got, sure := l.Read(raw); sure && got == value {
				return true
			}
		}
		return false
	}
	kinds := []struct{ chars, what string }{
		{"\r", "a carriage return"}, {"\n", "several lines"}, {"'", "an apostrophe"}, {`"`, "a double quote"},
		{"`", "a backtick"}, {"$", "a $"}, {`\`, "a backslash"}, {"#", "a #"},
	}
	var found []string
	for _, k := range kinds {
		if strings.Contains(value, k.chars) && has(strings.ReplaceAll(value, k.chars, "x")) {
			return "its value has " + k.what
		}
		if strings.Contains(value, k.chars) {
			found = append(found, k.what)
		}
	}
	if len(found) == 0 {
		return "its value is too long, or has characters that it does not take"
	}
	return "its value has " + strings.Join(found, " and ")
}
