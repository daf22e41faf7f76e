package workspace

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/trust"
)

// Recipients and public keys are public, and an age vault is in the repository. So
// whoever can push a branch can encrypt an env file for a key of their own, or
// name another vault for it, and everything fits together. What a clone last
// agreed to shows it.

// An AgreementError reports an env file whose public key or vault is not the one
// that was agreed to.
type AgreementError struct {
	File     string
	What     string // "public key" or "vault"
	Is, Was  string
	Expected bool // Was is what the environment demands
}

func (e *AgreementError) Error() string {
	if e.Expected {
		return fmt.Sprintf("its %s is %s, which ENVDRIFT_EXPECT_PUBLIC_KEYS does not name", e.What, e.Is)
	}
	if e.Was == "" {
		return fmt.Sprintf("its %s is now %s, which this clone has not agreed to", e.What, e.Is)
	}
	return fmt.Sprintf("its %s is now %s; this clone last agreed to %s", e.What, e.Is, e.Was)
}

// An agreements is what is pinned for this clone, read once. The copies of a
// Workspace share it.
type agreements struct {
	once       sync.Once
	pushed     sync.Mutex // several keys may be stored at once
	pins       trust.Pins
	repository string
	files      map[string]trust.Agreement
	granted    map[string]bool // places that the user agreed to in this run
	noPlace    bool            // nothing can be remembered
	err        error
}

func (w *Workspace) agreements(ctx context.Context) (*agreements, error) {
	a := w.agreed
	a.once.Do(func() {
		a.files = map[string]trust.Agreement{}
		var err error
		if a.pins, err = trust.At(w.Getenv); err != nil {
			a.noPlace = true // and nothing can have been agreed to
			return
		}
		if a.repository, a.err = w.cloneID(ctx); a.err != nil {
			return
		}
		var all map[string]map[string]trust.Agreement
		if all, a.err = a.pins.Agreements(); all[a.repository] != nil {
			a.files = all[a.repository]
		}
	})
	return a, a.err
}

// cloneID is RepositoryID, for the usual clone without git: exec starts no other
// process if it need not.
func (w *Workspace) cloneID(ctx context.Context) (string, error) {
	if dir, plain := w.plainGitDir(); plain {
		return dir, nil
	}
	return w.RepositoryID(ctx)
}

// Agreed returns an [*AgreementError] if the vault of a target is not the one
// that was agreed to, or none of keys is. It asks nothing.
func (w *Workspace) Agreed(ctx context.Context, t mapping.Target, keys []ecies.PublicKey) error {
	if err := w.expected(t, keys); err != nil {
		return err
	}
	a, err := w.agreements(ctx)
	if err != nil {
		return err
	}
	was := a.files[t.File]
	if place := w.place(t); place != "" && was.Vault != "" && place != was.Vault {
		return &AgreementError{File: t.File, What: "vault", Is: place, Was: was.Vault}
	}
	if len(keys) > 0 && len(was.Keys) > 0 && !slices.ContainsFunc(keys, func(k ecies.PublicKey) bool { return slices.Contains(was.Keys, k.String()) }) {
		return &AgreementError{File: t.File, What: "public key", Is: shorten(texts(keys)), Was: shorten(was.Keys)}
	}
	return nil
}

// AgreedHeader is Agreed for every public key that the target's file declares or,
// if it declares none, for those of keys, which decrypt it.
func (w *Workspace) AgreedHeader(ctx context.Context, t mapping.Target, keys ecies.Keys) error {
	err := w.Agreed(ctx, t, nil)
	public := headerKeys(t.Doc)
	if len(public) == 0 {
		public = publicKeys(keys)
	}
	for _, key := range public {
		if err == nil {
			err = w.Agreed(ctx, t, []ecies.PublicKey{key})
		}
	}
	return err
}

