package ecies_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
)

func generate(t testing.TB) *ecies.PrivateKey {
	t.Helper()
	k, err := ecies.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func encrypt(t testing.TB, k *ecies.PrivateKey, plaintext string) string {
	t.Helper()
	s, err := k.PublicKey().Encrypt([]byte(plaintext))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestEncryptIsRandomised(t *testing.T) {
	t.Parallel()
	k := generate(t)
	a, b := encrypt(t, k, "same"), encrypt(t, k, "same")
	// 65 bytes of point are 86 characters and four bits.
	if point := len(ecies.Prefix) + 86; a[:point] == b[:point] || a[point+1:] == b[point+1:] {
		t.Errorf("two encryptions share a part:\n%s\n%s", a, b)
	}
	if other, _ := ecies.GenerateKey(); other.PublicKey() == k.PublicKey() {
		t.Error("GenerateKey gave the same key twice")
	}
}

// TestDamage changes every byte of a value in turn: the result must always be
// an error, and damage before the nonce must not be reported as a wrong key.
func TestDamage(t *testing.T) {
	t.Parallel()
	k := generate(t)
	keys := ecies.Keys{k}
	whole, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(encrypt(t, k, "plaintext"), ecies.Prefix))
	if err != nil {
		t.Fatal(err)
	}
	decrypt := func(b []byte) error {
		plaintext, used, err := keys.Decrypt(ecies.Prefix + base64.StdEncoding.EncodeToString(b))
		if plaintext != nil || used != (ecies.PublicKey{}) {
			t.Errorf("Decrypt = %q, %v, %v; want an error only", plaintext, used, err)
		}
		return err
	}
	malformed := (*ecies.CiphertextError)(nil)
	for i := range whole {
		b := bytes.Clone(whole)
		b[i] ^= 1
		if err := decrypt(b); i < 65 && !errors.As(err, &malformed) || i >= 65 && err != ecies.ErrWrongKey {
			t.Errorf("byte %d changed: %v", i, err)
		}
		if err := decrypt(whole[:i]); i < 97 && !errors.As(err, &malformed) || i >= 97 && err != ecies.ErrWrongKey {
			t.Errorf("cut to %d bytes: %v", i, err)
		}
	}

	tests := []struct {
		name string
		edit func(b []byte)
		want string
	}{
		{"infinity", func(b []byte) { clear(b[1:65]) }, "its ephemeral key is not on the curve"},
		{"leading zero byte", func(b []byte) { b[0] = 0 }, "its ephemeral key is not an uncompressed point"},
		{"hybrid", func(b []byte) { b[0] = 6 + b[64]&1 }, "its ephemeral key is not an uncompressed point"},
		{"x above the field", func(b []byte) { copy(b[1:33], bytes.Repeat([]byte{255}, 32)) }, "its ephemeral key is not on the curve"},
		{"y above the field", func(b []byte) { copy(b[33:65], bytes.Repeat([]byte{255}, 32)) }, "its ephemeral key is not on the curve"},
	}
	for _, tt := range tests {
		b := bytes.Clone(whole)
		tt.edit(b)
		if err := decrypt(b); !errors.As(err, &malformed) || malformed.Problem != tt.want {
			t.Errorf("%s: %v; want %q", tt.name, err, tt.want)
		}
	}
}

func TestDecryptChoosesTheKey(t *testing.T) {
	t.Parallel()
	newest, old, foreign := generate(t), generate(t), generate(t)
	keys := ecies.Keys{newest, old}
	for _, k := range keys {
		if got, used, err := keys.Decrypt(encrypt(t, k, "v")); string(got) != "v" || used != k.PublicKey() || err != nil {
			t.Errorf("Decrypt = %q, %v, %v; want %q by %v", got, used, err, "v", k.PublicKey())
		}
	}
	if _, _, err := keys.Decrypt(encrypt(t, foreign, "v")); err != ecies.ErrWrongKey {
		t.Errorf("Decrypt of another's value: %v; want %v", err, ecies.ErrWrongKey)
	}
	if _, _, err := ecies.Keys(nil).Decrypt(encrypt(t, old, "v")); err != ecies.ErrNoKey {
		t.Errorf("Decrypt without a key: %v; want %v", err, ecies.ErrNoKey)
	}
	if keys.Find(old.PublicKey()) != old || keys.Find(foreign.PublicKey()) != nil {
		t.Error("Find does not find by public key")
	}
}

func TestParsePrivateKeys(t *testing.T) {
	t.Parallel()
	a, b := strings.Repeat("a1", 32), strings.Repeat("b2", 32)
	const zero = "0000000000000000000000000000000000000000000000000000000000000000"
	const order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
	tests := []struct {
		name, text, want, wantErr string
	}{
		{name: "one", text: a, want: a},
		{name: "two", text: a + "," + b, want: a + "," + b},
		{name: "blanks and case", text: "\t" + strings.ToUpper(a) + " ,\r\n" + b + "\n", want: a + "," + b},
		{name: "empty", text: " ", wantErr: "invalid private key: empty"},
		{name: "trailing comma", text: a + "," + b + ", ", want: a + "," + b},
		{name: "two commas", text: a + ",," + b, wantErr: "invalid private key: empty (key 2 of 3)"},
		{name: "a comma alone", text: ",", wantErr: "invalid private key: empty"},
		{name: "short", text: a[1:], wantErr: "invalid private key: 63 characters, want 64 hexadecimal digits"},
		{name: "long", text: a + "0", wantErr: "invalid private key: 65 characters, want 64 hexadecimal digits"},
		{name: "0x", text: "0x" + a[2:], wantErr: "invalid private key: not hexadecimal"},
		{name: "zero", text: zero, wantErr: "invalid private key: zero, or not below the order of the curve"},
		{name: "order", text: b + "," + order, wantErr: "invalid private key: zero, or not below the order of the curve (key 2 of 2)"},
		{name: "above the order", text: strings.Repeat("f", 64), wantErr: "invalid private key: zero, or not below the order of the curve"},
		{name: "below the order", text: order[:63] + "0", want: order[:63] + "0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			keys, err := ecies.ParsePrivateKeys(tt.text)
			if got := keys.Reveal(); got != tt.want || fmt.Sprint(err) != cmpError(tt.wantErr) {
				t.Errorf("ParsePrivateKeys = %q, %v; want %q, %s", got, err, tt.want, cmpError(tt.wantErr))
			}
		})
	}
}

