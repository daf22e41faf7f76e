package edit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// An Editor is how the user edits a text.
type Editor struct {
	// Open edits file until the user is done.
	Open func(ctx context.Context, file string) error
	// Again reports whether the user wants to edit once more what does not parse
	// because of problem.
	Again func(ctx context.Context, problem error) bool
	// OnDisk is told that the text will be in a folder that is not known to be in
	// memory alone.
	OnDisk func(folder string)
}

// Edit lets the user edit the decrypted text of an env file, and plans the change.
// Values that are the same keep their ciphertext, and nothing is written to the
// repository before [workspace.Workspace.Apply]. The text is in a private folder,
// in memory where the system has such a folder, and is removed even if this process
// is killed.
//
// The error is the editor's, a [*BusyError], or why the text does not parse.
func Edit(ctx context.Context, w *workspace.Workspace, t mapping.Target, e Editor) (drift.Change, error) {
	ch := drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Unchanged}
	plain, encrypt, err := open(ctx, w, t)
	if err != nil {
		return ch, err
	}
	folder, err := newFolder(w.Absolute(w.RelPath(t.File)), e.OnDisk)
	if err != nil {
		return ch, err
	}
	defer folder.remove()
	doc, err := folder.edit(ctx, path.Base(t.File), plain.Bytes(), e, t.Keeping, func(doc *dotenv.Document) error { return check(doc, encrypt) })
	if err != nil || bytes.Equal(doc.Bytes(), plain.Bytes()) {
		return ch, err
	}
	if ch, err = encrypt(doc); err != nil {
		return ch, err
	}
	ch.Mapping, ch.Old, ch.Action = t.Mapping, t.Doc.Bytes(), drift.Updated
	if len(ch.Old) == 0 {
		ch.Old, ch.Action = nil, drift.Created
	}
	ch.Write = !bytes.Equal(ch.Old, ch.New)
	ch.Names = changed(plain, doc)
	return ch, nil
}

// open decrypts a file, and returns what encrypts a later version of it.
func open(ctx context.Context, w *workspace.Workspace, t mapping.Target) (plain *dotenv.Document, encrypt func(*dotenv.Document) (drift.Change, error), err error) {
	if t.Doc.State() == dotenv.Plain {
		return t.Doc, func(doc *dotenv.Document) (drift.Change, error) {
			return drift.Change{File: t.File, New: doc.Bytes(), Note: "the file is decrypted, and stays so"}, doc.CheckForm()
		}, nil
	}
	pair, err := pairOf(ctx, w, t)
	if err != nil {
		return nil, nil, err
	}
	plain = t.Doc
	if t.Doc.State().HasCiphertext() {
		key := w.Keys(ctx, []keyring.Request{{Target: t}}, keyring.Auto)[0]
		if key.Err != nil {
			return nil, nil, key.Err
		}
		if plain, _, err = t.Doc.Decrypt(key.Keys, dotenv.Selection{}); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", w.RelPath(t.File), err)
		}
		pair.Keys = key.Keys
	}
	return plain, func(doc *dotenv.Document) (drift.Change, error) {
		ch := drift.Encrypt(t.File, doc, pair.Public, dotenv.EncryptOptions{Header: pair.Header, File: t.File, Previous: t.Doc, PreviousKeys: pair.Keys})
		if ch.Err == nil && !ch.Write { // every value was removed
			ch.New = doc.Bytes()
		}
		return ch, ch.Err
	}, nil
}

// check reports why a text cannot be the new version.
func check(doc *dotenv.Document, encrypt func(*dotenv.Document) (drift.Change, error)) error {
	if err := doc.Check(); err != nil {
		return err
	}
	if lines := doc.UnparsedLines(); len(lines) > 0 {
		return &drift.UnparsedError{Lines: lines}
	}
	_, err := encrypt(doc)
	return err
}

// changed returns the names whose values differ between two versions.
func changed(old, now *dotenv.Document) (names []string) {
	seen := map[string]bool{}
	for _, pair := range [][2]*dotenv.Document{{now, old}, {old, now}} {
		for _, e := range pair[0].Entries() {
			other, there := pair[1].Get(e.Name)
			last, _ := pair[0].Get(e.Name)
			if !seen[e.Name] && (!there || other.Value != last.Value) {
				seen[e.Name] = true
				names = append(names, e.Name)
			}
		}
	}
	return names
}

// A BusyError reports that the file is being edited.
type BusyError struct{ File string }

func (e *BusyError) Error() string { return e.File + " is being edited by another envdrift" }

// edit writes text to the folder and lets the user edit it until it passes check.
func (f *folder) edit(ctx context.Context, name string, text []byte, e Editor, keeping func(*dotenv.Document) *dotenv.Document, check func(*dotenv.Document) error) (*dotenv.Document, error) {
	file := filepath.Join(f.dir, name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	for {
		if err := e.Open(ctx, file); err != nil {
			return nil, err
		}
		edited, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		doc := keeping(dotenv.Parse(edited))
		problem := check(doc)
		if problem == nil {
			return doc, nil
		}
		if bytes.Equal(edited, text) || !e.Again(ctx, problem) {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, problem), ctx.Err())
		}
		text = edited
	}
}
