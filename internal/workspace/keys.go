package workspace

import (
	"context"
	"fmt"
	"path"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// Request asks for the keys of file with the content doc.
func (w *Workspace) Request(file string, doc *dotenv.Document) keyring.Request {
	q := keyring.Request{Target: mapping.Target{File: file}}
	if t, mapped := w.Target(file); mapped {
		q.Target = t
	}
	q.Doc = q.Keeping(doc)
	return q
}

// Keys returns what decrypts each of the files, by [keyring.Ring.ForDecryption],
// in their order. The vaults are asked for all of them at once.
func (w *Workspace) Keys(ctx context.Context, qs []keyring.Request, p keyring.Policy) []keyring.Answer {
	return w.keys(ctx, qs, p, (*keyring.Ring).ForDecryption)
}

// KeysOf is Keys for the files of targets. One without a file needs no keys.
func (w *Workspace) KeysOf(ctx context.Context, targets []mapping.Target, p keyring.Policy) []keyring.Answer {
	requests := make([]keyring.Request, len(targets))
	for i, t := range targets {
		if t.Doc == nil {
			t.Doc = dotenv.Parse(nil)
		}
		requests[i].Target = t
	}
	return w.Keys(ctx, requests, p)
}

// ProgramKeys is [Workspace.Keys] by [keyring.Ring.ForProgram].
func (w *Workspace) ProgramKeys(ctx context.Context, qs []keyring.Request, p keyring.Policy) []keyring.Answer {
	return w.keys(ctx, qs, p, (*keyring.Ring).ForProgram)
}

// A rule is a method of [keyring.Ring].
type rule func(*keyring.Ring, keyring.Request, keyring.Policy) (ecies.Keys, bool, error)

func (w *Workspace) keys(ctx context.Context, qs []keyring.Request, p keyring.Policy, local rule) []keyring.Answer {
	answers, ask := make([]keyring.Answer, len(qs)), make([]bool, len(qs))
	for i, q := range qs {
		a, ring := &answers[i], w.LocalKeys(ctx, q.File)
		a.Keys, ask[i], a.Err = local(ring, q, p)
		if !ask[i] {
			if a.Err = w.RecordLocal(q, ring, a.Keys, a.Err); a.Err != nil {
				a.Keys = nil
			}
		}
		if len(a.Keys) > 0 && q.Doc.State().HasCiphertext() {
			w.Debug("key: a local one for %s", w.RelPath(q.File))
		}
	}
	w.fill(ctx, answers, func(i int) (mapping.Target, bool) { return qs[i].Target, ask[i] })
	return answers
}

// fill asks the vaults for those answers for which ask returns true.
func (w *Workspace) fill(ctx context.Context, answers []keyring.Answer, ask func(i int) (mapping.Target, bool)) {
	var targets []mapping.Target
	var places []int
	for i := range answers {
		if t, ok := ask(i); ok {
			targets, places = append(targets, t), append(places, i)
		}
	}
	for n, answer := range w.Fetch(ctx, targets) {
		answers[places[n]] = answer
	}
}

// An EncryptionKey is the pair for one env file, or why there is none.
type EncryptionKey struct {
	keyring.Pair
	Unkept error // why values cannot be compared with HEAD's: the vault gave no private key
	Err    error // a [*keyring.UnknownKeyError] where no key is known anywhere
}

// EncryptionKeys returns the pairs that the files are encrypted for, by
// [keyring.Ring.ForEncryption], in their order. With compare the vaults are also
// asked for the private keys of declared pairs that are not local: only with
// them unchanged values keep their ciphertext.
func (w *Workspace) EncryptionKeys(ctx context.Context, qs []keyring.Request, compare bool) []EncryptionKey {
	pairs := make([]EncryptionKey, len(qs))
	answers, ask := make([]keyring.Answer, len(qs)), make([]bool, len(qs))
	rings := make([]*keyring.Ring, len(qs))
	for i, q := range qs {
		p := &pairs[i]
		rings[i] = w.LocalKeys(ctx, q.File)
		p.Pair, ask[i], p.Err = rings[i].ForEncryption(q, nil)
		ask[i] = ask[i] || compare && q.Mapped() && p.Err == nil && len(p.Keys) == 0
	}
	w.fill(ctx, answers, func(i int) (mapping.Target, bool) { return qs[i].Target, ask[i] })
	for i, q := range qs {
		p := &pairs[i]
		switch {
		case !ask[i]:
		case !p.Declared:
			p.Pair, _, p.Err = rings[i].ForEncryption(q, &answers[i])
		case q.Mapping.Ephemeral:
			p.Keys, p.Err = answers[i].Keys, answers[i].Err
		default:
			p.Keys, p.Unkept = answers[i].Keys, answers[i].Err
		}
		if p.Err == nil && (!ask[i] || p.FromFile) {
			p.Err = w.RecordLocal(q, rings[i], p.Keys, nil)
		}
		if p.Err == nil && p.FromFile {
			p.Err = w.ownKeys(ctx, path.Dir(q.File))
		}
		if p.Err == nil && q.Mapped() {
			p.Err = w.agreedPair(ctx, q.Target, p.Pair)
		}
	}
	return pairs
}

// agreedPair returns an error if a file would be encrypted for a key that was not
// agreed to. A key of which the user has the private half is theirs; and a vault
// outside the repository may have the key.
func (w *Workspace) agreedPair(ctx context.Context, t mapping.Target, p keyring.Pair) error {
	keys := []ecies.PublicKey{p.Public}
	changed := w.Agreed(ctx, t, keys)
	if changed == nil {
		return nil
	}
	if p.Keys.Find(p.Public) != nil && w.ownKeys(ctx, path.Dir(t.File)) == nil {
		return w.expected(t, keys)
	}
	if !w.isLocal(t) {
		if answer := w.Fetch(ctx, []mapping.Target{t})[0]; answer.Err != nil || answer.Keys.Find(p.Public) != nil {
			return answer.Err
		}
	}
	return w.mayUse(ctx, t, keys)
}

// RuledElsewhere returns a [*NearerError] if a file that no mapping names is below
// another configuration, which may name it: what its clone agreed to, and which values
// stay plaintext, is known there.
func (w *Workspace) RuledElsewhere(file string) error {
	if w.options.ConfigFile != "" {
		return nil
	}
	nearest, err := config.Find(filepath.Dir(w.Absolute(w.RelPath(file))), w.Top)
	if err != nil || nearest == w.Config.File {
		return nil
	}
	return &NearerError{w.RelPath(file), filepath.Dir(nearest)}
}

// A NearerError reports a file that has a configuration nearer than the one in use.
type NearerError struct {
	File string
	Dir  string // absolute: of that configuration
}

func (e *NearerError) Error() string {
	return e.File + " is below another configuration"
}

// ownKeys returns an error if git tracks the keys file of a folder: whoever
// pushed it can decrypt what is encrypted for it.
func (w *Workspace) ownKeys(ctx context.Context, folder string) error {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	file := path.Join(folder, w.Config.Sync.EnvKeysFilename)
	tracked, err := repo.Tracked(ctx, []string{file})
	if err == nil && tracked[file] {
		err = &TrackedKeysError{file}
	}
	return err
}

// A TrackedKeysError reports a keys file that git tracks.
type TrackedKeysError struct{ File string }

func (e *TrackedKeysError) Error() string {
	return e.File + " is tracked by git, so everyone who has the repository knows what is in it"
}

// Encrypt plans the encryption of a file for a pair. Values that HEAD's version
// holds encrypted for it keep their ciphertext. The change notes plaintext that is
// in git's history.
func (w *Workspace) Encrypt(ctx context.Context, q keyring.Request, p keyring.Pair, sel dotenv.Selection) drift.Change {
	ch := drift.Encrypt(q.File, q.Doc, p.Public, dotenv.EncryptOptions{
		Selection: sel, Header: p.Header, File: path.Base(q.File), Previous: q.Head, PreviousKeys: p.Keys,
	})
	if ch.Write {
		ch.AddNote(w.historyNote(ctx, q.File, q.Head))
		ch.AddNote(w.otherKeyNote(ctx, q, p))
	}
	return ch
}

// otherKeyNote says that the local key by the name of the file's own is another one;
// "" if it is not. Nobody here may be able to decrypt the file.
func (w *Workspace) otherKeyNote(ctx context.Context, q keyring.Request, p keyring.Pair) string {
	if !p.Declared || len(p.Keys) > 0 || q.Mapping.Ephemeral {
		return ""
	}
	named := w.LocalKeys(ctx, q.File).Beside(path.Dir(q.File)).Named(p.Private)
	if len(named) == 0 {
		return ""
	}
	return fmt.Sprintf("encrypted for %s, as the header says, but the local %s is for %s and does not decrypt it",
		p.Public.Short(), p.Private, named[0].PublicKey().Short())
}