func TestParsePublicKeyErrors(t *testing.T) {
	t.Parallel()
	p := generate(t).PublicKey().String()
	for text, want := range map[string]string{
		"":                               "invalid public key: 0 characters, want 66 hexadecimal digits",
		p[:65]:                           "invalid public key: 65 characters, want 66 hexadecimal digits",
		p[:65] + "g":                     "invalid public key: not hexadecimal",
		"05" + p[2:]:                     "invalid public key: not a point of the curve",
		"02" + strings.Repeat("f", 64):   "invalid public key: not a point of the curve",
		"05" + p[2:] + p[2:]:             "invalid public key: 130 hexadecimal digits that do not begin with 04",
		"04" + strings.Repeat("00", 64):  "invalid public key: not a point of the curve",
		"0x04" + strings.Repeat("1", 98): "invalid public key: 100 characters, want 66 hexadecimal digits",
	} {
		if got, err := ecies.ParsePublicKey(text); fmt.Sprint(err) != want || got != (ecies.PublicKey{}) {
			t.Errorf("ParsePublicKey(%q) = %v, %v; want %s", text, got, err, want)
		}
	}
}

func cmpError(text string) string {
	if text == "" {
		return "<nil>"
	}
	return text
}

func TestPublicKey(t *testing.T) {
	t.Parallel()
	var zero ecies.PublicKey
	e := (*ecies.KeyError)(nil)
	if _, err := zero.Encrypt(nil); !errors.As(err, &e) {
		t.Errorf("Encrypt to the zero key: %v; want a KeyError", err)
	}
	if _, err := zero.EncryptAll([][]byte{nil}); !errors.As(err, &e) {
		t.Errorf("EncryptAll to the zero key: %v; want a KeyError", err)
	}
	p := generate(t).PublicKey()
	if got, want := p.Short(), p.String()[:8]+"…"; got != want {
		t.Errorf("Short() = %q; want %q", got, want)
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	newest, old, foreign := generate(t), generate(t), generate(t)
	keys := ecies.Keys{newest, old}
	var plaintexts [][]byte
	for i := range 100 {
		plaintexts = append(plaintexts, fmt.Appendf(nil, "value %d", i))
	}
	var ciphertexts []string
	for _, k := range []*ecies.PrivateKey{newest, old, foreign} {
		list, err := k.PublicKey().EncryptAll(plaintexts)
		if err != nil {
			t.Fatal(err)
		}
		ciphertexts = append(ciphertexts, list...)
	}
	ciphertexts = append(ciphertexts, "encrypted:", "")

	results := keys.DecryptAll(ciphertexts)
	if len(results) != len(ciphertexts) {
		t.Fatalf("DecryptAll gives %d results for %d values", len(results), len(ciphertexts))
	}
	for i, r := range results {
		want, used, err := keys.Decrypt(ciphertexts[i])
		if r.Plaintext.Reveal() != string(want) || r.Used != used || fmt.Sprint(r.Err) != fmt.Sprint(err) {
			t.Errorf("DecryptAll: value %d = %q, %v, %v; want %q, %v, %v", i, r.Plaintext.Reveal(), r.Used, r.Err, want, used, err)
		}
		if i < 200 && r.Plaintext.Reveal() != string(plaintexts[i%100]) {
			t.Errorf("DecryptAll: value %d = %q; want %q", i, r.Plaintext.Reveal(), plaintexts[i%100])
		}
	}
	if got := keys.DecryptAll(nil); len(got) != 0 {
		t.Errorf("DecryptAll(nil) = %v", got)
	}
}

func TestNoFormatterPrintsASecret(t *testing.T) {
	t.Parallel()
	const plaintext = "marked-plaintext"
	k := generate(t)
	keys := ecies.Keys{k}
	results := keys.DecryptAll([]string{encrypt(t, k, plaintext)})
	type nested struct {
		K       ecies.PrivateKey
		p       *ecies.PrivateKey
		private ecies.PrivateKey
		keys    ecies.Keys
		result  []ecies.Decrypted
	}
	n := nested{*k, k, *k, keys, results}

	var out bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x", "%X", "%t"} {
		for _, v := range []any{k, *k, keys, n, &n, results, map[string]any{"k": n}} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
	}
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).Info("m", "k", k, "keys", keys, "n", n, "results", results)
	}
	b, err := json.Marshal(map[string]any{"k": k, "keys": keys, "n": n, "results": results})
	if err != nil {
		t.Fatal(err)
	}
	out.Write(b)
	for _, damaged := range []string{k.Reveal()[1:], k.Reveal() + "!", "!" + k.Reveal()[1:], k.Reveal() + "," + k.Reveal()[2:]} {
		_, err := ecies.ParsePrivateKeys(damaged)
		_, err2 := ecies.ParsePublicKey(damaged)
		fmt.Fprintf(&out, "%v %#v %v %#v\n", err, err, err2, err2)
	}

	if !strings.Contains(out.String(), "[redacted]") {
		t.Error("nothing was printed as [redacted]")
	}
	raw, err := hex.DecodeString(k.Reveal())
	if err != nil {
		t.Fatal(err)
	}
	numbers := strings.Trim(fmt.Sprint(raw), "[]")
	text := strings.ToLower(out.String())
	for _, form := range []string{k.Reveal()[8:56], plaintext, hex.EncodeToString([]byte(plaintext)), numbers[:40], base64.StdEncoding.EncodeToString(raw)} {
		if strings.Contains(text, strings.ToLower(form)) {
			t.Errorf("output holds a secret as %q", form)
		}
	}
}
