// Package workspace is what a command works on: a repository, its configuration
// and the vaults that it names. It alone opens a repository or a vault. It knows
// no screen: a [UI] shows what goes on and asks questions, if there is one.
package workspace

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/keystore"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

// Options say where a [Workspace] is and what it may do.
type Options struct {
	Dir        string // absolute, without links: where the work begins
	Bare       bool   // Dir is a git directory, as for a hook of a server: there is no working tree
	Cwd        string // likewise: what messages and local keys are relative to; "" for Dir
	ConfigFile string // "" for the nearest one in Dir or above
	Profile    string // whose mappings count too
	Command    string // the words of the command: names this run to another that waits for its lock
	Overrides  config.Overrides
	Env        map[string]string
	Consent    Consent
	Git        gitops.Prefetched // what git need not be asked again
	Store      *keystore.Keys    // the operating system's; nil to open it here
	OpenVault  func(context.Context, vault.Config) (vault.Store, error)
	UI         UI          // nil: silent, and answers no
	Busy       sync.Locker // held while files are written, which nothing may cut; nil for none
}

// A UI is the user who waits for a command.
type UI interface {
	Notice(format string, args ...any)
	Debug(format string, args ...any)
	Progress(what string) (done func())                   // shown if it takes long
	Confirm(ctx context.Context, question ...string) bool // in lines, of which none can make more
}

// silent is the UI where there is none.
type silent struct{}

func (silent) Notice(string, ...any)                   {}
func (silent) Debug(string, ...any)                    {}
func (silent) Progress(string) func()                  { return func() {} }
func (silent) Confirm(context.Context, ...string) bool { return false }

// A Workspace is what a command works on: the tree of files, the configuration
// and the vaults that it names. Each part is opened when it is first needed,
// so that a command which needs no git and no vault pays for none.
type Workspace struct {
	Top    string         // absolute path of the repository's top, or of Dir without one
	Tree   fs.FS          // what is read: the working tree, the index or a commit
	Base   string         // the configuration's directory, relative to Top; "." without a file
	Config *config.Config // never nil; empty if there is no file

	options Options
	inGit   bool     // Tree is the index or a commit
	root    *os.Root // of Top
	inRepo  bool
	repo    *gitops.Repo
	ahead   func() (*gitops.Repo, error) // what repo will be, if GitAhead opens it
	heads   map[string]headVersion       // what ReadHead found
	others  []keyring.LocalKey           // what AllLocalKeys found beside the mapped files
	parsed  *sync.Map                    // keys files by path: deriving public keys takes long
	stores  map[string]*openedStore
	agreed  *agreements

	user      func() (config.User, error) // User, once
	elsewhere *elsewhere

	near     map[string][]config.Mapping // by the folder in which they may name a file
	resolved map[string][]mapping.Target // near, resolved: only of a tree that does not change
}

// Open finds the tree and its configuration. Without a configuration file the
// overrides are all there is; commands that need mappings say so themselves.
func Open(o Options) (*Workspace, error) {
	if o.Cwd == "" {
		o.Cwd = o.Dir
	}
	if o.UI == nil {
		o.UI = silent{}
	}
	w := &Workspace{options: o, stores: map[string]*openedStore{}, heads: map[string]headVersion{}, parsed: &sync.Map{}, agreed: &agreements{granted: map[string]bool{}}}
	w.options.Overrides.Getenv = w.Getenv
	w.user = sync.OnceValues(func() (config.User, error) { return config.LoadUser(w.Getenv) })
	w.elsewhere = &elsewhere{store: o.Store, listed: o.Bare}
	if o.Store == nil {
		w.elsewhere.store = keystore.Open(w.Getenv)
	}
	if o.Bare {
		return w, w.openBare()
	}
	file, err := w.findConfig()
	if err != nil && !errors.Is(err, config.ErrNoConfig) {
		return nil, err
	}
	from := o.Dir
	if file != "" {
		from = filepath.Dir(file)
	}
	w.Top, w.inRepo = w.repositoryTop(from)
	if !w.inRepo {
		w.Top = from
	}
	if w.root, err = os.OpenRoot(w.Top); err != nil {
		return nil, err
	}
	if w.Config, err = w.load(file); err != nil {
		return nil, err
	}
	if _, err = w.Inside(from); err != nil { // with GIT_WORK_TREE the top may be elsewhere
		return nil, err
	}
	if w.Base, err = w.Inside(w.Config.Dir); err != nil {
		return nil, err
	}
	w.Tree = w.root.FS()
	w.near = byFolder(w.Base, w.Config.Mappings)
	if file != "" {
		o.UI.Debug("configuration: %s", file)
	}
	w.clean()
	return w, nil
}

