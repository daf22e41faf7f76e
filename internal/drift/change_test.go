package drift_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
)

// forEnv is how an env file is encrypted that has no header.
func forEnv(sel dotenv.Selection) dotenv.EncryptOptions {
	return dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env", Selection: sel}
}

func TestEncrypt(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	encrypted := string(locked(t, key, "A=1\n", nil).Bytes())
	tests := []struct {
		name   string
		text   string
		sel    dotenv.Selection
		action drift.Action
		names  string
		note   string
		values string // of the new content
		plain  string // names that are plaintext in the new content
		failed func(error) bool
	}{
		{name: "plaintext", text: "A=1\nB=2\n", action: drift.Encrypted, names: "A B", values: "A=1\nB=2\n"},
		{name: "a name twice is named once", text: "A=1\nA=2\n", action: drift.Encrypted, names: "A", values: "A=1\nA=2\n"},
		{name: "one value is new", text: encrypted + "B=2\n", action: drift.Encrypted, names: "B", values: "A=1\nB=2\n"},
		{name: "_PLAIN stays", text: "A=1\nB_PLAIN=2\n", action: drift.Encrypted, names: "A", values: "A=1\nB_PLAIN=2\n", plain: "B_PLAIN"},
		{name: "only what is selected", text: "A=1\nB=2\n", sel: dotenv.Selection{Only: []string{"B"}}, action: drift.Encrypted, names: "B", values: "A=1\nB=2\n", plain: "A"},
		{name: "not what is excepted", text: "A=1\nB=2\n", sel: dotenv.Selection{Except: []string{"B"}}, action: drift.Encrypted, names: "A", values: "A=1\nB=2\n", plain: "B"},
		{name: "a line that is no assignment", text: "A=1\nAPI KEY: x\n", action: drift.Encrypted, names: "A", values: "A=1\n", note: "line 2 is not NAME=value and was NOT encrypted"},
		{name: "lines that are no assignments", text: "one\nA=1\ntwo\n", action: drift.Encrypted, names: "A", values: "A=1\n", note: "lines 1, 3 are not NAME=value and were NOT encrypted"},
		{name: "already encrypted", text: encrypted, action: drift.Unchanged, note: "nothing to encrypt"},
		{name: "empty", text: "# nothing\n", action: drift.Unchanged, note: "nothing to encrypt"},
		{name: "nothing selected", text: "A=1\n", sel: dotenv.Selection{Only: []string{"B"}}, action: drift.Unchanged, note: "nothing to encrypt"},
		{name: "SOPS", text: "A=1\nB=ENC[AES256_GCM,data:x,type:str]\n", action: drift.Failed, failed: wrapping(drift.ErrSOPS)},
		{name: "SOPS, not selected", text: "A=1\nB=ENC[AES256_GCM,data:x]\n", sel: dotenv.Selection{Only: []string{"A"}}, action: drift.Encrypted, names: "A", values: "A=1\nB=ENC[AES256_GCM,data:x]\n", plain: "B"},
		{name: "speaks of SOPS", text: "A='see ENC[AES256_GCM,'\n", action: drift.Encrypted, names: "A", values: "A=see ENC[AES256_GCM,\n"},
		{name: "encrypted for another key", text: string(locked(t, other, "A=1\n", nil).Bytes()) + "B=2\n", action: drift.Failed, failed: wrapping(dotenv.ErrOtherKey)},
		{name: "malformed pattern", text: "A=1\n", sel: dotenv.Selection{Only: []string{"["}}, action: drift.Failed, failed: func(err error) bool {
			e := (*dotenv.PatternError)(nil)
			return errors.As(err, &e)
		}},
		{name: "not UTF-8", text: "A=\xe9\n", action: drift.Failed, failed: func(err error) bool {
			e := (*dotenv.EncodingError)(nil)
			return errors.As(err, &e)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := dotenv.Parse([]byte(tt.text))
			c := drift.Encrypt("svc/.env", doc, key.PublicKey(), forEnv(tt.sel))
			if c.Action != tt.action || c.Note != tt.note || strings.Join(c.Names, " ") != tt.names || c.File != "svc/.env" {
				t.Errorf("Encrypt = %s of %q in %s, note %q; want %s of %q, %q", c.Action, c.Names, c.File, c.Note, tt.action, tt.names, tt.note)
			}
			if (c.Err == nil) != (tt.failed == nil) || tt.failed != nil && !tt.failed(c.Err) {
				t.Errorf("Encrypt = %v; want another error, %t", c.Err, tt.failed != nil)
			}
			if c.Action != drift.Encrypted {
				if c.Write || c.New != nil {
					t.Errorf("Encrypt = %s, write %t, new %q; want no write", c.Action, c.Write, c.New)
				}
				return
			}
			if !c.Write || c.Private || c.Keep || string(c.Old) != tt.text {
				t.Errorf("Encrypt = %+v; want a write that knows the old content", c)
			}
			if got := values(t, c.New, key); got != tt.values {
				t.Errorf("Encrypt: values = %q; want %q", got, tt.values)
			}
			var plain []string
			for _, e := range dotenv.Parse(c.New).Entries() {
				if !e.Encrypted() && !strings.HasPrefix(e.Name, "DOTENV_PUBLIC_KEY") {
					plain = append(plain, e.Name)
				}
			}
			if got := strings.Join(plain, " "); got != tt.plain {
				t.Errorf("Encrypt leaves %q in plain text; want %q", got, tt.plain)
			}
			if headers, err := dotenv.Parse(c.New).PublicKeys(); len(headers) != 1 || headers[0].Key != key.PublicKey() || err != nil {
				t.Errorf("Encrypt: header %v, %v; want the key", headers, err)
			}
		})
	}
}

