package dotenv_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// TestOldFiles reads the files of each version of dotenvx. The old ones put
// everything into double quotes; rotated ones have a list of keys.
func TestOldFiles(t *testing.T) {
	t.Parallel()
	var manifest struct {
		Source string
		Files  []struct{ Version string }
	}
	readJSON(t, "oldfiles/manifest.json", &manifest)
	want := lastValues(dotenv.Parse([]byte(manifest.Source)))
	for _, f := range manifest.Files {
		pairs := [][2]string{{"encrypted.env", "env.keys"}}
		if strings.HasPrefix(f.Version, "1.4") || strings.HasPrefix(f.Version, "1.5") || strings.HasPrefix(f.Version, "1.7") {
			pairs = append(pairs, [2]string{"rotated.env", "rotated.env.keys"})
		}
		for _, pair := range pairs {
			doc := dotenv.Parse(readFile(t, "oldfiles", f.Version, pair[0]))
			keys := keysOf(t, readFile(t, "oldfiles", f.Version, pair[1]))
			got, _, err := doc.Decrypt(keys, dotenv.Selection{})
			if err != nil {
				t.Errorf("%s: %s: %v", f.Version, pair[0], err)
			} else if got := lastValues(got); !sameBut(got, want, "DOTENV_PUBLIC_KEY") {
				t.Errorf("%s: %s = %q; want %q", f.Version, pair[0], got, want)
			}
		}
	}
}

func TestKeyNames(t *testing.T) {
	t.Parallel()
	var file struct {
		Filenames []struct {
			Filename       string
			PublicKeyName  *string
			PrivateKeyName string
		}
	}
	readJSON(t, "keynames.json", &file)
	// dotenvx trims the name here, and finds nothing under it later.
	const blank = " .env"
	for _, tt := range file.Filenames {
		public, private, err := dotenv.KeyNames(tt.Filename)
		base := tt.Filename[strings.LastIndex(tt.Filename, "/")+1:]
		if strings.Trim(base, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-") != "" || base == blank {
			// dotenvx makes names that it cannot read back.
			if name := (*dotenv.NameError)(nil); !errors.As(err, &name) {
				t.Errorf("KeyNames(%q) = %s, %s, %v; want a NameError", tt.Filename, public, private, err)
			}
			continue
		}
		if err != nil || public != *tt.PublicKeyName || private != tt.PrivateKeyName {
			t.Errorf("KeyNames(%q) = %s, %s, %v; want %s, %s", tt.Filename, public, private, err, *tt.PublicKeyName, tt.PrivateKeyName)
		}
		if got := dotenv.PrivateName(public); got != private {
			t.Errorf("PrivateName(%s) = %s; want %s", public, got, private)
		}
	}
}

