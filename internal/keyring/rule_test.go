package keyring_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/vault"
)

// A bench is the keys of a rule's tests, by letter.
type bench struct {
	t    *testing.T
	keys map[byte]*ecies.PrivateKey
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, keys: map[byte]*ecies.PrivateKey{}}
	for _, letter := range []byte("abcv") {
		b.keys[letter] = newKey(t)
	}
	return b
}

// doc makes an env file: "a" declares and uses key a, "-a" uses it without a
// header, "ab" declares a and uses b, "plain" and "" are what they say.
func (b *bench) doc(spec string) *dotenv.Document {
	b.t.Helper()
	if spec == "nil" {
		return nil
	}
	if spec == "" || spec == "plain" || spec == "bad" {
		return dotenv.Parse([]byte(map[string]string{"": "", "plain": "A=1\n", "bad": "DOTENV_PUBLIC_KEY=nonsense\nA=1\n"}[spec]))
	}
	text := ""
	if spec[0] != '-' {
		text = "DOTENV_PUBLIC_KEY=" + b.keys[spec[0]].PublicKey().String() + "\n"
	}
	for i, letter := range []byte(spec[min(1, len(spec)-1):]) {
		value, err := b.keys[letter].PublicKey().Encrypt([]byte("x"))
		if err != nil {
			b.t.Fatal(err)
		}
		text += string(rune('A'+i)) + "=" + value + "\n"
	}
	return dotenv.Parse([]byte(text))
}

// ring makes a ring: keys before "|" are in the environment, those behind it in
// the keys file beside the env file, those behind a second one in another folder.
func (b *bench) ring(spec string) *keyring.Ring {
	r := &keyring.Ring{}
	parts := strings.Split(spec+"||", "|")
	for i, part := range parts[:3] {
		for _, letter := range []byte(part) {
			name, value := "DOTENV_PRIVATE_KEY", ecies.Keys{b.keys[letter]}.Reveal()
			if i == 0 {
				r.Environ(map[string]string{name: value})
				continue
			}
			r.File([]string{"", "svc/.env.keys", ".env.keys"}[i], dotenv.ParseKeysFile([]byte(name+"="+value+"\n")))
		}
	}
	return r
}

// env makes an env file, or the text of a keys file, line by line: "A:a" is a
// value for key a, "DOTENV_PUBLIC_KEY:a" its public and "DOTENV_PRIVATE_KEY:a"
// its private half.
func (b *bench) env(lines ...string) *dotenv.Document {
	b.t.Helper()
	var text strings.Builder
	for _, line := range lines {
		name, letter, _ := strings.Cut(line, ":")
		key := b.keys[letter[0]]
		value, err := key.PublicKey().Encrypt([]byte("x"))
		if err != nil {
			b.t.Fatal(err)
		}
		if strings.HasPrefix(name, dotenv.PublicPrefix) {
			value = key.PublicKey().String()
		}
		if strings.HasPrefix(name, dotenv.PrivatePrefix) {
			value = ecies.Keys{key}.Reveal()
		}
		text.WriteString(name + "=" + value + "\n")
	}
	return dotenv.Parse([]byte(text.String()))
}

// letters names the keys that were returned.
func (b *bench) letters(keys ecies.Keys) (s string) {
	for _, k := range keys {
		for letter, known := range b.keys {
			if k.PublicKey() == known.PublicKey() {
				s += string(rune(letter))
			}
		}
	}
	return s
}

func (b *bench) request(doc, head, mapping string) keyring.Request {
	q := keyring.Request{Head: b.doc(head)}
	q.File, q.Doc = "svc/.env", b.doc(doc)
	if mapping != "" {
		q.Mapping.SecretName = "secret"
		q.Mapping.Ephemeral = mapping == "ephemeral"
	}
	return q
}