// HasAgreed reports whether every public key that the target's file declares is one
// that this clone has had from its vault, which is the one that it agreed to.
func (w *Workspace) HasAgreed(ctx context.Context, t mapping.Target) bool {
	a, err := w.agreements(ctx)
	if err != nil || w.isLocal(t) || w.AgreedHeader(ctx, t, nil) != nil {
		return false
	}
	header := headerKeys(t.Doc)
	return len(header) > 0 && !slices.ContainsFunc(header, func(k ecies.PublicKey) bool {
		return !slices.Contains(a.files[t.File].Keys, k.String())
	})
}

// ExpectsKeys reports whether the environment names the public keys that env files
// may declare.
func (w *Workspace) ExpectsKeys() bool { return len(w.expectedKeys()) > 0 }

func (w *Workspace) expectedKeys() []string {
	return strings.FieldsFunc(w.Getenv("ENVDRIFT_EXPECT_PUBLIC_KEYS"), func(r rune) bool { return r == ',' || unicode.IsSpace(r) })
}

// MayRepair returns an [*AgreementError] if a file must not be encrypted for keys
// that its vault holds. It asks nothing.
func (w *Workspace) MayRepair(ctx context.Context, t mapping.Target, keys ecies.Keys) error {
	return w.Silent().mayUseKeys(ctx, t, keys)
}

// MayReencryptFor returns an [*AgreementError] unless a drifted file may be
// re-encrypted for one of keys, that of its vault: the version before is encrypted for
// it, or [Workspace.MayReencrypt] allows it. A vault outside the repository decides
// itself.
func (w *Workspace) MayReencryptFor(ctx context.Context, t mapping.Target, head *dotenv.Document, keys ecies.Keys) (err error) {
	if !w.isLocal(t) {
		return nil
	}
	before := headerKeys(head)
	for _, key := range publicKeys(keys) {
		if slices.Contains(before, key) {
			return nil
		}
		if err = w.Silent().MayReencrypt(ctx, t, key, nil); err == nil {
			return nil
		}
	}
	return err
}

// MayRotate returns an [*AgreementError] unless values of a target may be encrypted
// for a key that somebody else put into its vault in the course of a rotation. It may
// ask. A vault outside the repository decides itself.
func (w *Workspace) MayRotate(ctx context.Context, t mapping.Target, key ecies.PublicKey) error {
	if !w.isLocal(t) {
		return w.expected(t, []ecies.PublicKey{key})
	}
	return w.MayReencrypt(ctx, t, key, nil)
}

// expected compares keys with those that the environment demands, as in CI.
func (w *Workspace) expected(t mapping.Target, keys []ecies.PublicKey) error {
	list := w.expectedKeys()
	if len(list) == 0 || len(keys) == 0 {
		return nil
	}
	for _, word := range list {
		if key, err := ecies.ParsePublicKey(word); err == nil && slices.Contains(keys, key) {
			return nil
		}
	}
	return &AgreementError{File: t.File, What: "public key", Is: strings.Join(texts(keys), ", "), Expected: true}
}

// place describes the vault of a target; "" if the user named it, or if it is
// wrong, which is reported where it is opened.
func (w *Workspace) place(t mapping.Target) string {
	cfg, err := w.Config.VaultOf(t.Mapping)
	if err != nil || t.Mapping.Line == 0 || w.userNamedVault(cfg) {
		return ""
	}
	return trust.Place(w.options.Overrides.Providers, cfg)
}

// mayUse returns nil if a target's vault, or the keys that are about to be used
// for it, were agreed to, or are now, or if nothing was agreed to yet.
func (w *Workspace) mayUse(ctx context.Context, t mapping.Target, keys []ecies.PublicKey) error {
	err := w.Agreed(ctx, t, keys)
	changed := (*AgreementError)(nil)
	if !errors.As(err, &changed) || changed.Expected {
		return err
	}
	now := trust.Agreement{Vault: w.place(t), Keys: union(w.agreed.files[t.File].Keys, texts(keys))}
	question := []string{fmt.Sprintf("%s: the %s changed", w.RelPath(t.File), changed.What), "  from  " + changed.Was, "  to    " + changed.Is, "Agree?"}
	switch {
	case w.agreed.granted[now.Vault] && changed.What == "vault": // the user was asked about it a moment ago
	case w.options.Consent != Ask:
		return err
	case !w.options.UI.Confirm(ctx, question...):
		return cmp.Or(ctx.Err(), err)
	}
	return w.agree(ctx, map[string]trust.Agreement{t.File: now})
}