func TestSelection(t *testing.T) {
	t.Parallel()
	tests := []struct {
		only, except, want string
	}{
		{"", "", "A AB B .x"},
		{"A", "", "A"},
		{"A*", "", "A AB"},
		{"?", "", "A B"},
		{"*", "", "A AB B"},
		{".*", "", ".x"},
		{"{A,B}", "", "A B"},
		{"A B", "", "A B"},
		{"!A", "", "AB B .x"},
		{"a", "", ""},
		{"", "A*", "B .x"},
		{"A*", "AB", "A"},
		{"", "!A", "A"},
	}
	for _, tt := range tests {
		sel := dotenv.Selection{Only: strings.Fields(tt.only), Except: strings.Fields(tt.except)}
		var got []string
		for _, name := range []string{"A", "AB", "B", ".x"} {
			if sel.Has(name) {
				got = append(got, name)
			}
		}
		if err := sel.Check(); err != nil || strings.Join(got, " ") != tt.want {
			t.Errorf("%+v has %q, Check() = %v; want %s", sel, got, err, tt.want)
		}
	}
	for _, pattern := range []string{"", "!", "[", "{a", "a\\"} {
		var malformed *dotenv.PatternError
		if err := (dotenv.Selection{Except: []string{pattern}}).Check(); !errors.As(err, &malformed) {
			t.Errorf("Check() of %q = %v; want a PatternError", pattern, err)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	tests := []struct {
		src  string
		want dotenv.State
	}{
		{"", dotenv.Empty},
		{"# A=1\nDOTENV_PUBLIC_KEY=02\n", dotenv.Empty},
		{"A_PLAIN=1\n", dotenv.Empty},
		{"A=1\n", dotenv.Plain},
		{"A=\n", dotenv.Plain},
		{"A=x # encrypted:y\n", dotenv.Plain},
		{"A=encrypted:x\n", dotenv.Encrypted},
		{"A='encrypted:x' # c\nB_PLAIN=1\n", dotenv.Encrypted},
		{"A=encrypted:x\nB=\n", dotenv.Mixed},
		{"A=1\nA=encrypted:x\n", dotenv.Mixed},
	}
	for _, tt := range tests {
		if got := dotenv.Parse([]byte(tt.src)).State(); got != tt.want {
			t.Errorf("State() of %q = %d; want %d", tt.src, got, tt.want)
		}
	}
}

// TestEncryptDecrypt shows where values are written, with <x> for the
// ciphertext of x.
func TestEncryptDecrypt(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, plain, locked string
		again               string // after decryption, if not plain
	}{
		{name: "colon", plain: "A: x # c\nB=2\n", locked: "A: <x> # c\nB=<2>\n"},
		{name: "escaped single quote", plain: `A='it\'s'`, locked: `A='<it's>'`, again: `A="it's"`},
		{name: "look-alike in another value", plain: "C=\"\nA=1\n\"\nA=1\n", locked: "C=\"<\nA=1\n>\"\nA=<1>\n"},
		{name: "each occurrence", plain: "A=1\nA=1\n", locked: "A=<1>\nA=<1>\n"},
		{name: "CRLF", plain: "A=\"x\r\ny\"\r\n\r\nB=\r\n", locked: "A=\"<x\ny>\"\r\n\r\nB=<>\r\n"},
		{name: "CR", plain: "A='x\ry'\rB=2", locked: "A='<x\ny>'\rB=<2>"},
		{name: "value on the line below", plain: "A=\n\n 'x' # c", locked: "A=\n\n '<x>' # c"},
		{name: "empty before a comment", plain: "A=#x\nB= # x\nC: #y", locked: "A=<>#x\nB=<> # x\nC: <>#y"},
		{name: "open quotes", plain: "A='x$B\nB=\"y\n", locked: "A='<'x$B>'\nB=<\"y>\n", again: "A=''x$B'\nB=\"y\n"},
		{name: "escapes", plain: `A="x\ny\r\t"`, locked: "A=\"<x\ny\r\t>\"", again: "A=\"x\\ny\\r\t\""},
		{name: "backslash at the end", plain: "A='C:\\$d\\'\nB=2\n", locked: "A='<C:\\$d\\>'\nB=<2>\n"},
		{name: "backslash before a later quote", plain: "A=`C:\\d\\\nB=`x`\n", locked: "A=<`C:\\d\\>\nB=`<x>`\n"},
		{name: "never encrypted", plain: "A_PLAIN=1\nB=2\n", locked: "A_PLAIN=1\nB=<2>\n"},
		{name: "U+2028", plain: "A='x'\u2028A B\nC=1\u2028D=2", locked: "A='<x>'\u2028A B\nC=<1\u2028D=2>"},
	}
	key := newKey(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			doc := dotenv.Parse([]byte("DOTENV_PUBLIC_KEY=" + key.PublicKey().String() + "\n" + tt.plain))
			locked, _, err := doc.Encrypt(key.PublicKey(), dotenv.EncryptOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if got := revealed(t, locked, key); got != tt.locked {
				t.Errorf("Encrypt of %q = %q; want %q", tt.plain, got, tt.locked)
			}
			again, _, err := locked.Decrypt(ecies.Keys{key}, dotenv.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			want := tt.again
			if want == "" {
				want = tt.plain
			}
			if got := body(again); got != want {
				t.Errorf("Decrypt = %q; want %q", got, want)
			}
		})
	}
}

// body returns a document without its first line.
func body(doc *dotenv.Document) string {
	_, rest, _ := strings.Cut(string(doc.Bytes()), "\n")
	return rest
}

// revealed returns the body of a document with <x> for the ciphertext of x.
func revealed(t *testing.T, doc *dotenv.Document, key *ecies.PrivateKey) string {
	t.Helper()
	return ciphertext.ReplaceAllStringFunc(body(doc), func(value string) string {
		plaintext, _, err := ecies.Keys{key}.Decrypt(value)
		if err != nil {
			t.Fatal(err)
		}
		return "<" + string(plaintext) + ">"
	})
}

func TestDecryptQuotes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, value, want string // want "" for a QuoteError
	}{
		{"own quotes", "A=\"<>\"\n", "x", "A=\"x\"\n"},
		{"bare", "A=<>\n", "x", "A=x\n"},
		{"bare is too little", "A=<> # c\n", "x # y", "A=\"x # y\" # c\n"},
		{"blanks around", "A=<>\n", " x ", "A=\" x \"\n"},
		{"quotes that it does not have", "A=<>\n", `" #`, "A='\" #'\n"},
		{"JSON", "A=\"<>\"\n", "{\n \"a\": \"b\"\n}", "A='{\n \"a\": \"b\"\n}'\n"},
		{"another variable", "A=\"<>\"\n", "x\"\nEVIL=\"1", "A='x\"\nEVIL=\"1'\n"},
		{"expanded stays expanded", "A=<>\n", "$B # \"'", "A=`$B # \"'`\n"},
		{"literal stays literal", "A='<>'\n", "$B\n'", "A='$B\n\\''\n"},
		{"literal with a quote at a line's end", "A='<>'\n", "$B'\n", "A='$B\\'\n'\n"},
		{"backslash n", "A=\"<>\"\n", `C:\new`, "A='C:\\new'\n"},
		{"carriage return", "A='<>'\n", "x\r\ny\r", "A=\"x\\r\\ny\\r\"\n"},
		{"carriage return, CRLF file", "A=<>\r\n", "x\ry\n", "A=\"x\\ry\\n\"\r\n"},
		{"empty before a string", "A=<>\n'x'\n", "", "A=\"\"\n'x'\n"},
		{"backslash and a later quote", "A='<>'\nx'\n", `$x\`, ""},
		{"all quotes over lines", "A='<>'\n", "'\n\"\n`\n#", "A='\\'\n\"\n`\n#'\n"},
		{"all quotes, to be expanded", "A=<>\n", "$B'\n\"\n`\n#", ""},
		{"carriage return, not to be expanded", "A='<>'\n", "$B\r", ""},
		{"NUL", "A=<>\n", "x\x00", ""},
		{"no text", "A=<>\n", "x\xff", ""},
	}
	key := newKey(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			src := strings.Replace(tt.src, "<>", encrypt(t, key, tt.value), 1)
			got, _, err := dotenv.Parse([]byte(src)).Decrypt(ecies.Keys{key}, dotenv.Selection{})
			var quote *dotenv.QuoteError
			switch {
			case tt.want == "" && (!errors.As(err, &quote) || quote.Name != "A" || quote.Line != 1):
				t.Errorf("Decrypt of %q in %q = %v; want a QuoteError", tt.value, tt.src, err)
			case tt.want != "" && err != nil:
				t.Errorf("Decrypt of %q in %q: %v", tt.value, tt.src, err)
			case tt.want != "" && string(got.Bytes()) != tt.want:
				t.Errorf("Decrypt of %q in %q = %q; want %q", tt.value, tt.src, got.Bytes(), tt.want)
			case tt.want != "" && lastValues(got)["A"] != tt.value:
				t.Errorf("Decrypt of %q in %q reads %q", tt.value, tt.src, lastValues(got)["A"])
			}
		})
	}
}

