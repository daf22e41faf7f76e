package dotenv

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/envdrift/envdrift/internal/ecies"
)

// PublicPrefix begins the name of every variable that declares a public key.
const PublicPrefix = "DOTENV_PUBLIC_KEY"

// isPublicKey reports whether e declares a public key: dotenvx decides by the
// prefix of the name.
func (e Entry) isPublicKey() bool { return strings.HasPrefix(e.Name, PublicPrefix) }

// A Header is a public key that a document declares.
type Header struct {
	Name string
	Key  ecies.PublicKey
	Line int
}

// A HeaderError reports an assignment whose name declares a public key, but
// whose value is not one, or is another one than was asked for.
type HeaderError struct {
	Name string
	Line int
	Err  error // a *ecies.KeyError or ErrOtherKey
}

func (e *HeaderError) Error() string { return fmt.Sprintf("line %d: %s: %v", e.Line, e.Name, e.Err) }
func (e *HeaderError) Unwrap() error { return e.Err }

// ErrOtherKey reports a file that is encrypted for another public key.
var ErrOtherKey = errors.New("declares another public key")

// PublicKeys returns the public keys that the document declares, each name with
// its last value, in the order in which the names first appear. The error joins
// a [*HeaderError] for each value that is not a public key; the others are
// returned nevertheless.
func (d *Document) PublicKeys() ([]Header, error) {
	d.public.once.Do(func() { d.public.headers, d.public.err = d.parsePublicKeys() })
	return slices.Clone(d.public.headers), d.public.err
}

// publicKeys are what PublicKeys found: finding the points takes long, and a command
// asks for them several times.
type publicKeys struct {
	once    sync.Once
	headers []Header
	err     error
}

func (d *Document) parsePublicKeys() ([]Header, error) {
	var names []string
	last := map[string]Entry{}
	for _, e := range d.entries {
		if !e.isPublicKey() {
			continue
		}
		if _, seen := last[e.Name]; !seen {
			names = append(names, e.Name)
		}
		last[e.Name] = e
	}
	var headers []Header
	var errs []error
	for _, name := range names {
		e := last[name]
		key, err := ecies.ParsePublicKey(e.Value)
		if err != nil {
			errs = append(errs, &HeaderError{name, e.Line, err})
			continue
		}
		headers = append(headers, Header{name, key, e.Line})
	}
	return headers, errors.Join(errs...)
}

// ReplaceHeader returns the document with pub in place of every public key that
// it declares, and of every empty declaration. Its values stay as they are: it
// is for documents whose values are about to be encrypted for pub. A document
// that declares no public key is returned as it is.
func (d *Document) ReplaceHeader(pub ecies.PublicKey) (*Document, error) {
	if err := d.Check(); err != nil {
		return nil, err
	}
	var changes []change
	for i, e := range d.entries {
		if !e.isPublicKey() {
			continue
		}
		if key, err := ecies.ParsePublicKey(e.Value); e.Value != "" && (err != nil || key == pub) {
			continue
		}
		changes = append(changes, change{index: i, value: pub.String(), anyQuote: true})
	}
	return d.rewrite(changes)
}

// addHeader returns the document with the header that dotenvx writes, byte for
// byte except in two points. Its lines end as the file's do, whereas dotenvx
// always writes LF: both read either, and a file stays of one kind. And it
// comes after a byte order mark, whereas dotenvx writes it before: the mark
// belongs at the beginning of a file.
func (d *Document) addHeader(pub ecies.PublicKey, opt EncryptOptions) (*Document, error) {
	at := 0
	if bytes.HasPrefix(d.data, []byte("\ufeff")) {
		at = len("\ufeff")
	}
	eol := d.lineEnding()
	if bytes.HasPrefix(d.data[at:], []byte("#!")) {
		at = findLineEnd(d.data, at)
		at += lineEnd(d.data[at:])
	}
	note := ""
	if opt.KeysFile != "" {
		note = " # -fk " + opt.KeysFile
	}
	banner := []string{
		"#/-------------------[DOTENV_PUBLIC_KEY]--------------------/",
		"#/            public-key encryption for .env files          /",
		"#/       [how it works](https://dotenvx.com/encryption)     /",
		"#/----------------------------------------------------------/",
		opt.Header + `="` + pub.String() + `"` + note,
		"",
		"# " + path.Base(opt.File),
		"",
	}
	out := d.parse(bytes.Join([][]byte{d.data[:at], []byte(strings.Join(banner, eol)), d.data[at:]}, nil))
	if len(out.entries) == 0 || out.entries[0].Name != opt.Header ||
		!sameEntries(out.entries[1:], d.entries) {
		return nil, &NameError{opt.File, "the header would not read back"}
	}
	return out, nil
}

// lineEnding returns how the document's first line ends; LF if it has one line.
func (d *Document) lineEnding() string { return lineEnding(d.data[findLineEnd(d.data, 0):]) }

// lineEnding returns the line end at the beginning of b; LF if there is none,
// or one that only JavaScript recognizes.
func lineEnding(b []byte) string {
	if n := lineEnd(b); 0 < n && n < 3 {
		return string(b[:n])
	}
	return "\n"
}