func TestForDecryption(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	unmapped := func(err error) bool { return errors.As(err, new(*keyring.UnmappedError)) }
	noKey := func(err error) bool { return errors.As(err, new(*keyring.NoKeyError)) }
	ephemeral := func(err error) bool { return errors.Is(err, keyring.ErrEphemeral) }
	tests := []struct {
		name, doc, mapping, ring string
		policy                   keyring.Policy
		want                     string
		ask                      bool
		err                      func(error) bool
	}{
		{name: "plaintext needs none", doc: "plain", mapping: "mapped", ring: "a"},
		{name: "nor does an empty file", doc: "", mapping: "ephemeral"},
		{name: "the local key that the header names", doc: "aa", mapping: "mapped", ring: "b|a", want: "a"},
		{name: "of a folder above too", doc: "aa", mapping: "mapped", ring: "||a", want: "a"},
		{name: "another local key: the vault", doc: "aa", mapping: "mapped", ring: "b|c", ask: true},
		{name: "no header: the vault", doc: "-a", mapping: "mapped", ring: "a", ask: true},
		{name: "ephemeral: the vault", doc: "aa", mapping: "ephemeral", ring: "a", ask: true},
		{name: "unmapped: a local key", doc: "aa", ring: "|a", want: "a"},
		{name: "unmapped without a header: all local keys", doc: "-a", ring: "b|a", want: "ba"},
		{name: "unmapped, no key", doc: "aa", ring: "b", err: noKey},
		{name: "unmapped, no header, no key", doc: "-a", err: noKey},
		{name: "vault only", doc: "aa", mapping: "mapped", ring: "a", policy: keyring.VaultOnly, ask: true},
		{name: "vault only, unmapped", doc: "aa", ring: "a", policy: keyring.VaultOnly, err: unmapped},
		{name: "vault only, plaintext", doc: "plain", ring: "a", policy: keyring.VaultOnly},
		{name: "vault only, ephemeral", doc: "aa", mapping: "ephemeral", ring: "a", policy: keyring.VaultOnly, ask: true},
		{name: "local only, plaintext", doc: "plain", mapping: "ephemeral", policy: keyring.LocalOnly},
		{name: "local only, no header: all local keys", doc: "-a", mapping: "mapped", ring: "b|a", policy: keyring.LocalOnly, want: "ba"},
		{name: "local only", doc: "aa", mapping: "mapped", ring: "a", policy: keyring.LocalOnly, want: "a"},
		{name: "local only, no key", doc: "aa", mapping: "mapped", ring: "b", policy: keyring.LocalOnly, err: noKey},
		{name: "local only, ephemeral", doc: "aa", mapping: "ephemeral", ring: "a", policy: keyring.LocalOnly, err: ephemeral},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, ask, err := b.ring(tt.ring).ForDecryption(b.request(tt.doc, "nil", tt.mapping), tt.policy)
			if got := b.letters(keys); got != tt.want || ask != tt.ask || (err != nil) != (tt.err != nil) || tt.err != nil && !tt.err(err) {
				t.Errorf("ForDecryption = %q, %t, %v; want %q, %t, error %t", got, ask, err, tt.want, tt.ask, tt.err != nil)
			}
		})
	}
}

func TestForProgram(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := []struct {
		name, doc, mapping, ring string
		policy                   keyring.Policy
		want                     string
		ask, fails               bool
	}{
		{name: "plaintext: what a variable of the process may need", doc: "plain", mapping: "mapped", ring: "a", want: "a"},
		{name: "the header's key, then the environment's", doc: "aab", mapping: "mapped", ring: "b|a", want: "ab"},
		{name: "the environment's come along even if no key decrypts", doc: "ab", mapping: "mapped", ring: "c|a", want: "ac"},
		{name: "mapped, no fitting key: the vault", doc: "aa", mapping: "mapped", ring: "b", ask: true},
		{name: "ephemeral: the vault, even if local keys are wanted", doc: "aa", mapping: "ephemeral", ring: "a", policy: keyring.LocalOnly, ask: true},
		{name: "unmapped: the environment's key, whatever the header", doc: "ab", ring: "b", want: "b"},
		{name: "unmapped: not the keys file's", doc: "ab", ring: "|b", fails: true},
		{name: "unmapped, no key", doc: "aa", fails: true},
		{name: "vault only", doc: "aa", mapping: "mapped", ring: "a", policy: keyring.VaultOnly, ask: true},
		{name: "vault only, unmapped", doc: "aa", ring: "a", policy: keyring.VaultOnly, fails: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, ask, err := b.ring(tt.ring).ForProgram(b.request(tt.doc, "nil", tt.mapping), tt.policy)
			if got := b.letters(keys); got != tt.want || ask != tt.ask || (err != nil) != tt.fails {
				t.Errorf("ForProgram = %q, %t, %v; want %q, %t, error %t", got, ask, err, tt.want, tt.ask, tt.fails)
			}
		})
	}
}

