package drift_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
)

// proofText is an env file in the making: headers by the name behind
// DOTENV_PUBLIC_KEY, then values as they are or encrypted.
type proofText struct {
	t *testing.T
	b strings.Builder
}

func (p *proofText) header(suffix string, key *ecies.PrivateKey) *proofText {
	fmt.Fprintf(&p.b, "DOTENV_PUBLIC_KEY%s=%s\n", suffix, key.PublicKey())
	return p
}

func (p *proofText) line(text string) *proofText {
	p.b.WriteString(text + "\n")
	return p
}

func (p *proofText) encrypted(name string, key *ecies.PrivateKey) *proofText {
	p.t.Helper()
	v, err := key.PublicKey().Encrypt([]byte("s3cr3t"))
	if err != nil {
		p.t.Fatal(err)
	}
	return p.line(name + "=" + v)
}

func (p *proofText) doc() *dotenv.Document { return dotenv.Parse([]byte(p.b.String())) }

func TestCheck(t *testing.T) {
	t.Parallel()
	key, older, stranger := newKey(t), newKey(t), newKey(t)
	text := func() *proofText { return &proofText{t: t} }
	drifted := func(s string) func(error) bool {
		return func(err error) bool {
			e := (*drift.DriftError)(nil)
			return errors.As(err, &e) && e.Error() == s
		}
	}
	notTheVaults := func(key *ecies.PrivateKey) string {
		return "the header names public key " + key.PublicKey().Short() + ", which is not the vault's"
	}
	plaintext := func(s string) func(error) bool {
		return func(err error) bool {
			e := (*drift.PlaintextError)(nil)
			return errors.As(err, &e) && e.Error() == s
		}
	}
	tests := []struct {
		name    string
		doc     *dotenv.Document
		keys    ecies.Keys
		values  int
		failed  string // names
		plain   string
		glue    string // appended to the last line
		unknown string
		err     func(error) bool // nil: none
	}{
		{name: "all is well", doc: text().header("", key).encrypted("A", key).encrypted("B", key).doc(), keys: ecies.Keys{key}, values: 2},
		{
			name: "two keys of the list", doc: text().header("", older).encrypted("A", key).encrypted("B", older).doc(), keys: ecies.Keys{key, older}, values: 2,
			err: func(err error) bool { return errors.As(err, new(*drift.MixedError)) },
		},
		{
			name: "text behind a value", doc: text().header("", key).encrypted("A", key).doc(), keys: ecies.Keys{key}, values: 1, glue: "B=s3cr3t",
			err: func(err error) bool {
				e := (*dotenv.FormError)(nil)
				return errors.As(err, &e) && e.Name == "A"
			},
		},
		{name: "without a header", doc: text().encrypted("A", key).doc(), keys: ecies.Keys{key}, values: 1},
		{name: "_PLAIN and empty lines", doc: text().header("", key).line("A_PLAIN=1").line("").encrypted("B", key).doc(), keys: ecies.Keys{key}, values: 1},
		{name: "empty", doc: text().doc(), keys: ecies.Keys{key}, err: func(err error) bool { return errors.Is(err, drift.ErrNoValues) }},
		{
			name: "another key", doc: text().header("", stranger).encrypted("A", stranger).encrypted("B", stranger).doc(), keys: ecies.Keys{key},
			values: 2, failed: "A B", unknown: stranger.PublicKey().Short(),
			err: drifted("the vault's key does not decrypt 2 of 2 values: A, B; " + notTheVaults(stranger)),
		},
		{
			name: "some values for another key", doc: text().header("", key).encrypted("A", stranger).encrypted("B", key).encrypted("A", stranger).doc(), keys: ecies.Keys{key},
			values: 3, failed: "A A", err: drifted("the vault's key does not decrypt 2 of 3 values: A, A"),
		},
		{
			name: "only the header names another", doc: text().header("", stranger).encrypted("A", key).doc(), keys: ecies.Keys{key},
			values: 1, unknown: stranger.PublicKey().Short(), err: drifted(notTheVaults(stranger)),
		},
		{
			name: "no keys", doc: text().header("", key).encrypted("A", key).doc(),
			values: 1, failed: "A", unknown: key.PublicKey().Short(),
			err: drifted("the vault's key does not decrypt 1 of 1 values: A; " + notTheVaults(key)),
		},
		{
			name: "plaintext", doc: text().header("", key).line("A=1").encrypted("B", key).line("C=").line("A=2").doc(), keys: ecies.Keys{key},
			values: 1, plain: "A C", err: plaintext("not encrypted: A, C"),
		},
		{
			name: "drift goes before plaintext", doc: text().header("", key).line("A=1").encrypted("B", stranger).doc(), keys: ecies.Keys{key},
			values: 1, failed: "B", plain: "A", err: drifted("the vault's key does not decrypt 1 of 1 values: B"),
		},
		{
			name: "a damaged header goes first", doc: text().line("DOTENV_PUBLIC_KEY=nonsense").header("_CI", stranger).line("A=1").encrypted("B", stranger).doc(), keys: ecies.Keys{key},
			values: 1, failed: "B", plain: "A", unknown: stranger.PublicKey().Short(),
			err: func(err error) bool {
				e := (*dotenv.HeaderError)(nil)
				return errors.As(err, &e) && e.Name == "DOTENV_PUBLIC_KEY" && e.Line == 1
			},
		},
		{
			name: "a damaged value", doc: text().header("", key).line("A=encrypted:damaged").encrypted("B", key).doc(), keys: ecies.Keys{key},
			values: 2, failed: "A", err: drifted("the vault's key does not decrypt 1 of 2 values: A"),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := tt.doc
			if tt.glue != "" {
				doc = dotenv.Parse(append(bytes.TrimSpace(doc.Bytes()), tt.glue...))
			}
			p := drift.Check(doc, nil, tt.keys)
			var failed []string
			for _, f := range p.Failures {
				failed = append(failed, f.Name)
			}
			if got := strings.Join(failed, " "); p.Values != tt.values || got != tt.failed {
				t.Errorf("Check: %d values, failures %q; want %d, %q", p.Values, got, tt.values, tt.failed)
			}
			if got := strings.Join(p.Plain, " "); got != tt.plain {
				t.Errorf("Check: plain = %q; want %q", got, tt.plain)
			}
			if got := strings.Join(p.Unknown, " "); got != tt.unknown {
				t.Errorf("Check: unknown %q; want %q", got, tt.unknown)
			}
			if got := strings.Join(drift.UnknownKeys(tt.doc, tt.keys), " "); got != tt.unknown {
				t.Errorf("UnknownKeys = %q; want %q", got, tt.unknown)
			}
			if err := p.Err(); tt.err == nil && err != nil || tt.err != nil && !tt.err(err) {
				t.Errorf("Err() = %v; want another, error %t", err, tt.err != nil)
			}
		})
	}
}

