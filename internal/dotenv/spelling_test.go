package dotenv_test

import (
	"testing"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
)

// How a value is written: new, and decrypted in the quotes that its ciphertext has.
func TestSpelling(t *testing.T) {
	t.Parallel()
	tests := []struct{ value, fresh, double, single, backtick string }{
		{`abc-1.5/é`, `abc-1.5/é`, `"abc-1.5/é"`, `'abc-1.5/é'`, "`abc-1.5/é`"},
		{`=x`, `"=x"`, `"=x"`, `'=x'`, "`=x`"},
		{`two words`, `"two words"`, `"two words"`, `'two words'`, "`two words`"},
		{`it's`, `"it's"`, `"it's"`, `"it's"`, "`it's`"},
		{`say "hi"`, `'say "hi"'`, `'say "hi"'`, `'say "hi"'`, "`say \"hi\"`"},
		{`say \"hi\"`, `'say \"hi\"'`, `"say \"hi\""`, `'say \"hi\"'`, "`say \\\"hi\\\"`"},
		{`it's "x"`, `it's "x"`, `it's "x"`, `it's "x"`, "`it's \"x\"`"},
		{`it's "x" # y`, "`it's \"x\" # y`", "`it's \"x\" # y`", "`it's \"x\" # y`", "`it's \"x\" # y`"},
		{`"quoted"`, `'"quoted"'`, `""quoted""`, `'"quoted"'`, "`\"quoted\"`"},
		{"a`b", "'a`b'", "\"a`b\"", "'a`b'", "\"a`b\""},
		{`it's\d`, `"it's\d"`, `"it's\d"`, `'it's\d'`, "`it's\\d`"},
		{`C:\dir\`, `C:\dir\`, `"C:\dir\"`, `'C:\dir\'`, "`C:\\dir\\`"},
		{`C:\new\`, `'C:\new\'`, `'C:\new\'`, `'C:\new\'`, "`C:\\new\\`"},
		{"a\nb", "\"a\nb\"", "\"a\nb\"", "'a\nb'", "`a\nb`"},
		{"a\r\nb", `"a\r\nb"`, `"a\r\nb"`, `"a\r\nb"`, `"a\r\nb"`},
		{`pa$word`, `'pa$word'`, `"pa$word"`, `'pa$word'`, "`pa$word`"},
		{"a`$b", "'a`$b'", "\"a`$b\"", "'a`$b'", "`a`$b`"},
	}
	key := newKey(t)
	for _, tt := range tests {
		doc, err := dotenv.Parse(nil).Set("A", tt.value)
		if err != nil || string(doc.Bytes()) != "A="+tt.fresh+"\n" {
			t.Errorf("Set of %q = %q, %v; want %s", tt.value, doc.Bytes(), err, tt.fresh)
		}
		doc, err = dotenv.Parse(nil).SetSecret("A", secret.New(tt.value), key.PublicKey(), dotenv.EncryptOptions{Header: "DOTENV_PUBLIC_KEY", File: ".env"})
		if err != nil {
			t.Fatal(err)
		}
		opened, _, err := doc.Decrypt(ecies.Keys{key}, dotenv.Selection{})
		if err != nil {
			t.Fatal(err)
		}
		got, _ := opened.Get("A")
		if fresh, _ := dotenv.Parse([]byte("A=" + tt.fresh)).Get("A"); got.Value != tt.value || got.Quote != fresh.Quote && tt.value != "abc-1.5/é" {
			t.Errorf("SetSecret and Decrypt of %q = %q in %c; want %s", tt.value, got.Value, got.Quote, tt.fresh)
		}
		for quote, want := range map[string]string{`"`: tt.double, `'`: tt.single, "`": tt.backtick} {
			locked := dotenv.Parse([]byte("A=" + quote + encrypt(t, key, tt.value) + quote + "\n"))
			got, _, err := locked.Decrypt(ecies.Keys{key}, dotenv.Selection{})
			if err != nil || string(got.Bytes()) != "A="+want+"\n" {
				t.Errorf("Decrypt of %q in %s = %q, %v; want %s", tt.value, quote, got.Bytes(), err, want)
			}
		}
	}
}