// User returns what the user decides for all repositories, by [config.LoadUser].
func (w *Workspace) User() (config.User, error) { return w.user() }

// openBare opens a git directory. Configurations are in the commits alone.
func (w *Workspace) openBare() (err error) {
	w.Top, w.Base, w.inRepo = w.options.Dir, ".", true
	if w.root, err = os.OpenRoot(w.Top); err != nil {
		return err
	}
	w.Tree = w.root.FS()
	w.Config, err = w.load("")
	return err
}

// Silent returns a copy of w that shows nothing and asks nothing.
func (w *Workspace) Silent() *Workspace {
	other := *w
	other.options.UI, other.options.Consent = silent{}, Never
	return &other
}

func (w *Workspace) load(file string) (*config.Config, error) {
	if file == "" {
		return config.Empty(w.Top, w.options.Overrides)
	}
	return config.Load(file, w.options.Overrides)
}

// findConfig returns the absolute path of the configuration file, with links
// resolved.
func (w *Workspace) findConfig() (string, error) {
	if w.options.ConfigFile == "" {
		top, _ := w.repositoryTop(w.options.Dir)
		return config.Find(w.options.Dir, top)
	}
	file := absolute(w.options.Dir, w.options.ConfigFile)
	dir, err := filepath.EvalSymlinks(filepath.Dir(file))
	if err != nil {
		return "", &config.Error{File: file, Problem: "there is no such folder"}
	}
	return filepath.Join(dir, filepath.Base(file)), nil
}