func TestUnknownKeysNamesEach(t *testing.T) {
	t.Parallel()
	key, one, two := newKey(t), newKey(t), newKey(t)
	doc := (&proofText{t: t}).header("_B", two).header("", key).line("DOTENV_PUBLIC_KEY_X=nonsense").header("_A", one).doc()
	want := []string{two.PublicKey().Short(), one.PublicKey().Short()}
	if got := drift.UnknownKeys(doc, ecies.Keys{key}); !slices.Equal(got, want) {
		t.Errorf("UnknownKeys = %q; want them in the file's order, %q", got, want)
	}
	want = []string{"the header names public key " + strings.Join(want, ", ") + ", which is not the vault's"}
	if err := drift.Check((&proofText{t: t}).header("_B", two).header("_A", one).doc(), nil, ecies.Keys{key}).Err(); err == nil || err.Error() != want[0] {
		t.Errorf("Err() = %v; want %s", err, want[0])
	}
}

func TestSelfCheck(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	text := func() *proofText { return &proofText{t: t} }
	tests := []struct {
		name    string
		doc     *dotenv.Document
		headers int    // of the HeaderError; -1 for none
		failed  string // names of the DecryptError's failures
		damaged bool   // a *dotenv.HeaderError
	}{
		{name: "one header, well formed values", doc: text().header("", key).encrypted("A", key).line("B=1").doc(), headers: -1},
		{name: "a value for another key cannot be told", doc: text().header("", key).encrypted("A", other).doc(), headers: -1},
		{name: "no header", doc: text().encrypted("A", key).doc(), headers: 0},
		{name: "two headers", doc: text().header("", key).header("_CI", other).encrypted("A", key).doc(), headers: 2},
		{name: "a damaged header", doc: text().header("", key).line("DOTENV_PUBLIC_KEY_CI=nonsense").encrypted("A", key).doc(), headers: -1, damaged: true},
		{name: "malformed values", doc: text().header("", key).line("A=encrypted:").encrypted("B", key).line("C=encrypted:AAAA").line("D=encrypted:%").doc(), headers: -1, failed: "A:2 C:4 D:5"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := drift.SelfCheck(tt.doc)
			header, failed, damaged := (*drift.HeaderError)(nil), (*dotenv.DecryptError)(nil), (*dotenv.HeaderError)(nil)
			if got := errors.As(err, &header); got != (tt.headers >= 0) || got && header.Keys != tt.headers {
				t.Errorf("SelfCheck = %v; want a HeaderError of %d keys (-1: none)", err, tt.headers)
			}
			if header != nil && header.Error() != fmt.Sprintf("encrypted values, but %d public keys in the header; dotenvx writes one", tt.headers) {
				t.Errorf("SelfCheck = %v; want the number of keys", err)
			}
			var names []string
			if errors.As(err, &failed) {
				for _, f := range failed.Failures {
					names = append(names, fmt.Sprint(f.Name, ":", f.Line))
					if e := (*ecies.CiphertextError)(nil); !errors.As(f.Err, &e) {
						t.Errorf("SelfCheck: %s: %v; want a CiphertextError", f.Name, f.Err)
					}
				}
			}
			if got := strings.Join(names, " "); got != tt.failed {
				t.Errorf("SelfCheck: failures %q; want %q", got, tt.failed)
			}
			if errors.As(err, &damaged) != tt.damaged {
				t.Errorf("SelfCheck = %v; want the damaged header reported: %t", err, tt.damaged)
			}
			if err != nil != (tt.headers >= 0 || tt.failed != "" || tt.damaged) {
				t.Errorf("SelfCheck = %v; want none", err)
			}
		})
	}
}

