package config

import (
	"fmt"
	"slices"
	"strings"
)

// production is the environment of a mapping that does not set one.
const production = "production"

// IsEnvFileName reports whether a base name is that of an env file: .env,
// .env.NAME or NAME.env, but not a companion such as .env.example.
func IsEnvFileName(base string) bool {
	lower := strings.ToLower(base)
	named := lower == ".env" || strings.HasPrefix(lower, ".env.") || strings.HasSuffix(lower, ".env")
	return named && !IsCompanion(lower)
}

// IsCompanion reports whether a base name is that of a file that accompanies
// env files but is not one, such as .env.example or .env.keys.
func IsCompanion(name string) bool {
	lower := strings.ToLower(name)
	for _, suffix := range []string{".keys", ".vault", ".bak", ".backup", ".orig", ".rej", ".swp", "~", " copy", ".php", ".ts", ".js", ".json", ".md"} {
		if strings.HasSuffix(lower, suffix) {
			return true
		}
	}
	return isTemplate(lower) || strings.Contains(lower, ".backup.") || strings.Contains(lower, ".env.keys")
}

// IsTemplate reports whether a base name is that of a file which shows what the env
// files beside it look like, such as .env.example.
func IsTemplate(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasPrefix(lower, ".env") && isTemplate(lower)
}

// isTemplate reports whether a lower-case base name is that of a file which shows
// what an env file looks like.
func isTemplate(lower string) bool {
	return slices.ContainsFunc([]string{".example", ".sample", ".template", ".dist", ".schema", ".default", ".defaults"}, func(word string) bool {
		return strings.HasSuffix(lower, word) || strings.HasSuffix(lower, word+".env") || strings.Contains(lower, word+".")
	})
}

// MayHoldPlaintext reports whether a base name is that of an env file, or of a
// copy of one, in which plaintext is not expected: .env, .env.NAME, NAME.env,
// .env.bak, ".env copy", NAME.env~, and .dev.vars. Templates such as .env.example, and code such as .env.d.ts, are not.
func MayHoldPlaintext(base string) bool {
	lower := strings.ToLower(base)
	if isTemplate(lower) || strings.Contains(lower, ".env.keys") {
		return false
	}
	for _, suffix := range []string{".php", ".ts", ".js", ".json", ".md", ".vault"} {
		if strings.HasSuffix(lower, suffix) {
			return false
		}
	}
	if lower == ".dev.vars" {
		return true
	}
	at := strings.LastIndex(lower, ".env")
	if at < 0 {
		return false
	}
	rest := lower[at+len(".env"):]
	switch {
	case rest == "", at == 0 && rest[0] == '.':
		return true
	case rest[0] == '.': // app.env.yaml is no env file
		return slices.Contains([]string{".local", ".bak", ".backup", ".old", ".orig", ".save", ".copy", ".tmp"}, rest)
	}
	return !('a' <= rest[0] && rest[0] <= 'z' || '0' <= rest[0] && rest[0] <= '9')
}

// A NoEnvFileError reports a folder without the mapping's env file.
type NoEnvFileError struct {
	Folder, Environment string

	Wanted string   // env_file, if it was set
	Others []string // the folder's env files that may be meant, but whose names do not say so
}

func (e *NoEnvFileError) Error() string {
	switch {
	case e.Wanted != "":
		return fmt.Sprintf("%s: there is no %s", e.Folder, e.Wanted)
	case len(e.Others) == 0:
		return fmt.Sprintf("%s: there is no .env.%s", e.Folder, e.Environment)
	}
	return fmt.Sprintf("%s: there is no .env.%s; if %s is meant, set env_file", e.Folder, e.Environment, strings.Join(e.Others, " or "))
}

// An AmbiguousError reports several files that a mapping may mean.
type AmbiguousError struct {
	Folder, Environment string

	Files []string
}

func (e *AmbiguousError) Error() string {
	return fmt.Sprintf("%s: %s could all be the env file for %q; set env_file", e.Folder, strings.Join(e.Files, ", "), e.Environment)
}

