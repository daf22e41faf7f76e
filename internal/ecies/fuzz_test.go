package ecies_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/internal/ecies"
)

func FuzzDecrypt(f *testing.F) {
	v := vectors(f)
	for _, n := range v.Negative {
		f.Add(n.Ciphertext)
	}
	for _, b := range v.Base64Forms {
		f.Add(b.Ciphertext)
	}
	f.Add("encrypted:\xff\u2028=====")
	keys := parseKeys(f, v.Negative[0].PrivateKey)
	f.Fuzz(func(t *testing.T, s string) {
		plaintext, used, err := keys.Decrypt(s)
		switch e := (*ecies.CiphertextError)(nil); {
		case err == nil:
			if !ecies.IsEncrypted(s) || used != keys[0].PublicKey() {
				t.Errorf("Decrypt(%q) = %q by %v", s, plaintext, used)
			}
		case plaintext != nil:
			t.Errorf("Decrypt(%q) = %q with error %v", s, plaintext, err)
		case err != ecies.ErrWrongKey && !errors.As(err, &e):
			t.Errorf("Decrypt(%q): error of another type: %v", s, err)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	v := vectors(f)
	for _, k := range v.PrivateKeyForms {
		f.Add(k.PrivateKey)
	}
	for _, k := range v.PublicKeyForms {
		f.Add(k.PublicKey)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e := (*ecies.KeyError)(nil)
		if keys, err := ecies.ParsePrivateKeys(s); err != nil {
			if keys != nil || !errors.As(err, &e) || len(s) > 20 && strings.Contains(err.Error(), s) {
				t.Errorf("ParsePrivateKeys(%q): %v", s, err)
			}
		} else if again := parseKeys(t, keys.Reveal()); again.Reveal() != keys.Reveal() || len(again) != strings.Count(s, ",")+1 {
			t.Errorf("ParsePrivateKeys(%q) does not read what Reveal gives", s)
		}
		if p, err := ecies.ParsePublicKey(s); err != nil {
			if p != (ecies.PublicKey{}) || !errors.As(err, &e) {
				t.Errorf("ParsePublicKey(%q) = %v, %v", s, p, err)
			}
		} else if again, err := ecies.ParsePublicKey(p.String()); again != p || err != nil {
			t.Errorf("ParsePublicKey(%q) = %v, %v; want %v", p, again, err, p)
		}
	})
}
