package dotenv

import (
	"bytes"
	"encoding/base64"
	"iter"
	"strings"

	"github.com/envdrift/envdrift/internal/ecies"
)

const (
	keyDigits    = 64 // hex digits of a private key
	base64Digits = 86 // of those in Base64

	// ageIdentity begins the secret key of an age identity, and ageDigits is how
	// many characters of Bech32 follow its "1": https://age-encryption.org/v1.
	ageIdentity = "AGE-SECRET-KEY-"
	ageDigits   = 58
)

// HoldsPrivateKey reports whether data, a file of any kind, contains a private key:
// DOTENV_PRIVATE_KEY…, with 64 hex digits soon after it, as in YAML, XML, a
// Dockerfile or a program, or their Base64; or an age identity. Text in UTF-16
// counts too.
func HoldsPrivateKey(data []byte) bool {
	data = withoutNUL(data)
	return holdsDotenvKey(data) || holdsAgeIdentity(data)
}

// withoutNUL returns data as it is, or without the NUL bytes of UTF-16.
func withoutNUL(data []byte) []byte {
	if bytes.Contains(data, []byte("D\x00O\x00T\x00E\x00N\x00V")) || bytes.Contains(data, []byte("A\x00G\x00E\x00-")) {
		return bytes.ReplaceAll(data, []byte{0}, nil)
	}
	return data
}

// HexKeys returns what has the form of a private key in data, by itself: 64 hex
// digits, in lower case.
func HexKeys(data []byte) (keys []string) {
	if bytes.HasPrefix(data, []byte("\xFF\xFE")) || bytes.HasPrefix(data, []byte("\xFE\xFF")) {
		data = bytes.ReplaceAll(data, []byte{0}, nil) // UTF-16, as PowerShell writes it
	}
	for at := 0; at < len(data); {
		if !isHex(data[at]) {
			at++
			continue
		}
		end := at
		for end < len(data) && isHex(data[end]) {
			end++
		}
		if end-at == keyDigits {
			keys = append(keys, strings.ToLower(string(data[at:end])))
		}
		at = end
	}
	return keys
}

// A FoundKey is a private key in a file of any kind, by the name before it.
type FoundKey struct {
	Name string
	Keys ecies.Keys // those of a list; none if the digits are no key
}

// PrivateKeys returns the keys of dotenvx for which [HoldsPrivateKey] reports true.
func PrivateKeys(data []byte) (found []FoundKey) {
	for name, near := range dotenvKeys(withoutNUL(data)) {
		keys, _ := ecies.ParsePrivateKeys(keyList(near))
		found = append(found, FoundKey{name, keys})
	}
	return found
}

func holdsDotenvKey(data []byte) bool {
	for range dotenvKeys(data) {
		return true
	}
	return false
}

// dotenvKeys returns the names of private keys that a key follows, and the text in
// which it does.
func dotenvKeys(data []byte) iter.Seq2[string, []byte] {
	// What may stand between name and key: on the same line or the next one.
	const most = 48
	return func(yield func(string, []byte) bool) {
		for {
			_, rest, ok := bytes.Cut(data, []byte(PrivatePrefix))
			if !ok {
				return
			}
			data = bytes.TrimLeftFunc(rest, func(r rune) bool { return r < 0x80 && isNameByte(byte(r)) })
			name := PrivatePrefix + string(rest[:len(rest)-len(data)])
			text := data
			if next := bytes.Index(text, []byte(PrivatePrefix)); next >= 0 {
				text = text[:next] // that one's key
			}
			near := text[:min(len(text), most+base64Digits)]
			found := longestHex(near[:min(len(near), most+keyDigits)]) >= keyDigits || base64Key(near) != nil
			if found && !yield(name, text) {
				return
			}
		}
	}
}

// keyList returns the first key of a text, and those that follow it after commas.
func keyList(text []byte) string {
	if key := base64Key(text[:min(len(text), 4*base64Digits)]); key != nil {
		text = key
	}
	from := 0
	for from < len(text) && longestHex(text[from:min(len(text), from+keyDigits)]) < keyDigits {
		from++
	}
	end := min(len(text), from+keyDigits)
	for end+keyDigits < len(text) && text[end] == ',' && longestHex(text[end+1:end+1+keyDigits]) == keyDigits {
		end += 1 + keyDigits
	}
	return string(text[from:end])
}

// base64Key returns the text of a key that text holds in Base64, as in a Secret of
// Kubernetes; nil for none.
func base64Key(text []byte) []byte {
	isOther := func(r rune) bool { return r >= 0x80 || !isHex(byte(r)) && !('g' <= r|0x20 && r|0x20 <= 'z') }
	for word := range bytes.FieldsFuncSeq(text, isOther) {
		if len(word) < base64Digits {
			continue
		}
		key, err := base64.RawStdEncoding.DecodeString(string(word[:base64Digits]))
		if err == nil && longestHex(key) >= keyDigits {
			return key
		}
	}
	return nil
}

// longestHex returns the length of the longest run of hex digits.
func longestHex(text []byte) (longest int) {
	run := 0
	for _, c := range text {
		if run++; !isHex(c) {
			run = 0
		}
		longest = max(longest, run)
	}
	return longest
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func holdsAgeIdentity(data []byte) bool {
	for {
		_, rest, ok := bytes.Cut(data, []byte(ageIdentity))
		if !ok {
			return false
		}
		data = bytes.TrimPrefix(rest, []byte("PQ-"))
		digits := bytes.TrimLeft(data, "0123456789ACDEFGHJKLMNPQRSTUVWXYZ")
		if bytes.HasPrefix(data, []byte("1")) && len(data)-len(digits) > ageDigits {
			return true
		}
	}
}
