package scan

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A value is searched for.
type value struct {
	text   secret.Value
	owners []Owner
	plain  map[string]bool // the env files that have it in plaintext themselves
}

// An Owner is the variable whose value it is.
type Owner struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"` // the env file; "" for a private key
}

// in returns the owner in an env file, or nil.
func (v value) in(file string) *Owner {
	i := slices.IndexFunc(v.owners, func(o Owner) bool { return o.File == file })
	if i < 0 {
		return nil
	}
	return &v.owners[i]
}

// addTree adds the env files of a tree that has some files: those of all mappings in
// all configurations, and those that are encrypted without one.
func (s *search) addTree(ctx context.Context, tree fs.FS, files []string) error {
	mapped := map[string]bool{}
	add := func(w *workspace.Workspace) {
		for _, t := range mapping.Resolve(w.Tree, w.Base, w.Config, w.Config.Mappings) {
			switch {
			case t.Doc != nil && !mapped[t.File]:
				mapped[t.File] = true
				s.addFile(w, t)
			case t.Doc == nil && t.File != "" && !errors.Is(t.Err, fs.ErrNotExist):
				s.result.unchecked(t.File, 0, t.Err)
			}
		}
	}
	if tree == nil {
		tree = s.work.Files()
		add(s.work) // it may be one that the user named
	}
	for _, file := range files {
		if !slices.Contains(config.FileNames[:], path.Base(file)) {
			continue
		}
		text, err := atomicfile.ReadFile(tree, file)
		if errors.Is(err, fs.ErrNotExist) {
			continue // it was removed, and rules nothing
		}
		var w *workspace.Workspace
		if err == nil {
			w, err = s.work.Ruled(tree, file, text)
		}
		switch {
		case err == nil:
			add(w)
		case !errors.Is(err, config.ErrNoConfig):
			s.result.unchecked(file, 0, err)
		}
	}
	for _, file := range files {
		if mapped[file] || !config.IsEnvFileName(path.Base(file)) {
			continue
		}
		data, err := atomicfile.ReadFile(tree, file)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !bytes.Contains(data, []byte(ecies.Prefix)) {
			continue
		}
		doc, err := mapping.ReadEnvFile(tree, file)
		if err != nil {
			s.result.unchecked(file, 0, err)
		} else if doc.State().HasCiphertext() {
			s.addFile(s.work.WithTree(tree), mapping.Target{File: file, Doc: doc})
		}
	}
	return ctx.Err()
}

// addFile adds an env file, unless that version of it is there already.
func (s *search) addFile(w *workspace.Workspace, t mapping.Target) {
	if !slices.ContainsFunc(s.files[t.File], func(f envFile) bool { return bytes.Equal(f.Doc.Bytes(), t.Doc.Bytes()) }) {
		s.files[t.File] = append(s.files[t.File], envFile{w, t})
	}
}

// An envFile is one version of an env file.
type envFile struct {
	work *workspace.Workspace
	mapping.Target
}

// readValues decrypts the env files, with keys at hand alone.
func (s *search) readValues(ctx context.Context) {
	for _, name := range sorted(s.files) {
		for _, f := range s.files[name] {
			answer := f.work.Keys(ctx, []keyring.Request{{Target: f.Target}}, keyring.LocalOnly)[0]
			s.addValues(f, answer)
			s.addKeys(f.Names, answer.Keys)
		}
	}
	for _, held := range s.work.AllLocalKeys(ctx, ".env").Held {
		s.addKeys([]string{held.Name}, ecies.Keys{held.Key})
	}
}

// addValues adds the values of one version of an env file. One in plaintext is a
// secret if a mapping says that it is to be encrypted.
func (s *search) addValues(f envFile, answer keyring.Answer) {
	var names, ciphertexts []string
	refers := false
	for _, e := range f.Doc.Entries() {
		switch {
		case e.Encrypted():
			names, ciphertexts = append(names, e.Name), append(ciphertexts, e.Value)
		case f.Mapping.SecretName != "":
			s.addValue(f, e.Name, secret.New(e.Value), true)
			refers = refers || strings.Contains(e.Value, "$")
		}
	}
	if answer.Err != nil {
		s.result.unchecked(f.File, len(names), answer.Err)
		return
	}
	failed, err := 0, error(nil)
	for i, d := range answer.Keys.DecryptAll(ciphertexts) {
		if d.Err != nil {
			failed, err = failed+1, d.Err
			continue
		}
		s.addValue(f, names[i], d.Plaintext, false)
		refers = refers || strings.Contains(d.Plaintext.Reveal(), "$")
	}
	if err != nil {
		s.result.unchecked(f.File, failed, err)
	} else if refers {
		s.addEvaluated(f, answer.Keys)
	}
}

