package workspace

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// Plaintext returns the content of an env file that the user typed, and what it
// is decrypted; it writes nothing. The file may be outside of Top, as the versions
// are that git gives to a textconv: for such a file the local keys count, those
// beside every mapped file included, and with localOnly for any.
func (w *Workspace) Plaintext(ctx context.Context, name string, sel dotenv.Selection, localOnly bool) (content, plain []byte, err error) {
	file, err := w.Inside(name)
	tree, inTree := w.Files(), file
	if errors.As(err, new(*OutsideError)) {
		file, localOnly = w.Absolute(name), true
		tree, inTree = os.DirFS(filepath.Dir(file)), filepath.Base(file)
	} else if err != nil {
		return nil, nil, err
	}
	if content, err = atomicfile.ReadFile(tree, inTree); err != nil {
		return nil, nil, err
	}
	doc, err := mapping.ParseEnvFile(file, content)
	if err != nil {
		return content, nil, err
	}
	if !doc.HasCiphertext(sel) {
		return content, content, nil
	}
	q := w.Request(file, doc)
	var keys keyring.Answer
	if localOnly {
		ring := w.AllLocalKeys(ctx, file)
		keys.Keys, _, keys.Err = ring.ForDecryption(q, keyring.LocalOnly)
		keys.Err = w.RecordLocal(q, ring, keys.Keys, keys.Err)
	} else {
		keys = w.Keys(ctx, []keyring.Request{q}, keyring.Auto)[0]
	}
	if keys.Err != nil {
		return content, nil, keys.Err
	}
	change := drift.Decrypt(file, doc, keys.Keys, sel)
	return content, change.New, change.Err
}
