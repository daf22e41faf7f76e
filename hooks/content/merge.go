package content

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

// A Kind is what a file to merge contains.
type Kind string

// The kinds of files, each with a merge driver of its own.
const (
	EnvFile    Kind = "env"
	Recipients Kind = "recipients"
	VaultFile  Kind = "vault"
)

// A Merge is what git passes to a merge driver.
type Merge struct {
	Kind               Kind
	Base, Ours, Theirs string // temporary files: %O, %A and %B; %A takes the result
	MarkerSize         int    // %L
	Path               string // %P, relative to the top

	BaseLabel, OursLabel, TheirsLabel string // %S, %X, %Y: of git 2.44 and later
}

// ParseMerge parses the arguments of a merge driver: %O %A %B %L %P, and %S %X %Y of a
// git that has them.
func ParseMerge(kind Kind, args []string) (Merge, error) {
	if len(args) < 5 {
		return Merge{}, errors.New("git passes %O %A %B %L %P")
	}
	size, err := strconv.Atoi(args[3])
	if err != nil {
		return Merge{}, fmt.Errorf("%q is no length of conflict markers", args[3])
	}
	m := Merge{Kind: kind, Base: args[0], Ours: args[1], Theirs: args[2], MarkerSize: size, Path: args[4]}
	if len(args) == 8 {
		m.BaseLabel, m.OursLabel, m.TheirsLabel = args[5], args[6], args[7]
	}
	return m, nil
}

// IsVirtual reports whether git merges two bases, for a merge of branches that have
// several: it makes the markers longer. The user sees nothing of such a merge.
func (m Merge) IsVirtual() bool { return m.MarkerSize > defaultMarkerSize }

const defaultMarkerSize = 7

// A Result says how a merge ended.
type Result struct {
	Conflicts []Conflict // none: it is merged
}

// A Conflict is what could not be merged, and why.
type Conflict struct {
	Name string // of the variable; "" for the file
	Err  error
}

// versions are the contents of the three files.
type versions struct{ base, ours, theirs []byte }

// Run merges the files and writes the result to Ours, atomically: git takes what
// is there, even if the driver was killed. On an error nothing is written, and
// git's own merge of lines is what is left.
func (m Merge) Run(ctx context.Context, open Opener) (Result, error) {
	var v versions
	for _, f := range []struct {
		name string
		data *[]byte
	}{{m.Base, &v.base}, {m.Ours, &v.ours}, {m.Theirs, &v.theirs}} {
		data, err := os.ReadFile(f.name)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return Result{}, err
		}
		*f.data = data
	}
	merge := m.envFile
	switch m.Kind {
	case Recipients:
		merge = mergeRecipients
	case VaultFile:
		merge = m.vaultFile
	}
	data, result, err := merge(ctx, open, v)
	if err != nil || data == nil || bytes.Equal(data, v.ours) {
		return result, err
	}
	return result, write(m.Ours, data)
}

func write(file string, data []byte) error {
	dir, base := filepath.Split(file)
	root, err := os.OpenRoot(cmp.Or(dir, "."))
	if err != nil {
		return err
	}
	return errors.Join(atomicfile.Write(root, base, data, 0o600, false), root.Close())
}

// envFile merges an env file.
func (m Merge) envFile(ctx context.Context, open Opener, v versions) ([]byte, Result, error) {
	base, ours, theirs := dotenv.Parse(v.base), dotenv.Parse(v.ours), dotenv.Parse(v.theirs)
	r := &ring{file: m.Path, open: open, sides: []*dotenv.Document{ours, theirs}}
	merged, err := dotenv.Merge(base, ours, theirs, dotenv.MergeOptions{
		Keys:        func() ecies.Keys { return r.keys(ctx) },
		MayEncrypt:  func(key ecies.PublicKey) error { return r.mayEncrypt(ctx, key) },
		StaysPlain:  r.staysPlain,
		OursLabel:   label(m.OursLabel, "ours"),
		TheirsLabel: label(m.TheirsLabel, "theirs"),
		MarkerSize:  m.MarkerSize,
	})
	if err != nil {
		return nil, Result{}, err
	}
	var result Result
	for _, c := range merged.Conflicts {
		result.Conflicts = append(result.Conflicts, Conflict(c))
	}
	return merged.Data, result, nil
}

// label returns what git calls a side. A git before 2.44 leaves the placeholder
// as it is.
func label(text, instead string) string {
	if text == "" || strings.HasPrefix(text, "%") {
		return instead
	}
	return text
}

// A ring finds the keys for one file, when they are needed.
type ring struct {
	file  string
	open  Opener
	asks  bool               // the user waits for it: a vault may be asked
	sides []*dotenv.Document // of the merge
	w     *workspace.Workspace
	found ecies.Keys
	vault []ecies.Keys // those of found that the vault holds, by its versions
	done  bool         // found has all there are
}

// target returns the mapping of the file; without one if there is none. It is not ok
// if there is no workspace: what can be decided without one is.
func (r *ring) target() (t mapping.Target, ok bool) {
	if r.w == nil {
		var err error
		if r.w, err = r.open(r.file); err != nil {
			return t, false
		}
	}
	t, mapped := r.w.Target(r.file)
	if !mapped {
		t = mapping.Target{File: r.file}
	}
	return t, true
}

