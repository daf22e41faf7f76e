package main

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// secrets maps texts that must not be seen anywhere to what they are.
type secrets map[string]string

func (m secrets) list() []string { return slices.Sorted(maps.Keys(m)) }

const (
	shortestSecret = 6 // a shorter value is found everywhere
	keyPrefix      = 20
)

var (
	privateKey  = regexp.MustCompile(`\b[0-9a-fA-F]{64}\b`)
	ageIdentity = regexp.MustCompile(`AGE-SECRET-KEY-1[0-9A-Z]{20}`)
	marked      = regexp.MustCompile(`m4rked|marked-[a-z]+`)
	plainWord   = regexp.MustCompile(`^[a-z]+$`) // "production" is found everywhere, too
	variables   = regexp.MustCompile(`^(DOTENV_PRIVATE_KEY\w*|VAULT_TOKEN|VAULT_SECRET_ID|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|AZURE_CLIENT_SECRET)=`)
)

// secretsIn adds to known the secrets of files and of an environment: private
// keys, identities, credentials, what scripts call marked, and the values of
// env files, encrypted ones too.
func secretsIn(files tree, environ []string, known secrets) secrets {
	m := maps.Clone(known)
	if m == nil {
		m = secrets{}
	}
	var keys ecies.Keys
	key := func(text string) {
		for _, hex := range privateKey.FindAllString(text, -1) {
			m[hex[:keyPrefix]] = "a private key"
			if more, err := ecies.ParsePrivateKeys(hex); err == nil {
				keys = append(keys, more...)
			}
		}
	}
	for name, f := range files {
		if isKeysFile(name) {
			key(string(f.data))
		}
		for _, identity := range ageIdentity.FindAllString(string(f.data), -1) {
			m[identity] = "an identity"
		}
		for _, word := range marked.FindAllString(string(f.data), -1) {
			m[word] = "what is marked"
		}
	}
	for _, kv := range environ {
		if variables.MatchString(kv) {
			_, value, _ := strings.Cut(kv, "=")
			key(value)
			if len(value) >= shortestSecret {
				m[value[:min(len(value), keyPrefix)]] = "a credential"
			}
		}
	}
	for name, f := range files {
		if !isEnvFile(name) {
			continue
		}
		doc := dotenv.Parse(f.data)
		for _, e := range doc.Entries() {
			m.value(e.Name, e.Value)
		}
		revealed, _ := doc.Reveal(keys) // some may be for keys that are gone
		for _, r := range revealed {
			m.value(r.Name, r.Plaintext.Reveal())
		}
	}
	return m
}

// value adds the value of an env file's variable.
func (m secrets) value(name, value string) {
	if len(value) >= shortestSecret && !plainWord.MatchString(value) && !ecies.IsEncrypted(value) && !strings.HasPrefix(name, "DOTENV_PUBLIC_KEY") {
		m[value] = "a value"
	}
}

func isKeysFile(name string) bool {
	base := filepath.Base(name)
	return strings.Contains(base, "keys") || strings.HasSuffix(base, ".key")
}

func isEnvFile(name string) bool {
	base := filepath.Base(name)
	return !isKeysFile(name) && !strings.HasPrefix(name, ".git/") && (strings.HasPrefix(base, ".env") && base != ".envdrift" || strings.HasSuffix(base, ".env"))
}

// givenAway returns the part of an environment without secrets: a script's own
// variables may contain anything.
func givenAway(environ []string) string {
	return strings.Join(slices.DeleteFunc(slices.Clone(environ), variables.MatchString), "\n")
}

// save keeps secrets for the script's next run: a key may be gone by then.
func (m secrets) save(dir string) {
	f, err := os.CreateTemp(dir, "secrets")
	if err != nil {
		return // as in note
	}
	for text, what := range m {
		_, _ = f.WriteString(what + "\t" + text + "\x00")
	}
	_ = f.Close()
}

func savedSecrets(dir string) secrets {
	m := secrets{}
	names, _ := filepath.Glob(filepath.Join(dir, "secrets*"))
	for _, name := range names {
		data, _ := os.ReadFile(name)
		for _, record := range strings.Split(string(data), "\x00") {
			if what, text, ok := strings.Cut(record, "\t"); ok {
				m[text] = what
			}
		}
	}
	return m
}

// A tree is the files of a folder, by their paths.
type tree map[string]file

type file struct {
	mode fs.FileMode
	data []byte // of a link: its target
}

// treeIn reads dir. It omits what vanishes meanwhile, or is not a file.
func treeIn(dir string) tree {
	const largest = 1 << 20
	files := tree{}
	_ = filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil
		}
		f := file{mode: info.Mode()}
		switch {
		case info.Mode().IsRegular() && info.Size() < largest:
			f.data, err = os.ReadFile(name)
		case info.Mode()&fs.ModeSymlink != 0:
			var target string
			target, err = os.Readlink(name)
			f.data = []byte(target)
		case !info.IsDir():
			return nil
		}
		if rel, relErr := filepath.Rel(dir, name); err == nil && relErr == nil {
			files[filepath.ToSlash(rel)] = f
		}
		return nil
	})
	return files
}

// moved returns the files for another folder: links, git's worktrees and the
// trust of a repository contain its path.
func (t tree) moved(from, to string) tree {
	files := maps.Clone(t)
	for name, f := range files {
		f.data = bytes.ReplaceAll(f.data, []byte(from), []byte(to))
		files[name] = f
	}
	return files
}

// write writes the files to dir. It omits those that cannot be created.
func (t tree) write(dir string) {
	for _, name := range slices.Sorted(maps.Keys(t)) {
		f, to := t[name], filepath.Join(dir, name)
		switch {
		case f.mode.IsDir():
			_ = os.MkdirAll(to, 0o700)
		case f.mode&fs.ModeSymlink != 0:
			_ = os.Symlink(string(f.data), to)
		default:
			_ = os.WriteFile(to, f.data, f.mode.Perm())
			_ = os.Chmod(to, f.mode.Perm())
		}
	}
}

// lookAtFiles searches what was written. Keys files and identities contain
// keys, and env files contain what was decrypted on request.
func (w *witness) lookAtFiles(after tree) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		data := after[name].data
		if bytes.Equal(data, w.before[name].data) {
			continue
		}
		if strings.HasPrefix(name, ".git/objects/") {
			data = inflate(data)
		}
		for _, text := range w.secrets.list() {
			if strings.Contains(string(data), text) && !strings.Contains(string(w.before[name].data), text) && !w.mayHold(name, w.secrets[text]) {
				w.leaked(fmt.Sprintf("%s was written and holds %s: %.60q", name, w.secrets[text], text))
			}
		}
	}
}

func (w *witness) mayHold(name, what string) bool {
	switch what {
	case "a private key":
		return isKeysFile(name)
	case "an identity":
		return strings.HasSuffix(name, "identity.txt")
	}
	switch commandOf(w.args) {
	case "decrypt", "pull", "hook run", "env": // env writes GITHUB_ENV
		return isEnvFile(name) || strings.HasSuffix(name, ".conf") // a copy for a program
	}
	return false
}

// inflate returns a git object's text, or data itself.
func inflate(data []byte) []byte {
	r, err := zlib.NewReader(bytes.NewReader(data))
	if err != nil {
		return data
	}
	text, err := io.ReadAll(r)
	if err != nil {
		return data
	}
	return text
}
