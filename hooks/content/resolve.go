package content

import (
	"bytes"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Side is whose version of a variable counts.
type Side int

// The sides of a conflict, as git calls them: in a rebase Ours is the branch that
// is rebased onto.
const (
	Neither Side = iota // only what the keys that are local now decide
	Ours
	Theirs
	Edited // what the user makes of both
)

// An EditFunc lets the user edit a decrypted text until it is one without markers that
// check accepts.
type EditFunc func(t mapping.Target, text []byte, check func(*dotenv.Document) error) (*dotenv.Document, error)

// A Resolution is what was done about an env file in conflict.
type Resolution struct {
	Names  []string // of the variables that a side was taken of
	Backup string   // absolute path of the file as it was, with both sides
}

// Why a conflict is not resolved.
var (
	ErrNoConflict = errors.New("is not in conflict")
	ErrEdited     = errors.New("has no conflict markers any more")
	ErrAgeVault   = errors.New("belongs to an age vault, whose conflicts are resolved together")
	ErrMarkers    = errors.New("has conflict markers that do not fit together: edit it")
)

// A DeletedError reports a file that one side deleted and the other changed: it is not
// known to stay, or the side that counts is the one that deleted it.
type DeletedError struct{ Kept Side } // the side that has it

func (e *DeletedError) Error() string { return "one side deleted it, the other changed it" }

// An UnresolvedError names the variables that are still in conflict.
type UnresolvedError struct{ Conflicts []Conflict }

func (e *UnresolvedError) Error() string {
	var list []string
	for _, c := range e.Conflicts {
		list = append(list, c.Name+" ("+c.Err.Error()+")")
	}
	return "is in conflict about " + strings.Join(list, ", ")
}

// Resolve ends the conflict in an env file: it takes one side for the variables
// that are in conflict, and leaves everything else as it is in the working tree. A file
// that one side deleted stays as it is, if the other side counts. Values are
// re-encrypted for the key in the header. The file is staged. As it was, with both
// sides, it is kept as a backup, unless it has plaintext. edit is for the side Edited.
func Resolve(ctx context.Context, w *workspace.Workspace, file string, side Side, edit EditFunc) (Resolution, error) {
	repo, err := w.Git(ctx)
	if err == nil && repo == nil {
		err = gitops.ErrNotRepository
	}
	if err != nil {
		return Resolution{}, err
	}
	recipients, dirs, err := w.AgeFiles(ctx)
	if err != nil {
		return Resolution{}, err
	}
	if slices.Contains(recipients, file) || slices.ContainsFunc(dirs, func(dir string) bool { return strings.HasPrefix(file, dir+"/") }) {
		return Resolution{}, ErrAgeVault
	}
	now, err := atomicfile.ReadFile(w.Files(), file)
	if err != nil {
		return Resolution{}, err
	}
	stages, err := repo.Conflict(ctx, file, workspace.MaxFile)
	if err != nil {
		return Resolution{}, err
	}
	if kept := keptBy(stages); kept != Neither {
		if side != kept {
			return Resolution{}, &DeletedError{kept}
		}
		return Resolution{}, repo.AddResolved(ctx, file)
	}
	c, err := conflictOf(now, stages)
	if err != nil {
		return Resolution{}, err
	}
	r := &ring{file: file, w: w, asks: true, sides: c.stages}
	var doc *dotenv.Document
	var res Resolution
	if side == Edited {
		doc, err = c.edit(ctx, r, edit)
	} else {
		doc, res.Names, err = c.decide(ctx, r, side)
	}
	if err == nil {
		doc, err = c.encrypt(ctx, r, doc)
	}
	if err != nil {
		return Resolution{}, err
	}
	unlock, err := w.Lock(ctx)
	if err != nil {
		return Resolution{}, err
	}
	if !r.holdsPlaintext(now) {
		res.Backup, err = repo.Backup(file, now, time.Now())
	}
	if err == nil {
		err = replace(ctx, w, repo, file, now, doc)
	}
	return res, errors.Join(err, unlock())
}

// holdsPlaintext reports whether a file in conflict has a value in plaintext, as when
// somebody typed it between the markers: it is kept nowhere.
func (r *ring) holdsPlaintext(text []byte) bool {
	for _, theirs := range []bool{false, true} {
		side, _, ok := dotenv.Parse(text).TakeSide(theirs)
		if !ok || workspace.HoldsPlaintext(side.Keeping(r.staysPlain)) {
			return true
		}
	}
	return false
}

// replace writes the file and stages it.
func replace(ctx context.Context, w *workspace.Workspace, repo *gitops.Repo, file string, old []byte, doc *dotenv.Document) error {
	if err := atomicfile.Replace(w.Root(), file, old, doc.Bytes(), 0o644, false); err != nil {
		return err
	}
	return repo.AddResolved(ctx, file)
}

// keptBy returns the side that has the file if the other deleted it.
func keptBy(stages *gitops.Conflict) Side {
	switch {
	case stages == nil || (stages.Ours == nil) == (stages.Theirs == nil):
		return Neither
	case stages.Theirs == nil:
		return Ours
	}
	return Theirs
}

// A conflict is an env file in conflict: both sides of it as a whole.
type conflict struct {
	base, ours, theirs *dotenv.Document
	stages             []*dotenv.Document // as both sides committed it
}

// conflictOf returns both sides of the file as it is in the working tree: edits
// outside of the conflict markers are on both. A file that git could not merge at
// all holds one side, and no markers.
func conflictOf(now []byte, stages *gitops.Conflict) (*conflict, error) {
	c := &conflict{base: dotenv.Parse(nil)}
	if stages != nil {
		c.base = dotenv.Parse(stages.Base)
		c.stages = []*dotenv.Document{dotenv.Parse(stages.Ours), dotenv.Parse(stages.Theirs)}
	}
	doc := dotenv.Parse(now)
	if errors.As(doc.Check(), new(*dotenv.ConflictError)) {
		var ok1, ok2 bool
		c.ours, _, ok1 = doc.TakeSide(false)
		c.theirs, _, ok2 = doc.TakeSide(true)
		if !ok1 || !ok2 {
			return nil, ErrMarkers
		}
		return c, nil
	}
	switch {
	case stages == nil:
		return nil, ErrNoConflict
	case !bytes.Equal(now, stages.Ours) && !bytes.Equal(now, stages.Theirs):
		return nil, ErrEdited
	}
	c.ours, c.theirs = c.stages[0], c.stages[1]
	return c, nil
}

// decide merges both sides again, with the keys that there are now, and takes one
// side for what is left.
func (c *conflict) decide(ctx context.Context, r *ring, side Side) (*dotenv.Document, []string, error) {
	merged, err := dotenv.Merge(c.base, c.ours, c.theirs, dotenv.MergeOptions{
		Keys:       func() ecies.Keys { return r.keys(ctx) },
		MayEncrypt: func(key ecies.PublicKey) error { return r.mayEncrypt(ctx, key) },
	})
	switch {
	case err != nil && side == Ours:
		return c.ours, nil, nil // lines that nobody can merge
	case err != nil && side == Theirs:
		return c.theirs, nil, nil
	case err != nil:
		return nil, nil, err
	case side == Neither && len(merged.Conflicts) > 0:
		e := &UnresolvedError{}
		for _, v := range merged.Conflicts {
			e.Conflicts = append(e.Conflicts, Conflict(v))
		}
		return nil, nil, e
	}
	doc, names, ok := dotenv.Parse(merged.Data).TakeSide(side == Theirs)
	if !ok {
		return nil, nil, ErrMarkers
	}
	return doc, names, nil
}

// edit lets the user edit both sides, decrypted, with conflict markers around what
// both changed, until there are none.
func (c *conflict) edit(ctx context.Context, r *ring, edit EditFunc) (*dotenv.Document, error) {
	keys := r.keys(ctx)
	var plain [3]*dotenv.Document
	for i, d := range []*dotenv.Document{c.base, c.ours, c.theirs} {
		var err error
		plain[i], _, err = d.Decrypt(keys, dotenv.Selection{})
		switch {
		case err != nil && i == 0:
			plain[i] = dotenv.Parse(nil) // then more is in conflict
		case err != nil:
			return nil, err
		}
	}
	merged, err := dotenv.Merge(plain[0], plain[1], plain[2], dotenv.MergeOptions{OursLabel: "ours", TheirsLabel: "theirs"})
	if err != nil {
		return nil, err
	}
	t, _ := r.target()
	var out *dotenv.Document
	_, err = edit(t, merged.Data, func(doc *dotenv.Document) error {
		out, err = c.encryptEdited(ctx, r, t.Keeping(doc))
		return err
	})
	return out, err
}

// encryptEdited encrypts an edited text. What is as on our side keeps its ciphertext.
func (c *conflict) encryptEdited(ctx context.Context, r *ring, doc *dotenv.Document) (*dotenv.Document, error) {
	headers, err := doc.PublicKeys()
	if err != nil || len(headers) == 0 {
		return doc, err
	}
	if len(c.otherKeys(headers)) > 0 {
		if err := r.mayEncrypt(ctx, headers[0].Key); err != nil {
			return nil, err
		}
	}
	doc, _, err = doc.Encrypt(headers[0].Key, dotenv.EncryptOptions{File: path.Base(r.file), Previous: c.ours, PreviousKeys: r.keys(ctx)})
	return doc, err
}

// encrypt encrypts for the header's key what is not, and fails if a value is left
// that may be encrypted for another one.
func (c *conflict) encrypt(ctx context.Context, r *ring, doc *dotenv.Document) (*dotenv.Document, error) {
	headers, err := doc.PublicKeys()
	if err != nil || len(headers) == 0 {
		return doc, err
	}
	keys := r.keys(ctx)
	mayEncrypt := func(key ecies.PublicKey) error { return r.mayEncrypt(ctx, key) }
	if doc, err = doc.ForHeader(keys, mayEncrypt); err != nil {
		return nil, err
	}
	own := keys.Find(headers[0].Key)
	e, isFor := &UnresolvedError{}, c.isFor(headers)
	for _, entry := range doc.Entries() {
		if !entry.Encrypted() || isFor[entry.Value] {
			continue
		}
		if !decrypts(own, entry.Value) {
			e.Conflicts = append(e.Conflicts, Conflict{entry.Name, &dotenv.MissingKeyError{Keys: c.otherKeys(headers)}})
		}
	}
	if len(e.Conflicts) > 0 {
		return nil, e
	}
	t, _ := r.target()
	doc, _, err = t.Keeping(doc).Encrypt(headers[0].Key, dotenv.EncryptOptions{File: path.Base(r.file)})
	return doc, err
}

func decrypts(key *ecies.PrivateKey, value string) bool {
	if key == nil {
		return false
	}
	_, _, err := ecies.Keys{key}.Decrypt(value)
	return err == nil
}

// isFor returns the ciphertexts of the versions that declare the public key of headers.
func (c *conflict) isFor(headers []dotenv.Header) map[string]bool {
	values := map[string]bool{}
	for _, d := range c.stages {
		declared, _ := d.PublicKeys()
		if !slices.ContainsFunc(declared, func(h dotenv.Header) bool { return h.Key == headers[0].Key }) {
			continue
		}
		for _, e := range d.Entries() {
			values[e.Value] = true
		}
	}
	return values
}

// otherKeys returns the public keys of both sides but that of the result.
func (c *conflict) otherKeys(headers []dotenv.Header) (keys []ecies.PublicKey) {
	for _, d := range c.stages {
		declared, _ := d.PublicKeys()
		for _, h := range declared {
			if h.Key != headers[0].Key && !slices.Contains(keys, h.Key) {
				keys = append(keys, h.Key)
			}
		}
	}
	return keys
}
