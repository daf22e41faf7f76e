package dotenv

import "github.com/envdrift/envdrift/internal/ecies"

// Encrypted reports whether the value is ciphertext.
func (e Entry) Encrypted() bool { return ecies.IsEncrypted(e.Value) }