func TestCheckMixed(t *testing.T) {
	t.Parallel()
	a, b, c, stranger := newKey(t), newKey(t), newKey(t), newKey(t)
	text := func() *proofText { return &proofText{t: t} }
	tests := []struct {
		name  string
		doc   *dotenv.Document
		keys  ecies.Keys
		mixed ecies.Keys // of the MixedError; nil: none
		names string
	}{
		{name: "no key", doc: text().encrypted("A", a).doc()},
		{name: "one key cannot be mixed", doc: text().header("", b).encrypted("A", a).encrypted("B", b).doc(), keys: ecies.Keys{a}},
		{name: "all for the header's key", doc: text().header("", b).encrypted("A", b).doc(), keys: ecies.Keys{a, b}},
		{name: "no header, all for the newest", doc: text().encrypted("A", a).doc(), keys: ecies.Keys{a, b}},
		{name: "no header, all for the older", doc: text().encrypted("A", b).doc(), keys: ecies.Keys{a, b}, mixed: ecies.Keys{a, b}, names: "A"},
		{name: "the header's key first", doc: text().header("", b).encrypted("A", a).encrypted("B", b).doc(), keys: ecies.Keys{a, b}, mixed: ecies.Keys{b, a}, names: "A"},
		{name: "three keys, each once", doc: text().header("", a).encrypted("A", c).encrypted("B", a).encrypted("C", b).encrypted("D", c).doc(), keys: ecies.Keys{a, b, c}, mixed: ecies.Keys{a, c, b}, names: "A C D"},
		{name: "what no key decrypts is reported otherwise", doc: text().header("", a).encrypted("A", stranger).line("B=encrypted:x").encrypted("C", a).doc(), keys: ecies.Keys{a, b}},
		{name: "plaintext is reported otherwise", doc: text().header("", a).line("A=1").encrypted("B", a).doc(), keys: ecies.Keys{a, b}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			v := drift.Check(tt.doc, nil, tt.keys)
			if tt.mixed == nil {
				if v.Mixed != nil {
					t.Errorf("Check: mixed = %v; want none", v.Mixed)
				}
				return
			}
			err := v.Err()
			var shorts []string
			for _, k := range tt.mixed {
				shorts = append(shorts, k.PublicKey().Short())
			}
			mixed := (*drift.MixedError)(nil)
			if !errors.As(err, &mixed) || !slices.Equal(mixed.Keys, shorts) || strings.Join(mixed.Names, " ") != tt.names {
				t.Fatalf("Check = %v; want keys %q, names %q", err, shorts, tt.names)
			}
			want := fmt.Sprintf("values are encrypted for %d keys, %s; not for the first: %s", len(shorts), strings.Join(shorts, ", "), strings.ReplaceAll(tt.names, " ", ", "))
			if err.Error() != want {
				t.Errorf("Check = %q; want %q", err, want)
			}
			if !drift.IsDrift(err) || v.KeyErr() != err {
				t.Errorf("IsDrift(%v) = %t, KeyErr() = %v; want drift, and the same", err, drift.IsDrift(err), v.KeyErr())
			}
		})
	}
}

