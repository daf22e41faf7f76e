package dotenv

import (
	"bytes"
	"encoding/base64"
	"strings"
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
	if bytes.Contains(data, []byte("D\x00O\x00T\x00E\x00N\x00V")) || bytes.Contains(data, []byte("A\x00G\x00E\x00-")) {
		data = bytes.ReplaceAll(data, []byte{0}, nil)
	}
	return holdsDotenvKey(data) || holdsAgeIdentity(data)
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

func holdsDotenvKey(data []byte) bool {
	// What may stand between name and key: on the same line or the next one.
	const most = 48
	for {
		_, rest, ok := bytes.Cut(data, []byte(PrivatePrefix))
		if !ok {
			return false
		}
		data = bytes.TrimLeftFunc(rest, func(r rune) bool { return r < 0x80 && isNameByte(byte(r)) })
		near := data[:min(len(data), most+base64Digits)]
		if next := bytes.Index(near, []byte(PrivatePrefix)); next >= 0 {
			near = near[:next] // that one's key
		}
		if longestHex(near[:min(len(near), most+keyDigits)]) >= keyDigits || holdsBase64Key(near) {
			return true
		}
	}
}

// holdsBase64Key reports whether text holds a key in Base64, as in a Secret of
// Kubernetes.
func holdsBase64Key(text []byte) bool {
	isOther := func(r rune) bool { return r >= 0x80 || !isHex(byte(r)) && !('g' <= r|0x20 && r|0x20 <= 'z') }
	for word := range bytes.FieldsFuncSeq(text, isOther) {
		if len(word) < base64Digits {
			continue
		}
		key, err := base64.RawStdEncoding.DecodeString(string(word[:base64Digits]))
		if err == nil && longestHex(key) >= keyDigits {
			return true
		}
	}
	return false
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
