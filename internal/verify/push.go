package verify

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Push is what git is about to push or, in a repository of a server, to
// receive.
type Push struct {
	Refs     []gitops.RefUpdate
	Remote   string // the name of where it is pushed to; "" if it has none
	Received bool
	Anywhere bool // the hook serves all clones of a user: those that do not use envdrift are not looked at
}

// Pushed proves every version of an env file that the new commits of a push bring,
// as the pre-commit hook would have, and refuses private keys in them.
// The configurations that the push builds on count too.
//
// Before git pushes, a local key is enough that this clone has had from the vault.
// A server without credentials checks the form and the public keys: see
// [FormError].
func Pushed(ctx context.Context, w *workspace.Workspace, p Push) ([]*File, error) {
	repo, err := w.Git(ctx)
	if err != nil {
		return nil, err
	}
	r := newRun(w, Scope{})
	r.repo, r.limit, r.how = repo, w.Config.Hooks.Timeout, proof{local: agreedKey}
	if p.Received {
		r.how = proof{form: true}
	}
	if err := r.push(ctx, p); err != nil {
		return r.files, err
	}
	return r.files, ctx.Err()
}

func (r *run) push(ctx context.Context, p Push) error {
	var oids []gitops.OID
	for _, ref := range p.Refs {
		oids = append(oids, ref.New, ref.Old)
	}
	objects, err := r.repo.Peel(ctx, oids)
	if err != nil {
		return err
	}
	var tips, known []gitops.OID
	for i, ref := range p.Refs {
		if ref.New.IsNull() {
			continue // it is deleted
		}
		if objects[2*i].Type != "commit" {
			if err := r.loose(ctx, ref, objects[2*i]); err != nil {
				return err
			}
			continue
		}
		tips = append(tips, objects[2*i].OID)
		if objects[2*i+1].Type == "commit" {
			known = append(known, objects[2*i+1].OID)
		}
	}
	if len(tips) == 0 {
		return nil
	}
	if p.Anywhere {
		if uses, err := r.usesEnvdrift(ctx, slices.Concat(tips, known, p.heads())); err != nil || !uses {
			return err
		}
	}
	there, err := r.there(ctx, p)
	if err != nil {
		return err
	}
	commits, boundary, err := r.repo.NewCommits(ctx, tips, known, there)
	if err != nil {
		return err
	}
	if err := r.messages(ctx, p.Refs, commits); err != nil || len(commits) == 0 {
		return err
	}
	changed, err := r.changedIn(ctx, commits)
	if err != nil {
		return err
	}
	base := slices.Concat(known, boundary, p.heads()) // a history of its own has no other
	if r.base, err = r.configsAbove(ctx, base, changed); err != nil {
		return err
	}
	if err := r.eachConcerned(ctx, commits, changed); err != nil || !p.Received {
		return err
	}
	return r.leaveOthers(ctx, append(tips, p.heads()...))
}

// usesEnvdrift reports whether one of revs has a configuration, even a broken one.
func (r *run) usesEnvdrift(ctx context.Context, revs []gitops.OID) (bool, error) {
	for _, rev := range revs {
		files, err := r.repo.TreeFiles(ctx, string(rev))
		if errors.As(err, new(*gitops.RevisionError)) {
			continue
		}
		if err != nil {
			return false, err
		}
		var projects []gitops.OID
		for _, file := range files {
			switch {
			case !isConfig(file.Path) || !file.Mode.IsFile():
			case path.Base(file.Path) != "pyproject.toml": // which may be another tool's alone
				return true, nil
			default:
				projects = append(projects, file.OID)
			}
		}
		texts, err := r.repo.Blobs(ctx, projects, workspace.MaxFile)
		if err != nil || slices.ContainsFunc(texts, func(text []byte) bool { return bytes.Contains(text, []byte("envdrift")) }) {
			return true, err
		}
	}
	return false, nil
}

// leaveOthers takes out the env files in plaintext that no mapping names if there
// is no configuration at all: one hook may serve all repositories of a server.
func (r *run) leaveOthers(ctx context.Context, revs []gitops.OID) error {
	unmapped := func(f *File) bool { return errors.As(f.Err, new(*UnmappedPlaintextError)) }
	if !slices.ContainsFunc(r.files, unmapped) {
		return nil
	}
	for _, rev := range revs {
		list, err := r.configsOf(ctx, string(rev))
		if errors.As(err, new(*gitops.RevisionError)) {
			continue // there is no commit yet
		}
		if err != nil || len(list) > 0 {
			return err
		}
	}
	r.files = slices.DeleteFunc(r.files, unmapped)
	return nil
}

// there names the refs whose commits are known where the push goes to; "" if these
// may be another's: the refs of a remote "a/b" begin like those of "a".
func (r *run) there(ctx context.Context, p Push) (string, error) {
	switch {
	case p.Received:
		return "--all", nil
	case p.Remote == "" || strings.ContainsAny(p.Remote, "*?["):
		return "", nil
	}
	fetches, err := r.repo.Settings(ctx, `^remote\..*\.fetch$`)
	for _, fetch := range fetches {
		_, to, _ := strings.Cut(fetch.Value, ":")
		if strings.HasPrefix(to, "refs/remotes/"+p.Remote+"/") && fetch.Key != "remote."+p.Remote+".fetch" {
			return "", err
		}
	}
	return "--remotes=" + p.Remote, err
}

// heads names what may be the default branch of where the push goes to: a clone
// need not know it, and that of a server may be another one than its HEAD.
func (p Push) heads() []gitops.OID {
	if p.Received {
		return []gitops.OID{"HEAD", "refs/heads/main", "refs/heads/master"}
	}
	refs := gitops.OID("refs/remotes/" + p.Remote + "/")
	return []gitops.OID{refs + "HEAD", refs + "main", refs + "master"}
}