// addEvaluated adds the values as a program gets them, where they are others: "$NAME" is
// replaced, and "\$" becomes "$".
func (s *search) addEvaluated(f envFile, keys ecies.Keys) {
	vars, err := dotenv.Evaluate([]dotenv.Source{{Name: f.File, Doc: f.Doc, Keys: keys}}, f.work.Env(), dotenv.EvalOptions{Override: true})
	if err != nil {
		return // then no program gets them
	}
	plain := map[string]bool{}
	for _, e := range f.Doc.Entries() {
		plain[e.Name] = plain[e.Name] || !e.Encrypted()
	}
	checked := s.result.Checked
	for _, v := range vars {
		if !plain[v.Name] || f.Mapping.SecretName != "" {
			s.addValue(f, v.Name, v.Value, plain[v.Name])
		}
	}
	s.result.Checked = checked // by their names
}

// addValue adds a value that is worth searching for.
func (s *search) addValue(f envFile, name string, text secret.Value, plain bool) {
	if f.Doc.StaysPlain(name) || strings.HasPrefix(name, dotenv.PublicPrefix) {
		return
	}
	s.result.Checked++
	switch {
	case utf8.RuneCountInString(strings.TrimSpace(text.Reveal())) < shortest:
		s.short[Owner{name, f.File}] = true
	case s.shown[text.Reveal()] || isCommon(name, text.Reveal(), f.Mapping.Env()):
		s.common[Owner{name, f.File}] = true
	default:
		if v := s.add(Owner{name, f.File}, text); plain {
			v.plain[f.File] = true
		}
	}
}

// add adds a value, or one more owner of it.
func (s *search) add(owner Owner, text secret.Value) *value {
	i, there := s.known[text.Reveal()]
	if !there {
		i = len(s.values)
		s.known[text.Reveal()] = i
		s.values = append(s.values, value{text: text, plain: map[string]bool{}})
	}
	v := &s.values[i]
	if !slices.Contains(v.owners, owner) {
		v.owners = append(v.owners, owner)
	}
	return v
}

// addKeys adds private keys: whoever has one can read all values.
func (s *search) addKeys(names []string, keys ecies.Keys) {
	name := dotenv.PrivatePrefix
	if len(names) > 0 {
		name = names[0]
	}
	for _, key := range keys {
		hex := strings.ToLower(ecies.Keys{key}.Reveal())
		if _, there := s.known[hex]; !there { // by another name, perhaps
			s.add(Owner{Name: name}, secret.New(hex))
		}
	}
}

// isCommon reports whether a value is in files for other reasons than that it was
// copied: its own name, a word of every configuration, a number, or an address without
// a password.
func isCommon(name, text, environment string) bool {
	switch lower := strings.ToLower(text); {
	case lower == strings.ToLower(name), lower == environment, slices.Contains(commonWords[:], lower):
		return true
	case config.LooksSecret(name):
		return false
	case strings.Trim(lower, "0123456789.,:-_/ ") == "": // a number, a date, an IP address
		return true
	case strings.HasPrefix(lower, "localhost:"):
		return strings.Trim(lower[len("localhost:"):], "0123456789") == ""
	}
	address, err := url.Parse(text)
	return err == nil && address.Host != "" && address.User == nil && address.RawQuery == "" && strings.Trim(address.Path, "/") == ""
}

var commonWords = [...]string{
	"production", "development", "localhost", "postgres", "postgresql", "password", "changeme", "disabled", "undefined", "password123",
	"application/json", "utf8mb4_unicode_ci", "us-east-1", "us-east-2", "us-west-1", "us-west-2", "eu-west-1", "eu-central-1", "require",
}

// addShown adds the values that templates such as .env.example show.
func (s *search) addShown(data []byte) {
	for _, e := range dotenv.Parse(data).Entries() {
		if !e.Encrypted() {
			s.shown[e.Value] = true
		}
	}
}
