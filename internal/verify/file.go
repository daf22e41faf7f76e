package verify

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// A File is one version of a file that concerns envdrift, and what was found out
// about it.
type File struct {
	mapping.Target               // without a Mapping if none names the file; Doc is nil if there is no content
	Change         gitops.Change // what brought this version; the zero Change in the working tree
	At             string        // the revision, an object name in short; "" for the working tree and the index
	Mapped         bool
	Verified       bool
	Vault          string // which one was asked; "" if none was
	Verdict        drift.Verdict
	Err            error    // what is wrong
	Unproven       error    // why a file that is not wrong was not proven; else nil
	Warnings       []string // what is unusual though it is proven
	Keys           ecies.Keys

	Workspace *workspace.Workspace // whose configuration rules the file
	Data      []byte               // the content; nil if it was not read
	Head      *dotenv.Document     // the version before; nil if none is known
	Theirs    *dotenv.Document     // what a merge brings; nil if there is none

	old    []byte
	theirs []byte       // what another side of a merge has, if that is not Data
	hooks  config.Hooks // the stricter of those that rule the file

	mappedBefore bool           // by the configuration before
	plainBefore  config.Mapping // then
}

// Request asks for the keys of the file.
func (f *File) Request() keyring.Request { return keyring.Request{Target: f.Target, Head: f.Head} }

// LastRight returns the newest version before a file that drifted which its keys
// decrypt: "HEAD" or, for the file of a commit, its parent, "REV^"; else an earlier
// commit in short, or "" if there is none.
func (f *File) LastRight(ctx context.Context, repo *gitops.Repo) string {
	before := "HEAD"
	if f.At != "" {
		before = f.At + "^"
	}
	if f.Head != nil && f.isRight(f.Head) {
		return before
	}
	commits, err := repo.Touching(ctx, before, f.File)
	if err != nil {
		return ""
	}
	const newest = 100
	names := []string{before}
	for _, commit := range commits[:min(newest, len(commits))] {
		names = append(names, string(commit[:12]))
	}
	objects := make([]string, len(names))
	for i, name := range names {
		objects[i] = name + ":" + f.File
	}
	versions, err := repo.Objects(ctx, objects, workspace.MaxFile)
	if err != nil {
		return ""
	}
	for i, data := range versions {
		if data != nil && f.isRight(dotenv.Parse(data)) {
			return names[i]
		}
	}
	return ""
}

// isRight reports whether the keys decrypt another version of the file.
func (f *File) isRight(doc *dotenv.Document) bool {
	headers, _ := doc.PublicKeys() // which cost less than to decrypt
	other := len(headers) > 0 && !slices.ContainsFunc(headers, func(h dotenv.Header) bool { return f.Keys.Find(h.Key) != nil })
	return !other && doc.State().HasCiphertext() && drift.Check(doc, nil, f.Keys).Err() == nil
}

// Why a version cannot be judged.
var (
	ErrConflict = errors.New("has a merge conflict, so there is no version to check")
	ErrLink     = errors.New("is a symbolic link: map the file that it points to")
)

// ErrUnmapped reports an encrypted file that is not wrong, but was not proven
// either.
var ErrUnmapped = errors.New("no mapping of envdrift.toml names this file")

// An UnmappedPlaintextError reports an env file in plaintext that no mapping
// names.
type UnmappedPlaintextError struct{ File string }

func (e *UnmappedPlaintextError) Error() string {
	return "is an env file in plaintext, and no mapping names it"
}

// A KeysError reports private keys that are about to be committed, or were; or a
// decrypted copy.
type KeysError struct {
	File string
	Copy bool // what activate_to names
}

func (e *KeysError) Error() string {
	if e.Copy {
		return "is the decrypted copy of an env file (activate_to) and must never be committed"
	}
	return "contains private keys and must never be committed"
}

// A NotAskedError reports that a local key decrypts a file, and that its vault,
// which decides, could not be asked.
type NotAskedError struct{ Err error }

func (e *NotAskedError) Error() string {
	return fmt.Sprintf("a local key decrypts it, but the vault could not be asked: %v", e.Err)
}

func (e *NotAskedError) Unwrap() error { return e.Err }

// prepare decides on a file, unless a vault must be asked.
func (c *Changes) prepare(ctx context.Context, f *File) (ask bool) {
	if f.Err != nil {
		return false
	}
	if c.isKeysName(path.Base(f.File)) || dotenv.HoldsPrivateKey(f.Data) || c.holdsLocalKey(ctx, f.Data) {
		f.Err = &KeysError{File: f.File}
		return false
	}
	if f.Err = c.rule(f); f.Err != nil {
		return false
	}
	f.Doc = dotenv.Parse(f.Data)
	if f.old != nil {
		f.Head = dotenv.Parse(f.old)
	}
	f.keepPlain()
	if f.holdsOwnKey() {
		f.Err = &KeysError{File: f.File}
		return false
	}
	switch {
	case !f.Mapped && f.Change.Mode == gitops.Symlink:
		return false // a path
	case !f.Mapped && !f.everEncrypted():
		f.checkUnmapped()
		return false
	}
	if f.Err = f.legible(); f.Err == nil {
		f.Err = drift.CheckWithoutKey(f.Doc, dotenv.Selection{})
	}
	if f.Err == nil && !f.Mapped {
		f.checkAlone(ctx)
	}
	if f.Err != nil || !f.Mapped || !c.how.all || c.inScope(f) {
		return f.Err == nil && f.Mapped
	}
	if !f.Workspace.Selected(f.Mapping) {
		f.Unproven = &ProfileError{f.Mapping.Profile}
	}
	return false
}

