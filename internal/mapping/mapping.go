// Package mapping determines what a mapping in the configuration means in a
// tree of files: which env file, and where its private key is kept. It reads
// from an [fs.FS], which may be the working tree, the index or a commit.
package mapping

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
)

// ReadEnvFile reads and parses an env file. It is an error if the file contains
// private keys or is not UTF-8: no command may treat it as an env file.
func ReadEnvFile(fsys fs.FS, name string) (*dotenv.Document, error) {
	data, err := atomicfile.ReadFile(fsys, name)
	if err != nil {
		return nil, err
	}
	return ParseEnvFile(name, data)
}

// ParseEnvFile is like [ReadEnvFile], for the file's bytes.
func ParseEnvFile(name string, data []byte) (*dotenv.Document, error) {
	if dotenv.IsKeysFile(data) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrKeysFile}
	}
	if IsPointer(data) {
		return nil, &fs.PathError{Op: "read", Path: name, Err: ErrPointer}
	}
	doc := dotenv.Parse(data)
	if err := doc.Check(); err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return doc, nil
}

// ErrKeysFile reports private keys where an env file was expected.
var ErrKeysFile = errors.New("contains private keys, so it is not an env file")

// ErrPointer reports Git LFS's stand-in for a file.
var ErrPointer = errors.New("is stored by Git LFS: what is here is a pointer, not the env file")

// IsPointer reports whether data is Git LFS's stand-in for a file.
func IsPointer(data []byte) bool {
	return bytes.HasPrefix(data, []byte("version https://git-lfs.github.com/spec/"))
}

// A Target is one mapping in a tree.
type Target struct {
	Mapping  config.Mapping
	File     string           // the env file, relative to the tree's root; "" if Err says why
	Doc      *dotenv.Document // the content of File; nil if there is none
	KeysFile string           // where the mapping's private key is kept, if it is
	Names    []string         // the names that the private key may have; a new one gets the first
	Err      error            // why there is no Doc
}

// Folder returns the mapping's folder, relative to the tree's root.
func (t Target) Folder() string { return path.Dir(t.KeysFile) }

// SharedFileError reports two mappings for one env file.
type SharedFileError struct {
	File  string
	Other config.Mapping
}

func (e *SharedFileError) Error() string {
	return fmt.Sprintf("%s is also mapped to %s (line %d)", e.File, e.Other.SecretName, e.Other.Line)
}

// Resolve returns the target of each mapping in the tree. base is the directory
// of the configuration, relative to the tree's root. A mapping whose file is
// missing or unreadable has Err set; the others are not affected.
func Resolve(fsys fs.FS, base string, cfg *config.Config, mappings []config.Mapping) []Target {
	targets := make([]Target, len(mappings))
	first := map[string]int{}
	dirs := folders{fsys, map[string]listing{}}
	for i, m := range mappings {
		targets[i] = resolve(dirs, base, cfg, m)
		file := targets[i].File
		if file == "" {
			continue
		}
		if j, taken := first[file]; taken {
			targets[i].Err = &SharedFileError{file, mappings[j]}
			targets[j].Err = &SharedFileError{file, m}
			continue
		}
		first[file] = i
	}
	return targets
}

func resolve(dirs folders, base string, cfg *config.Config, m config.Mapping) Target {
	folder := path.Join(base, m.Folder)
	t := Target{
		Mapping:  m,
		KeysFile: path.Join(folder, cfg.Sync.EnvKeysFilename),
		Names:    []string{EnvironmentKey(m.Env())},
	}
	if m.EnvFile != "" { // which says it also where the file is missing
		t.Names = keyNames(nil, m.EnvFile, m)
	}
	names, err := dirs.fileNames(folder)
	if err != nil {
		t.Err = err
		return t
	}
	here := m
	here.Folder = folder // the name of fsys in its errors
	name, err := cfg.EnvFile(here, names)
	if err != nil {
		t.Err = err
		return t
	}
	t.File = path.Join(folder, name)
	if t.Doc, t.Err = ReadEnvFile(dirs.tree, t.File); t.Doc != nil {
		t.Doc = t.Keeping(t.Doc)
	}
	t.Names = keyNames(t.Doc, name, m)
	return t
}

// Keeping returns doc with the names that the target's mapping keeps in plaintext.
func (t Target) Keeping(doc *dotenv.Document) *dotenv.Document {
	if len(t.Mapping.Plain) == 0 || doc == nil {
		return doc
	}
	return doc.Keeping(t.Mapping.StaysPlain)
}

// ForFile returns the target for a file and a secret that are named on the
// command line. t is the file's mapping, if there is one: its environment
// stays.
func ForFile(fsys fs.FS, secretName, file string, t Target) Target {
	if t.File == "" {
		t.File = file
		t.Doc, t.Err = ReadEnvFile(fsys, file)
		t.Mapping.Environment = environmentOf(path.Base(file))
		t.Names = keyNames(t.Doc, path.Base(file), t.Mapping)
	}
	t.Mapping.SecretName = secretName
	return t
}

// ForKey returns the target for the key of a folder's environment, whose env
// file need not exist: ".env" or ".env.<environment>".
func ForKey(fsys fs.FS, folder, environment, keysFile string) Target {
	base := ".env"
	if environment != "" {
		base += "." + environment
	}
	t := Target{KeysFile: path.Join(folder, keysFile)}
	t.Mapping.Folder, t.Mapping.Environment = folder, environmentOf(base)
	if doc, err := ReadEnvFile(fsys, path.Join(folder, base)); err == nil {
		t.File, t.Doc = path.Join(folder, base), doc
	}
	t.Names = keyNames(t.Doc, base, t.Mapping)
	return t
}

// environmentOf returns NAME for .env.NAME, else production.
func environmentOf(base string) string {
	if name, ok := strings.CutPrefix(base, ".env."); ok && name != "" {
		return name
	}
	return "production"
}

// folders are those of a tree, each read once: many mappings may share one.
type folders struct {
	tree fs.FS
	read map[string]listing
}

type listing struct {
	names []string
	err   error
}

// fileNames returns the regular files, and links to some, in a folder.
func (f folders) fileNames(folder string) ([]string, error) {
	l, known := f.read[folder]
	if !known {
		l.names, l.err = fileNames(f.tree, folder)
		f.read[folder] = l
	}
	return l.names, l.err
}

func fileNames(fsys fs.FS, folder string) ([]string, error) {
	entries, err := fs.ReadDir(fsys, folder)
	if err != nil {
		return nil, atomicfile.ReadError(folder, err)
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() || e.Type()&fs.ModeSymlink != 0 {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// keyNames returns the names that the private key of a file may have: by its
// header, by dotenvx's rule for its name, by the mapping's environment. doc may
// be nil.
func keyNames(doc *dotenv.Document, file string, m config.Mapping) []string {
	var names []string
	add := func(name string) {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	if doc != nil {
		headers, _ := doc.PublicKeys() // Check reports a damaged one
		for _, h := range headers {
			add(dotenv.PrivateName(h.Name))
		}
	}
	if _, private, err := dotenv.KeyNames(file); err == nil {
		add(private)
	}
	add(EnvironmentKey(m.Env()))
	return names
}

// EnvironmentKey returns the name of an environment's private key, which
// dotenvx uses for the file .env.<environment>.
func EnvironmentKey(environment string) string {
	if _, private, err := dotenv.KeyNames(".env." + environment); err == nil {
		return private
	}
	return dotenv.PrivatePrefix
}