// mayUseKeys is mayUse for keys that a target's vault gave. A vault outside the
// repository decides itself: nobody changes its key by pushing a branch. That it
// did is told, if the file has followed.
func (w *Workspace) mayUseKeys(ctx context.Context, t mapping.Target, keys ecies.Keys) error {
	public := publicKeys(keys)
	changed := (*AgreementError)(nil)
	if err := w.Agreed(ctx, t, public); w.isLocal(t) || !errors.As(err, &changed) || changed.Expected || changed.What == "vault" {
		return w.mayUse(ctx, t, public)
	}
	if w.options.Consent == Never || w.options.Consent == CI || !fits(t.Doc, keys) {
		return nil
	}
	w.options.UI.Notice("%s: the vault's key changed: public key %s, not %s", w.RelPath(t.File), changed.Is, changed.Was)
	return w.agree(ctx, map[string]trust.Agreement{t.File: {Vault: w.place(t), Keys: texts(public)}})
}

// isLocal reports whether a target's vault is in the repository.
func (w *Workspace) isLocal(t mapping.Target) bool {
	cfg, err := w.Config.VaultOf(t.Mapping)
	return err == nil && w.holdsVault(cfg)
}

// agree records what was agreed to.
func (w *Workspace) agree(ctx context.Context, files map[string]trust.Agreement) error {
	a, err := w.agreements(ctx)
	if err != nil || a.noPlace || len(files) == 0 {
		return err
	}
	if err := a.pins.Agree(ctx, a.repository, files); err != nil {
		return err
	}
	for file, agreement := range files {
		a.files[file] = agreement
	}
	return nil
}

// firstUses agrees to the vaults that were opened for targets and to the keys that
// they gave, where nothing was agreed to: a key that fits the file. A hook and a CI job never agree. What
// cannot be recorded, as on a read-only disk, is no failure.
func (w *Workspace) firstUses(ctx context.Context, targets []mapping.Target, answers []keyring.Answer) {
	if w.options.Consent == Never || w.options.Consent == CI {
		return
	}
	a, err := w.agreements(ctx)
	if err != nil {
		return
	}
	files := map[string]trust.Agreement{}
	for i, t := range targets {
		now := a.files[t.File]
		if answers[i].Err == nil && len(now.Keys) == 0 && fits(t.Doc, answers[i].Keys) {
			now.Keys = texts(publicKeys(answers[i].Keys))
		}
		if now.Vault == "" && answers[i].Vault != "" { // it was opened
			now.Vault = w.place(t)
		}
		if was := a.files[t.File]; t.File != "" && t.Mapping.Line > 0 && (now.Vault != was.Vault || len(now.Keys) != len(was.Keys)) {
			files[t.File] = now
		}
	}
	if err := w.agree(ctx, files); err != nil {
		w.Debug("not remembered for the next time: %v", err)
	}
}

// repin agrees to keys that the user has stored, besides those agreed to before:
// older branches have them. It does so for the target and for every other mapping
// with the same secret.
func (w *Workspace) repin(ctx context.Context, t mapping.Target, keys ecies.Keys) error {
	a, err := w.agreements(ctx)
	if err != nil {
		return err
	}
	a.pushed.Lock()
	defer a.pushed.Unlock()
	files := map[string]trust.Agreement{}
	for _, other := range append(w.withSecret(t.Mapping.SecretName), t) {
		if other.File != "" && other.Mapping.Line > 0 {
			files[other.File] = trust.Agreement{Vault: w.place(other), Keys: union(a.files[other.File].Keys, texts(publicKeys(keys)))}
		}
	}
	return w.agree(ctx, files)
}