// keepPlain takes the names that stay plaintext out of the proof: those that the
// configuration keeps now and before. What was encrypted stays encrypted until the
// configuration that allows plaintext has been committed.
func (f *File) keepPlain() {
	if len(f.Mapping.Plain) == 0 {
		return
	}
	f.Doc = f.Doc.Keeping(func(name string) bool {
		switch {
		case !f.Mapping.StaysPlain(name):
			return false
		case f.mappedBefore:
			return f.plainBefore.StaysPlain(name)
		case f.Head == nil:
			return true
		}
		e, _ := f.Head.Get(name)
		return !e.Encrypted()
	})
}

// A ProfileError reports a file that was not proven because nobody asked for its
// mapping's profile.
type ProfileError struct{ Profile string }

func (e *ProfileError) Error() string {
	return "its mapping has a profile: --profile " + e.Profile + " verifies it"
}

// inScope reports whether verify proves a file that a mapping names: its profile
// was asked for, and its configuration is the one of the current directory or
// further down. To others the user may have no access.
func (c *Changes) inScope(f *File) bool {
	base := c.work.Base
	below := base == "." || f.Workspace.Base == base || strings.HasPrefix(f.Workspace.Base, base+"/")
	return below && f.Workspace.Selected(f.Mapping)
}

// holdsOwnKey reports whether the file holds the private key of a public key that
// it, or the version before, declares.
func (f *File) holdsOwnKey() bool {
	for _, hex := range dotenv.HexKeys(f.Data) {
		keys, err := ecies.ParsePrivateKeys(hex)
		if err != nil {
			continue
		}
		for _, doc := range []*dotenv.Document{f.Doc, f.Head} {
			if doc == nil {
				continue
			}
			headers, _ := doc.PublicKeys()
			for _, h := range headers {
				if keys.Find(h.Key) != nil {
					return true
				}
			}
		}
	}
	return false
}

// holdsLocalKey reports whether data holds a key that is local here, whatever
// stands before it.
func (c *Changes) holdsLocalKey(ctx context.Context, data []byte) bool {
	hexes := dotenv.HexKeys(data)
	if len(hexes) == 0 {
		return false
	}
	if c.localKeys == nil {
		c.localKeys = map[string]bool{}
		for _, key := range c.work.AllLocalKeys(ctx, ".env").Keys() {
			c.localKeys[strings.ToLower(key.Reveal())] = true
		}
	}
	return slices.ContainsFunc(hexes, func(hex string) bool { return c.localKeys[hex] })
}

// checkUnmapped decides on an env file that no mapping names and that was never
// encrypted: it holds plaintext, or nothing.
func (f *File) checkUnmapped() {
	if f.Workspace.IsCopy(f.File) && workspace.HoldsPlaintext(f.Doc) {
		f.Err = &KeysError{File: f.File, Copy: true}
		return
	}
	policy := f.hooks.OnPlaintext
	if policy == config.Off || !config.MayHoldPlaintext(path.Base(f.File)) || !workspace.HoldsPlaintext(f.Doc) {
		return
	}
	if policy == config.Warn {
		f.Unproven = &UnmappedPlaintextError{f.File}
		return
	}
	f.Err = &UnmappedPlaintextError{f.File}
}

func (f *File) everEncrypted() bool {
	return f.Doc.State().HasCiphertext() || f.Head != nil && f.Head.State().HasCiphertext() ||
		f.theirs != nil && dotenv.Parse(f.theirs).State().HasCiphertext()
}

// legible reports why the content of a file cannot be judged.
func (f *File) legible() error {
	switch {
	case f.Change.Status == gitops.Unmerged:
		return ErrConflict
	case f.Change.Mode == gitops.Symlink:
		return ErrLink
	case f.Data == nil:
		return &fs.PathError{Op: "read", Path: f.File, Err: atomicfile.ErrTooLarge}
	case mapping.IsPointer(f.Data):
		return mapping.ErrPointer
	}
	if err := f.Doc.Check(); err != nil || !f.Mapped {
		return err
	}
	return f.Target.Err
}

// checkAlone checks an encrypted file that no mapping names: a local key may
// prove it.
func (f *File) checkAlone(ctx context.Context) {
	ring := f.Workspace.LocalKeys(ctx, f.File)
	if f.Keys = ring.ForProof(f.Request(), f.Theirs); f.Keys != nil {
		if f.Err = f.Workspace.RecordLocal(f.Request(), ring, f.Keys, nil); f.Err == nil {
			f.prove()
		}
		return
	}
	if f.Err = drift.SelfCheck(f.Doc); f.Err != nil {
		return
	}
	f.Unproven = ErrUnmapped
	if f.hooks.OnUnmapped == config.Block {
		f.Err = &keyring.UnmappedError{File: f.File}
	}
}