func TestForProof(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	tests := []struct{ name, doc, head, theirs, mapping, ring, want string }{
		{"HEAD's key, still named", "aa", "aa", "nil", "mapped", "|a", "a"},
		{"also for an unmapped file", "aa", "aa", "nil", "", "a", "a"},
		{"no HEAD", "aa", "nil", "nil", "mapped", "a", ""},
		{"ephemeral", "aa", "aa", "nil", "ephemeral", "a", ""},
		{"another key has come", "bb", "aa", "nil", "mapped", "ab", ""},
		{"a merge brings another key", "aa", "aa", "bb", "mapped", "ab", ""},
		{"a merge of the same key", "aa", "aa", "aa", "mapped", "a", "a"},
		{"HEAD without a header", "aa", "-a", "nil", "mapped", "a", ""},
		{"HEAD's key is not local", "aa", "aa", "nil", "mapped", "b", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys := b.ring(tt.ring).ForProof(b.request(tt.doc, tt.head, tt.mapping), b.doc(tt.theirs))
			if got := b.letters(keys); got != tt.want {
				t.Errorf("ForProof = %q; want %q", got, tt.want)
			}
		})
	}
}

// A file may declare several keys, and under any name.
func TestSeveralHeaders(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	doc := b.env("DOTENV_PUBLIC_KEY_X:a", "DOTENV_PUBLIC_KEY:b", "A:b")
	q := b.request("aa", "nil", "mapped")
	q.Doc, q.Head = doc, doc
	tests := []struct{ name, ring, decryption, proof, encryption string }{
		{"one is local", "|b", "b", "", "b"},
		{"both are, in the order of the header", "b|a", "ab", "ab", "ab"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ring := b.ring(tt.ring)
			keys, ask, err := ring.ForDecryption(q, keyring.Auto)
			if got := b.letters(keys); got != tt.decryption || ask || err != nil {
				t.Errorf("ForDecryption = %q, %t, %v; want %q", got, ask, err, tt.decryption)
			}
			if got := b.letters(ring.ForProof(q, nil)); got != tt.proof {
				t.Errorf("ForProof = %q; want %q", got, tt.proof)
			}
			p, ask, err := ring.ForEncryption(q, nil)
			if p.Public != b.keys['a'].PublicKey() || ask || err != nil || b.letters(p.Keys) != tt.encryption {
				t.Errorf("ForEncryption = %s with %q, %t, %v; want the first key with %q", p.Public.Short(), b.letters(p.Keys), ask, err, tt.encryption)
			}
			if p.Header != "DOTENV_PUBLIC_KEY_X" || p.Private != "DOTENV_PRIVATE_KEY_X" {
				t.Errorf("ForEncryption names %s and %s; want those of the header", p.Header, p.Private)
			}
		})
	}
}