func wrapping(want error) func(error) bool {
	return func(err error) bool { return errors.Is(err, want) }
}

// A diff shows what changed, and nothing else.
func TestEncryptKeepsTheCiphertextOfUnchangedValues(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	previous := locked(t, key, "A=1\nB=2\nC=3\n", nil)
	opt := forEnv(dotenv.Selection{})
	opt.Previous, opt.PreviousKeys = previous, ecies.Keys{key}
	c := drift.Encrypt(".env", dotenv.Parse([]byte("A=1\nB=edited\nD=3\n")), key.PublicKey(), opt)
	if c.Action != drift.Encrypted {
		t.Fatalf("Encrypt = %s, %v; want %s", c.Action, c.Err, drift.Encrypted)
	}
	for name, same := range map[string]bool{"A": true, "B": false} {
		if got := value(t, c.New, name) == value(t, previous.Bytes(), name); got != same {
			t.Errorf("Encrypt: ciphertext of %s is the previous one: %t; want %t", name, got, same)
		}
	}
	if value(t, c.New, "D") == value(t, previous.Bytes(), "C") {
		t.Error("Encrypt: D has C's ciphertext; want one of its own")
	}
	if got, want := values(t, c.New, key), "A=1\nB=edited\nD=3\n"; got != want {
		t.Errorf("Encrypt: values = %q; want %q", got, want)
	}
}