// decide decides on files when the vaults have answered. They are proven on all cores:
// each has too few values for that.
func decide(ctx context.Context, files []*File) {
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, f := range files {
		if f.Err == nil {
			g.Go(func() error { f.prove(); return nil })
		}
	}
	_ = g.Wait()
	for _, f := range files {
		f.compareAgreed(ctx)
	}
}

// compareAgreed warns if the vault or the public key is not the one that this
// clone agreed to, although the proof holds. It is an error if the environment
// demands a key.
func (f *File) compareAgreed(ctx context.Context) {
	if !f.Verified {
		return
	}
	err := f.Workspace.AgreedHeader(ctx, f.Target, f.Keys)
	if changed := (*workspace.AgreementError)(nil); errors.As(err, &changed) && !changed.Expected {
		f.Warnings = append(f.Warnings, changed.Error())
	} else if err != nil {
		f.Err, f.Verified = err, false
	}
}

// checkReaders fails a proven file whose secret is not encrypted for the recipients
// of its vault: somebody who is one could not prove it, or somebody who is none could.
func (f *File) checkReaders(ctx context.Context) {
	if f.Verified {
		f.Err = f.Workspace.CheckReaders(ctx, f.Target)
		f.Verified = f.Err == nil
	}
}

// excuse lets a file pass unproven whose vault could not be asked: if a local key
// decrypts it that fits the version before as well, or if the configuration
// wants it so.
func (f *File) excuse(ctx context.Context) {
	err := f.Err
	if err == nil || !CannotBeAsked(err) {
		return
	}
	ring := f.Workspace.LocalKeys(ctx, f.File)
	keys := ring.ForProof(f.Request(), f.Theirs)
	switch {
	case keys != nil && f.Workspace.RecordLocal(f.Request(), ring, keys, nil) == nil && drift.Check(f.Doc, f.Head, keys).Err() == nil:
		f.Unproven, f.Err = &NotAskedError{err}, nil
	case isUnreachable(err) && f.hooks.OnUnreachable == config.Warn:
		f.Unproven, f.Err = err, nil
	}
}

func isUnreachable(err error) bool {
	return errors.Is(err, vault.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// CannotBeAsked reports that a vault gave this user no answer at all.
func CannotBeAsked(err error) bool {
	return isUnreachable(err) || errors.Is(err, vault.ErrUnauthenticated) || errors.Is(err, vault.ErrDenied) ||
		errors.As(err, new(*workspace.TrustError))
}

// proveLocally reports whether a local key proves the file.
func (f *File) proveLocally(ctx context.Context) bool {
	ring := f.Workspace.LocalKeys(ctx, f.File)
	keys, _, err := ring.ForDecryption(f.Request(), keyring.Auto)
	if err == nil {
		err = f.Workspace.RecordLocal(f.Request(), ring, keys, nil)
	}
	f.Verified = err == nil && len(keys) > 0 && drift.Check(f.Doc, f.Head, keys).Err() == nil
	return f.Verified
}

// prove proves the file with Keys.
func (f *File) prove() {
	f.Verdict = drift.Check(f.Doc, f.Head, f.Keys)
	f.Err = f.Workspace.RecordProof(f.Target, f.Keys, f.Verdict.Err())
	f.Verified = f.Err == nil
	f.Warnings = append(f.Warnings, f.Verdict.Warnings...)
	if broad := f.Mapping.BroadPlain(); len(broad) > 0 {
		f.Warnings = append(f.Warnings, "plain keeps names in plaintext that are usual for secrets: "+strings.Join(broad, ", "))
	}
}

// unstagedVault replaces the error of a staged file by an [*UnstagedVaultError] if
// the file of its secret is in the working tree alone.
func (f *File) unstagedVault(ctx context.Context, w *workspace.Workspace) {
	if !errors.Is(f.Err, vault.ErrNotFound) || f.At != "" {
		return
	}
	file := f.Workspace.VaultFile(ctx, f.Target)
	if _, err := fs.Stat(w.Files(), file); file == "" || err != nil {
		return
	}
	e := &UnstagedVaultError{File: file}
	if repo, err := w.Git(ctx); err == nil {
		ignored, err := repo.Ignored(ctx, []string{file})
		e.Ignored = err == nil && ignored[file]
	}
	f.Err = e
}

// An UnstagedVaultError reports a secret whose file is in the working tree, but
// is not part of the commit: nobody else could decrypt.
type UnstagedVaultError struct {
	File    string
	Ignored bool // git ignores it
}

func (e *UnstagedVaultError) Error() string {
	why := "is not part of this commit"
	if e.Ignored {
		why += ", because git ignores it"
	}
	return fmt.Sprintf("the vault's file %s %s, so nobody else can decrypt", e.File, why)
}
