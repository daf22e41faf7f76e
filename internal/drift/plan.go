package drift

import (
	"errors"
	"strings"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// Decrypt plans to decrypt an env file in place: every value or none.
func Decrypt(file string, doc *dotenv.Document, keys ecies.Keys, sel dotenv.Selection) Change {
	c := Change{File: file}
	if sel.Check() == nil && !doc.HasCiphertext(sel) {
		c.Action, c.Note = Skipped, "nothing to decrypt"
		return c
	}
	plain, names, err := doc.Decrypt(keys, sel)
	if err != nil {
		c.Action, c.Err = Failed, err
		if failed := (*dotenv.DecryptError)(nil); errors.As(err, &failed) {
			for _, f := range failed.Failures {
				c.Names = append(c.Names, f.Name)
			}
		}
		return c
	}
	c.Action, c.Names = Decrypted, names
	c.Write, c.Old, c.New = true, doc.Bytes(), plain.Bytes()
	return c
}

// ErrSOPS reports a file that SOPS encrypted: encrypted once more, no program
// could use it.
var ErrSOPS = errors.New("encrypted by SOPS; envdrift reads and writes the dotenvx format only")

// Encrypt plans to encrypt the plaintext values of an env file for pub. Values
// that are already encrypted in opt.Previous keep their ciphertext.
func Encrypt(file string, doc *dotenv.Document, pub ecies.PublicKey, opt dotenv.EncryptOptions) Change {
	c := Change{File: file}
	if err := doc.CheckForm(); err != nil {
		c.Action, c.Err = Failed, err
		return c
	}
	for _, e := range doc.Plaintext(opt.Selection) {
		if strings.HasPrefix(e.Value, "ENC[AES256_GCM,") {
			c.Action, c.Err = Failed, ErrSOPS
			return c
		}
	}
	locked, names, err := doc.Encrypt(pub, opt)
	switch {
	case err != nil:
		c.Action, c.Err = Failed, err
	case len(names) == 0:
		c.Action, c.Note = Unchanged, "nothing to encrypt"
		c.AddNote(unparsed(doc.UnparsedLines()))
	default:
		c.Action, c.Names, c.Note = Encrypted, names, unparsed(doc.UnparsedLines())
		c.Write, c.Old, c.New = true, doc.Bytes(), locked.EndLine().Bytes()
	}
	if err := commentedOut(doc, opt.Previous, opt.PreviousKeys); err != nil {
		c.AddNote(strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return c
}
