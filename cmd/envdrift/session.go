package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
	"github.com/envdrift/envdrift/vault/all"
)

// A session is what a command works on: the tree of files, the configuration
// and the vaults that it names. Each part is opened when it is first needed,
// so that a command which needs no git and no vault pays for none.
type session struct {
	*cli
	root *os.Root
	top  string         // absolute path of root: the repository's top, or the directory without one
	tree fs.FS          // what is read: root's files, or the index or a commit
	base string         // the configuration's directory, relative to top
	cfg  *config.Config // never nil; empty if there is no file

	inRepo bool
	repo   *gitops.Repo
	heads  map[string]headVersion // what readHead found
	others []keyring.LocalKey     // what everyRing found beside the mapped files
	stores map[string]openedStore
}

// open finds the tree and its configuration. Without a configuration file the
// flags are all there is; commands that need mappings say so themselves.
func (c *cli) open() (*session, error) {
	s := &session{cli: c, stores: map[string]openedStore{}, heads: map[string]headVersion{}}
	file, err := c.findConfig()
	if err != nil && !errors.Is(err, config.ErrNoConfig) {
		return nil, err
	}
	from := c.dir
	if file != "" {
		from = filepath.Dir(file)
	}
	s.top, s.inRepo = c.repositoryTop(from)
	if !s.inRepo {
		s.top = from
	}
	if s.root, err = os.OpenRoot(s.top); err != nil {
		return nil, err
	}
	if s.cfg, err = s.load(file); err != nil {
		return nil, err
	}
	if s.base, err = s.inside(from); err != nil {
		return nil, err
	}
	s.tree = s.root.FS()
	c.session = s
	if file != "" {
		c.detail("configuration: %s", file)
	}
	return s, nil
}

func (s *session) load(file string) (*config.Config, error) {
	options := s.overrides
	options.Getenv = s.getenv
	if file == "" {
		return config.Empty(s.top, options)
	}
	return config.Load(file, options)
}

// findConfig gives the absolute path of the configuration file, with links
// resolved.
func (c *cli) findConfig() (string, error) {
	if c.configFile == "" {
		top, _ := c.repositoryTop(c.dir)
		return config.Find(c.dir, top)
	}
	file := c.absolute(c.configFile)
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return "", &usageError{err: err}
	}
	return filepath.Join(dir, filepath.Base(file)), nil
}

// repositoryTop finds the top of the work tree that dir lies in by looking for
// .git, as git does; hooks and commands that change the index ask git itself.
func (c *cli) repositoryTop(dir string) (string, bool) {
	if tree := c.env["GIT_WORK_TREE"]; tree != "" && c.env["GIT_DIR"] != "" {
		if top, err := filepath.EvalSymlinks(c.absolute(tree)); err == nil {
			return top, true
		}
	}
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func (c *cli) absolute(file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(c.dir, file)
}

// inside gives a path that a person typed relative to the root, or an error
// if it leads out.
func (s *session) inside(file string) (string, error) {
	abs := s.absolute(file)
	// The folder's real path; the file itself may be a link that a write
	// follows while it stays inside.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	rel, err := filepath.Rel(s.top, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &outsideError{file, s.top, filepath.Dir(abs)}
	}
	return filepath.ToSlash(rel), nil
}

// An outsideError is a path that leads out of the tree we work on.
type outsideError struct{ file, top, dir string }

func (e *outsideError) Error() string {
	return fmt.Sprintf("%s lies outside %s", e.file, e.top)
}

// git opens the repository, or returns nil where there is none.
func (s *session) git(ctx context.Context) (*gitops.Repo, error) {
	if s.repo != nil || !s.inRepo {
		return s.repo, nil
	}
	var err error
	s.repo, err = s.answers.Open(ctx, s.top, s.environ())
	return s.repo, err
}

// A headVersion is what HEAD holds of a file: nothing if both are nil.
type headVersion struct {
	doc *dotenv.Document
	err error // why it could not be read
}

// previous returns HEAD's version of a file, or nil if HEAD has none.
func (s *session) previous(ctx context.Context, file string) (*dotenv.Document, error) {
	if err := s.readHead(ctx, []string{file}); err != nil {
		return nil, err
	}
	return s.heads[file].doc, s.heads[file].err
}

// readHead reads HEAD's versions of files at once, for previous: two processes
// instead of two a file. Its error concerns all of the files: without an answer
// it is not known that HEAD has no version.
func (s *session) readHead(ctx context.Context, files []string) error {
	repo, err := s.git(ctx)
	if repo == nil || err != nil {
		return err
	}
	unread := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		_, read := s.heads[file]
		return read
	})
	if len(unread) == 0 {
		return nil
	}
	found, err := repo.TreeFiles(ctx, "HEAD", unread...)
	if err != nil && !errors.As(err, new(*gitops.RevisionError)) {
		return err
	}
	found = slices.DeleteFunc(found, func(f gitops.File) bool { return !f.Mode.IsFile() })
	oids := make([]gitops.OID, len(found))
	for i, f := range found {
		oids[i] = f.OID
	}
	blobs, err := repo.Blobs(ctx, oids, stagedLimit)
	if err != nil && !errors.As(err, new(*gitops.ObjectError)) {
		return err
	}
	for _, file := range unread {
		s.heads[file] = headVersion{}
	}
	for i, f := range found {
		if blobs == nil || blobs[i] == nil {
			s.heads[f.Path] = headVersion{err: fmt.Errorf("HEAD's version of %s: %w", f.Path, err)}
			continue
		}
		s.heads[f.Path] = headVersion{doc: dotenv.Parse(blobs[i])}
	}
	return nil
}

