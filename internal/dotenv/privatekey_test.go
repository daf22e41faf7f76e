package dotenv_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/envdrift/envdrift/internal/dotenv"
)

func TestHoldsPrivateKey(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	age := "AGE-SECRET-KEY-1" + strings.Repeat("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 2)[:58]
	tests := []struct {
		name, text string
		want       bool
	}{
		{"env", "DOTENV_PRIVATE_KEY=" + hex, true},
		{"quotes", `DOTENV_PRIVATE_KEY_CI="` + hex + `"`, true},
		{"export and a comment", "# export DOTENV_PRIVATE_KEY = '" + strings.ToUpper(hex) + "'", true},
		{"YAML map", "env:\n  DOTENV_PRIVATE_KEY: " + hex, true},
		{"YAML list", "- name: DOTENV_PRIVATE_KEY_PRODUCTION\n  value: \"" + hex + "\"\n", true},
		{"JSON", `{"DOTENV_PRIVATE_KEY": "` + hex + `"}`, true},
		{"Dockerfile", "ENV DOTENV_PRIVATE_KEY " + hex, true},
		{"Python", `os.environ["DOTENV_PRIVATE_KEY"] = "` + hex + `"`, true},
		{"JavaScript", `process.env.DOTENV_PRIVATE_KEY = '` + hex + `';`, true},
		{"XML", `<add key="DOTENV_PRIVATE_KEY" value="` + hex + `" />`, true},
		{"setx", "setx DOTENV_PRIVATE_KEY " + hex, true},
		{"list", "DOTENV_PRIVATE_KEY=" + hex + "," + hex, true},
		{"UTF-16 LE", utf16Text("DOTENV_PRIVATE_KEY=" + hex), true},
		{"Base64", "DOTENV_PRIVATE_KEY: " + base64.StdEncoding.EncodeToString([]byte(hex)), true},
		{"Base64 with a line end", "data:\n  DOTENV_PRIVATE_KEY_CI: " + base64.StdEncoding.EncodeToString([]byte(hex+"\n")), true},
		{"Base64 of another secret", "DOTENV_PRIVATE_KEY: " + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("not hex ", 9))), false},
		{"name alone", "set DOTENV_PRIVATE_KEY in the CI system", false},
		{"a reference", "DOTENV_PRIVATE_KEY: ${{ secrets.KEY }}\n" + strings.Repeat("# ", 40) + hex, false},
		{"too short", "DOTENV_PRIVATE_KEY=" + hex[1:], false},
		{"a public key", "DOTENV_PUBLIC_KEY=02" + hex, false},
		{"a checksum far away", "DOTENV_PRIVATE_KEY\n" + strings.Repeat("text ", 20) + hex, false},
		{"age identity", "# created: today\n" + age + "\n", true},
		{"age identity in JSON", `{"key":"` + age + `"}`, true},
		{"post-quantum age identity", strings.Replace(age, "KEY-1", "KEY-PQ-1", 1), true},
		{"age prefix", "it begins with AGE-SECRET-KEY-1 and so on", false},
		{"age example", "AGE-SECRET-KEY-1QQPQT…", false},
	}
	for _, tt := range tests {
		if got := dotenv.HoldsPrivateKey([]byte(tt.text)); got != tt.want {
			t.Errorf("%s: HoldsPrivateKey = %t; want %t", tt.name, got, tt.want)
		}
	}
}

func TestHexKeys(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, text := range []string{hex, "x: " + strings.ToUpper(hex) + "\n", utf16Text(hex + "\r\n")} {
		if got := dotenv.HexKeys([]byte(text)); len(got) != 1 || got[0] != hex {
			t.Errorf("HexKeys(%q) = %q; want %q", text, got, hex)
		}
	}
	if got := dotenv.HexKeys([]byte(hex + "0 " + hex[1:])); got != nil {
		t.Errorf("HexKeys of other lengths = %q", got)
	}
}

func utf16Text(s string) string {
	out := []byte{0xFF, 0xFE}
	for _, u := range utf16.Encode([]rune(s)) {
		out = append(out, byte(u), byte(u>>8))
	}
	return string(out)
}

func TestPrivateKeys(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("fedcba98", 8)
	tests := []struct {
		name, text string
		want       string // the names, each with the number of keys
	}{
		{"none", "set DOTENV_PRIVATE_KEY in the CI system", ""},
		{"keys file", "DOTENV_PRIVATE_KEY=" + hex + "\nDOTENV_PRIVATE_KEY_CI=\"" + other + "\"\n", "DOTENV_PRIVATE_KEY 1, DOTENV_PRIVATE_KEY_CI 1"},
		{"list", "DOTENV_PRIVATE_KEY=" + hex + "," + other + "\n", "DOTENV_PRIVATE_KEY 2"},
		{"YAML list", "- name: DOTENV_PRIVATE_KEY_PRODUCTION\n  value: \"" + hex + "\"\nchecksum: " + other, "DOTENV_PRIVATE_KEY_PRODUCTION 1"},
		{"Base64", "DOTENV_PRIVATE_KEY: " + base64.StdEncoding.EncodeToString([]byte(hex)), "DOTENV_PRIVATE_KEY 1"},
		{"UTF-16", utf16Text("DOTENV_PRIVATE_KEY=" + hex), "DOTENV_PRIVATE_KEY 1"},
		{"no key of the curve", "DOTENV_PRIVATE_KEY=" + strings.Repeat("f", 64), "DOTENV_PRIVATE_KEY 0"},
		{"longer", "DOTENV_PRIVATE_KEY=" + hex + "0", "DOTENV_PRIVATE_KEY 1"},
	}
	for _, tt := range tests {
		var got []string
		for _, k := range dotenv.PrivateKeys([]byte(tt.text)) {
			got = append(got, fmt.Sprintf("%s %d", k.Name, len(k.Keys)))
		}
		if text := strings.Join(got, ", "); text != tt.want {
			t.Errorf("%s: PrivateKeys = %q; want %q", tt.name, text, tt.want)
		}
		if dotenv.HoldsPrivateKey([]byte(tt.text)) != (len(got) > 0) {
			t.Errorf("%s: HoldsPrivateKey does not agree", tt.name)
		}
	}
}

// PrivateKeys finds something where HoldsPrivateKey does, and both take any input.
func FuzzPrivateKeys(f *testing.F) {
	hex := strings.Repeat("0123456789abcdef", 4)
	for _, text := range []string{"", "DOTENV_PRIVATE_KEY=" + hex + "," + hex, "DOTENV_PRIVATE_KEY_A: '" + hex + "'\nDOTENV_PRIVATE_KEY", utf16Text("DOTENV_PRIVATE_KEY=" + hex)} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		found := dotenv.PrivateKeys(data)
		if len(found) > 0 && !dotenv.HoldsPrivateKey(data) {
			t.Errorf("PrivateKeys finds %d where HoldsPrivateKey finds none", len(found))
		}
		for _, k := range found {
			if !strings.HasPrefix(k.Name, "DOTENV_PRIVATE_KEY") || !strings.Contains(strings.ReplaceAll(string(data), "\x00", ""), k.Name) {
				t.Errorf("%q is no name in the text", k.Name)
			}
		}
	})
}