// A MessageError reports a private key in the message of a commit or a tag.
type MessageError struct{}

func (e *MessageError) Error() string {
	return "the message contains a private key, which must never be pushed"
}

// messages refuses commits and tags with a private key in their message.
func (r *run) messages(ctx context.Context, refs []gitops.RefUpdate, commits []gitops.Commit) error {
	var oids []gitops.OID
	for _, ref := range refs {
		if !ref.New.IsNull() { // it may be a tag
			oids = append(oids, ref.New)
		}
	}
	for _, c := range commits {
		oids = append(oids, c.OID)
	}
	slices.Sort(oids)
	oids = slices.Compact(oids)
	c := r.changes("", nil)
	for portion := range slices.Chunk(oids, 256) {
		contents, err := r.repo.Messages(ctx, portion, workspace.MaxFile)
		if err != nil {
			return err
		}
		for i, data := range contents {
			if dotenv.HoldsPrivateKey(data) || c.holdsLocalKey(ctx, data) {
				f := &File{At: short(string(portion[i])), Err: &MessageError{}}
				f.File = "message"
				r.files = append(r.files, f)
			}
		}
	}
	return nil
}

// A LooseError reports a private key in what a ref leads to that is no commit.
type LooseError struct{ Ref string }

func (e *LooseError) Error() string { return "leads to private keys, which must never be pushed" }

// loose refuses a ref that leads to a tree or a file with a private key.
func (r *run) loose(ctx context.Context, ref gitops.RefUpdate, o gitops.Object) error {
	files := []gitops.File{{OID: o.OID, Mode: gitops.Regular}}
	switch o.Type {
	case "blob":
	case "tree":
		var err error
		if files, err = r.repo.FilesOf(ctx, o.OID); err != nil {
			return err
		}
	default:
		return fmt.Errorf("%s: %w", ref.Name, gitops.ErrMissing)
	}
	c := r.changes("", nil)
	c.learn(r.work.Config)
	for portion := range slices.Chunk(files, 128) {
		var names []string
		for _, file := range portion {
			names = append(names, object(file.Mode, file.OID))
		}
		contents, err := r.repo.Objects(ctx, names, workspace.MaxFile)
		if err != nil {
			return err
		}
		for i, data := range contents {
			if !c.isKeysName(path.Base(portion[i].Path)) && !dotenv.HoldsPrivateKey(data) && !c.holdsLocalKey(ctx, data) {
				continue
			}
			f := &File{Err: &LooseError{ref.Name}}
			f.File = ref.Name
			r.files = append(r.files, f)
			return nil
		}
	}
	return nil
}

// configsAbove returns the configurations above changed files in some commits.
func (r *run) configsAbove(ctx context.Context, revs []gitops.OID, changed map[gitops.OID][]gitops.Change) (list []*workspace.Workspace, err error) {
	c := r.changes("", nil)
	for _, changes := range changed {
		c.changes = append(c.changes, changes...)
	}
	files := c.configNames()
	var names []string
	for _, rev := range revs {
		for _, file := range files {
			names = append(names, string(rev)+":"+file)
		}
	}
	contents, err := r.repo.Objects(ctx, names, workspace.MaxFile)
	if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, data := range contents {
		file := files[i%len(files)]
		if id := file + "\n" + string(data); data == nil || seen[id] {
			continue
		} else {
			seen[id] = true
		}
		if w, err := r.work.Ruled(nil, file, data); err == nil {
			list = append(list, w)
		}
	}
	return list, nil
}

// eachConcerned is each for commits of which most do not concern envdrift: their
// contents are read once, and together.
func (r *run) eachConcerned(ctx context.Context, commits []gitops.Commit, changed map[gitops.OID][]gitops.Change) error {
	defer r.work.Progress(fmt.Sprintf("checking %d commits", len(commits)))()
	c := r.changes("", nil)
	c.learn(r.work.Config)
	for _, w := range r.base {
		c.learn(w.Config)
	}
	ours, err := c.holding(ctx, changed)
	if err != nil {
		return err
	}
	for _, commit := range slices.Backward(commits) {
		if !slices.ContainsFunc(changed[commit.OID], func(ch gitops.Change) bool {
			return c.isSetup(ch) || c.concernsName(path.Base(ch.Path)) || ours[ch.OID] || ours[ch.OldOID] || ours[ch.Theirs]
		}) {
			continue
		}
		if err := r.commit(ctx, commit.OID, changed[commit.OID]); err != nil {
			return err
		}
	}
	return nil
}

// holding returns the contents that may concern envdrift, and learns the names that
// configurations among them give to files.
func (c *Changes) holding(ctx context.Context, changed map[gitops.OID][]gitops.Change) (map[gitops.OID]bool, error) {
	paths := map[string]string{} // by object
	for _, changes := range changed {
		for _, ch := range changes {
			for _, name := range []string{object(ch.Mode, ch.OID), object(ch.OldMode, ch.OldOID), object(gitops.Regular, ch.Theirs)} {
				if !isConfig(paths[name]) { // a copy of it may have any name
					paths[name] = ch.Path
				}
			}
		}
	}
	names := make([]string, 0, len(paths))
	for name := range paths {
		names = append(names, name)
	}
	found := map[gitops.OID]bool{}
	for portion := range slices.Chunk(names, 256) {
		contents, err := c.repo.Objects(ctx, portion, workspace.MaxFile)
		if err != nil {
			return nil, err
		}
		for i, data := range contents {
			if isConfig(paths[portion[i]]) {
				c.learnFrom(paths[portion[i]], data)
			}
			if holdsOurs(data) || c.holdsLocalKey(ctx, data) {
				found[gitops.OID(portion[i])] = true
			}
		}
	}
	return found, nil
}