func TestDecryptFailures(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	doc := dotenv.Parse([]byte("A=" + encrypt(t, key, "topsecret") + "\nB=encrypted:x\nC=" + encrypt(t, other, "topsecret") +
		"\nD=" + encrypt(t, key, encrypt(t, key, "topsecret"))))
	_, _, err := doc.Decrypt(ecies.Keys{key}, dotenv.Selection{})
	var failed *dotenv.DecryptError
	if !errors.As(err, &failed) {
		t.Fatalf("Decrypt = %v; want a DecryptError", err)
	}
	var got []string
	for _, f := range failed.Failures {
		got = append(got, fmt.Sprint(f.Name, f.Line))
	}
	if want := []string{"B2", "C3", "D4"}; !slices.Equal(got, want) {
		t.Errorf("failures = %q; want %q", got, want)
	}
	if !errors.Is(err, ecies.ErrWrongKey) || !errors.Is(err, dotenv.ErrNested) {
		t.Errorf("Decrypt = %v; want the reasons wrapped", err)
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, failed.Failures); strings.Contains(text, "topsecret") {
		t.Errorf("the error holds a value: %s", text)
	}
	if _, err := doc.Reveal(ecies.Keys{key}); !errors.As(err, &failed) {
		t.Errorf("Reveal = %v; want a DecryptError", err)
	}
	out, names, err := doc.Decrypt(ecies.Keys{key}, dotenv.Selection{Only: []string{"A"}})
	if err != nil || !slices.Equal(names, []string{"A"}) || out.Entries()[0].Value != "topsecret" {
		t.Errorf("Decrypt of A = %v, %q, %v", out, names, err)
	}
}