// repositoryTop finds the top of the work tree that dir lies in by looking for
// .git, as git does; hooks and commands that change the index ask git itself.
func (w *Workspace) repositoryTop(dir string) (string, bool) {
	if tree := w.options.Env["GIT_WORK_TREE"]; tree != "" && w.options.Env["GIT_DIR"] != "" {
		if top, err := filepath.EvalSymlinks(absolute(w.options.Dir, tree)); err == nil {
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

func absolute(dir, file string) string {
	if filepath.IsAbs(file) {
		return filepath.Clean(file)
	}
	return filepath.Join(dir, file)
}

// Absolute returns the absolute form of a path that is relative to Cwd.
func (w *Workspace) Absolute(file string) string { return absolute(w.options.Cwd, file) }

// RelPath returns a path of the tree relative to Cwd, as the user types it.
func (w *Workspace) RelPath(file string) string {
	if file == "" || filepath.IsAbs(file) {
		return file
	}
	rel, err := filepath.Rel(w.options.Cwd, filepath.Join(w.Top, filepath.FromSlash(file)))
	if err != nil {
		return file
	}
	return rel
}

// Cwd is the absolute path that messages and local keys are relative to.
func (w *Workspace) Cwd() string { return w.options.Cwd }

// Files is the working tree, whatever Tree is.
func (w *Workspace) Files() fs.FS { return w.root.FS() }

// Root is the working tree, to be written to.
func (w *Workspace) Root() *os.Root { return w.root }

// Overrides are what the command line says of the vault.
func (w *Workspace) Overrides() config.Overrides { return w.options.Overrides }

// Env is the environment of the process.
func (w *Workspace) Env() map[string]string { return w.options.Env }

// Getenv returns a variable of the environment, or "".
func (w *Workspace) Getenv(name string) string { return w.options.Env[name] }

// Inside returns a path that the user typed, relative to Top. A path that leads
// out is an [*OutsideError].
func (w *Workspace) Inside(file string) (string, error) {
	abs := w.Absolute(file)
	// The folder's real path; the file itself may be a link that a write
	// follows while it stays inside.
	if dir, err := filepath.EvalSymlinks(filepath.Dir(abs)); err == nil {
		abs = filepath.Join(dir, filepath.Base(abs))
	}
	rel, err := filepath.Rel(w.Top, abs)
	if err != nil || !filepath.IsLocal(rel) {
		return "", &OutsideError{file, w.Top, filepath.Dir(abs)}
	}
	return filepath.ToSlash(rel), nil
}

// AllInside is Inside for several paths.
func (w *Workspace) AllInside(names []string) (files []string, err error) {
	for _, name := range names {
		file, err := w.Inside(name)
		if err != nil {
			return nil, err
		}
		files = append(files, file)
	}
	return files, nil
}

// An OutsideError reports a path that leads out of the working tree.
type OutsideError struct {
	File, Top string
	Dir       string // absolute: where the file is
}

func (e *OutsideError) Error() string {
	return fmt.Sprintf("%s is outside %s", e.File, e.Top)
}

// Notice shows a line to the user.
func (w *Workspace) Notice(format string, args ...any) { w.options.UI.Notice(format, args...) }

// Progress shows what is done if it takes long, until done is called.
func (w *Workspace) Progress(what string) (done func()) { return w.options.UI.Progress(what) }

// Debug shows a line to a user who wants to know what goes on.
func (w *Workspace) Debug(format string, args ...any) { w.options.UI.Debug(format, args...) }

// Git opens the repository, or returns nil where there is none.
func (w *Workspace) Git(ctx context.Context) (repo *gitops.Repo, err error) {
	if w.repo != nil || !w.inRepo {
		return w.repo, nil
	}
	if w.ahead != nil {
		w.repo, err = w.ahead()
	} else {
		w.repo, err = w.openGit(ctx)
	}
	return w.repo, err
}

func (w *Workspace) openGit(ctx context.Context) (*gitops.Repo, error) {
	if w.options.Bare {
		return gitops.OpenBare(ctx, w.Top, w.environ())
	}
	return w.options.Git.Open(ctx, w.Top, w.environ())
}

// GitAhead opens the repository while the caller goes on.
func (w *Workspace) GitAhead(ctx context.Context) {
	if w.repo == nil && w.ahead == nil && w.inRepo {
		w.ahead = sync.OnceValues(func() (*gitops.Repo, error) { return w.openGit(ctx) })
		go func() { _, _ = w.ahead() }()
	}
}

// GitIn opens the repository of another directory, such as a submodule.
func (w *Workspace) GitIn(ctx context.Context, dir string) (*gitops.Repo, error) {
	return gitops.Open(ctx, dir, w.environ())
}

// GitConfig returns git's configuration, which needs no repository.
func (w *Workspace) GitConfig() (*gitops.Repo, error) { return gitops.OpenConfig(w.Top, w.environ()) }

// MaxFile bounds what is read of a version of a file in git, in bytes. Env files
// and keys files are far smaller.
const MaxFile = 64 << 20

// A headVersion is what HEAD holds of a file: nothing if both are nil.
type headVersion struct {
	doc *dotenv.Document
	err error // why it could not be read
}

// Previous returns HEAD's version of a file, or nil if HEAD has none.
func (w *Workspace) Previous(ctx context.Context, file string) (*dotenv.Document, error) {
	if err := w.ReadHead(ctx, []string{file}); err != nil {
		return nil, err
	}
	return w.heads[file].doc, w.heads[file].err
}

// ReadHead reads HEAD's versions of files at once, for Previous: two processes
// instead of two a file. Its error concerns all of the files: without an answer
// it is not known that HEAD has no version.
func (w *Workspace) ReadHead(ctx context.Context, files []string) error {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return err
	}
	unread := slices.DeleteFunc(slices.Clone(files), func(file string) bool {
		_, read := w.heads[file]
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
	blobs, err := repo.Blobs(ctx, oids, MaxFile)
	if err != nil && !errors.As(err, new(*gitops.ObjectError)) {
		return err
	}
	for _, file := range unread {
		w.heads[file] = headVersion{}
	}
	for i, f := range found {
		if blobs == nil || blobs[i] == nil {
			w.heads[f.Path] = headVersion{err: fmt.Errorf("HEAD's version of %s: %w", f.Path, err)}
			continue
		}
		w.heads[f.Path] = headVersion{doc: dotenv.Parse(blobs[i])}
	}
	return nil
}

// environ returns the environment in the form of os/exec.
func (w *Workspace) environ() []string {
	var list []string
	for name, value := range w.options.Env {
		list = append(list, name+"="+value)
	}
	slices.Sort(list)
	return list
}

// Mapped returns the targets of the configuration's mappings for the profile
// that was asked for, in the working tree.
func (w *Workspace) Mapped() ([]mapping.Target, error) {
	if w.Config.File == "" {
		return nil, config.ErrNoConfig
	}
	mappings, err := w.Select()
	if err != nil {
		return nil, err
	}
	return mapping.Resolve(w.Tree, w.Base, w.Config, mappings), nil
}

// Select returns the configuration's mappings for the profile that was asked for.
func (w *Workspace) Select() ([]config.Mapping, error) {
	return w.Config.Select(w.options.Profile)
}

// Selected reports whether a mapping counts for the profile that was asked for.
func (w *Workspace) Selected(m config.Mapping) bool {
	return m.Profile == "" || m.Profile == w.options.Profile
}

// Target returns the target whose env file is file, whatever its profile. Only
// the mappings that may mean it are looked at, and in the index or a commit only
// once: a repository may have a thousand, and a commit as many files.
func (w *Workspace) Target(file string) (mapping.Target, bool) {
	folder := path.Dir(file)
	targets, known := w.resolved[folder]
	if !known {
		targets = mapping.Resolve(w.Tree, w.Base, w.Config, w.near[folder])
		if w.resolved != nil {
			w.resolved[folder] = targets
		}
	}
	for _, t := range targets {
		if t.File == file {
			return t, true
		}
	}
	return mapping.Target{}, false
}

// byFolder returns the mappings by the folders in which they may name a file.
func byFolder(base string, mappings []config.Mapping) map[string][]config.Mapping {
	near := map[string][]config.Mapping{}
	for _, m := range mappings {
		own := path.Join(base, m.Folder)
		near[own] = append(near[own], m)
		if below := path.Dir(path.Join(own, m.EnvFile)); m.EnvFile != "" && below != own {
			near[below] = append(near[below], m)
		}
	}
	return near
}

// Vault opens the vault of a target. It is a [keyring.Opener].
func (w *Workspace) Vault(ctx context.Context, t mapping.Target) (vault.Store, error) {
	cfg, err := w.Config.VaultOf(t.Mapping)
	if err != nil {
		return nil, err
	}
	key := w.vaultID(cfg)
	o, known := w.stores[key]
	if !known {
		o = w.opening(ctx, cfg)
		if refused := w.trusts(ctx, cfg); refused != nil {
			o.open = func() (vault.Store, error) { return nil, refused }
		}
		w.stores[key] = o
	}
	store, err := o.open()
	if err == nil && !o.shown {
		o.shown = true
		w.options.UI.Debug("vault: %s", store)
	}
	return store, err
}

// opening returns a store that is opened when it is first needed.
func (w *Workspace) opening(ctx context.Context, cfg vault.Config) *openedStore {
	return &openedStore{open: sync.OnceValues(func() (vault.Store, error) {
		if w.holdsVault(cfg) && w.inGit {
			var err error
			if cfg.Files, err = fs.Sub(w.Tree, w.Base); err != nil {
				return nil, err
			}
		}
		cfg.Getenv, cfg.Notice = w.Getenv, func(text string) { w.options.UI.Notice("%s", text) }
		return w.options.OpenVault(ctx, cfg)
	})}
}

// OpenAhead opens the vaults of the mappings that were asked for, while the caller goes
// on: their programs take a while to start. It opens none of which the user must agree
// that it gets credentials.
func (w *Workspace) OpenAhead(ctx context.Context) {
	mappings, _ := w.Select() // the caller meets the error
	for _, m := range mappings {
		cfg, err := w.Config.VaultOf(m)
		if err != nil || w.holdsVault(cfg) {
			continue
		}
		key := w.vaultID(cfg)
		if _, known := w.stores[key]; !known && w.trustsAlready(cfg) {
			o := w.opening(ctx, cfg)
			w.stores[key] = o
			go func() { _, _ = o.open() }()
		}
	}
}

// Close ends what the vaults that were opened have running, before a program takes
// the place of this one: it would have children that it did not start.
func (w *Workspace) Close() (err error) {
	for id, o := range w.stores {
		if store, _ := o.open(); store != nil {
			if c, ok := store.(io.Closer); ok {
				err = errors.Join(err, c.Close())
			}
		}
		delete(w.stores, id)
	}
	w.elsewhere.store.Close()
	return err
}

// vaultID tells one vault from another. That of a tree is another in the next.
func (w *Workspace) vaultID(cfg vault.Config) string {
	cfg.Getenv = nil
	id := fmt.Sprintf("%+v", cfg)
	if w.holdsVault(cfg) && w.inGit {
		id += fmt.Sprintf(" of %p", w.Tree)
	}
	return id
}

// holdsVault reports whether a vault is in the repository itself.
func (w *Workspace) holdsVault(cfg vault.Config) bool {
	p, _ := w.options.Overrides.Providers.Find(cfg.Provider)
	return p.Local
}

// VaultFile returns the file that holds the secret of a target, relative to Top,
// or "" if its vault is not in the repository.
func (w *Workspace) VaultFile(ctx context.Context, t mapping.Target) string {
	file, _ := w.VaultFiles(ctx, t)
	return file
}

// VaultFiles returns that file, and the one that says for whom it is encrypted.
func (w *Workspace) VaultFiles(ctx context.Context, t mapping.Target) (file, recipients string) {
	cfg, err := w.Config.VaultOf(t.Mapping)
	if err != nil || !w.holdsVault(cfg) {
		return "", ""
	}
	store, err := w.Vault(ctx, t)
	files, ok := store.(vault.FileStore)
	if !ok || err != nil {
		return "", ""
	}
	return path.Join(w.Base, files.Path(t.Mapping.SecretName)), path.Join(w.Base, files.RecipientsFile())
}

// KeyID identifies what decides on a target: its vault, the secret and, of a
// vault in the repository, the content of its file.
func (w *Workspace) KeyID(ctx context.Context, t mapping.Target) string {
	cfg, err := w.Config.VaultOf(t.Mapping)
	if err != nil {
		return err.Error()
	}
	cfg.Getenv = nil
	id := fmt.Sprintf("%+v %q", cfg, t.Mapping.SecretName)
	if file := w.VaultFile(ctx, t); file != "" {
		if tree, ok := w.Tree.(interface {
			File(string) (gitops.File, bool)
		}); ok {
			entry, _ := tree.File(file)
			return id + " " + string(entry.OID)
		}
		data, err := atomicfile.ReadFile(w.Tree, file)
		id += fmt.Sprintf(" %x %v", sha256.Sum256(data), err)
	}
	return id
}

// CheckVault reports what is wrong with the configuration of a target's vault, with
// its program or, for one that is on this machine, with the user's identity. It contacts
// nothing.
func (w *Workspace) CheckVault(ctx context.Context, t mapping.Target) error {
	cfg, err := w.Config.VaultOf(t.Mapping)
	if err != nil {
		return err
	}
	p, _ := w.options.Overrides.Providers.Find(cfg.Provider)
	if p.Check != nil {
		return p.Check(cfg)
	}
	if !p.Local {
		return nil
	}
	store, err := w.Vault(ctx, t)
	if local, ok := store.(interface{ CheckIdentity() error }); ok && err == nil {
		err = local.CheckIdentity()
	}
	return err
}

// An openedStore is a vault, or why there is none: the user is not asked twice.
type openedStore struct {
	open  func() (vault.Store, error) // the same at each call
	shown bool
}

// Fetch asks the vaults for the keys of targets, in the order of these, and
// shows that it does if it takes long. A key that this clone did not agree to is
// an [*AgreementError].
func (w *Workspace) Fetch(ctx context.Context, targets []mapping.Target) []keyring.Answer {
	answers := make([]keyring.Answer, len(targets))
	var ask []mapping.Target
	var asked []int
	for i, t := range targets {
		_, err := w.Vault(ctx, t) // that may ask for trust, before anything is shown
		if err == nil {
			err = w.mayUse(ctx, t, nil)
		}
		if answers[i].Err = err; err == nil {
			ask, asked = append(ask, t), append(asked, i)
		}
	}
	for n, answer := range w.fetch(ctx, ask) {
		if answer.Err == nil {
			if err := w.mayUseKeys(ctx, ask[n], answer.Keys); err != nil {
				answer = keyring.Answer{Vault: answer.Vault, Err: err}
			}
		}
		answers[asked[n]] = answer
	}
	w.recordVault(targets, answers)
	w.firstUses(ctx, targets, answers)
	return answers
}

// FetchToCheck is Fetch for keys that nothing is decrypted or encrypted with,
// as in a proof: they need no agreement.
func (w *Workspace) FetchToCheck(ctx context.Context, targets []mapping.Target) []keyring.Answer {
	answers := w.fetch(ctx, targets)
	w.recordVault(targets, answers)
	return answers
}

func (w *Workspace) fetch(ctx context.Context, targets []mapping.Target) []keyring.Answer {
	// Opened before anything is shown: that may ask for trust. What went wrong
	// is remembered, and told by the fetch.
	for _, t := range targets {
		_, _ = w.Vault(ctx, t)
	}
	defer w.options.UI.Progress("asking the vault")()
	return keyring.Fetch(ctx, w.Vault, targets, w.workers())
}

// workers is how many requests and files are worked on at a time.
func (w *Workspace) workers() int {
	if n := w.Config.Sync.MaxWorkers; n > 0 {
		return n
	}
	return 8
}

// At returns a workspace that reads tree, the index or a commit, with the
// configuration that the tree holds in dir or above.
func (w *Workspace) At(tree fs.FS, dir string) (*Workspace, error) {
	for ; ; dir = path.Dir(dir) {
		for _, name := range config.FileNames {
			file := path.Join(dir, name)
			data, err := atomicfile.ReadFile(tree, file)
			if errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err != nil {
				return nil, err
			}
			if t, err := w.Ruled(tree, file, data); !errors.Is(err, config.ErrNoConfig) {
				return t, err
			}
		}
		if dir == "." {
			return w.Without(tree)
		}
	}
}

// Ruled returns a workspace that reads tree with the configuration file whose
// content is data.
func (w *Workspace) Ruled(tree fs.FS, file string, data []byte) (*Workspace, error) {
	cfg, err := config.Parse(filepath.Join(w.Top, filepath.FromSlash(file)), data, w.options.Overrides)
	return w.RuledBy(tree, file, cfg), err
}

// RuledBy is Ruled for a file that was parsed; cfg is nil if it does not parse.
func (w *Workspace) RuledBy(tree fs.FS, file string, cfg *config.Config) *Workspace {
	t := w.WithTree(tree)
	t.Base, t.Config = path.Dir(file), cfg
	if cfg != nil {
		t.near = byFolder(t.Base, cfg.Mappings)
	}
	return t
}

// Without returns a workspace that reads tree, in which there is no configuration.
func (w *Workspace) Without(tree fs.FS) (*Workspace, error) {
	t := w.WithTree(tree)
	var err error
	t.Base, t.near = ".", nil
	t.Config, err = t.load("")
	return t, err
}

// WithTree returns a workspace that reads tree, the index or a commit, with the
// configuration of w. A vault that is in the repository is the one of that tree.
func (w *Workspace) WithTree(tree fs.FS) *Workspace {
	t := *w
	t.Tree, t.inGit, t.others, t.resolved = tree, true, nil, map[string][]mapping.Target{}
	return &t
}
