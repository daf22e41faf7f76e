// Package precommit checks the staged files of one commit, and repairs drift
// without losing the edit.
//
// A [Check] collects the files that concern envdrift (collect.go), decides on
// each (check.go) and repairs those that drifted (repair.go). It reports what it
// found by type; the words are the command's.
package precommit

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault"
)

// Options say how a check is run.
type Options struct {
	ByHand bool                   // by the repair command: repairs whatever the configuration says, with no time limit
	DryRun bool                   // plan repairs, write nothing
	Only   func(file string) bool // the files to look at; nil for all
}

// A Check is the check of one commit.
type Check struct {
	Files []*StagedFile // those that concern envdrift; none: nothing is open

	w          *workspace.Workspace
	options    Options
	repo       *gitops.Repo
	index      index
	names      map[string]bool // base names of env files that mappings name
	keysNames  []string        // of keys files, in lower case
	deleted    [][]byte        // encrypted files that the commit takes away
	workspaces map[string]*workspace.Workspace
}

// An index is what the commit would hold.
type index interface {
	fs.FS
	Close() error
}

// Run collects what is staged, proves it and repairs what drifted. Where nothing
// of envdrift's is staged it ends at once and asks no vault. The caller closes
// the check.
func Run(ctx context.Context, w *workspace.Workspace, o Options) (*Check, error) {
	c, err := collect(ctx, w, o)
	if err != nil || len(c.Files) == 0 {
		return c, err
	}
	asking := ctx
	if !o.ByHand {
		var cancel func()
		asking, cancel = context.WithTimeout(ctx, w.Config.Hooks.Timeout)
		defer cancel()
	}
	c.check(asking)
	return c, c.repair(ctx)
}

// Close ends the process that reads the index.
func (c *Check) Close() error {
	if c.index == nil {
		return nil
	}
	return c.index.Close()
}

// check decides on every file: first without a vault, then those that only a
// vault can decide, all at once.
func (c *Check) check(ctx context.Context) {
	ask := map[*workspace.Workspace][]*StagedFile{}
	for _, f := range c.Files {
		if c.prepare(f) {
			ask[f.w] = append(ask[f.w], f)
		}
	}
	for w, files := range ask {
		targets := make([]mapping.Target, len(files))
		for i, f := range files {
			targets[i] = f.Target
		}
		for i, key := range w.Fetch(ctx, targets) {
			f := files[i]
			f.keys, f.Err = key.Keys, key.Err
			if isUnreachable(key.Err) && w.Config.Hooks.OnUnreachable == config.Warn {
				f.Unproven, f.Err = key.Err, nil
				continue
			}
			f.prove()
		}
	}
}

