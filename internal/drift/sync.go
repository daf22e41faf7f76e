package drift

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/secret"
)

// A DiffersError reports that the keys file has another key than the vault.
type DiffersError struct {
	KeysFile, Name string
	Local, Vault   ecies.Keys
}

func (e *DiffersError) Error() string {
	return fmt.Sprintf("%s holds another %s (public key %s) than the vault (%s)",
		e.KeysFile, e.Name, shorts(e.Local), shorts(e.Vault))
}

func shorts(keys ecies.Keys) string {
	if len(keys) == 0 {
		return "none, it is damaged"
	}
	return keys[0].PublicKey().Short()
}

// Sync plans to put the vault's keys into the keys files: one change for each
// target, in their order. Targets that share a keys file build on each other:
// the last of them that writes has the file's whole new content.
//
// A key that differs is replaced if replace allows it, else its Action is
// Differs.
func Sync(fsys fs.FS, targets []mapping.Target, keys []keyring.Answer, replace func(*DiffersError) bool) []Change {
	changes := make([]Change, len(targets))
	files := map[string]*keysFile{}
	for i, t := range targets {
		c, done := &changes[i], false
		if *c, done = Unsynced(fsys, t, keys[i]); done {
			continue
		}
		f, ok := files[t.KeysFile]
		if !ok {
			f = readKeysFile(fsys, t.KeysFile)
			files[t.KeysFile] = f
		}
		f.put(c, t, keys[i].Keys, replace)
	}
	for _, f := range files {
		f.finish()
	}
	return changes
}

// Unsynced returns the change for a target of which no key is to be kept: the mapping is
// ephemeral, or there is no key. Otherwise it is not done.
func Unsynced(fsys fs.FS, t mapping.Target, key keyring.Answer) (c Change, done bool) {
	c = Change{Mapping: t.Mapping, File: t.KeysFile, Private: true}
	if err := cmp.Or(missingFolder(t), key.Err); err != nil {
		c.Action, c.Err = Failed, err
		return c, true
	}
	if !t.Mapping.Ephemeral {
		return c, false
	}
	c.Action = Ephemeral
	if _, err := fs.Stat(fsys, t.KeysFile); err == nil {
		c.Note = "exists and is not used: the mapping is ephemeral"
	}
	return c, true
}

// missingFolder distinguishes a missing folder from one without env file: the
// key may come before the file.
func missingFolder(t mapping.Target) error {
	if t.File == "" && errors.Is(t.Err, fs.ErrNotExist) {
		return t.Err
	}
	if shared := (*mapping.SharedFileError)(nil); errors.As(t.Err, &shared) {
		return t.Err
	}
	return nil
}

// keysFile is a keys file while keys are put into it.
type keysFile struct {
	old  []byte
	file *dotenv.KeysFile
	err  error
	set  map[string]ecies.Keys

	writer   *Change // the last change that altered the file: it has the new content
	replaced bool    // a key was replaced, so the old content must be kept
}

func readKeysFile(fsys fs.FS, name string) *keysFile {
	f := &keysFile{set: map[string]ecies.Keys{}}
	f.old, f.err = atomicfile.ReadFile(fsys, name)
	if errors.Is(f.err, fs.ErrNotExist) {
		f.old, f.err = nil, nil
	}
	f.file = dotenv.ParseKeysFile(f.old)
	if f.err == nil {
		f.err = f.file.Check()
	}
	return f
}

func (f *keysFile) put(c *Change, t mapping.Target, keys ecies.Keys, replace func(*DiffersError) bool) {
	// Only the name that this file's reader looks for: another fitting name
	// may be the key of the file's neighbor.
	name := t.Names[0]
	local, found := f.local(name)
	other, taken := f.set[name]
	c.Names = []string{name}
	list := keys
	switch {
	case f.err != nil:
		c.Action, c.Err = Failed, f.err
		return
	case taken && other.Reveal() != keys.Reveal():
		c.Action, c.Err = Failed, fmt.Errorf("two mappings have different keys for %s in %s; rename one env file so that their keys' names differ", name, t.KeysFile)
		return
	case InSync(local, keys, t.Doc):
		c.Action = Unchanged
		if len(local) > len(keys) {
			c.AddNote("it also has keys that the vault no longer has")
		}
		f.set[name] = keys
		return
	case len(local) > 0 && keys.HasAll(local) || t.Doc != nil && keys.HasAny(local) && len(UnknownKeys(t.Doc, keys)) == 0:
		c.Action, list = Updated, keys.With(local) // none is lost that an older branch may need
	case found:
		differs := &DiffersError{t.KeysFile, name, local, keys}
		if !replace(differs) {
			c.Action, c.Err = Differs, differs
			return
		}
		c.Action = Updated
		f.replaced = true
	default:
		c.Action = Created
	}
	if err := f.file.Set(name, secret.New(list.Reveal()), label(t)); err != nil {
		c.Action, c.Err = Failed, err
		return
	}
	f.set[name], f.writer = keys, c
}

// InSync reports whether local keys are the vault's for an env file, or nil: the
// same, or without some of a rotation that the file does not need.
func InSync(local, vault ecies.Keys, doc *dotenv.Document) bool {
	switch {
	case len(local) == 0 || local.Reveal() == vault.Reveal():
		return len(local) > 0
	case !vault.HasAll(local) && !local.HasAll(vault):
		return false
	case doc == nil:
		return local[0].PublicKey() == vault[0].PublicKey()
	}
	return len(UnknownKeys(doc, local)) == 0 && len(UnknownKeys(doc, vault)) == 0
}

// local returns the key that the file has under name. A damaged one counts as a
// key that differs.
func (f *keysFile) local(name string) (keys ecies.Keys, found bool) {
	for _, e := range f.file.Lookup(name) {
		found = true
		more, _ := ecies.ParsePrivateKeys(e.Value.Reveal())
		for _, k := range more {
			if keys.Find(k.PublicKey()) == nil {
				keys = append(keys, k)
			}
		}
	}
	return keys, found
}

func (f *keysFile) finish() {
	if f.writer == nil || bytes.Equal(f.old, f.file.Bytes()) {
		return
	}
	f.writer.Write, f.writer.Old, f.writer.New = true, f.old, f.file.Bytes()
	f.writer.Keep = f.replaced
}

// label returns the file name that a keys file shows above a key.
func label(t mapping.Target) string {
	if t.File != "" {
		return path.Base(t.File)
	}
	return ".env." + t.Mapping.Env()
}

// StoreKey plans to put a private key into a keys file, which may not exist
// yet. A key that the file already has under the name stays there too, after
// the new one, so that what it decrypts can still be decrypted.
func StoreKey(fsys fs.FS, name, keyName string, key *ecies.PrivateKey, envFile string) Change {
	c := Change{File: name, Action: Created, Names: []string{keyName}, Private: true, Write: true}
	f := readKeysFile(fsys, name)
	if f.err != nil {
		c.Action, c.Err, c.Write = Failed, f.err, false
		return c
	}
	keys := ecies.Keys{key}
	if local, found := f.local(keyName); found {
		c.Action, c.Keep = Updated, true
		keys = append(keys, local...)
	}
	if err := f.file.Set(keyName, secret.New(keys.Reveal()), envFile); err != nil {
		c.Action, c.Err, c.Write = Failed, err, false
	}
	c.Old, c.New = f.old, f.file.Bytes()
	return c
}
