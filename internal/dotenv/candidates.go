package dotenv

import "github.com/envdrift/envdrift/internal/ecies"

// Candidates are the private keys that could decrypt a document, by where they
// were found.
type Candidates struct {
	Environment ecies.Keys        // of the process's variables DOTENV_PRIVATE_KEY…
	KeysFile    ecies.Keys        // of the .env.keys file
	Declared    []ecies.PublicKey // of the process's variables DOTENV_PUBLIC_KEY…
}

// KeysFrom returns those of the candidates that dotenvx decrypts d with, each
// once, in the order in which it tries them. Public keys decide, whatever the
// variables are called: a key of the keys file serves a document only if the
// document, or c.Declared, declares its public key, or if the document declares
// none at all. The keys of the environment serve every document.
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
	for _, p := range append(declared, c.Declared...) {
		add(c.Environment.Find(p))
		add(c.KeysFile.Find(p))
	}
	for _, k := range c.Environment {
		add(k)
	}
	if len(headers) == 0 && invalid == nil {
		for _, k := range c.KeysFile {
			add(k)
		}
	}
	return keys
}
