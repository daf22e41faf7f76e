package dotenv

import (
	"bytes"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/internal/secret"
)

// A KeysFile is a .env.keys file: private keys by the names of their variables,
// perhaps with other lines between. It is parsed with the grammar of env files,
// not with a common reader of KEY=value files. Those return neither lines nor
// duplicates nor the bytes around a value, and return nothing at all for a file
// with one line that they do not accept.
type KeysFile struct {
	doc *Document
}

// A KeyEntry is one assignment of a private key. Its value may be a list, and
// need not be a key at all.
type KeyEntry struct {
	Name  string
	Line  int
	Value secret.Value
}

// ParseKeysFile parses data, whatever it contains.
func ParseKeysFile(data []byte) *KeysFile { return &KeysFile{Parse(data)} }

// Bytes returns a copy of the file's bytes.
func (f *KeysFile) Bytes() []byte { return f.doc.Bytes() }

// Check returns an [*EncodingError] if the file is not UTF-8 text. Set refuses
// such a file.
func (f *KeysFile) Check() error { return f.doc.Check() }

// Entries returns the private keys in the order of the file, each occurrence of
// a name: dotenvx tries them all.
func (f *KeysFile) Entries() []KeyEntry {
	var entries []KeyEntry
	for _, e := range f.doc.entries {
		if strings.HasPrefix(e.Name, PrivatePrefix) {
			entries = append(entries, KeyEntry{e.Name, e.Line, secret.New(e.Value)})
		}
	}
	return entries
}

// Lookup returns the entries of one name.
func (f *KeysFile) Lookup(name string) []KeyEntry {
	return slices.DeleteFunc(f.Entries(), func(e KeyEntry) bool { return e.Name != name })
}

// Set sets name to the private key, or list of keys. Every assignment of the
// name is changed, however it is spelled. If there is none, one is added at the
// end as dotenvx does, under a comment with the name of the env file that it is
// for. All other bytes stay. An empty file becomes a new one, with dotenvx's
// banner.
//
// The error is an [*EncodingError], or a [*NameError] for a name or file that
// would not read back. The file is unchanged then.
func (f *KeysFile) Set(name string, keys secret.Value, file string) error {
	if err := f.doc.Check(); err != nil {
		return err
	}
	doc := f.doc
	if !slices.ContainsFunc(doc.entries, func(e Entry) bool { return e.Name == name }) {
		var err error
		if doc, err = appendKey(doc, name, path.Base(file)); err != nil {
			return err
		}
	}
	var changes []change
	for i, e := range doc.entries {
		if e.Name == name {
			changes = append(changes, change{index: i, value: keys.Reveal(), anyQuote: true})
		}
	}
	doc, err := doc.rewrite(changes)
	if err == nil {
		f.doc = doc
	}
	return err
}

const keysBanner = `#/------------------!DOTENV_PRIVATE_KEYS!-------------------/
#/ private decryption keys. DO NOT commit to source control /
#/     [how it works](https://dotenvx.com/encryption)       /
#/          ⛨ ARMORED KEYS: ` + "`dotenvx armor up`" + `              /
#/----------------------------------------------------------/
`

// appendKey returns the file with an empty assignment of name at its end.
func appendKey(doc *Document, name, file string) (*Document, error) {
	data := doc.data
	if len(data) == 0 {
		data = []byte(keysBanner)
	}
	eol := doc.lineEnding()
	out := Parse(slices.Concat(data, []byte(eol+"# "+file+eol+name+"="+eol)))
	n := len(doc.entries)
	if len(out.entries) != n+1 || !sameEntries(out.entries[:n], doc.entries) || out.entries[n].Name != name {
		return nil, &NameError{name, "a line with it would not read back"}
	}
	return out, nil
}

// IsKeysFile reports whether data contains a private key: DOTENV_PRIVATE_KEY,
// with any suffix, set to 64 hex digits. A comment counts, since it reveals the
// key just as well.
func IsKeysFile(data []byte) bool {
	if isUTF16(data) {
		data = decodeUTF16(data)
	}
	for {
		_, rest, ok := bytes.Cut(data, []byte(PrivatePrefix))
		if !ok {
			return false
		}
		data = bytes.TrimLeftFunc(rest, func(r rune) bool { return r < 0x80 && isNameByte(byte(r)) })
		value := bytes.TrimLeftFunc(data, isBlankOrQuote)
		if len(value) == 0 || value[0] != '=' && value[0] != ':' {
			continue
		}
		value = bytes.TrimLeftFunc(value[1:], isBlankOrQuote)
		if len(value)-len(bytes.TrimLeft(value, "0123456789abcdefABCDEF")) >= 64 {
			return true
		}
	}
}

func isBlankOrQuote(r rune) bool { return isBlank(r) || r < 0x80 && isQuote(byte(r)) }