func (r *ring) staysPlain(name string) bool {
	t, _ := r.target()
	return t.Mapping.StaysPlain(name)
}

func (r *ring) keys(ctx context.Context) ecies.Keys {
	if r.done {
		return r.found
	}
	r.done = true
	t, ok := r.target()
	if !ok {
		return nil
	}
	revs := []string{"HEAD"}
	if repo, err := r.w.Git(ctx); repo != nil && err == nil {
		revs = mergedRevisions(repo, r.w.Env())
	}
	r.vault = vaultKeys(ctx, r.w, r.file, revs)
	if r.asks && t.Mapping.Ephemeral { // no command could make it local
		r.vault = append(r.vault, r.w.Fetch(ctx, []mapping.Target{t})[0].Keys)
	}
	r.found = append(localKeys(ctx, r.w, t, r.sides), slices.Concat(r.vault...)...)
	return r.found
}

// mayEncrypt returns why a value must not be re-encrypted for a public key: its
// private key must be at hand, and this clone must have agreed to it. Who can push
// a branch can put any key into its header.
func (r *ring) mayEncrypt(ctx context.Context, key ecies.PublicKey) error {
	if r.found.Find(key) == nil {
		return &dotenv.MissingKeyError{Keys: []ecies.PublicKey{key}}
	}
	t, _ := r.target()
	return r.w.MayReencrypt(ctx, t, key, r.replaced(key))
}

// replaced returns the keys that key replaces: the vault has them beside it, and the
// other side's header declares them.
func (r *ring) replaced(key ecies.PublicKey) (keys ecies.Keys) {
	for _, side := range r.sides {
		headers, _ := side.PublicKeys()
		if slices.ContainsFunc(headers, func(h dotenv.Header) bool { return h.Key == key }) {
			continue
		}
		for _, held := range r.vault {
			for _, h := range headers {
				if old := held.Find(h.Key); old != nil && held.Find(key) != nil {
					keys = append(keys, old)
				}
			}
		}
	}
	return keys
}

func mergeRecipients(_ context.Context, _ Opener, v versions) ([]byte, Result, error) {
	data, err := age.Conflict{Base: v.base, Ours: v.ours, Theirs: v.theirs}.Recipients()
	return data, Result{}, err
}

// ErrOtherSide reports that it is not known who is to read a secret: the commit of
// the other side, with its recipients, is not known.
var ErrOtherSide = errors.New("the recipients of the other side are not known here")

// vaultFile merges a secret of an age vault: its value, re-encrypted for the
// merged recipients.
func (m Merge) vaultFile(ctx context.Context, open Opener, v versions) ([]byte, Result, error) {
	conflict := func(err error) ([]byte, Result, error) {
		return nil, Result{Conflicts: []Conflict{{Err: err}}}, nil
	}
	w, err := open(m.Path)
	if err != nil {
		return conflict(err)
	}
	store, name, err := w.AgeSecret(ctx, m.Path)
	if err != nil {
		return conflict(err)
	}
	repo, err := w.Git(ctx)
	if err == nil && repo == nil {
		err = gitops.ErrNotRepository
	}
	if err != nil {
		return conflict(err)
	}
	recipients, err := m.recipients(ctx, w, repo, store, v)
	if err != nil {
		return conflict(err)
	}
	data, err := store.MergeSecret(name, age.Conflict{Base: v.base, Ours: v.ours, Theirs: v.theirs}, recipients)
	if err != nil {
		return conflict(err)
	}
	return data, Result{}, nil
}

// recipients returns the merged recipients file. Git merges that file by itself,
// maybe later, and nowhere says which commits it merges; those that have the
// versions of the secret are the right ones.
func (m Merge) recipients(ctx context.Context, w *workspace.Workspace, repo *gitops.Repo, store *age.Store, v versions) ([]byte, error) {
	file := w.InRepository(store.RecipientsFile())
	revs := mergedRevisions(repo, w.Env())
	for _, rev := range revs[1:] {
		revs = append(revs, rev+"^")
		if base, err := repo.MergeBase(ctx, "HEAD", rev); err == nil {
			revs = append(revs, string(base))
		}
	}
	var names []string
	for _, rev := range revs {
		names = append(names, rev+":"+m.Path, rev+":"+file)
	}
	blobs, err := repo.Objects(ctx, names, workspace.MaxFile)
	if err != nil {
		return nil, err
	}
	var c age.Conflict
	for i := range revs {
		secret, recipients := blobs[2*i], blobs[2*i+1]
		for _, side := range []struct {
			secret     []byte
			recipients *[]byte
		}{{v.base, &c.Base}, {v.ours, &c.Ours}, {v.theirs, &c.Theirs}} {
			if *side.recipients == nil && secret != nil && bytes.Equal(secret, side.secret) {
				*side.recipients = recipients
			}
		}
	}
	if c.Ours == nil || c.Theirs == nil || c.Base == nil && len(v.base) > 0 {
		return nil, ErrOtherSide
	}
	return c.Recipients()
}
