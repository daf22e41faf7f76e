package verify

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
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
)

// Changes are what a commit changes, or would change. Its Files are the changed
// files that concern envdrift, and those whose mapping or vault it changes.
type Changes struct {
	Files []*File // none: no tree is open

	work       *workspace.Workspace
	repo       *gitops.Repo
	rev        gitops.OID // of the commit; "" for the index
	at         string     // what the user calls it
	changes    []gitops.Change
	staged     []gitops.Change // the changes as git lists them, if they are those of the index
	opened     gitops.IndexFile
	objects    objects
	tree       tree                            // what the changes lead to
	index      *gitops.StagedTree              // the tree, if that is what is staged
	names      map[string]bool                 // base names of env files that mappings name
	keysNames  []string                        // of keys files, in lower case
	recipients map[string]bool                 // base names of the recipients files of age vaults
	onValue    bool                            // a configuration wants values to be searched for
	localKeys  map[string]bool                 // in lower-case hex, once they were needed
	deleted    [][]byte                        // encrypted files that the commit takes away
	old        map[string][]byte               // configurations that the commit changes, as they were
	now        map[string]*workspace.Workspace // by directory: the configuration there; nil if there is none
	before     map[string]*workspace.Workspace // likewise, as it was
	parsed     map[string]parsed               // configurations by name and content
	base       []*workspace.Workspace          // whose mappings count too
	how        proof
	memo       map[string]keyring.Answer // of the vaults, by what was asked

	targets map[*workspace.Workspace][]mapping.Target // of all mappings of a configuration
}

// A tree is the index or a commit.
type tree interface {
	fs.FS
	File(name string) (gitops.File, bool)
	Close() error
}

// Objects are what contents are read from: a [gitops.Repo] or a [gitops.Reader].
type objects interface {
	Objects(ctx context.Context, names []string, limit int64) ([][]byte, error)
}

// Arrived collects, of what differs between two commits, the files that are env
// files or keys files by name. changes are the differences; to is the newer one.
// A local key is enough for what arrived. Vaults are asked for the rest, but not for
// an ephemeral key. With
// switched the commits are those of two branches, and what the other one said of
// a file does not count.
func Arrived(ctx context.Context, w *workspace.Workspace, to gitops.OID, changes []gitops.Change, switched bool) (*Changes, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	c := newChanges(w, repo)
	c.rev, c.how = to, proof{local: anyKey, all: true}
	c.learn(w.Config)
	for _, ch := range changes {
		if !c.concernsName(path.Base(ch.Path)) && !c.isSetup(ch) {
			continue
		}
		if switched {
			ch.OldMode, ch.OldOID = 0, ""
		}
		c.changes = append(c.changes, ch)
	}
	return c, c.collect(ctx)
}

// Staged collects what is staged, and of that the files for which only returns
// true; nil stands for all. The caller closes the result.
func Staged(ctx context.Context, w *workspace.Workspace, only func(file string) bool) (*Changes, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, gitops.ErrNotRepository
	}
	c := newChanges(w, repo)
	reader, err := repo.Reader(ctx, workspace.MaxFile) // it starts while git looks for what is staged
	if err != nil {
		return c, err
	}
	tree, err := reader.StagedTree()
	if err != nil {
		return c, errors.Join(err, reader.Close())
	}
	c.objects, c.tree, c.index, c.opened = reader, tree, tree, gitops.OpenedIndex()
	if c.staged, err = repo.Staged(ctx); err != nil {
		return c, err
	}
	tree.Stage(c.staged)
	c.changes = slices.Clone(c.staged)
	for _, rev := range c.Merged() {
		files, err := repo.TreeFiles(ctx, rev)
		if err != nil {
			return c, err
		}
		theirs := make(map[string]gitops.OID, len(files))
		for _, file := range files {
			theirs[file.Path] = file.OID
		}
		noteTheirs(c.changes, theirs)
	}
	if err := cmp.Or(c.collect(ctx), c.Err()); err != nil || only == nil {
		return c, err
	}
	c.Files = slices.DeleteFunc(c.Files, func(f *File) bool { return !only(f.File) })
	return c, nil
}

func newChanges(w *workspace.Workspace, repo *gitops.Repo) *Changes {
	return &Changes{
		work: w, repo: repo, objects: repo, names: map[string]bool{}, recipients: map[string]bool{}, old: map[string][]byte{}, memo: map[string]keyring.Answer{},
		now: map[string]*workspace.Workspace{}, before: map[string]*workspace.Workspace{},
		targets: map[*workspace.Workspace][]mapping.Target{}, parsed: map[string]parsed{},
	}
}