func TestDecrypt(t *testing.T) {
	t.Parallel()
	key, older, stranger := newKey(t), newKey(t), newKey(t)
	foreign := value(t, locked(t, stranger, "X=s3cr3t\n", nil).Bytes(), "X")
	old := value(t, locked(t, older, "X=old\n", nil).Bytes(), "X")
	ab := string(locked(t, key, "A=1\nB=2\n", nil).Bytes())
	header := strings.SplitAfter(ab, "A=")[0]
	header = strings.TrimSuffix(header, "A=")
	tests := []struct {
		name     string
		text     string
		keys     ecies.Keys
		sel      dotenv.Selection
		action   drift.Action
		names    string
		note     string
		want     string // the new content
		failures int
		reason   error
	}{
		{name: "all values", text: ab, keys: ecies.Keys{key}, action: drift.Decrypted, names: "A B", want: header + "A=1\nB=2\n"},
		{name: "by any of the keys", text: ab + "C=" + old + "\n", keys: ecies.Keys{key, older}, action: drift.Decrypted, names: "A B C", want: header + "A=1\nB=2\nC=old\n"},
		{name: "beside plaintext", text: ab + "C=3\n", keys: ecies.Keys{key}, action: drift.Decrypted, names: "A B", want: header + "A=1\nB=2\nC=3\n"},
		{name: "quotes, comments, CRLF, junk", text: header + "A='" + value(t, []byte(ab), "A") + "' # one\r\n\r\njunk here\r\n", keys: ecies.Keys{key}, action: drift.Decrypted, names: "A", want: header + "A='1' # one\r\n\r\njunk here\r\n"},
		{name: "only what is selected", text: ab, keys: ecies.Keys{key}, sel: dotenv.Selection{Only: []string{"A"}}, action: drift.Decrypted, names: "A", want: header + "A=1\nB=" + value(t, []byte(ab), "B") + "\n"},
		{name: "what is not selected may fail", text: ab + "C=" + foreign + "\n", keys: ecies.Keys{key}, sel: dotenv.Selection{Except: []string{"C"}}, action: drift.Decrypted, names: "A B", want: header + "A=1\nB=2\nC=" + foreign + "\n"},
		{name: "one value fails, so none is decrypted", text: ab + "C=" + foreign + "\n", keys: ecies.Keys{key}, action: drift.Failed, names: "C", failures: 1, reason: ecies.ErrWrongKey},
		{name: "the wrong key", text: ab, keys: ecies.Keys{stranger}, action: drift.Failed, names: "A B", failures: 2, reason: ecies.ErrWrongKey},
		{name: "no key", text: ab, action: drift.Failed, names: "A B", failures: 2, reason: ecies.ErrNoKey},
		{name: "malformed pattern", text: ab, keys: ecies.Keys{key}, sel: dotenv.Selection{Only: []string{"["}}, action: drift.Failed},
		{name: "plaintext", text: "A=1\n", keys: ecies.Keys{key}, action: drift.Skipped, note: "nothing to decrypt"},
		{name: "plaintext under a header", text: header + "A=1\n", action: drift.Skipped, note: "nothing to decrypt"},
		{name: "empty", text: "# nothing\n", action: drift.Skipped, note: "nothing to decrypt"},
		{name: "nothing is selected", text: ab, keys: ecies.Keys{key}, sel: dotenv.Selection{Only: []string{"NONE"}}, action: drift.Skipped, note: "nothing to decrypt"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := drift.Decrypt("svc/.env", dotenv.Parse([]byte(tt.text)), tt.keys, tt.sel)
			if c.Action != tt.action || c.Note != tt.note || strings.Join(c.Names, " ") != tt.names || c.File != "svc/.env" {
				t.Errorf("Decrypt = %s of %q in %s, note %q; want %s of %q, %q", c.Action, c.Names, c.File, c.Note, tt.action, tt.names, tt.note)
			}
			if (c.Err != nil) != (tt.action == drift.Failed) || tt.reason != nil && !errors.Is(c.Err, tt.reason) {
				t.Errorf("Decrypt = %v; want %v", c.Err, tt.reason)
			}
			failed := (*dotenv.DecryptError)(nil)
			if errors.As(c.Err, &failed) != (tt.failures > 0) || failed != nil && len(failed.Failures) != tt.failures {
				t.Errorf("Decrypt = %v; want %d failures", c.Err, tt.failures)
			}
			if tt.want == "" {
				if c.Write || c.New != nil {
					t.Errorf("Decrypt = %s, write %t, new %q; want no write", c.Action, c.Write, c.New)
				}
				return
			}
			if !c.Write || c.Private || c.Keep || string(c.Old) != tt.text || string(c.New) != tt.want {
				t.Errorf("Decrypt = write %t, old %q, new %q; want %q", c.Write, c.Old, c.New, tt.want)
			}
		})
	}
}