// environ gives the environment in the form of os/exec.
func (c *cli) environ() []string {
	var list []string
	for name, value := range c.env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// mapped gives the targets of the configuration's mappings for the profile
// that was asked for, in the working tree.
func (s *session) mapped() ([]mapping.Target, error) {
	if s.cfg.File == "" {
		return nil, config.ErrNoConfig
	}
	mappings, err := s.cfg.Select(s.profile)
	if err != nil {
		return nil, err
	}
	return mapping.Resolve(s.tree, s.base, s.cfg, mappings), nil
}

// target gives the target whose env file is file, whatever its profile. Only
// the mappings that may mean it are looked at: a repository may have hundreds.
func (s *session) target(file string) (mapping.Target, bool) {
	var near []config.Mapping
	for _, m := range s.cfg.Mappings {
		folder := path.Join(s.base, m.Folder)
		if folder == path.Dir(file) || path.Join(folder, m.EnvFile) == file {
			near = append(near, m)
		}
	}
	for _, t := range mapping.Resolve(s.tree, s.base, s.cfg, near) {
		if t.File == file {
			return t, true
		}
	}
	return mapping.Target{}, false
}

// vaultOf opens the vault of a target. It is a [keyring.Opener].
func (s *session) vaultOf(ctx context.Context, t mapping.Target) (vault.Store, error) {
	cfg, err := s.cfg.VaultOf(t.Mapping)
	if err != nil {
		return nil, err
	}
	cfg.Getenv = nil // what is left tells one vault from another
	key := fmt.Sprintf("%+v", cfg)
	if o, done := s.stores[key]; done {
		return o.store, o.err
	}
	cfg.Getenv = s.getenv
	var o openedStore
	if o.err = s.trusts(ctx, cfg); o.err == nil {
		o.store, o.err = all.Open(ctx, cfg)
	}
	if o.err == nil {
		s.detail("vault: %s", o.store)
	}
	s.stores[key] = o
	return o.store, o.err
}

// An openedStore is a vault, or why there is none: nobody is asked twice.
type openedStore struct {
	store vault.Store
	err   error
}

// workers is how many requests and files are worked on at a time.
func (s *session) workers() int {
	if n := s.cfg.Sync.MaxWorkers; n > 0 {
		return n
	}
	return 8
}

// ring collects the private keys at hand for an env file: those of the
// environment and of the keys files beside it and where the person stands.
func (s *session) ring(file string) *keyring.Ring {
	folders := []string{path.Dir(file)}
	if here, err := s.inside("."); err == nil && here != folders[0] {
		folders = append(folders, here)
	}
	return s.ringOf(folders...)
}

// ringOf collects the keys of the environment and of some folders' keys files.
func (s *session) ringOf(folders ...string) *keyring.Ring {
	ring := &keyring.Ring{}
	ring.Environ(s.env)
	for _, folder := range folders {
		name := path.Join(folder, s.cfg.Sync.EnvKeysFilename)
		tree, inTree := s.root.FS(), name
		if filepath.IsAbs(name) { // exec may read a file elsewhere
			tree, inTree = os.DirFS(folder), path.Base(name)
		}
		data, err := atomicfile.ReadFile(tree, inTree)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			ring.Invalid = append(ring.Invalid, err)
			continue
		}
		ring.File(name, dotenv.ParseKeysFile(data))
	}
	return ring
}

// at gives a session that reads tree, the index or a commit, with the
// configuration that the tree holds in dir or above.
func (s *session) at(tree *gitops.Tree, dir string) (*session, error) {
	t := *s
	t.tree = tree
	t.cfg, t.base, t.others = nil, dir, nil
	for {
		for _, name := range config.FileNames {
			cfg, err := t.parseConfig(path.Join(t.base, name))
			if err == nil {
				t.cfg = cfg
				return &t, nil
			}
			if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, config.ErrNoConfig) {
				return nil, err
			}
		}
		if t.base == "." {
			break
		}
		t.base = path.Dir(t.base)
	}
	var err error
	t.cfg, err = t.load("")
	return &t, err
}

// parseConfig reads a configuration file of the tree.
func (s *session) parseConfig(name string) (*config.Config, error) {
	data, err := atomicfile.ReadFile(s.tree, name)
	if err != nil {
		return nil, err
	}
	options := s.overrides
	options.Getenv = s.getenv
	return config.Parse(filepath.Join(s.top, filepath.FromSlash(name)), data, options)
}
