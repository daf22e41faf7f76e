package edit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

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
	// Changed is told that the file was changed meanwhile, and that the user is about to
	// edit both versions.
	Changed func()
	// OnDisk is told that the text will be in a folder that is not known to be in
	// memory alone.
	OnDisk func(folder string)
}

// Edit lets the user edit the decrypted text of an env file, and plans the change.
// Values that are the same keep their ciphertext, and nothing is written to the
// repository before [workspace.Workspace.Apply]. The text is in a private folder,
// in memory where the system has such a folder, and is removed even if this process
// is killed. If the file is changed meanwhile, both edits count; where both changed a
// variable, the user edits the text again, with both versions.
//
// The error is the editor's, a [*BusyError], or why the text does not parse.
func Edit(ctx context.Context, w *workspace.Workspace, t mapping.Target, e Editor) (drift.Change, error) {
	ch := drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Unchanged}
	v, err := open(ctx, w, t)
	if err != nil {
		return ch, err
	}
	folder, err := newFolder(w.Absolute(w.RelPath(t.File)), e.OnDisk)
	if err != nil {
		return ch, err
	}
	defer folder.remove()
	text := v.plain.Bytes()
	for {
		began := time.Now()
		doc, err := folder.edit(ctx, path.Base(t.File), text, e, t.Keeping, v.check)
		if err != nil {
			return ch, err
		}
		if bytes.Equal(doc.Bytes(), v.plain.Bytes()) {
			if time.Since(began) < atOnce {
				ch.AddNote(atOnceNote)
			}
			return ch, nil
		}
		now, merged, err := v.mergeNow(ctx, w, doc)
		switch {
		case err != nil && !e.Again(ctx, err):
			return ch, errors.Join(err, ctx.Err())
		case err != nil:
			text = doc.Bytes()
			continue
		case len(merged.Conflicts) > 0:
			v, text = now, merged.Data
			e.Changed()
			continue
		}
		return now.replace(t.Keeping(dotenv.Parse(merged.Data)))
	}
}

// An editor that ends at once may have left the text to a window that is still open.
const (
	atOnce     = 2 * time.Second
	atOnceNote = "the editor ended at once: one with a window needs a flag to wait, as in EDITOR='code --wait'"
)

// A version is an env file as it was read, and decrypted.
type version struct {
	mapping.Target
	plain   *dotenv.Document
	encrypt func(*dotenv.Document) (drift.Change, error) // a later text
	checked *dotenv.Document                             // the last one that was encrypted
	change  drift.Change                                 // and what that changes
}

// mergeNow merges what the user made of this version with the file as it is now.
func (v *version) mergeNow(ctx context.Context, w *workspace.Workspace, edited *dotenv.Document) (now *version, merged *dotenv.Merged, err error) {
	doc, err := mapping.ReadEnvFile(w.Files(), v.File)
	if errors.Is(err, fs.ErrNotExist) {
		doc, err = dotenv.Parse(nil), nil
	}
	if err != nil {
		return nil, nil, err
	}
	if bytes.Equal(doc.Bytes(), v.Doc.Bytes()) {
		return v, &dotenv.Merged{Data: edited.Bytes()}, nil
	}
	t := v.Target
	t.Doc = t.Keeping(doc)
	if now, err = open(ctx, w, t); err != nil {
		return nil, nil, err
	}
	merged, err = dotenv.Merge(v.plain, now.plain, edited, dotenv.MergeOptions{OursLabel: "the file now", TheirsLabel: "your edit"})
	return now, merged, err
}

// replace plans to write an edited text in place of this version.
func (v *version) replace(doc *dotenv.Document) (drift.Change, error) {
	if v.checked == nil || !bytes.Equal(v.checked.Bytes(), doc.Bytes()) {
		if err := v.check(doc); err != nil {
			return v.change, err
		}
	}
	ch := v.change
	ch.Mapping, ch.Old, ch.Action = v.Mapping, v.Doc.Bytes(), drift.Updated
	if len(ch.Old) == 0 {
		ch.Old, ch.Action = nil, drift.Created
	}
	ch.Write = !bytes.Equal(ch.Old, ch.New)
	ch.Names = changed(v.plain, doc)
	return ch, nil
}

