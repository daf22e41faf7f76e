package vault_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/vault"
)

const (
	production = "DOTENV_PRIVATE_KEY_PRODUCTION"
	staging    = "DOTENV_PRIVATE_KEY_STAGING"
	plain      = "DOTENV_PRIVATE_KEY"

	h1 = "1f9ab3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f80"
	h2 = "2e8bc4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091"

	h3 = "3d7cd5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f708192a3b4c5d6e7f8091a2"

	keysFile = `#/------------------!DOTENV_PRIVATE_KEYS!-------------------/
#/ private decryption keys. DO NOT commit to source control /
#/          ⛨ ARMORED KEYS: ` + "`dotenvx armor up`" + `              /
#/----------------------------------------------------------/

# .env.production
DOTENV_PRIVATE_KEY_PRODUCTION=` + h1 + `

# .env.staging
DOTENV_PRIVATE_KEY_STAGING="` + h2 + `"
`
)

func TestKeyText(t *testing.T) {
	t.Parallel()
	cr := func(s string) string { return strings.ReplaceAll(s, "\n", "\r") }
	tests := []struct {
		name, stored, text, label string
	}{
		{"bare", h1, h1, ""},
		{"blanks and newline", " " + h1 + " \n", h1, ""},
		{"newline first", "\r\n" + h1, h1, ""},
		{"double quotes", `"` + h1 + `"`, h1, ""},
		{"single quotes", "'" + h1 + "'\n", h1, ""},
		{"backticks", "`" + h1 + "`", h1, ""},
		{"blanks in quotes", `" ` + h1 + ` "`, h1, ""},
		{"upper-case hex", strings.ToUpper(h1), h1, ""},
		{"bare with a comment", h1 + " # production", h1, ""},
		{"comment line first", "# production\n" + h1, h1, ""},
		{"chain", h1 + "," + h2, h1 + "," + h2, ""},
		{"chain with blanks", h1 + " , " + strings.ToUpper(h2), h1 + "," + h2, ""},

		{"assignment", production + "=" + h1, h1, production},
		{"assignment of a chain", production + `="` + h1 + "," + h2 + `"`, h1 + "," + h2, production},
		{"quotes round the value", production + "='" + h1 + "'", h1, production},
		{"quotes round the line", `"` + production + "=" + h1 + `"`, h1, production},
		{"quotes round both", `"` + production + "='" + h1 + `'"`, h1, production},
		{"JSON string", `"` + production + `=\"` + h1 + `\"\n"`, h1, production},
		{"blank after =", production + "= " + h1, h1, production},
		{"blanks round =", "  " + production + " = " + h1, h1, production},
		{"colon", production + ": " + h1, h1, production},
		{"export", "export  " + production + "=" + h1, h1, production},
		{"inline comment", production + "=" + h1 + " # since May", h1, production},
		{"comment after quotes", production + `="` + h1 + `" # since May`, h1, production},
		{"lower-case suffix", "DOTENV_PRIVATE_KEY_production=" + h1, h1, "DOTENV_PRIVATE_KEY_production"},
		{"lower-case name", strings.ToLower(production) + "=" + h1, h1, strings.ToLower(production)},

		{"keys file", keysFile, h1, production},
		{"keys file, CRLF", strings.ReplaceAll(keysFile, "\n", "\r\n"), h1, production},
		{"keys file, CR", cr(keysFile), h1, production},
		{"keys file, mixed ends", strings.Replace(keysFile, "\n", "\r", 7), h1, production},
		{"same key twice", keysFile + "\nexport " + production + " = '" + strings.ToUpper(h1) + "'", h1, production},
		{"other variables", "A=é\u200d\nB: {x}\n" + production + "=" + h1 + "\nDOTENV_PRIVATE_KEYRING=x", h1, production},
		{"other environments' keys broken", staging + "=changeme\n" + production + "=" + h1, h1, production},

		{"field", `{"` + production + `":"` + h1 + `"}`, h1, production},
		{"field among others", `{"a":[1,{}],"n":null,"note":"👩‍💻","` + production + `":"` + h1 + `","` + staging + `":"` + h2 + `"}`, h1, production},
		{"field, lower case", `{"` + strings.ToLower(production) + `":"` + h1 + `"}`, h1, strings.ToLower(production)},
		{"field holds the assignment", `{"` + production + `":"` + production + "=" + h1 + `"}`, h1, production},
		{"field twice, same key", `{"` + production + `":"` + h1 + `","` + production + `":"` + h1 + `"}`, h1, production},
		{"pretty-printed", "{\n  \"" + production + "\": \"" + h1 + "\"\n}\n", h1, production},
		{"value", `{"value":"` + h1 + `"}`, h1, ""},
		{"value with a note", `{"value":" ` + h1 + `","note":"x"}`, h1, ""},
		{"value holds an assignment", `{"value":"` + production + "='" + h1 + `'"}`, h1, production},
		{"value holds a keys file", `{"value":"` + staging + "=" + h2 + `\n` + production + "=" + h1 + `"}`, h1, production},
		{"value holds JSON text", `{"value":"{\"` + production + `\":\"` + h1 + `\"}"}`, h1, production},
		{"value holds an object", `{"value":{"` + production + `":"` + h1 + `"}}`, h1, production},
		{"what vault kv get -format=json prints", `{"request_id":"x","data":{"data":{"value":"` + h1 + `"},"metadata":{"version":3}}}`, h1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, label, err := vault.KeyText(secret.New(tt.stored), production)
			if err != nil || text.Reveal() != tt.text || label != tt.label {
				t.Errorf("KeyText = %q, %q, %v; want %q, %q", text.Reveal(), label, err, tt.text, tt.label)
			}
			// Other keys take their place, and back again nothing else has changed.
			list := h3 + "," + tt.text
			longer, err := vault.ReplaceKey(secret.New(tt.stored), tt.text, list, production)
			if err != nil {
				t.Fatalf("ReplaceKey = %v", err)
			}
			again, label, err := vault.KeyText(longer, production)
			if err != nil || again.Reveal() != list || label != tt.label {
				t.Errorf("ReplaceKey: KeyText = %q, %q, %v; want %q, %q", again.Reveal(), label, err, list, tt.label)
			}
			back, err := vault.ReplaceKey(longer, list, tt.text, production)
			squeezed := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), " , ", ",") }
			if err != nil || squeezed(back.Reveal()) != squeezed(tt.stored) {
				t.Errorf("ReplaceKey there and back = %q, %v; want %q", back.Reveal(), err, tt.stored)
			}
		})
	}
}