func TestEncryptKeepsUnchanged(t *testing.T) {
	t.Parallel()
	key, old := newKey(t), newKey(t)
	keys := ecies.Keys{key, old}
	previous := dotenv.Parse(fmt.Appendf(nil, "A=%s\nB=\"%s\"\nC=%s\nD=%s\nE=%s\nF=%s\nF=%s\n",
		encrypt(t, key, "1"), encrypt(t, key, "x $y"), encrypt(t, key, "3"), encrypt(t, old, "4"),
		encrypt(t, key, "$e"), encrypt(t, key, "f1"), encrypt(t, key, "f2")))
	// B lost its quotes in between, E got quotes that change its meaning.
	doc := dotenv.Parse([]byte("A=1\nB=x $y\nC=new\nD=4\nE='$e'\nF=f1\nF=f2\n"))
	opt := options(".env")
	opt.Previous, opt.PreviousKeys = previous, keys
	got, _, err := doc.Encrypt(key.PublicKey(), opt)
	if err != nil {
		t.Fatal(err)
	}
	was, is := previous.Entries(), got.Entries()[1:] // without the header
	for i, want := range []bool{true, true, false, false, false, true, true} {
		if same := was[i].Value == is[i].Value; same != want && i != 4 {
			t.Errorf("%v kept its ciphertext: %t; want %t", is[i], same, want)
		}
	}
	if is[1].Quote != '"' || is[4].Quote != '\'' {
		t.Errorf("quotes of B, E = %c, %c; want those before, those now", is[1].Quote, is[4].Quote)
	}
	plain, err := got.Reveal(keys)
	if err != nil {
		t.Fatal(err)
	}
	for i, e := range doc.Entries() {
		if got := plain[i+1].Plaintext.Reveal(); got != e.Value {
			t.Errorf("%v decrypts to %q; want %q", e, got, e.Value)
		}
	}
	again, names, err := got.Encrypt(key.PublicKey(), opt)
	if again != got || names != nil || err != nil {
		t.Errorf("Encrypt again = %v, %q, %v; want no change", again, names, err)
	}
}