// TestEncryptThenDecrypt holds for generated files: the values come back, and
// so does every byte that is no value, under the new header.
func TestEncryptThenDecrypt(t *testing.T) {
	t.Parallel()
	key, stranger := newKey(t), newKey(t)
	for seed := range uint64(60) {
		g := generator{rand.New(rand.NewPCG(seed, 2))}
		text := g.document()
		doc := dotenv.Parse([]byte(text))
		if len(doc.Plaintext(dotenv.Selection{})) == 0 {
			continue
		}
		e := drift.Encrypt(".env", doc, key.PublicKey(), forEnv(dotenv.Selection{}))
		if e.Action != drift.Encrypted {
			t.Errorf("seed %d: Encrypt(%q) = %s, %v", seed, text, e.Action, e.Err)
			continue
		}
		encrypted := dotenv.Parse(e.New)
		if err := drift.Check(encrypted, nil, ecies.Keys{key}).Err(); err != nil && !errors.As(err, new(*drift.UnparsedError)) {
			t.Errorf("seed %d: Prove after Encrypt(%q) = %v", seed, text, err)
		}
		if got, want := values(t, e.New, key), values(t, []byte(text)); got != want {
			t.Errorf("seed %d: Encrypt(%q): values = %q; want %q", seed, text, got, want)
		}
		if w := drift.Decrypt(".env", encrypted, ecies.Keys{stranger}, dotenv.Selection{}); w.Action != drift.Failed {
			t.Errorf("seed %d: Decrypt with the wrong key = %s; want %s", seed, w.Action, drift.Failed)
		}
		d := drift.Decrypt(".env", encrypted, ecies.Keys{key}, dotenv.Selection{})
		if d.Action != drift.Decrypted || !slices.Equal(d.Names, e.Names) {
			t.Errorf("seed %d: Decrypt = %s of %q, %v; want all of %q", seed, d.Action, d.Names, d.Err, e.Names)
			continue
		}
		// Encrypt ends the last line.
		if got := string(d.New); !strings.HasSuffix(got, text) && !strings.HasSuffix(strings.TrimRight(got, "\r\n"), text) {
			t.Errorf("seed %d: Decrypt after Encrypt ends otherwise than %q:\n%q", seed, text, d.New)
		}
		if again := drift.Decrypt(".env", dotenv.Parse(d.New), nil, dotenv.Selection{}); again.Action != drift.Skipped {
			t.Errorf("seed %d: Decrypt of the outcome = %s; want %s", seed, again.Action, drift.Skipped)
		}
	}
}

// A generator makes env files.
type generator struct{ *rand.Rand }

func (g generator) one(of ...string) string { return of[g.IntN(len(of))] }

func (g generator) document() string {
	// A line end within a value becomes the file's, so a file has one kind.
	eol := g.one("\n", "\n", "\r\n")
	var b strings.Builder
	for range 1 + g.IntN(12) {
		b.WriteString(g.line() + "\n")
	}
	text := strings.ReplaceAll(b.String(), "\n", eol)
	return strings.TrimSuffix(text, g.one("", eol))
}

func (g generator) line() string {
	switch g.IntN(8) {
	case 0:
		return g.one("", "  ", "# a comment", "# COMMENTED=out", "#")
	case 1:
		return g.one("no assignment", "API KEY: x", "=", "key-less")
	case 2:
		return fmt.Sprintf("N%d_PLAIN=%s", g.IntN(5), g.value())
	}
	return fmt.Sprintf("%sN%d%s%s%s", g.one("", "", "export ", "  "), g.IntN(5), g.one("=", "=", " = "), g.value(), g.one("", "", " # why", "  "))
}

func (g generator) value() string {
	word := g.one("", "a", "0", "true", "http://h:80/p?q=1&r", "größe", "😀", "a b", "${N1}", "$N2", "-", "x=y", "a,b;c", strings.Repeat("long", 50))
	switch g.IntN(4) {
	case 0:
		return "'" + word + g.one("", `"`, "#", "$(id)") + "'"
	case 1:
		return `"` + word + g.one("", "'", "#", "l1\nl2") + `"`
	case 2:
		return "`" + word + g.one("", "'", `"`) + "`"
	}
	return word
}
