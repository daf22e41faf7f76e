//go:build integration

package interop

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// awkward are values that readers and writers of env files have trouble with.
var awkward = []string{
	"", " ", "  x  ", "\t", "'", "\"", "`", "a'b\"c`d", "''", "\"\"", "'quoted'", "\"quoted\"", "it's", "a \"b\" c",
	"\\", "a\\", "\\n", "a\\nb", "\\\\n", "\\'", "\\\"", "\\$", "$", "$$", "$HOME", "${HOME}", "${NOPE:-d}", "pa$$word", "$&$'$`$1",
	"$(touch pwned)", "`touch pwned`", "#", "#fff", "a #b", "\"x\" # y", "=", "A=1", "export A=1", "\nA=1\n", "x\"\nEVIL=\"1",
	"a\nb", "a\nb\n", "\n", "a\r\nb", "\r", "a\rb", "\u2028", "a\u2029b", "\ufeffx", "\u00a0", "é", "🔑🔒", "日本語",
	"encrypted", "encrypted :x", " encrypted:x", "https://u:p@h:1/p?q=1&r#f", "{\n \"a\": \"b\"\n}", "op", "-", "%d%s",
	"-----BEGIN KEY-----\nMIIB'\"`\n-----END KEY-----\n", strings.Repeat("0123456789abcdef", 4096), strings.Repeat("é\n$x'", 2000),
}

// plaintexts returns n values under names: the awkward ones and mixtures.
func plaintexts(r *rand.Rand, n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		var b strings.Builder
		if i < len(awkward) {
			b.WriteString(awkward[i])
		} else {
			for range 1 + r.IntN(5) {
				b.WriteString(pick(r, pieces))
			}
		}
		all[fmt.Sprintf("V%03d", i)] = b.String()
	}
	maps.DeleteFunc(all, func(_, value string) bool { return ecies.IsEncrypted(value) })
	return all
}

// document returns a document with values in plaintext, except those that have
// no spelling in an env file: they are encrypted for key, and returned.
func document(t *testing.T, values map[string]string, key *ecies.PrivateKey) (doc *dotenv.Document, unspelled []string) {
	t.Helper()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(values)) {
		fmt.Fprintf(&text, "%s='%s'\n", name, encrypt(t, key, values[name]))
	}
	encrypted := dotenv.Parse([]byte(text.String()))
	doc, _, err := encrypted.Decrypt(ecies.Keys{key}, dotenv.Selection{})
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if e := (*dotenv.QuoteError)(nil); errors.As(err, &e) {
				unspelled = append(unspelled, e.Name)
			}
		}
		doc, _, err = encrypted.Decrypt(ecies.Keys{key}, dotenv.Selection{Except: unspelled})
	}
	if err != nil {
		t.Fatal(err)
	}
	return doc, unspelled
}

func newKey(t *testing.T) *ecies.PrivateKey {
	t.Helper()
	key, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func encrypt(t *testing.T, key *ecies.PrivateKey, value string) string {
	t.Helper()
	ciphertext, err := key.PublicKey().Encrypt([]byte(value))
	if err != nil {
		t.Fatal(err)
	}
	return ciphertext
}

const publicName, privateName = "DOTENV_PUBLIC_KEY_CI", "DOTENV_PRIVATE_KEY_CI"

// ours writes .env.ci in dir, encrypted by envdrift, and its keys file.
func ours(t *testing.T, dir string, values map[string]string) ecies.Keys {
	t.Helper()
	key := newKey(t)
	plain, _ := document(t, values, key)
	doc, _, err := plain.Encrypt(key.PublicKey(), dotenv.EncryptOptions{Header: publicName, File: ".env.ci"})
	if err != nil {
		t.Fatal(err)
	}
	if left := doc.Plaintext(dotenv.Selection{}); len(left) > 0 {
		t.Fatalf("%v left in plain text", left)
	}
	write(t, dir, ".env.ci", doc.Bytes())
	file := dotenv.ParseKeysFile(nil)
	if err := errors.Join(
		file.Set("DOTENV_PRIVATE_KEY", newKey(t).Value, ".env"),
		file.Set(privateName, key.Value, ".env.ci"),
	); err != nil {
		t.Fatal(err)
	}
	write(t, dir, ".env.keys", file.Bytes())
	return ecies.Keys{key}
}

// dotenvx reads what envdrift encrypts, and passes the same values to programs.
func TestEncryptedByUs(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dotenvx) {
		dir, want := t.TempDir(), plaintexts(seeded(1), 220)
		keys := ours(t, dir, want)
		got := d.get(t, dir, []string{".env.ci"}, nil)
		delete(got, publicName)
		compare(t, got, want)
		compare(t, reveal(t, read(t, dir, ".env.ci"), keys), want)
	})
}

