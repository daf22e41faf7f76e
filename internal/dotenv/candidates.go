package dotenv

import (
	"slices"

	"github.com/envdrift/envdrift/internal/ecies"
)

// Candidates are the private keys that could decrypt a document, by where they
// were found.
type Candidates struct {
	Environment ecies.Keys        // of the process's variables DOTENV_PRIVATE_KEY…
	KeysFile    []ecies.Keys      // of the .env.keys file, by assignment: each may be a list
	Declared    []ecies.PublicKey // of the process's variables DOTENV_PUBLIC_KEY…
}

// KeysFrom returns those of the candidates that dotenvx decrypts d with, each
// once, in the order in which it tries them. Public keys decide, whatever the
// variables are called: the keys of one assignment in the keys file serve a
// document only if the document, or c.Declared, declares the public key of one of
// them, or if the document declares none at all. The keys of the environment serve
// every document.
func (d *Document) KeysFrom(c Candidates) ecies.Keys {
	var keys ecies.Keys
	add := func(k *ecies.PrivateKey) {
		if k != nil && keys.Find(k.PublicKey()) == nil {
			keys = append(keys, k)
		}
	}
	// A declaration that is not a key counts as one that nothing matches.
	headers, invalid := d.PublicKeys()
	var declared []ecies.PublicKey
	for _, h := range headers {
		declared = append(declared, h.Key)
	}
	var rest ecies.Keys // of the keys file
	for _, p := range append(declared, c.Declared...) {
		add(c.Environment.Find(p))
		for _, list := range c.KeysFile {
			if k := list.Find(p); k != nil {
				add(k)
				rest = append(rest, list...)
			}
		}
	}
	if len(headers) == 0 && invalid == nil {
		rest = slices.Concat(c.KeysFile...)
	}
	for _, k := range slices.Concat(c.Environment, rest) {
		add(k)
	}
	return keys
}
