package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/vault"
)

// A guard checks the staged files of one commit: collect finds those that
// concern us (staged.go), judge decides on each, repair mends drift
// (repair.go), and report tells of it.
type guard struct {
	*session
	repo      *gitops.Repo
	index     *gitops.Tree
	names     map[string]bool // base names of env files that mappings name
	keysNames []string        // of keys files, in lower case
	deleted   [][]byte        // encrypted files that the commit takes away
	sessions  map[string]*session
	subjects  []*subject
}

// preCommit proves what is staged and mends what drifted. Where nothing of ours
// is staged it ends at once and asks no vault.
func (c *cli) preCommit(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	g, err := s.guard(ctx)
	if err != nil || len(g.subjects) == 0 {
		return err
	}
	defer func() { _ = g.index.Close() }()
	// git runs a hook at the top, but the person reads on from here.
	c.dir = filepath.Join(c.dir, filepath.FromSlash(c.env["GIT_PREFIX"]))
	asking, cancel := context.WithTimeout(ctx, s.cfg.Hooks.Timeout)
	defer cancel()
	g.judge(asking)
	err = g.repair(ctx, false)
	g.report(ctx)
	return err
}

// guard collects what is staged. The index is open if there is a subject.
func (s *session) guard(ctx context.Context) (*guard, error) {
	repo, err := s.git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, gitops.ErrNotRepository
	}
	g := &guard{session: s, repo: repo, sessions: map[string]*session{}}
	if err := g.collect(ctx); err != nil || len(g.subjects) == 0 {
		return g, err
	}
	g.index, err = repo.IndexTree(ctx, stagedLimit)
	return g, err
}

// judge decides on every subject: first without a vault, then those that only
// a vault can tell of, all at once.
func (g *guard) judge(ctx context.Context) {
	ask := map[*session][]*subject{}
	for _, sub := range g.subjects {
		if g.prepare(sub) {
			ask[sub.session] = append(ask[sub.session], sub)
		}
	}
	for s, subjects := range ask {
		targets := make([]mapping.Target, len(subjects))
		for i, sub := range subjects {
			targets[i] = sub.target
		}
		for i, key := range s.fetch(ctx, targets) {
			sub := subjects[i]
			sub.keys, sub.err = key.Keys, key.Err
			if isUnreachable(key.Err) && s.cfg.Hooks.OnUnreachable == config.Warn {
				sub.note, sub.err = key.Err.Error(), nil
				continue
			}
			sub.prove()
		}
	}
}

func isUnreachable(err error) bool {
	return errors.Is(err, vault.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded)
}

// prepare settles a subject, unless a vault must be asked.
func (g *guard) prepare(sub *subject) (ask bool) {
	name := sub.change.Path
	if g.isKeysName(path.Base(name)) || dotenv.IsKeysFile(sub.data) {
		sub.err = &stagedKeysError{name}
		return false
	}
	if sub.session, sub.err = g.sessionFor(name); sub.err != nil {
		return false
	}
	sub.target, sub.mapped = sub.session.target(name)
	sub.doc = dotenv.Parse(sub.data)
	if sub.old != nil {
		sub.head = dotenv.Parse(sub.old)
	}
	if !sub.mapped && (sub.change.Mode == gitops.Symlink || !sub.everEncrypted()) {
		return false // a path, or an env file that was never meant to be encrypted
	}
	if sub.err = sub.legible(); sub.err != nil {
		return false
	}
	return g.settle(sub)
}

func (sub *subject) everEncrypted() bool {
	return isEncrypted(sub.doc) || sub.head != nil && isEncrypted(sub.head)
}

// legible reports why the content of a file cannot be judged.
func (sub *subject) legible() error {
	switch {
	case sub.change.Status == gitops.Unmerged:
		return errConflict
	case sub.change.Mode == gitops.Symlink:
		return errLink
	case sub.data == nil:
		return &fs.PathError{Op: "read", Path: sub.change.Path, Err: atomicfile.ErrTooLarge}
	case isPointer(sub.data):
		return errPointer
	case hasMarkers(sub.data):
		return errMarkers
	case sub.mapped && sub.target.Err != nil:
		return sub.target.Err
	}
	return sub.doc.Check()
}

// Why a staged file cannot be judged.
var (
	errConflict = errors.New("is in conflict: there is no one version to check")
	errLink     = errors.New("is a symbolic link: map the file that it leads to")
	errMarkers  = errors.New("holds git's conflict markers: choose between the versions, then git add it")
	errPointer  = errors.New("is kept by Git LFS: the commit does not hold what would have to be checked")
)