// open decrypts a file.
func open(ctx context.Context, w *workspace.Workspace, t mapping.Target) (*version, error) {
	v := &version{Target: t, plain: t.Doc}
	if t.Doc.State() == dotenv.Plain {
		v.encrypt = func(doc *dotenv.Document) (drift.Change, error) {
			return drift.Change{File: t.File, New: doc.Bytes(), Note: "the file is decrypted, and stays so"}, doc.CheckForm()
		}
		return v, nil
	}
	pair, err := pairOf(ctx, w, t)
	if err != nil {
		return nil, err
	}
	if t.Doc.State().HasCiphertext() {
		key := w.Keys(ctx, []keyring.Request{{Target: t}}, keyring.Auto)[0]
		if key.Err != nil {
			return nil, key.Err
		}
		if v.plain, _, err = t.Doc.Decrypt(key.Keys, dotenv.Selection{}); err != nil {
			return nil, fmt.Errorf("%s: %w", w.RelPath(t.File), err)
		}
		pair.Keys = key.Keys
	}
	v.encrypt = func(doc *dotenv.Document) (drift.Change, error) {
		ch := drift.Encrypt(t.File, doc, pair.Public, dotenv.EncryptOptions{Header: pair.Header, File: t.File, Previous: t.Doc, PreviousKeys: pair.Keys})
		if ch.Err == nil && !ch.Write { // every value was removed
			ch.New = doc.Bytes()
		}
		return ch, ch.Err
	}
	return v, nil
}

// check reports why a text cannot be the new version.
func (v *version) check(doc *dotenv.Document) error {
	if err := wellFormed(doc); err != nil {
		return err
	}
	for _, e := range doc.Entries() {
		if _, before := v.plain.Get(e.Name); strings.HasPrefix(e.Name, dotenv.PrivatePrefix) && !before {
			return &HeaderError{e.Name}
		}
	}
	var err error
	v.checked = doc
	v.change, err = v.encrypt(doc)
	return err
}

// wellFormed reports what a decrypted text cannot have.
func wellFormed(doc *dotenv.Document) error {
	if err := doc.Check(); err != nil {
		return err
	}
	if lines := doc.UnparsedLines(); len(lines) > 0 {
		return &drift.UnparsedError{Lines: lines}
	}
	for _, e := range doc.Entries() {
		if e.Encrypted() {
			return &CiphertextError{e.Line, e.Name}
		}
	}
	return nil
}

// ErrNothingLeft reports that the editor left no text.
var ErrNothingLeft = errors.New("the editor left nothing, so nothing is changed")

// A CiphertextError reports a ciphertext in an edited text, which has plaintext alone:
// nobody would decrypt it.
type CiphertextError struct {
	Line int
	Name string
}

func (e *CiphertextError) Error() string {
	return fmt.Sprintf("line %d: %s: the value is encrypted already", e.Line, e.Name)
}

// changed returns the names whose values differ between two versions.
func changed(old, now *dotenv.Document) (names []string) {
	seen := map[string]bool{}
	for _, pair := range [][2]*dotenv.Document{{now, old}, {old, now}} {
		for _, e := range pair[0].Entries() {
			other, there := pair[1].Get(e.Name)
			last, _ := pair[0].Get(e.Name)
			if checkName(e.Name) == nil && !seen[e.Name] && (!there || other.Value != last.Value) {
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
	file, original := filepath.Join(f.dir, name), text
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return nil, err
	}
	for {
		if err := e.Open(ctx, file); err != nil {
			return nil, err
		}
		edited, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrNothingLeft
		}
		if err != nil {
			return nil, err
		}
		doc := keeping(dotenv.Parse(edited))
		problem := check(doc)
		if len(bytes.TrimSpace(edited)) == 0 && len(bytes.TrimSpace(original)) > 0 {
			problem = ErrNothingLeft
		}
		if problem == nil {
			return doc, nil
		}
		if bytes.Equal(edited, text) || !e.Again(ctx, problem) {
			return nil, errors.Join(fmt.Errorf("%s: %w", name, problem), ctx.Err())
		}
		text = edited
	}
}
