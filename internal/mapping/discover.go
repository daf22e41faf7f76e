package mapping

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/config"
)

// Discover returns the env files of a tree: .env, .env.NAME, and NAME.env
// if it is encrypted, since such names have many other uses. It skips hidden
// folders, those that package managers fill, and other repositories, such as
// submodules.
func Discover(fsys fs.FS) ([]string, error) {
	var files []string
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return fs.SkipDir // envdrift may not read it
		}
		base := path.Base(name)
		switch {
		case name == ".":
		case d.IsDir() && (strings.HasPrefix(base, ".") || slices.Contains([]string{"node_modules", "vendor", "dist", "build", "target"}, base)):
			return fs.SkipDir
		case d.IsDir():
			if _, err := fs.Lstat(fsys, path.Join(name, ".git")); err == nil {
				return fs.SkipDir
			}
		case isEnvFile(fsys, name, d):
			files = append(files, name)
		}
		return nil
	})
	return files, err
}

// DiscoverIn is like [Discover], but looks only into the folder dir itself.
func DiscoverIn(fsys fs.FS, dir string) (files []string) {
	entries, _ := fs.ReadDir(fsys, dir)
	for _, d := range entries {
		if name := path.Join(dir, d.Name()); isEnvFile(fsys, name, d) {
			files = append(files, name)
		}
	}
	return files
}

func isEnvFile(fsys fs.FS, name string, d fs.DirEntry) bool {
	base := path.Base(name)
	return d.Type().IsRegular() && config.IsEnvFileName(base) && (strings.HasPrefix(base, ".env") || encryptedFile(fsys, name))
}

func encryptedFile(fsys fs.FS, name string) bool {
	doc, err := ReadEnvFile(fsys, name)
	return err == nil && doc.State().HasCiphertext()
}

// Propose returns a mapping for an env file beside others. It names the secret after
// repository, folder and environment, in characters that every vault allows; where
// another mapping has the name, with a number.
func Propose(repository, file string, others []config.Mapping) config.Mapping {
	folder, base := path.Split(file)
	m := config.Mapping{Folder: path.Clean(folder), EnvFile: base}
	environment, ok := strings.CutPrefix(base, ".env.")
	if ok {
		m.Environment = environment
	}
	words := []string{repository, strings.Trim(folder, "/"), strings.Trim(strings.TrimPrefix(base, ".env"), ".")}
	name := safeName(strings.Join(words, "-"))
	m.SecretName = name + "-key"
	for n := 2; slices.ContainsFunc(others, func(other config.Mapping) bool { return other.SecretName == m.SecretName }); n++ {
		m.SecretName = fmt.Sprintf("%s-%d-key", name, n)
	}
	return m
}

// safeName keeps letters, digits and single hyphens.
func safeName(s string) string {
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= '0' && r <= '9')
	})
	return strings.Join(words, "-")
}