// settle decides what can be decided without a vault.
func (g *guard) settle(sub *subject) (ask bool) {
	if plain := sub.doc.Plaintext(dotenv.Selection{}); len(plain) > 0 {
		sub.err = drift.NewPlaintextError(plain)
		return false
	}
	if !isEncrypted(sub.doc) {
		sub.verified, sub.note = true, "no values"
		return false
	}
	if keys := g.proven(sub); keys != nil {
		sub.keys = keys
		sub.prove()
		return false
	}
	if sub.mapped {
		return true
	}
	if sub.err = drift.SelfCheck(sub.doc); sub.err != nil {
		return false
	}
	sub.note = "no mapping of envdrift.toml names this file"
	if sub.session.cfg.Hooks.OnUnmapped == config.Block {
		sub.err = &unmappedError{sub.change.Path}
	}
	return false
}

// proven gives keys at hand that need no vault's word: they derive the public
// key that HEAD's version carries, and the staged one still does. Where a merge
// brings another public key, the vault has the last word.
func (g *guard) proven(sub *subject) ecies.Keys {
	if sub.head == nil || sub.mapped && sub.target.Mapping.Ephemeral {
		return nil
	}
	ring := sub.session.ring(sub.change.Path)
	keys := ring.Declared(sub.head)
	for _, doc := range []*dotenv.Document{sub.doc, sub.theirs} {
		if len(keys) == 0 || doc != nil && len(drift.UnknownKeys(doc, keys)) > 0 {
			return nil
		}
	}
	return keys
}

func (sub *subject) prove() {
	if sub.err != nil {
		return
	}
	verdict := drift.Check(sub.doc, sub.head, sub.keys)
	sub.err, sub.odd = verdict.Err(), verdict.Warnings
	sub.verified = sub.err == nil
}

func isEncrypted(doc *dotenv.Document) bool {
	state := doc.State()
	return state == dotenv.Encrypted || state == dotenv.Mixed
}

// sessionFor gives the session with the configuration that, as staged, rules a
// file: the nearest above it.
func (g *guard) sessionFor(file string) (*session, error) {
	dir := path.Dir(file)
	if s, ok := g.sessions[dir]; ok {
		return s, nil
	}
	s, err := g.at(g.index, dir)
	if err != nil {
		return nil, err
	}
	for _, known := range g.sessions {
		if known.cfg.File == s.cfg.File {
			s = known
		}
	}
	g.sessions[dir] = s
	return s, nil
}

// report tells what is wrong, a screen of it at most, and in a line how much
// was proven.
func (g *guard) report(ctx context.Context) {
	const most = 5
	verified, concerned, wrong := 0, 0, 0
	for _, sub := range g.subjects {
		switch {
		case sub.err != nil:
			wrong++
		case sub.verified:
			verified++
		case sub.note == "":
			continue
		}
		concerned++
		if wrong > most && !g.verbose && !g.json {
			continue
		}
		if !sub.verified || len(sub.odd) > 0 || g.verbose {
			g.add(g.row(sub))
		}
	}
	if concerned == 0 {
		return
	}
	g.sum = "envdrift: "
	if wrong > 0 {
		g.sum += "commit stopped: "
	}
	g.sum += fmt.Sprintf("%d of %s verified", verified, plural(concerned, "staged env file"))
	if more := wrong - most; more > 0 && !g.verbose && !g.json {
		g.sum += fmt.Sprintf("; %d more with errors, envdrift hook run pre-commit -v shows them", more)
	}
	g.sum += g.outcome(ctx)
}

// row tells of one subject.
func (g *guard) row(sub *subject) row {
	note := strings.Join(append(slices.Clone(sub.odd), sub.note), "; ")
	r := row{Status: "verified", File: sub.change.Path, Note: strings.TrimSuffix(note, "; "), err: sub.err}
	if sub.mapped {
		r.Secret, r.Environment = sub.target.Mapping.SecretName, sub.target.Mapping.Env()
	}
	switch {
	case sub.err == nil && !sub.verified:
		r.Status = "not verified"
	case isDrift(sub.err):
		r.Status, r.Note, r.Hints = "drift", g.owners(sub), g.driftSteps(sub)
	case sub.err != nil:
		r.Status = problem(sub.err)
		r.Hints = g.repairSteps(sub.target, sub.change.Path, sub.err, true)
	}
	return r
}

// A stagedKeysError reports a private key that was about to be committed.
type stagedKeysError struct{ file string }

func (e *stagedKeysError) Error() string {
	return "holds private keys and must never be committed"
}