// What is not decrypted at all is worse than what takes two keys.
func TestCheckReportsDriftFirst(t *testing.T) {
	t.Parallel()
	a, b, stranger := newKey(t), newKey(t), newKey(t)
	doc := (&proofText{t: t}).header("", a).encrypted("A", b).encrypted("B", stranger).doc()
	if e := (*drift.DriftError)(nil); !errors.As(drift.Check(doc, nil, ecies.Keys{a, b}).Err(), &e) {
		t.Errorf("Check = %v; want a DriftError", drift.Check(doc, nil, ecies.Keys{a, b}).Err())
	}
	fine := (&proofText{t: t}).header("", a).encrypted("A", a).doc()
	if err := drift.Check(fine, nil, ecies.Keys{a, b}).Err(); err != nil {
		t.Errorf("Check of a file for one key = %v; want none", err)
	}
}

func TestNewPlaintextError(t *testing.T) {
	t.Parallel()
	entries := dotenv.Parse([]byte("B=1\nA=2\nB=3\n")).Entries()
	if got := drift.NewPlaintextError(entries); !slices.Equal(got.Names, []string{"B", "A"}) {
		t.Errorf("NewPlaintextError: names = %q; want each once in the file's order", got.Names)
	}
	if got := drift.NewPlaintextError(nil); got.Names != nil {
		t.Errorf("NewPlaintextError of nothing: names = %q; want none", got.Names)
	}
}

func TestList(t *testing.T) {
	t.Parallel()
	for names, want := range map[string]string{
		"A":             "A",
		"A B C D E":     "A, B, C, D, E",
		"A B C D E F":   "A, B, C, D, E and 1 more",
		"A B C D E F G": "A, B, C, D, E and 2 more",
	} {
		if got := drift.List(strings.Fields(names)); got != want {
			t.Errorf("List(%q) = %q; want %q", names, got, want)
		}
	}
	if got := drift.List(nil); got != "" {
		t.Errorf("List of nothing = %q; want none", got)
	}
}

func TestCheckEncrypted(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	doc := func(text string, names ...string) *dotenv.Document {
		p := (&proofText{t: t}).header("", key)
		for _, name := range names {
			p.encrypted(name, key)
		}
		return p.line(text).doc()
	}
	unavailable := errors.New("unavailable")
	tests := []struct {
		name   string
		doc    *dotenv.Document
		answer keyring.Answer
		is     func(error) bool
	}{
		{"encrypted", doc("", "A"), keyring.Answer{Keys: ecies.Keys{key}}, func(err error) bool { return err == nil }},
		{"for another key", doc("", "A"), keyring.Answer{Keys: ecies.Keys{other}}, drift.IsDrift},
		{"the vault is down", doc("", "A"), keyring.Answer{Err: unavailable}, func(err error) bool { return errors.Is(err, unavailable) }},
		{"plaintext shows without the key", doc("B=1", "A"), keyring.Answer{Err: unavailable}, func(err error) bool { return errors.As(err, new(*drift.PlaintextError)) }},
		{"no values", doc("B_PLAIN=1"), keyring.Answer{Keys: ecies.Keys{key}}, func(err error) bool { return errors.Is(err, drift.ErrNoValues) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := drift.CheckEncrypted(tt.doc, tt.answer); !tt.is(err) {
				t.Errorf("CheckEncrypted = %v", err)
			}
		})
	}
	if err := drift.CheckWithoutKey(doc("B=1", "A"), dotenv.Selection{Only: []string{"A"}}); err != nil {
		t.Errorf("CheckWithoutKey of A = %v; want nil", err)
	}
	if err := drift.CheckWithoutKey(doc("", "A"), dotenv.Selection{Only: []string{"NONE"}}); !errors.Is(err, drift.ErrNoSelected) {
		t.Errorf("CheckWithoutKey of nothing = %v; want ErrNoSelected", err)
	}
}