func TestReplaceKeyRefuses(t *testing.T) {
	t.Parallel()
	for name, stored := range map[string]string{
		"other keys than it has": h2,
		"a list with a gap":      h1 + ",,",
		"no key":                 "x",
	} {
		if out, err := vault.ReplaceKey(secret.New(stored), h1, h3, production); !errors.Is(err, vault.ErrMalformed) || !out.IsEmpty() {
			t.Errorf("%s: ReplaceKey = %v; want %v", name, err, vault.ErrMalformed)
		}
	}
}

func TestKeyTextNames(t *testing.T) {
	t.Parallel()
	both := plain + "=" + h1 + "\n" + production + "=" + h2
	tests := []struct {
		name, stored string
		want         []string
		text, label  string
	}{
		{"no suffix", plain + "=" + h1, []string{plain}, h1, plain},
		{"a dash", "DOTENV_PRIVATE_KEY_MY-ENV=" + h1, []string{"DOTENV_PRIVATE_KEY_MY-ENV"}, h1, "DOTENV_PRIVATE_KEY_MY-ENV"},
		{"a dot is an underscore", "DOTENV_PRIVATE_KEY_PROD_EU=" + h1, []string{"DOTENV_PRIVATE_KEY_prod.eu"}, h1, "DOTENV_PRIVATE_KEY_PROD_EU"},
		{"an underscore is a dot", "DOTENV_PRIVATE_KEY_PROD.EU=" + h1, []string{"DOTENV_PRIVATE_KEY_PROD_EU"}, h1, "DOTENV_PRIVATE_KEY_PROD.EU"},
		{"several acceptable", plain + "=" + h1, []string{production, plain}, h1, plain},
		{"the preferred of both", both, []string{production, plain}, h2, production},
		{"the preferred of both, turned round", both, []string{plain, production}, h1, plain},
		{"any", staging + "=" + h1, nil, h1, staging},
		{"any, bare", h1, nil, h1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, label, err := vault.KeyText(secret.New(tt.stored), tt.want...)
			if err != nil || text.Reveal() != tt.text || label != tt.label {
				t.Errorf("KeyText(%q) = %q, %q, %v; want %q, %q", tt.want, text.Reveal(), label, err, tt.text, tt.label)
			}
		})
	}
}