// TrustKeys agrees, for every mapping, to the vault as it is configured, and to
// the key that it holds, besides those agreed to before: older branches have
// them. A vault elsewhere is not asked: the next command agrees to its key. It
// returns what is agreed to, by env file.
func (w *Workspace) TrustKeys(ctx context.Context) (map[string]trust.Agreement, error) {
	files := map[string]trust.Agreement{}
	for _, t := range w.All() {
		if t.File != "" {
			files[t.File] = trust.Agreement{Vault: w.place(t)}
		}
	}
	local := w.inRepository()
	a, err := w.agreements(ctx)
	if err != nil {
		return nil, err
	}
	for i, answer := range w.FetchToCheck(ctx, local) {
		file := local[i].File
		files[file] = trust.Agreement{Vault: w.place(local[i]), Keys: union(a.files[file].Keys, texts(publicKeys(answer.Keys)))}
	}
	return files, w.agree(ctx, files)
}

// trustLocal agrees to the vault of each env file, and to the keys in vaults of the
// repository, if nothing was agreed to: hooks never do. A key that cannot be read
// now is not agreed to.
func (w *Workspace) trustLocal(ctx context.Context) error {
	all := w.All()
	answers := make([]keyring.Answer, len(all))
	for i, t := range all {
		answers[i].Vault = w.place(t) // the caller has agreed to it
	}
	w.firstUses(ctx, all, answers)
	for _, answer := range w.Fetch(ctx, w.inRepository()) {
		if changed := (*AgreementError)(nil); errors.As(answer.Err, &changed) {
			return changed
		}
	}
	return nil
}

// All returns the targets of all mappings, whatever their profile.
func (w *Workspace) All() []mapping.Target {
	return mapping.Resolve(w.Tree, w.Base, w.Config, w.Config.Mappings)
}

// withSecret returns the targets of the mappings with a secret of that name.
func (w *Workspace) withSecret(name string) []mapping.Target {
	mappings := slices.DeleteFunc(slices.Clone(w.Config.Mappings), func(m config.Mapping) bool { return m.SecretName != name })
	return mapping.Resolve(w.Tree, w.Base, w.Config, mappings)
}

// inRepository returns the targets whose vault is sent no credential.
func (w *Workspace) inRepository() []mapping.Target {
	return slices.DeleteFunc(w.All(), func(t mapping.Target) bool {
		return t.File == "" || !w.isLocal(t)
	})
}

// fits reports whether keys are those of every public key that a file declares.
func fits(doc *dotenv.Document, keys ecies.Keys) bool {
	return !slices.ContainsFunc(headerKeys(doc), func(k ecies.PublicKey) bool { return keys.Find(k) == nil })
}

func headerKeys(doc *dotenv.Document) (keys []ecies.PublicKey) {
	if doc == nil {
		return nil
	}
	headers, _ := doc.PublicKeys() // the proof reports a damaged one
	for _, h := range headers {
		keys = append(keys, h.Key)
	}
	return keys
}

func publicKeys(keys ecies.Keys) (public []ecies.PublicKey) {
	for _, k := range keys {
		public = append(public, k.PublicKey())
	}
	return public
}

func texts(keys []ecies.PublicKey) (list []string) {
	for _, k := range keys {
		list = append(list, k.String())
	}
	slices.Sort(list)
	return list
}

// union returns the strings of both lists, sorted.
func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// shorten abbreviates public keys, as elsewhere in messages.
func shorten(keys []string) string {
	short := make([]string, len(keys))
	for i, k := range keys {
		short[i] = k[:min(8, len(k))] + "…"
	}
	return strings.Join(short, ", ")
}