func isUnreachable(err error) bool {
	return errors.Is(err, vault.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// prepare decides on a file, unless a vault must be asked.
func (c *Check) prepare(f *StagedFile) (ask bool) {
	name := f.Change.Path
	if c.isKeysName(path.Base(name)) || dotenv.HoldsPrivateKey(f.data) {
		f.Err = &KeysError{name}
		return false
	}
	if f.w, f.Err = c.workspaceFor(name); f.Err != nil {
		return false
	}
	f.Target, f.Mapped = f.w.Target(name)
	f.doc = dotenv.Parse(f.data)
	if f.old != nil {
		f.head = dotenv.Parse(f.old)
	}
	if !f.Mapped && f.Change.Mode == gitops.Symlink {
		return false // a path
	}
	if !f.Mapped && !f.everEncrypted() {
		f.checkUnmapped()
		return false
	}
	if f.Err = f.legible(); f.Err != nil {
		return false
	}
	return f.decide()
}

// checkUnmapped decides on an env file that no mapping names and that was never
// encrypted: it holds plaintext, or nothing.
func (f *StagedFile) checkUnmapped() {
	policy := f.w.Config.Hooks.OnPlaintext
	if policy == config.Off || !config.MayHoldPlaintext(path.Base(f.Change.Path)) || !f.holdsValues() {
		return
	}
	if policy == config.Warn {
		f.Unproven = &UnmappedPlaintextError{f.Change.Path}
		return
	}
	f.Err = &UnmappedPlaintextError{f.Change.Path}
}

// holdsValues reports whether a value of the file is not empty.
func (f *StagedFile) holdsValues() bool {
	return slices.ContainsFunc(f.doc.Plaintext(dotenv.Selection{}), func(e dotenv.Entry) bool { return e.Value != "" })
}

// An UnmappedPlaintextError reports an env file in plaintext that no mapping
// names.
type UnmappedPlaintextError struct{ File string }

func (e *UnmappedPlaintextError) Error() string {
	return "is an env file in plaintext, and no mapping names it"
}

func (f *StagedFile) everEncrypted() bool {
	return f.doc.State().HasCiphertext() || f.head != nil && f.head.State().HasCiphertext()
}

// legible reports why the content of a file cannot be judged.
func (f *StagedFile) legible() error {
	switch {
	case f.Change.Status == gitops.Unmerged:
		return ErrConflict
	case f.Change.Mode == gitops.Symlink:
		return ErrLink
	case f.data == nil:
		return &fs.PathError{Op: "read", Path: f.Change.Path, Err: atomicfile.ErrTooLarge}
	case mapping.IsPointer(f.data):
		return mapping.ErrPointer
	}
	if err := f.doc.Check(); err != nil || !f.Mapped {
		return err
	}
	return f.Target.Err
}

// Why a staged file cannot be judged.
var (
	ErrConflict = errors.New("has a merge conflict, so there is no version to check")
	ErrLink     = errors.New("is a symbolic link: map the file that it points to")
)

// Why a staged file that is not wrong was not proven either.
var (
	ErrUnmapped = errors.New("no mapping of envdrift.toml names this file")
)

// decide decides what can be decided without a vault.
func (f *StagedFile) decide() (ask bool) {
	if f.Err = drift.CheckWithoutKey(f.doc, dotenv.Selection{}); f.Err != nil {
		return false
	}
	request := keyring.Request{Target: f.Target, Head: f.head}
	request.Doc = f.doc
	if keys := f.w.LocalKeys(f.Change.Path).ForProof(request, f.theirs); keys != nil {
		f.keys = keys
		f.prove()
		return false
	}
	if f.Mapped {
		return true
	}
	if f.Err = drift.SelfCheck(f.doc); f.Err != nil {
		return false
	}
	f.Unproven = ErrUnmapped
	if f.w.Config.Hooks.OnUnmapped == config.Block {
		f.Err = &keyring.UnmappedError{File: f.Change.Path}
	}
	return false
}

func (f *StagedFile) prove() {
	if f.Err != nil {
		return
	}
	verdict := drift.Check(f.doc, f.head, f.keys)
	f.Err, f.Warnings = verdict.Err(), verdict.Warnings
	f.Verified = f.Err == nil
}

// workspaceFor returns the workspace with the configuration that, as staged,
// rules a file: the nearest above it.
func (c *Check) workspaceFor(file string) (*workspace.Workspace, error) {
	dir := path.Dir(file)
	if w, ok := c.workspaces[dir]; ok {
		return w, nil
	}
	w, err := c.w.At(c.index, dir)
	if err != nil {
		return nil, err
	}
	for _, known := range c.workspaces {
		if known.Config.File == w.Config.File {
			w = known
		}
	}
	c.workspaces[dir] = w
	return w, nil
}

// owners tells whose key a file was encrypted with, if that is known: at most
// two.
func (f *StagedFile) owners() []string {
	ring := f.w.AllLocalKeys(f.Change.Path)
	var known []drift.Known
	for _, held := range ring.Held {
		known = append(known, drift.Known{Key: held.Key.PublicKey(), Owner: held.Name + " (" + held.Origin + ")"})
	}
	declared := func(doc *dotenv.Document, owner string) {
		if doc == nil {
			return
		}
		headers, _ := doc.PublicKeys()
		for _, h := range headers {
			known = append(known, drift.Known{Key: h.Key, Owner: owner})
		}
	}
	declared(f.head, "the key of HEAD's version")
	for _, t := range mapping.Resolve(f.w.Tree, f.w.Base, f.w.Config, f.w.Config.Mappings) {
		if t.File != f.Change.Path {
			declared(t.Doc, "the key of "+t.File)
		}
	}
	owners := drift.Owners(f.doc, f.keys, ring.Keys(), known)
	return owners[:min(2, len(owners))]
}

// A KeysError reports private keys that were about to be committed.
type KeysError struct{ File string }

func (e *KeysError) Error() string { return "contains private keys and must never be committed" }
