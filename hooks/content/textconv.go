package content

import (
	"context"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// Textconv returns an env file as a diff shows it: NAME=‹tag› for each value, with
// equal tags for equal values of one key, or NAME=value if values is set. A tag
// is keyed with the private key, so nothing can be guessed from it. Where no key
// is at hand there is the beginning of the ciphertext, which differs each time
// that a value is encrypted.
//
// file is what git passes: the path of a temporary file that has the name of the
// env file, but not its folder. Whatever goes wrong, there is a text to show.
func Textconv(ctx context.Context, open Opener, file string, data []byte, values bool) []byte {
	doc := dotenv.Parse(data)
	if !isText(doc) {
		return fmt.Appendf(nil, "‹%d bytes that are no text in UTF-8›\n", len(data))
	}
	t := &tagger{doc: doc, values: values}
	if doc.State() != dotenv.Empty {
		t.reveal(ctx, open, file)
	}
	return doc.Shown(t.show, t.hide)
}

func isText(doc *dotenv.Document) bool {
	return !errors.As(doc.Check(), new(*dotenv.EncodingError))
}

// A tagger shows the values of one document.
type tagger struct {
	doc    *dotenv.Document
	values bool
	key    *ecies.PrivateKey       // for what is not encrypted; nil if there is none
	known  map[string]knownValue   // by ciphertext
	macs   map[ecies.PublicKey]mac // by whose values they tag
}

type knownValue struct {
	text string
	key  *ecies.PrivateKey
}

// reveal decrypts what can be, with the keys that the header declares first.
func (t *tagger) reveal(ctx context.Context, open Opener, file string) {
	t.known, t.macs = map[string]knownValue{}, map[ecies.PublicKey]mac{}
	w, err := open(file)
	if err != nil {
		return
	}
	keys := t.keys(ctx, w, filepath.Base(file))
	if len(keys) > 0 {
		t.key = keys[0]
	}
	var ciphertexts []string
	for _, e := range t.doc.Entries() {
		if e.Encrypted() {
			ciphertexts = append(ciphertexts, e.Value)
		}
	}
	for i, r := range keys.DecryptAll(ciphertexts) {
		if r.Err == nil {
			t.known[ciphertexts[i]] = knownValue{r.Plaintext.Reveal(), keys.Find(r.Used)}
		}
	}
}

// keys returns the local keys for the document, the nearest first; else those that an
// age vault holds for an env file of that base name.
func (t *tagger) keys(ctx context.Context, w *workspace.Workspace, base string) ecies.Keys {
	headers, _ := t.doc.PublicKeys()
	var all *keyring.Ring
	local := func(keys ecies.Keys) ecies.Keys { // none if their use cannot be logged
		q := keyring.Request{Target: mapping.Target{File: base, Doc: t.doc}}
		if w.RecordLocal(q, all, keys, nil) != nil {
			return nil
		}
		return keys
	}
	finds := []func(context.Context, string) *keyring.Ring{w.LocalKeys, w.AllLocalKeys} // there may be a thousand keys files
	if isEphemeral(w, base) {
		finds = nil
	}
	for _, find := range finds {
		all = find(ctx, base)
		keys := all.Declared(t.doc)
		if len(keys) > 0 || len(headers) == 0 && len(all.Held) > 0 {
			return local(append(keys, without(all, keys)...))
		}
	}
	for _, target := range w.All() {
		if filepath.Base(target.File) != base || w.VaultFile(ctx, target) == "" {
			continue
		}
		found := w.FetchToCheck(ctx, []mapping.Target{target})[0].Keys
		for _, h := range headers {
			if key := found.Find(h.Key); key != nil {
				return append(ecies.Keys{key}, found...)
			}
		}
	}
	if all == nil {
		return nil
	}
	return local(all.Keys())
}

func without(ring *keyring.Ring, keys ecies.Keys) (rest ecies.Keys) {
	for _, k := range ring.Keys() {
		if keys.Find(k.PublicKey()) == nil {
			rest = append(rest, k)
		}
	}
	return rest
}

// show returns what stands for a value.
func (t *tagger) show(e dotenv.Entry) string {
	v := knownValue{e.Value, t.key}
	if e.Encrypted() {
		var known bool
		if v, known = t.known[e.Value]; !known {
			return abbreviate(e.Value)
		}
	}
	switch {
	case t.values:
		return printable(v.text)
	case v.text == "":
		return "‹empty›"
	}
	return t.tag(v)
}

// printable returns a value on one line, without what would control a terminal.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\t' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '�'
		}
		return r
	}, strings.ReplaceAll(text, "\n", `\n`))
}

func (t *tagger) hide(line string) string {
	if t.values {
		return printable(line)
	}
	return t.tag(knownValue{line, t.key})
}

// abbreviate returns the beginning of a ciphertext. All begin alike: with the first
// byte of an uncompressed point.
func abbreviate(value string) string {
	const digits = 12
	text := strings.TrimPrefix(value, ecies.Prefix)
	return ecies.Prefix + text[:min(digits, len(text))] + "…"
}

// A mac computes tags.
type mac []byte

// tag returns the tag of a text. Without a key, whatever told it from others could
// be used to guess it: only its length is shown.
func (t *tagger) tag(v knownValue) string {
	if v.key == nil {
		return fmt.Sprintf("‹not encrypted, %d characters›", utf8.RuneCountInString(v.text))
	}
	key, ok := t.macs[v.key.PublicKey()]
	if !ok {
		var err error
		if key, err = hkdf.Key(sha256.New, []byte(v.key.Reveal()), nil, "envdrift textconv 1", sha256.Size); err != nil {
			return "‹not shown›"
		}
		t.macs[v.key.PublicKey()] = key
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(v.text))
	return "‹" + hex.EncodeToString(h.Sum(nil)[:6]) + "›"
}