func TestEncryptRefuses(t *testing.T) {
	t.Parallel()
	key, other := newKey(t), newKey(t)
	header := "DOTENV_PUBLIC_KEY=" + other.PublicKey().String() + "\n"
	tests := []struct {
		name, src string
		opt       dotenv.EncryptOptions
		want      any
	}{
		{"another key", header + "A=1\n", options(".env"), new(*dotenv.HeaderError)},
		{"empty header", "A=1\nDOTENV_PUBLIC_KEY=\"\"\n", options(".env"), new(*dotenv.HeaderError)},
		{"no key", "DOTENV_PUBLIC_KEY_ID=prod\nA=1\n", options(".env"), new(*dotenv.HeaderError)},
		{"latin1", "A=\xe9\n", options(".env"), new(*dotenv.EncodingError)},
		{"pattern", "A=1\n", dotenv.EncryptOptions{Selection: dotenv.Selection{Only: []string{"["}}}, new(*dotenv.PatternError)},
		{"no name for the header", "A=1\n", dotenv.EncryptOptions{}, new(*dotenv.NameError)},
		{"unreadable name", "A=1\n", dotenv.EncryptOptions{Header: "A B"}, new(*dotenv.NameError)},
		{"file name with an assignment", "A=1\n", dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: "x\nEVIL=1"}, new(*dotenv.NameError)},
	}
	for _, tt := range tests {
		if _, _, err := dotenv.Parse([]byte(tt.src)).Encrypt(key.PublicKey(), tt.opt); !errors.As(err, tt.want) {
			t.Errorf("%s: Encrypt of %q = %v; want a %T", tt.name, tt.src, err, tt.want)
		}
	}
}

func TestReplaceHeader(t *testing.T) {
	t.Parallel()
	key, other := newKey(t).PublicKey(), newKey(t).PublicKey()
	tests := []struct{ src, want string }{
		{"A=1\n", "A=1\n"},
		{"DOTENV_PUBLIC_KEY=\"OTHER\" # c\nA=1\n", "DOTENV_PUBLIC_KEY=\"KEY\" # c\nA=1\n"},
		{"DOTENV_PUBLIC_KEY=OTHER\nDOTENV_PUBLIC_KEY=OTHER\nDOTENV_PUBLIC_KEY_X: 'OTHER'", "DOTENV_PUBLIC_KEY=KEY\nDOTENV_PUBLIC_KEY=KEY\nDOTENV_PUBLIC_KEY_X: 'KEY'"},
		{"DOTENV_PUBLIC_KEY=\"\"\nDOTENV_PUBLIC_KEY_ID=prod\n", "DOTENV_PUBLIC_KEY=\"KEY\"\nDOTENV_PUBLIC_KEY_ID=prod\n"},
	}
	for _, tt := range tests {
		got, err := dotenv.Parse([]byte(strings.ReplaceAll(tt.src, "OTHER", other.String()))).ReplaceHeader(key)
		if want := strings.ReplaceAll(tt.want, "KEY=KEY", "KEY="+key.String()); err != nil || string(got.Bytes()) != strings.NewReplacer(`"KEY"`, `"`+key.String()+`"`, `'KEY'`, `'`+key.String()+`'`).Replace(want) {
			t.Errorf("ReplaceHeader of %q = %v, %v", tt.src, got, err)
		}
	}
}

func TestSet(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, src, variable, value, want string
	}{
		{"new", "A=1\n", "B", "x", "A=1\nB=x\n"},
		{"new in an empty file", "", "B", "x", "B=x\n"},
		{"new behind an open line", "A=1", "B", "x", "A=1\nB=x\n"},
		{"new in a CRLF file", "A=1\r\n", "B", "x", "A=1\r\nB=x\r\n"},
		{"in place", "A = 1 # c\nB=2\n", "A", "x", "A = x # c\nB=2\n"},
		{"the last counts", "A=1\nA=2\n", "A", "x", "A=1\nA=x\n"},
		{"needs quotes", "A=1\n", "A", "has # hash", "A=\"has # hash\"\n"},
		{"taken as it is", "A=\"1\"\n", "A", "pa$word", "A='pa$word'\n"},
		{"ciphertext", "A=1\n", "A", "encrypted:x", "A='encrypted:x'\n"},
	}
	for _, tt := range tests {
		got, err := dotenv.Parse([]byte(tt.src)).Set(tt.variable, tt.value)
		if err != nil || string(got.Bytes()) != tt.want {
			t.Errorf("%s: Set(%q, %q) of %q = %v, %v; want %q", tt.name, tt.variable, tt.value, tt.src, got, err, tt.want)
		}
	}
	for _, name := range []string{"", "BAD KEY", "A=B", "1A", "A-B", "é"} {
		var bad *dotenv.NameError
		if _, err := dotenv.Parse(nil).Set(name, "x"); !errors.As(err, &bad) {
			t.Errorf("Set(%q) = %v; want a NameError", name, err)
		}
	}
}