// OnValue returns what is staged in which values of env files are searched for, and the
// strictest of what the configurations there, as they are and as they were, want to be
// done about one.
func (c *Changes) OnValue() (policy string, changes []gitops.Change) {
	hooks := config.Hooks{OnValue: config.Off}
	if !c.onValue {
		return config.Off, nil
	}
	for _, ch := range c.staged {
		file := config.Hooks{OnValue: config.Off}
		for _, side := range []struct {
			known map[string]*workspace.Workspace
			old   map[string][]byte
		}{{c.now, nil}, {c.before, c.old}} {
			// One that does not parse is reported where it matters.
			if nearest, err := c.configs(ch.Path, side.known, side.old); err == nil && len(nearest) > 0 {
				file = file.Stricter(nearest[0].Config.Hooks)
			}
		}
		if file.OnValue != config.Off {
			hooks, changes = hooks.Stricter(file), append(changes, ch)
		}
	}
	return hooks.OnValue, changes
}

// Restaged collects what is staged now, if that is not what it was: nil stands for no
// difference.
func (c *Changes) Restaged(ctx context.Context, only func(file string) bool) (*Changes, error) {
	if c.repo.IndexIs(c.opened) {
		return nil, nil // git takes longer to say so
	}
	now, err := c.repo.Staged(ctx)
	if err != nil || slices.Equal(now, c.staged) {
		return nil, err
	}
	return Staged(ctx, c.work, only)
}

// Err returns why the tree could not be read, if it once could not.
func (c *Changes) Err() error {
	if c.index == nil {
		return nil
	}
	return c.index.Err()
}

// Close ends the process that reads the tree.
func (c *Changes) Close() error {
	if c.tree == nil {
		return nil
	}
	return c.tree.Close()
}

// collect finds the changed files that are env files or keys files, by name, by
// content, by what they were before or by what a configuration names.
// Submodules and intents to add are not part of what git lists; what is only
// deleted endangers nothing.
func (c *Changes) collect(ctx context.Context) error {
	if len(c.changes) == 0 {
		return nil
	}
	c.learn(c.work.Config)
	for _, w := range c.base {
		c.learn(w.Config)
	}
	slices.SortStableFunc(c.changes, func(a, b gitops.Change) int { return cmp.Compare(order(a), order(b)) })
	configs := c.configNames()
	if c.index != nil {
		dirs := make([]string, len(configs))
		for i, file := range configs {
			dirs[i] = path.Dir(file)
		}
		c.index.ReadAhead(dirs)
	}
	// By portions: all that a large commit holds need not fit into memory.
	for portion := range slices.Chunk(c.changes, 128) {
		contents, err := c.read(ctx, configs, portion)
		if err != nil {
			return err
		}
		for i, file := range configs {
			c.keep(file, contents[i])
		}
		c.learnAll(configs, contents[:len(configs)])
		contents = contents[len(configs):]
		for i, ch := range portion {
			c.collectFile(ctx, ch, contents[3*i], contents[3*i+1], contents[3*i+2])
		}
		configs = nil // they were learned with the first portion
	}
	for _, f := range c.Files {
		c.keep(f.File, f.Data)
		if f.old == nil {
			f.old = c.renamedFrom(f.Data)
		}
	}
	if len(c.Files) == 0 && !slices.ContainsFunc(c.changes, c.isSetup) {
		return nil
	}
	if c.tree == nil {
		if err := c.open(ctx); err != nil {
			return err
		}
	}
	if err := c.collectAffected(ctx); err != nil {
		return err
	}
	return c.collectTheirs(ctx)
}

// Check decides on every file: first without a vault, then those that only a
// vault can decide, all at once. The vaults are asked until asking ends: to read and to
// decrypt takes as long as it takes.
func (c *Changes) Check(ctx, asking context.Context) {
	var ask []*File
	for _, f := range c.Files {
		if c.prepare(ctx, f) && !c.how.local.proves(ctx, f) {
			ask = append(ask, f)
		}
	}
	for i, answer := range fetch(asking, ask, c.memo) {
		ask[i].Vault, ask[i].Keys, ask[i].Err = answer.Vault, answer.Keys, answer.Err
	}
	decide(ctx, ask)
	for _, f := range ask {
		if c.rev == "" { // a later commit may have re-encrypted the vault
			f.checkReaders(ctx)
		}
		f.unstagedVault(ctx, c.work)
		switch {
		case c.how.form:
			f.checkForm(ctx)
		case !c.how.all:
			f.excuse(ctx)
		}
	}
}

// open opens the tree that the changes lead to.
func (c *Changes) open(ctx context.Context) (err error) {
	var t *gitops.Tree
	if c.rev == "" {
		t, err = c.repo.IndexTree(ctx, workspace.MaxFile)
	} else {
		t, err = c.repo.Tree(ctx, string(c.rev), workspace.MaxFile)
	}
	if err == nil {
		c.tree = t
	}
	return err
}

// Merged returns the commits that are being merged, if what is staged is a merge.
func (c *Changes) Merged() []string {
	if c.rev != "" {
		return nil
	}
	return Merging(c.work, c.repo)
}

