package precommit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A StagedFile is one staged file that concerns envdrift, and what was found out
// about it.
type StagedFile struct {
	Change   gitops.Change
	Target   mapping.Target // the zero Target if no mapping names the file
	Mapped   bool
	Verified bool
	Err      error    // what is wrong
	Unproven error    // why a file that is not wrong was not proven; else nil
	Warnings []string // what is strange though it is proven
	Owners   []string // whose key it was encrypted with instead, if it drifted
	Repair   *Repair  // what was done about drift; nil if nothing was tried

	data, old []byte // as staged, and HEAD's version; nil if there is none
	doc, head *dotenv.Document
	theirs    *dotenv.Document     // what a merge brings; nil if there is none
	w         *workspace.Workspace // with the configuration that rules the file
	keys      ecies.Keys           // that must decrypt it
}

// HasHead reports whether HEAD has a version of the file.
func (f *StagedFile) HasHead() bool { return f.head != nil }

// collect finds what is staged. The index is open if something concerns us.
func collect(ctx context.Context, w *workspace.Workspace, o Options) (*Check, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, gitops.ErrNotRepository
	}
	c := &Check{w: w, options: o, repo: repo, workspaces: map[string]*workspace.Workspace{}}
	if err := c.collect(ctx); err != nil {
		return c, err
	}
	if o.Only != nil {
		c.Files = slices.DeleteFunc(c.Files, func(f *StagedFile) bool { return !o.Only(f.Change.Path) })
	}
	if len(c.Files) > 0 {
		c.index, err = repo.IndexTree(ctx, workspace.MaxFile)
	}
	return c, err
}

// collect finds the staged files that are env files or keys files, by name, by
// content, by what they were in HEAD or by what the configuration names.
// Submodules and intents to add are not part of what git lists; what is only
// deleted endangers nothing.
func (c *Check) collect(ctx context.Context) error {
	staged, err := c.repo.Staged(ctx)
	if err != nil || len(staged) == 0 {
		return err
	}
	if err := c.collectNames(ctx, staged); err != nil {
		return err
	}
	// What is deleted first: a file that is added may be one of them by another name.
	slices.SortStableFunc(staged, func(a, b gitops.Change) int {
		return cmp.Compare(deletedFirst(a), deletedFirst(b))
	})
	// By portions: all that a large commit holds need not fit into memory.
	for portion := range slices.Chunk(staged, 128) {
		if err := c.collectSome(ctx, portion); err != nil {
			return err
		}
	}
	for _, f := range c.Files {
		if f.old == nil {
			f.old = c.renamedFrom(f.data)
		}
		if !c.repo.Merging() {
			continue
		}
		theirs, err := c.repo.ReadFileAt(ctx, "MERGE_HEAD", f.Change.Path, workspace.MaxFile)
		if err == nil {
			f.theirs = dotenv.Parse(theirs)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// collectNames learns the base names that mappings give to env files, in the
// working tree's configuration and in one that is staged.
func (c *Check) collectNames(ctx context.Context, staged []gitops.Change) error {
	c.names = map[string]bool{}
	add := func(cfg *config.Config) {
		c.keysNames = append(c.keysNames, strings.ToLower(cfg.Sync.EnvKeysFilename))
		for _, m := range cfg.Mappings {
			if m.EnvFile != "" {
				c.names[path.Base(m.EnvFile)] = true
			}
		}
	}
	add(c.w.Config)
	for _, ch := range staged {
		if !ch.Mode.IsFile() || !slices.Contains(config.FileNames[:], path.Base(ch.Path)) {
			continue
		}
		blobs, err := c.repo.Blobs(ctx, []gitops.OID{ch.OID}, workspace.MaxFile)
		if err != nil {
			return err
		}
		// One that does not parse is told of when a file needs it.
		if cfg, err := config.Parse(ch.Path, blobs[0], c.w.Overrides()); err == nil {
			add(cfg)
		}
	}
	return nil
}

// collectSome looks at some of the staged files.
func (c *Check) collectSome(ctx context.Context, staged []gitops.Change) error {
	var oids []gitops.OID
	for _, ch := range staged {
		oids = append(oids, present(ch.Mode, ch.OID)...)
		oids = append(oids, present(ch.OldMode, ch.OldOID)...)
	}
	blobs, err := c.repo.Blobs(ctx, oids, workspace.MaxFile)
	if err != nil && !errors.As(err, new(*gitops.ObjectError)) {
		return err // else a file that is too large or missing has no data
	}
	next := func(has []gitops.OID) (data []byte) {
		if len(has) > 0 {
			data, blobs = blobs[0], blobs[1:]
		}
		return data
	}
	for _, ch := range staged {
		f := &StagedFile{Change: ch}
		f.data = next(present(ch.Mode, ch.OID))
		f.old = next(present(ch.OldMode, ch.OldOID))
		switch {
		case ch.Status == gitops.Deleted:
			if holdsOurs(f.old) {
				c.deleted = append(c.deleted, f.old)
			}
		case c.concerns(f):
			c.Files = append(c.Files, f)
		}
	}
	return nil
}

// present gives the object of a side of a change, if that side is a file.
func present(mode gitops.Mode, oid gitops.OID) []gitops.OID {
	if !mode.IsFile() || oid.IsNull() {
		return nil
	}
	return []gitops.OID{oid}
}

func deletedFirst(ch gitops.Change) int {
	if ch.Status == gitops.Deleted {
		return 0
	}
	return 1
}

func (c *Check) concerns(f *StagedFile) bool {
	base := path.Base(f.Change.Path)
	return config.IsEnvFileName(base) || config.MayHoldPlaintext(base) || c.isKeysName(base) || c.names[base] ||
		holdsOurs(f.data) || holdsOurs(f.old) || f.old == nil && c.renamedFrom(f.data) != nil
}

// isKeysName reports whether a file is one for private keys by its name, in
// any case: on some file systems .ENV.KEYS is the same file. A sample of one is
// judged by its content.
func (c *Check) isKeysName(base string) bool {
	lower := strings.ToLower(base)
	for _, suffix := range []string{".example", ".sample", ".template"} {
		if strings.HasSuffix(lower, suffix) {
			return false
		}
	}
	return strings.Contains(lower, ".env.keys") || slices.Contains(c.keysNames, lower)
}

// holdsOurs reports whether a text may hold a ciphertext or a private key.
func holdsOurs(data []byte) bool {
	return bytes.Contains(data, []byte(ecies.Prefix)) || dotenv.HoldsPrivateKey(data)
}

// renamedFrom gives the encrypted file that this commit deletes and data comes
// from: at least half of its names are there. So a file that is decrypted and
// renamed at once is seen for what it is, and one that is renamed is proven as
// what it was.
func (c *Check) renamedFrom(data []byte) (old []byte) {
	if len(c.deleted) == 0 {
		return nil
	}
	entries := dotenv.Parse(data).Entries()
	most := (len(entries) + 1) / 2
	for _, candidate := range c.deleted {
		doc, shared := dotenv.Parse(candidate), 0
		for _, e := range entries {
			if _, ok := doc.Get(e.Name); ok {
				shared++
			}
		}
		if shared > 0 && shared >= most {
			old, most = candidate, shared+1
		}
	}
	return old
}