func TestKeyTextOfAnotherEnvironment(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stored string
		want         []string
		have         []string
	}{
		{"assignment", staging + "=" + h1, []string{production}, []string{staging}},
		{"no suffix", plain + "=" + h1, []string{production}, []string{plain}},
		{"suffix", production + "=" + h1, []string{plain}, []string{production}},
		{"dash is no underscore", "DOTENV_PRIVATE_KEY_MY_ENV=" + h1, []string{"DOTENV_PRIVATE_KEY_MY-ENV"}, []string{"DOTENV_PRIVATE_KEY_MY_ENV"}},
		{"only key of a file", "# .env.staging\nA=1\n" + staging + "=" + h1 + "\n", []string{production}, []string{staging}},
		{"none of several", keysFile, []string{plain, "DOTENV_PRIVATE_KEY_CI"}, []string{production, staging}},
		{"broken as well", staging + "=changeme", []string{production}, []string{staging}},
		{"field", `{"` + staging + `":"` + h1 + `"}`, []string{production}, []string{staging}},
		{"assignment in value", `{"value":"` + staging + "=" + h1 + `"}`, []string{production}, []string{staging}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, _, err := vault.KeyText(secret.New(tt.stored), tt.want...)
			var e *vault.LabelError
			if !errors.As(err, &e) || !errors.Is(err, vault.ErrMalformed) || !text.IsEmpty() {
				t.Fatalf("KeyText = %q, %v; want a LabelError, malformed", text.Reveal(), err)
			}
			if !slices.Equal(e.Have, tt.have) || !slices.Equal(e.Want, tt.want) {
				t.Errorf("KeyText: have %q, want %q; want have %q, want %q", e.Have, e.Want, tt.have, tt.want)
			}
			if strings.Contains(err.Error(), h1[:6]) {
				t.Errorf("KeyText = %v, which shows the key", err)
			}
		})
	}
}

func TestKeyTextRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, stored, reason string
	}{
		{"nothing", "", "it is empty"},
		{"blanks", " \t\r\n ", "it is empty"},
		{"comments", "# nothing\n\n#", "it is empty"},
		{"quotes", `""`, "it is empty"},
		{"one quote", `"`, "no private key"},
		{"empty assignment", production + "=", "the key is empty (" + production + ")"},
		{"empty quoted assignment", production + `="" # todo`, "the key is empty"},
		{"empty entry in a chain", h1 + ",", "the key is empty"},
		{"binary", "\xff\xfe" + h1, "binary data"},
		{"byte order mark", "\ufeff" + h1, "byte order mark"},
		{"byte order mark before an assignment", "\ufeff" + production + "=" + h1 + "\n" + staging + "=" + h1, "byte order mark"},
		{"NUL", h1 + "\x00", "NUL"},
		{"zero-width space", production + "=\u200b" + h1, "invisible character (U+200B)"},
		{"zero-width in JSON", `{"value":"` + h1 + `\u2060"}`, "invisible character (U+2060)"},
		{"ANSI", "\x1b[32m" + h1 + "\x1b[0m", "terminal escape"},
		{"ciphertext", "encrypted:" + h1, "encrypted value"},
		{"ciphertext, labelled", production + `="encrypted:BAbc=="`, "encrypted value"},
		{"public key", "02" + h1, "public key; the private one is needed"},
		{"public key, upper case", strings.ToUpper("03" + h1), "public key"},
		{"uncompressed public key", "04" + h1 + h2, "public key"},
		{"public key in a chain", h1 + ",02" + h1, "public key"},
		{"placeholder", "changeme", "8 characters, not 64 hex digits"},
		{"too few digits", h1[:10], "10 hex digits; a private key has 64"},
		{"two keys run together", h1 + h2, "128 hex digits"},
		{"0x", "0x" + h1, "66 characters"},
		{"semicolon", h1 + ";" + h2, "no private key"},
		{"two words", h1 + " " + h2, "no private key"},
		{"two lines", h1 + "\n" + h2, "it has 2 lines"},
		{"junk after quotes", production + `="` + h1 + `"x`, "no private key"},
		{"expansion", production + "=" + h1 + "$X", "no private key"},
		{"other variable", "API_KEY=" + h1, "assignment where a key"},
		{"doubled prefix", production + "=" + production + "=" + h1, "assignment where a key"},
		{"doubled prefix, other label", production + "=" + plain + "=" + h1, "assignment where a key"},
		{"two keys of one name", production + "=" + h1 + "\n" + production + "=" + h2, "several keys named " + production},
		{"two keys of one name, other spellings", production + "=" + h1 + "\nexport DOTENV_PRIVATE_KEY_production = " + h2, "several keys named"},
		{"no key in a file", "A=1\nB=2\n", "it has 2 lines, none of them"},
		{"array", `["` + h1 + `"]`, "JSON array"},
		{"no field", "{}", "it has no fields"},
		{"other fields", `{"a":1,"b":"` + h1 + `"}`, "it has a, b"},
		{"key in the place of a name", `{"` + h1 + `":1,"a":2}`, "it has a, 1 with odd names"},
		{"field of another name", `{"` + production + `":"` + staging + "=" + h1 + `"}`, "its field " + production + " holds " + staging},
		{"field twice, two keys", `{"` + production + `":"` + h1 + `","` + production + `":"` + h2 + `"}`, "several keys named"},
		{"empty field", `{"` + production + `":""}`, "it is empty (field " + production + ")"},
		{"number", `{"value":12}`, "2 hex digits"},
		{"null", `{"value":null}`, "no private key"},
		{"not JSON", "{" + h1, "not JSON"},
		{"two objects", `{"value":"` + h1 + `"} {}`, "not JSON"},
		{"nested too deep", strings.Repeat(`{"value":`, 99) + `"` + h1 + `"` + strings.Repeat("}", 99), "nested too deep"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, label, err := vault.KeyText(secret.New(tt.stored), production)
			if !errors.Is(err, vault.ErrMalformed) || !text.IsEmpty() || label != "" {
				t.Fatalf("KeyText = %q, %q, %v; want malformed", text.Reveal(), label, err)
			}
			if !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("KeyText = %v; want the reason %q", err, tt.reason)
			}
			for _, h := range []string{h1, h2} {
				if strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, err), h[:6]) {
					t.Errorf("KeyText = %v, which shows the key", err)
				}
			}
		})
	}
}

func TestKeyTextAnyNameOfSeveral(t *testing.T) {
	t.Parallel()
	_, _, err := vault.KeyText(secret.New(keysFile))
	if !errors.Is(err, vault.ErrMalformed) || !strings.Contains(err.Error(), production+", "+staging) {
		t.Errorf("KeyText = %v; want malformed, with both names", err)
	}
}

func FuzzKeyText(f *testing.F) {
	for _, seed := range []string{
		h1, `"` + h1 + `"`, h1 + "," + h2, keysFile, "export " + production + " = '" + h1 + "' # c",
		`{"value":{"` + production + `":"` + h1 + `"}}`, "\ufeff" + h1, "02" + h1, "{", `"\u0041"`, "'\r\r'",
	} {
		f.Add(seed, production)
	}
	shape := regexp.MustCompile(`^[0-9a-f]{64}(,[0-9a-f]{64})*$`)
	run := regexp.MustCompile(`(?i)[0-9a-f]{61}`)
	f.Fuzz(func(t *testing.T, stored, want string) {
		text, label, err := vault.KeyText(secret.New(stored), want)
		switch {
		case err == nil && !shape.MatchString(text.Reveal()):
			t.Errorf("KeyText(%q) = %q; want keys", stored, text.Reveal())
		case err == nil:
			again, _, err := vault.KeyText(secret.New(want + "=" + text.Reveal()))
			if label == want && label != "" && (err != nil || !again.Equal(text)) {
				t.Errorf("KeyText of what KeyText(%q) gave = %v", stored, err)
			}
		case !errors.Is(err, vault.ErrMalformed) || !text.IsEmpty():
			t.Errorf("KeyText(%q) = %q, %v; want malformed", stored, text.Reveal(), err)
		case run.MatchString(err.Error()) && !run.MatchString(want):
			t.Errorf("KeyText(%q) = %v, which may show a key", stored, err)
		}
	})
}