// EnvFile returns which of the names of the files in its folder a mapping
// means. It is the first of these that exists:
//
//   - env_file, if it is set
//   - .env.ENVIRONMENT
//   - the one file whose name includes the environment, such as
//     api-ENVIRONMENT.env or api.env.ENVIRONMENT
//   - for production the one NAME.env where NAME is one word and not an
//     environment; .env, too, if neither environment nor profile is set
//
// It never returns a companion such as .env.example, nor a file that may be
// another environment's. Errors are [*NoEnvFileError] and [*AmbiguousError].
func (c *Config) EnvFile(m Mapping, names []string) (string, error) {
	env := m.Env()
	if m.EnvFile != "" {
		// It may be in a subfolder. Whether it exists shows when it is
		// read.
		if !strings.Contains(m.EnvFile, "/") && !slices.Contains(names, m.EnvFile) {
			return "", &NoEnvFileError{Folder: m.Folder, Environment: env, Wanted: m.EnvFile}
		}
		return m.EnvFile, nil
	}
	if name := ".env." + env; name != c.Sync.EnvKeysFilename && !IsCompanion(name) && slices.Contains(names, name) {
		return name, nil // as nearly always, so that nothing need be compared
	}
	known := c.environments()
	var found, guesses, others []string
	for _, name := range slices.Sorted(slices.Values(names)) {
		switch {
		case IsCompanion(name) || name == c.Sync.EnvKeysFilename:
		case isOf(name, env, known):
			found = append(found, name)
		case name == ".env" && m.Environment == "" && m.Profile == "", env == production && isOneWord(name, known):
			guesses = append(guesses, name)
		case IsEnvFileName(name):
			others = append(others, name)
		}
	}
	if len(found) == 0 {
		found = guesses
	}
	switch len(found) {
	case 0:
		return "", &NoEnvFileError{Folder: m.Folder, Environment: env, Others: others}
	case 1:
		return found[0], nil
	}
	return "", &AmbiguousError{Folder: m.Folder, Environment: env, Files: found}
}

// environments returns the words that name an environment: those of the
// mappings and those in common use.
func (c *Config) environments() []string {
	known := []string{
		production, "prod", "preprod", "pre", "non", "live", "staging", "stage", "stg", "development", "develop", "dev", "local",
		"test", "testing", "ci", "e2e", "qa", "uat", "preview", "sandbox", "demo", "canary", "docker",
	}
	for _, m := range c.Mappings {
		known = append(known, m.Env())
	}
	return known
}

// isOf reports whether a custom file name belongs to env and to no other
// environment.
func isOf(name, env string, known []string) bool {
	service, ok := cutEnvironment(name, env)
	if !ok {
		return false
	}
	for _, other := range known {
		// "eu" is the end of "prod-eu", but api-prod-eu.env does not
		// belong to it.
		if _, longer := cutEnvironment(name, other); longer && len(other) > len(env) {
			return false
		}
		if other != env && containsFold(words(service), other) {
			return false
		}
	}
	return true
}

// isOneWord reports whether name is like postgresql.env: one word and not an
// environment.
func isOneWord(name string, known []string) bool {
	word, ok := strings.CutSuffix(name, ".env")
	return ok && slices.Equal(words(word), []string{word}) && !containsFold(known, word)
}

func containsFold(list []string, word string) bool {
	return slices.ContainsFunc(list, func(w string) bool { return strings.EqualFold(w, word) })
}

// cutEnvironment returns a file name without the environment at its end.
func cutEnvironment(name, env string) (service string, ok bool) {
	if name == env+".env" {
		return "", true
	}
	for _, end := range []string{".env." + env, "-" + env + ".env", "." + env + ".env", "_" + env + ".env"} {
		if service, ok := strings.CutSuffix(name, end); ok {
			return service, true
		}
	}
	return "", false
}

// words splits a name at the usual separators.
func words(name string) []string {
	return strings.FieldsFunc(name, func(r rune) bool { return strings.ContainsRune("-._", r) })
}