// FuzzEncryptDecrypt encrypts and decrypts any file: its values, what they
// evaluate to, and all bytes outside of them must survive.
func FuzzEncryptDecrypt(f *testing.F) {
	for _, c := range grammarCases(f) {
		f.Add(c.data())
	}
	key := newKey(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc := dotenv.Parse(data)
		if doc.Check() != nil || bytes.Contains(data, []byte("DOTENV")) || bytes.Contains(data, []byte("encrypted:")) {
			return
		}
		locked, _, err := doc.Encrypt(key.PublicKey(), options(".env"))
		if err != nil {
			t.Fatalf("Encrypt of %q: %v", data, err)
		}
		if left := locked.Plaintext(dotenv.Selection{}); len(left) > 0 {
			t.Fatalf("Encrypt of %q leaves %v", data, left)
		}
		again, _, err := locked.Decrypt(ecies.Keys{key}, dotenv.Selection{})
		if err != nil {
			t.Fatalf("Decrypt of %q: %v", data, err)
		}
		if got := again.Frame(); got != locked.Frame() || !strings.HasSuffix(got, tail(doc.Frame())) {
			t.Fatalf("%q: frame %q, encrypted %q, decrypted %q", data, doc.Frame(), locked.Frame(), got)
		}
		if got, want := lastValues(again), lastValues(doc); !sameBut(got, want, "DOTENV") {
			t.Fatalf("%q: values %q; want %q", data, got, want)
		}
		want, wantErr := evaluated(doc)
		for _, d := range []*dotenv.Document{locked, again} {
			if got, err := evaluated(d, key); (err != nil) != (wantErr != nil) || !sameBut(got, want, "DOTENV") {
				t.Fatalf("%q: evaluates to %q, %v; want %q, %v", data, got, err, want, wantErr)
			}
		}
	})
}

// tail returns what follows the header in a frame: the header comes after a
// byte order mark and a line with "#!".
func tail(frame string) string {
	frame = strings.TrimPrefix(frame, "\ufeff")
	if strings.HasPrefix(frame, "#!") {
		frame = frame[strings.IndexAny(frame+"\n\u2028\u2029", "\r\n\u2028\u2029"):]
		frame = strings.TrimLeft(frame, "\r\n\u2028\u2029")
	}
	return frame
}

func evaluated(doc *dotenv.Document, keys ...*ecies.PrivateKey) (map[string]string, error) {
	vars, err := dotenv.Evaluate([]dotenv.Source{{Name: ".env", Doc: doc, Keys: keys}}, nil, dotenv.EvalOptions{})
	all := map[string]string{}
	for _, v := range vars {
		all[v.Name] = v.Value.Reveal()
	}
	return maps.Clone(all), err
}

func BenchmarkEncrypt(b *testing.B) {
	doc, key := dotenv.Parse(manyLines(10_000)), newKey(b)
	for b.Loop() {
		if _, _, err := doc.Encrypt(key.PublicKey(), options(".env")); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecrypt(b *testing.B) {
	key := newKey(b)
	doc, _, err := dotenv.Parse(manyLines(10_000)).Encrypt(key.PublicKey(), options(".env"))
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, _, err := doc.Decrypt(ecies.Keys{key}, dotenv.Selection{}); err != nil {
			b.Fatal(err)
		}
	}
}