func TestForEncryption(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	held := &keyring.Answer{Keys: ecies.Keys{b.keys['v']}}
	rotated := &keyring.Answer{Keys: ecies.Keys{b.keys['v'], b.keys['a']}}
	none := &keyring.Answer{Err: vault.ErrNotFound}
	down := &keyring.Answer{Err: vault.ErrUnavailable}
	tests := []struct {
		name, doc, head, mapping, ring string
		answer                         *keyring.Answer
		public, keys                   string
		ask, declared, fromFile        bool
		err                            error
		unknown                        bool
	}{
		{name: "the header's", doc: "aa", head: "bb", mapping: "mapped", ring: "a", public: "a", keys: "a", declared: true},
		{name: "the header's, private key elsewhere", doc: "aa", head: "nil", mapping: "mapped", public: "a", declared: true},
		{name: "HEAD's", doc: "plain", head: "bb", mapping: "mapped", ring: "b|a", public: "b", keys: "b", declared: true},
		{name: "a local key is not that of an ephemeral mapping", doc: "aa", head: "nil", mapping: "ephemeral", ring: "a", public: "a", declared: true},
		{name: "the vault is to be asked", doc: "plain", head: "nil", mapping: "mapped", ring: "|a", ask: true},
		{name: "the vault's", doc: "plain", head: "nil", mapping: "mapped", ring: "|a", answer: held, public: "v", keys: "v"},
		{name: "the vault's newest", doc: "plain", head: "nil", mapping: "mapped", answer: rotated, public: "v", keys: "va"},
		{name: "the keys file's if the vault has none", doc: "plain", head: "nil", mapping: "mapped", ring: "|a", answer: none, public: "a", keys: "a", fromFile: true},
		{name: "not if the vault cannot be reached", doc: "plain", head: "nil", mapping: "mapped", ring: "|a", answer: down, err: vault.ErrUnavailable},
		{name: "not that of another folder", doc: "plain", head: "nil", mapping: "mapped", ring: "||a", answer: none, unknown: true},
		{name: "unmapped: the keys file's", doc: "plain", head: "nil", ring: "|a", public: "a", keys: "a", fromFile: true},
		{name: "unknown", doc: "plain", head: "-a", unknown: true},
		{name: "a damaged header", doc: "bad", head: "nil", ring: "|a", err: errAny},
		{name: "a damaged header in HEAD", doc: "plain", head: "bad", ring: "|a", public: "a", keys: "a", fromFile: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, ask, err := b.ring(tt.ring).ForEncryption(b.request(tt.doc, tt.head, tt.mapping), tt.answer)
			switch {
			case tt.unknown != errors.As(err, new(*keyring.UnknownKeyError)):
				t.Errorf("ForEncryption = %v; want an UnknownKeyError: %t", err, tt.unknown)
			case tt.err == errAny && err == nil, tt.err != nil && tt.err != errAny && !errors.Is(err, tt.err), tt.err == nil && !tt.unknown && err != nil:
				t.Errorf("ForEncryption = %v; want %v", err, tt.err)
			case ask != tt.ask || p.Declared != tt.declared || p.FromFile != tt.fromFile || b.letters(p.Keys) != tt.keys:
				t.Errorf("ForEncryption: keys %q, ask %t, declared %t, from the file %t; want %q, %t, %t, %t",
					b.letters(p.Keys), ask, p.Declared, p.FromFile, tt.keys, tt.ask, tt.declared, tt.fromFile)
			case tt.public != "" && p.Public != b.keys[tt.public[0]].PublicKey():
				t.Errorf("ForEncryption is for %s; want key %s", p.Public.Short(), tt.public)
			}
			if tt.err == nil && (p.Header != "DOTENV_PUBLIC_KEY" || p.Private != "DOTENV_PRIVATE_KEY") {
				t.Errorf("ForEncryption names %s and %s; want those of .env", p.Header, p.Private)
			}
		})
	}
}

var errAny = errors.New("any error")

func TestForEncryptionByName(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	q := b.request("plain", "nil", "")
	q.File = "svc/.env.production"
	tests := []struct{ name, inFile, inEnviron, want string }{
		{"the file's own name", "DOTENV_PRIVATE_KEY_PRODUCTION:a", "", "a"},
		{"another name", "DOTENV_PRIVATE_KEY:a", "", ""},
		{"the environment's", "", "DOTENV_PRIVATE_KEY_PRODUCTION", "c"},
		{"another one of the environment", "", "DOTENV_PRIVATE_KEY", ""},
		{"the environment's first", "DOTENV_PRIVATE_KEY_PRODUCTION:a", "DOTENV_PRIVATE_KEY_PRODUCTION", "ca"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := &keyring.Ring{}
			if tt.inEnviron != "" {
				r.Environ(map[string]string{tt.inEnviron: ecies.Keys{b.keys['c']}.Reveal()})
			}
			if tt.inFile != "" {
				r.File("svc/.env.keys", dotenv.ParseKeysFile(b.env(tt.inFile).Bytes()))
			}
			p, _, err := r.ForEncryption(q, nil)
			if got := b.letters(p.Keys); got != tt.want || errors.As(err, new(*keyring.UnknownKeyError)) != (tt.want == "") {
				t.Errorf("ForEncryption has %q, %v; want %q", got, err, tt.want)
			}
			if want := tt.want == "a"; p.FromFile != want {
				t.Errorf("ForEncryption: from the keys file %t; want %t", p.FromFile, want)
			}
			if p.Header != "DOTENV_PUBLIC_KEY_PRODUCTION" || p.Private != "DOTENV_PRIVATE_KEY_PRODUCTION" {
				t.Errorf("ForEncryption names %s and %s; want those of .env.production", p.Header, p.Private)
			}
		})
	}
	odd := q
	odd.File = "svc/.env.größe"
	if _, _, err := (&keyring.Ring{}).ForEncryption(odd, nil); !errors.As(err, new(*dotenv.NameError)) {
		t.Errorf("ForEncryption of %s = %v; want a NameError", odd.File, err)
	}
}

