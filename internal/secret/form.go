package secret

import (
	"strings"

	"github.com/envdrift/envdrift/internal/lazy"
)

// forms match what is a secret wherever it is: an age identity, a token of
// Vault or OpenBao, a JSON web token, those of Google, a client secret of Entra,
// a private key in PEM, or hex digits that are long enough for a private key.
var forms = lazy.Regexp(`(?i:AGE-SECRET-KEY-)[0-9A-Za-z-]*` +
	`|\bhv[sbr]\.[\w-]{8,}|\b[sbr]\.[0-9A-Za-z]{24,}` +
	`|\beyJ[\w-]{10,}[\w.~+/=-]*|\bya29\.[\w.-]*|\b1//[\w-]{20,}|\bGOCSPX-[\w-]*` +
	`|[\w.~-]{3}[0-9]Q~[\w.~-]{20,}` +
	`|(?s:-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))` +
	`|[0-9A-Fa-f]{64,}`)

// Redact replaces in a text that is not ours, such as the message of a server,
// whatever has the form of a secret. A public key remains: it has 66 digits.
func Redact(text string) string {
	return forms().ReplaceAllStringFunc(text, func(found string) string {
		if len(found) == 66 && (strings.HasPrefix(found, "02") || strings.HasPrefix(found, "03")) {
			return found
		}
		return redacted
	})
}

// isSecret reports whether text, where a path belongs, is a secret: by its form,
// or because it is JSON or of several lines.
func isSecret(text string) bool {
	text = strings.TrimSpace(text)
	return strings.HasPrefix(text, "{") || strings.ContainsAny(text, "\r\n") || Redact(text) != text
}
