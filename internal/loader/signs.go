package loader

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
)

// A Sign shows that a program of the repository reads env files with a loader.
type Sign struct {
	Loader string
	File   string // that shows it
}

// signs are what a file with a name says of the loaders. Package managers' files are
// searched as text: the name of a dependency, not its version, is the sign.
var signs = []struct{ name, text, loader string }{
	{"package.json", `--env-file(-if-exists)?[= ]`, "node"},
	{"package.json", `"dotenv"\s*:`, "dotenv"},
	{"package.json", `"dotenv-expand"\s*:`, "dotenv-expand"},
	{"package.json", `"next"\s*:`, "next"},
	{"package.json", `"vite"\s*:`, "vite"},
	{"bun.lock", ``, "bun"},
	{"bun.lockb", ``, "bun"},
	{"deno.json*", `--env(-file)?\b`, "deno"},
	{"pyproject.toml", `(?i)["'](python-dotenv|pydantic-settings|environs)\b|(?m)^\s*(python-dotenv|pydantic-settings|environs)\s*=`, "python-dotenv"},
	{"*requirements*.txt", `(?im)^\s*(python-dotenv|pydantic-settings|environs)\b`, "python-dotenv"},
	{"compose.y*ml", `\benv_file\s*:|\$\{?[A-Z]`, "compose"},
	{"docker-compose*.y*ml", `\benv_file\s*:|\$\{?[A-Z]`, "compose"},
	{"go.mod", `\bgithub\.com/joho/godotenv\b`, "godotenv"},
	{"Cargo.toml", `(?m)^\s*dotenvy\b`, "dotenvy"},
	{"Gemfile", `\bgem\s+["']dotenv`, "ruby"},
	{"composer.json", `"(vlucas/phpdotenv|laravel/framework)"\s*:`, "php"},
	{"pom.xml", `\bdotenv-java\b`, "java"},
	{"build.gradle*", `\bdotenv-(java|kotlin)\b`, "java"},
	{"*.service", `(?m)^\s*EnvironmentFile\s*=`, "systemd"},
}

// maxSign is the size, in bytes, from which on a file is no sign.
const maxSign = 1 << 20

// Signs returns the loaders whose signs are in the folder dir of fsys, or above it,
// each once, by the sign that is nearest.
func Signs(fsys fs.FS, dir string) (found []Sign, err error) {
	for {
		entries, err := fs.ReadDir(fsys, dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			found = appendSigns(found, fsys, dir, e)
		}
		if dir == "." {
			return found, nil
		}
		dir = path.Dir(dir)
	}
}

func appendSigns(found []Sign, fsys fs.FS, dir string, e fs.DirEntry) []Sign {
	var text []byte
	for _, s := range signs {
		known := slices.ContainsFunc(found, func(f Sign) bool { return f.Loader == s.loader })
		if match, _ := path.Match(s.name, e.Name()); !match || known || !e.Type().IsRegular() {
			continue
		}
		file := path.Join(dir, e.Name())
		if text == nil {
			info, err := e.Info()
			if err != nil || info.Size() > maxSign && s.text != "" {
				continue // what cannot be read shows nothing
			}
			if text, err = fs.ReadFile(fsys, file); err != nil {
				continue
			}
		}
		if regexp.MustCompile(s.text).Match(text) {
			found = append(found, Sign{s.loader, file})
		}
	}
	return found
}
