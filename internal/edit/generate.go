package edit

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"

	"github.com/envdrift/envdrift/internal/secret"
)

// Formats lists the formats of [Generate].
const Formats = "alnum[:CHARACTERS], hex[:BYTES], base64[:BYTES], base64url[:BYTES], uuid"

// A FormatError reports a format that [Generate] does not know.
type FormatError struct{ Format string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("unknown format %q: the formats are %s", e.Format, Formats)
}

// Generate returns a random value from the system's generator. format is one of
// Formats, by default alnum:32; a number of bytes is 32 by default, and at most 1024.
func Generate(format string) (secret.Value, error) {
	name, digits, sized := strings.Cut(format, ":")
	n := 32
	if sized {
		var err error
		if n, err = strconv.Atoi(digits); err != nil || n < 1 || n > 1024 || name == "uuid" {
			return secret.Value{}, &FormatError{format}
		}
	}
	switch name {
	case "", "alnum":
		return secret.New(alphanumeric(n)), nil
	case "hex":
		return secret.New(hex.EncodeToString(random(n))), nil
	case "base64":
		return secret.New(base64.StdEncoding.EncodeToString(random(n))), nil
	case "base64url":
		return secret.New(base64.RawURLEncoding.EncodeToString(random(n))), nil
	case "uuid":
		return secret.New(uuid.NewString()), nil
	}
	return secret.Value{}, &FormatError{format}
}

// random returns n random bytes.
func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails
	return b
}

// alphanumeric returns n letters and digits, all equally likely.
func alphanumeric(n int) string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range random(n) {
			if int(b) < 256/len(letters)*len(letters) && len(out) < n {
				out = append(out, letters[int(b)%len(letters)])
			}
		}
	}
	return string(out)
}