// What dotenvx encrypts, with a key that it makes and keeps in its keys file,
// envdrift reads, evaluates and decrypts to what it was.
func TestEncryptedByDotenvx(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dotenvx) {
		dir, want := t.TempDir(), plaintexts(seeded(2), 220)
		// dotenvx makes a regular expression of the value, which has
		// its limits.
		maps.DeleteFunc(want, func(_, value string) bool { return len(value) > 30_000 })
		plain, omit := document(t, want, newKey(t))
		for _, e := range plain.Entries() {
			// Written \', which 1.51.4 leaves as it is.
			if d.version == "1.51.4" && e.Quote == '\'' && strings.Contains(e.Value, "'") {
				omit = append(omit, e.Name)
			}
		}
		for _, name := range omit {
			delete(want, name)
		}
		plain, _ = document(t, want, newKey(t))
		write(t, dir, ".env.ci", plain.Bytes())
		d.run(t, dir, nil, "encrypt", "-f", ".env.ci")

		encrypted := read(t, dir, ".env.ci")
		keys := keysOf(t, read(t, dir, ".env.keys"))
		compare(t, reveal(t, encrypted, keys), want)
		vars, err := dotenv.Evaluate([]dotenv.Source{{Name: ".env.ci", Doc: dotenv.Parse(encrypted), Keys: keys}}, nil, dotenv.EvalOptions{})
		got := values(vars)
		delete(got, publicName)
		if err != nil {
			t.Fatal(err)
		}
		compare(t, got, want)

		doc, changed, err := dotenv.Parse(encrypted).Decrypt(keys, dotenv.Selection{})
		if err != nil || len(changed) < 100 {
			t.Fatalf("Decrypt changes %d values, %v", len(changed), err)
		}
		compare(t, reveal(t, doc.Bytes(), nil), want)
	})
}

// "dotenvx decrypt" restores what envdrift encrypts, as far as it can write it.
func TestDecryptedByDotenvx(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, d dotenvx) {
		dir, want := t.TempDir(), plaintexts(seeded(3), 200)
		maps.DeleteFunc(want, func(_, value string) bool {
			return strings.ContainsAny(value, "\\$'\"`\n\r\u2028\u2029") || len(value) > 1000
		})
		ours(t, dir, want)
		d.run(t, dir, nil, "decrypt", "-f", ".env.ci")
		compare(t, reveal(t, read(t, dir, ".env.ci"), nil), want)
	})
}

// A file that 1.51.4 rotated, and the one before, are both read with the list
// of keys that it leaves in the keys file.
func TestRotatedByDotenvx(t *testing.T) {
	t.Parallel()
	d, dir, want := v1(t), t.TempDir(), map[string]string{"A": "one", "B": "it's two", "C": ""}
	plain, _ := document(t, want, newKey(t))
	write(t, dir, ".env.ci", plain.Bytes())
	d.run(t, dir, nil, "encrypt", "-f", ".env.ci")
	before := read(t, dir, ".env.ci")
	d.run(t, dir, nil, "rotate", "-f", ".env.ci")
	keys := keysOf(t, read(t, dir, ".env.keys"))
	if len(keys) != 2 {
		t.Errorf("%d keys after rotation; want 2", len(keys))
	}
	compare(t, reveal(t, before, keys), want)
	compare(t, reveal(t, read(t, dir, ".env.ci"), keys), want)
}

// reveal returns the plaintext of an env file's values, except its header.
func reveal(t *testing.T, data []byte, keys ecies.Keys) map[string]string {
	t.Helper()
	revealed, err := dotenv.Parse(data).Reveal(keys)
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, r := range revealed {
		if r.Name != publicName {
			values[r.Name] = r.Plaintext.Reveal()
		}
	}
	return values
}

// keysOf returns the keys in a keys file.
func keysOf(t *testing.T, data []byte) ecies.Keys {
	t.Helper()
	entries := dotenv.ParseKeysFile(data).Lookup(privateName)
	if len(entries) != 1 {
		t.Fatalf("%d keys in the keys file; want 1", len(entries))
	}
	keys, err := ecies.ParsePrivateKeys(entries[0].Value.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	return keys
}
