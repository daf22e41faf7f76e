// Package secret holds text that must never be printed: private keys, values of
// env files, tokens. A [Value] prints as "[redacted]" through every formatter,
// logger and encoder. Only [Value.Reveal] returns the text, and is called only
// where the secret leaves the program.
//
// The package also keeps the list of the variables that contain secrets,
// [ClassOf]; removes secrets from the texts of others, [Redact]; and reads the
// files that variables name, [ReadFile].
package secret

import (
	"crypto/subtle"
	"fmt"
	"io"
	"log/slog"
)

const redacted = "[redacted]"

// A Value is secret text. The zero Value is the empty text.
type Value struct {
	// A closure, not a string: packages that print by reflection (%#v of a
	// struct with unexported fields, spew, go-cmp) find only an address.
	reveal func() string
}

// New returns s as a Value.
func New(s string) Value { return Value{func() string { return s }} }

// Reveal returns the text itself.
func (v Value) Reveal() string {
	if v.reveal == nil {
		return ""
	}
	return v.reveal()
}

// IsEmpty reports whether the text of v is empty.
func (v Value) IsEmpty() bool { return v.Reveal() == "" }

// Equal reports whether v and w are the same text, in time that depends only on
// their lengths.
func (v Value) Equal(w Value) bool {
	return subtle.ConstantTimeCompare([]byte(v.Reveal()), []byte(w.Reveal())) == 1
}

// String returns "[redacted]", also for the empty Value.
func (v Value) String() string { return redacted }

// Format prints "[redacted]" whatever the verb and the flags are.
func (v Value) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redacted) }

// MarshalText returns "[redacted]", which JSON, TOML and XML encoders print.
func (v Value) MarshalText() ([]byte, error) { return []byte(redacted), nil }

// LogValue returns what log/slog prints.
func (v Value) LogValue() slog.Value { return slog.StringValue(redacted) }