func TestBeside(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := b.ring("a|b|c")
	for folder, want := range map[string]string{"svc": "ab", ".": "ac", "svc/sub": "a", "": "a"} {
		if got := b.letters(r.Beside(folder).Keys()); got != want {
			t.Errorf("Beside(%q) has %q; want %q", folder, got, want)
		}
	}
	r.Environ(map[string]string{"DOTENV_PUBLIC_KEY": b.keys['b'].PublicKey().String()})
	if got := b.letters(r.Beside("svc").For(b.doc("vv"))); !strings.Contains(got, "b") {
		t.Errorf("Beside without the public keys of the environment: For = %q; want key b too", got)
	}
}

func TestGenerate(t *testing.T) {
	t.Parallel()
	var p keyring.Pair
	if err := p.Generate(); err != nil || !p.Generated || len(p.Keys) != 1 || p.Keys[0].PublicKey() != p.Public {
		t.Errorf("Generate = %v; the pair is %+v", err, p)
	}
}

func TestRuleErrors(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	short := func(letter byte) string { return b.keys[letter].PublicKey().Short() }
	two := b.env("DOTENV_PUBLIC_KEY_X:a", "DOTENV_PUBLIC_KEY:b", "A:a")
	damaged := &keyring.Ring{}
	damaged.Environ(map[string]string{"DOTENV_PRIVATE_KEY": "nonsense"})
	tests := []struct {
		name string
		ring *keyring.Ring
		doc  string
		want string
	}{
		{"no key", b.ring(""), "aa", "svc/.env: no private key: DOTENV_PRIVATE_KEY is neither in the environment nor in .env.keys, and no mapping names the file"},
		{"no key and no header", b.ring(""), "-a", "svc/.env: no private key: DOTENV_PRIVATE_KEY is neither in the environment nor in .env.keys, and no mapping names the file"},
		{"others", b.ring("b|c"), "aa", "svc/.env: no private key for " + short('a') + "; the local keys are DOTENV_PRIVATE_KEY for " + short('b') + ", DOTENV_PRIVATE_KEY for " + short('c')},
		{"several", b.ring(""), "two", "svc/.env: no private key: DOTENV_PRIVATE_KEY_X or DOTENV_PRIVATE_KEY is neither in the environment nor in .env.keys, and no mapping names the file"},
		{"several, and others", b.ring("c"), "two", "svc/.env: no private key for " + short('a') + ", " + short('b') + "; the local keys are DOTENV_PRIVATE_KEY for " + short('c')},
		{"damaged", damaged, "aa", "svc/.env: no private key, as no mapping names the file; DOTENV_PRIVATE_KEY in environment: invalid private key"},
	}
	for _, tt := range tests {
		q := b.request("", "nil", "")
		if q.Doc = two; tt.doc != "two" {
			q.Doc = b.doc(tt.doc)
		}
		_, _, err := tt.ring.ForDecryption(q, keyring.Auto)
		if err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: ForDecryption = %v; want %s", tt.name, err, tt.want)
		}
	}
	texts := []struct {
		err  error
		want string
	}{
		{&keyring.UnmappedError{File: "a"}, "a: no mapping names this file, so the secret that belongs to it is not known"},
		{&keyring.UnknownKeyError{File: "a"}, "no key is known for it: not in its header, nor in HEAD's version, nor in the vault, the environment or .env.keys"},
		{keyring.ErrEphemeral, "the mapping is ephemeral: its key comes from the vault alone, so --skip-sync cannot decrypt it"},
	}
	for _, tt := range texts {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("%T says %q; want %q", tt.err, got, tt.want)
		}
	}
	_, _, err := b.ring("").ForDecryption(b.request("aa", "nil", "mapped"), keyring.LocalOnly)
	if err == nil || !strings.HasSuffix(err.Error(), "nor in .env.keys, and the vault was not asked") {
		t.Errorf("ForDecryption of a mapped file with local keys = %v", err)
	}
	_, _, err = damaged.ForDecryption(b.request("aa", "nil", ""), keyring.Auto)
	if e := (*keyring.NoKeyError)(nil); !errors.As(err, &e) || len(e.Invalid) != 1 || !errors.As(e.Invalid[0], new(*ecies.KeyError)) {
		t.Errorf("ForDecryption with a damaged key = %v; want a NoKeyError with the damaged one", err)
	}
}