// Merging returns the commits that are being merged. In pre-merge-commit there is no
// MERGE_HEAD yet: git merge names them in its environment, as GITHEAD_<commit>.
func Merging(w *workspace.Workspace, repo *gitops.Repo) (revs []string) {
	if repo.Merging() {
		return []string{"MERGE_HEAD"}
	}
	for name := range w.Env() {
		if oid, ok := strings.CutPrefix(name, "GITHEAD_"); ok && len(oid) >= 40 {
			revs = append(revs, oid)
		}
	}
	slices.Sort(revs)
	return revs
}

// collectTheirs reads what a merge brings.
func (c *Changes) collectTheirs(ctx context.Context) error {
	merged := c.Merged()
	if len(c.Files) == 0 || len(merged) == 0 {
		return nil
	}
	names := make([]string, len(c.Files))
	for i, f := range c.Files {
		names[i] = merged[0] + ":" + f.File
	}
	theirs, err := c.objects.Objects(ctx, names, workspace.MaxFile)
	if err != nil {
		return err
	}
	for i, f := range c.Files {
		if theirs[i] != nil {
			f.Theirs = dotenv.Parse(theirs[i])
		}
	}
	return nil
}

// read returns the contents of configurations, and of the sides of changes: the
// new one, the old one and another of a merge. A file that is too large or missing has none.
func (c *Changes) read(ctx context.Context, configs []string, changes []gitops.Change) ([][]byte, error) {
	names := make([]string, 0, len(configs)+3*len(changes))
	for _, file := range configs {
		names = append(names, c.config(file))
	}
	for _, ch := range changes {
		names = append(names, object(ch.Mode, ch.OID), object(ch.OldMode, ch.OldOID), object(gitops.Regular, ch.Theirs))
	}
	return c.objects.Objects(ctx, names, workspace.MaxFile)
}

// keep tells the tree what was read of a file.
func (c *Changes) keep(file string, content []byte) {
	if c.index == nil || content == nil {
		return
	}
	if entry, there := c.index.File(file); there {
		c.index.Keep(entry.OID, content)
	}
}

// config names the content of a configuration, if it is there.
func (c *Changes) config(file string) string {
	if c.index != nil {
		entry, _ := c.index.File(file)
		return object(entry.Mode, entry.OID)
	}
	return string(c.rev) + ":" + file
}

// object names the content of a side of a change, or nothing if that is no file.
func object(mode gitops.Mode, oid gitops.OID) string {
	if !mode.IsFile() || oid == "" || oid.IsNull() {
		return "\n"
	}
	return string(oid)
}

// collectFile looks at one changed file.
func (c *Changes) collectFile(ctx context.Context, ch gitops.Change, data, old, theirs []byte) {
	f := c.file(ch)
	f.Data, f.old, f.theirs = data, old, theirs
	switch {
	case ch.Status == gitops.Deleted:
		if holdsOurs(old) {
			c.deleted = append(c.deleted, old)
		}
	case c.concerns(ctx, f):
		c.Files = append(c.Files, f)
	case isConfig(ch.Path) && data != nil:
		c.collectBroken(f)
	case c.isVaultName(ch.Path) && hasConflict(data):
		f.Err = ErrConflict
		c.Files = append(c.Files, f)
	}
	if isConfig(ch.Path) {
		c.old[ch.Path] = old
		c.learnFrom(ch.Path, old)
	}
}

func (c *Changes) file(ch gitops.Change) *File {
	return &File{Target: mapping.Target{File: ch.Path}, Change: ch, At: c.at}
}

// order puts first what others are judged by: configurations give names to env
// files, and a file that is added may be one that is deleted by another name.
func order(ch gitops.Change) int {
	switch {
	case isConfig(ch.Path):
		return 0
	case ch.Status == gitops.Deleted:
		return 1
	}
	return 2
}

func (c *Changes) concerns(ctx context.Context, f *File) bool {
	return c.concernsName(path.Base(f.File)) || c.holdsLocalKey(ctx, f.Data) ||
		holdsOurs(f.Data) || holdsOurs(f.old) || holdsOurs(f.theirs) || f.old == nil && c.renamedFrom(f.Data) != nil
}

func (c *Changes) concernsName(base string) bool {
	return config.IsEnvFileName(base) || config.MayHoldPlaintext(base) || c.isKeysName(base) || c.names[base]
}

// isKeysName reports whether a file is one for private keys by its name, in
// any case: on some file systems .ENV.KEYS is the same file. A sample of one is
// judged by its content.
func (c *Changes) isKeysName(base string) bool {
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

// renamedFrom returns the encrypted file that this commit deletes and data comes
// from: at least half of its names are there. So a file that is decrypted and
// renamed at once is seen for what it is, and one that is renamed is proven as
// what it was.
func (c *Changes) renamedFrom(data []byte) (old []byte) {
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
