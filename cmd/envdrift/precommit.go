package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/vault"
)

// stagedLimit bounds what is read of a staged file, in bytes. Env files and
// keys files are far smaller.
const stagedLimit = 64 << 20

// A guard checks the staged files of one commit.
type guard struct {
	*session
	repo     *gitops.Repo
	index    *gitops.Tree
	sessions map[string]*session // by the folder of the staged file
	subjects []*subject
}

// A subject is one staged file that concerns us.
type subject struct {
	change    gitops.Change
	data, old []byte // as staged, and HEAD's version; nil if there is none
	doc, head *dotenv.Document
	session   *session // with the configuration that rules the file
	target    drift.Target
	mapped    bool
	keys      ecies.Keys // that must decrypt it
	whose     string     // which key that is, for a message
	err       error      // what is wrong
	note      string
	verified  bool
}

// preCommit proves what is staged. Where nothing of ours is, it ends before
// the configuration is read, and asks no vault.
func (c *cli) preCommit(ctx context.Context) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	repo, err := s.git(ctx)
	if err != nil {
		return err
	}
	if repo == nil {
		return gitops.ErrNotRepository
	}
	g := &guard{session: s, repo: repo, sessions: map[string]*session{}}
	if err := g.collect(ctx); err != nil || len(g.subjects) == 0 {
		return err
	}
	if g.index, err = repo.IndexTree(ctx, stagedLimit); err != nil {
		return err
	}
	defer func() { _ = g.index.Close() }()
	g.judge(ctx)
	g.report()
	return nil
}

// collect finds the staged files that are env files or keys files, by name, by
// content, by what they were in HEAD or by what the configuration names.
func (g *guard) collect(ctx context.Context) error {
	staged, err := g.repo.Staged(ctx)
	if err != nil {
		return err
	}
	staged = slices.DeleteFunc(staged, func(ch gitops.Change) bool { return !ch.Mode.IsFile() })
	var oids []gitops.OID
	for _, ch := range staged {
		oids = append(oids, ch.OID)
		if ch.OldMode.IsFile() {
			oids = append(oids, ch.OldOID)
		}
	}
	blobs, err := g.repo.Blobs(ctx, oids, stagedLimit)
	if blobs == nil && err != nil {
		return err
	}
	for _, ch := range staged {
		sub := &subject{change: ch, data: blobs[0]}
		blobs = blobs[1:]
		if ch.OldMode.IsFile() {
			sub.old, blobs = blobs[0], blobs[1:]
		}
		if g.concerns(sub) {
			g.subjects = append(g.subjects, sub)
		}
	}
	return nil
}

func (g *guard) concerns(sub *subject) bool {
	base := path.Base(sub.change.Path)
	named := func(m config.Mapping) bool { return m.EnvFile == base }
	return config.IsEnvFileName(base) || g.isKeysName(base) || slices.ContainsFunc(g.cfg.Mappings, named) ||
		holdsOurs(sub.data) || holdsOurs(sub.old)
}

// isKeysName reports whether a file is one for private keys by its name, in
// any case: on some file systems .ENV.KEYS is the same file.
func (g *guard) isKeysName(base string) bool {
	lower := strings.ToLower(base)
	return strings.Contains(lower, ".env.keys") || lower == strings.ToLower(g.cfg.Sync.EnvKeysFilename)
}

// holdsOurs reports whether a text may hold a ciphertext or a private key.
func holdsOurs(data []byte) bool {
	return strings.Contains(string(data), ecies.Prefix) || strings.Contains(string(data), "DOTENV_PRIVATE_KEY")
}

// judge decides on every subject: first without a vault, then those that only
// a vault can tell of, all at once.
func (g *guard) judge(ctx context.Context) {
	ask := map[*session][]*subject{}
	for _, sub := range g.subjects {
		if g.prepare(ctx, sub) {
			ask[sub.session] = append(ask[sub.session], sub)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, g.cfg.Hooks.Timeout)
	defer cancel()
	for s, subjects := range ask {
		targets := make([]drift.Target, len(subjects))
		for i, sub := range subjects {
			targets[i] = sub.target
		}
		for i, key := range drift.FetchKeys(ctx, s.vaultOf, targets, s.workers()) {
			sub := subjects[i]
			sub.keys, sub.whose, sub.err = key.Keys, "the vault's key", key.Err
			if errors.Is(key.Err, vault.ErrUnavailable) && s.cfg.Hooks.OnUnreachable == config.Warn {
				sub.note, sub.err = "not verified: "+key.Err.Error(), nil
				continue
			}
			sub.prove()
		}
	}
}

// prepare reads a subject and settles it, unless a vault must be asked.
func (g *guard) prepare(ctx context.Context, sub *subject) (ask bool) {
	name := sub.change.Path
	if g.isKeysName(path.Base(name)) || dotenv.IsKeysFile(sub.data) {
		sub.err = &stagedKeysError{name}
		return false
	}
	if sub.data == nil {
		sub.err = &fs.PathError{Op: "read", Path: name, Err: drift.ErrTooLarge}
		return false
	}
	if sub.session, sub.err = g.sessionFor(name); sub.err != nil {
		return false
	}
	sub.target, sub.mapped = sub.session.target(name)
	if sub.old != nil {
		sub.head = dotenv.Parse(sub.old)
	}
	if sub.mapped && sub.target.Err != nil {
		sub.err = sub.target.Err
		return false
	}
	if sub.doc, sub.err = drift.ParseEnvFile(name, sub.data); sub.err != nil {
		return false
	}
	return g.settle(sub)
}

// settle decides what can be decided without a vault.
func (g *guard) settle(sub *subject) (ask bool) {
	once := sub.mapped || isEncrypted(sub.doc) || sub.head != nil && isEncrypted(sub.head)
	plain := sub.doc.Plaintext(dotenv.Selection{})
	switch {
	case !once:
		return false // an env file that was never meant to be encrypted
	case len(plain) > 0:
		sub.err = drift.NewPlaintextError(plain)
		return false
	case !isEncrypted(sub.doc):
		sub.verified, sub.note = true, "no values"
		return false
	}
	if keys := g.proven(sub); keys != nil {
		sub.keys, sub.whose = keys, "the key of HEAD's version"
		sub.prove()
		return false
	}
	if sub.mapped {
		return true
	}
	sub.err = drift.SelfCheck(sub.doc)
	if sub.err == nil {
		sub.note = "not verified: no mapping names this file"
		if sub.session.cfg.Hooks.OnUnmapped == config.Block {
			sub.err = &unmappedError{sub.change.Path}
		}
	}
	return false
}

// proven gives keys at hand that need no vault's word: they derive the public
// key that HEAD's version carries, and the staged one still does.
func (g *guard) proven(sub *subject) ecies.Keys {
	if sub.head == nil || sub.mapped && sub.target.Mapping.Ephemeral {
		return nil
	}
	ring := sub.session.ring(sub.change.Path)
	keys := ring.Declared(sub.head)
	if len(keys) == 0 || len(drift.StrangeHeaders(sub.doc, keys)) > 0 {
		return nil
	}
	return keys
}

func (sub *subject) prove() {
	if sub.err != nil {
		return
	}
	proof := drift.Prove(sub.doc, sub.keys)
	sub.err = proof.Err()
	sub.verified = sub.err == nil
	sub.note = plural(proof.Values, "value")
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

// report tells of what is wrong, and in a line how much was proven.
func (g *guard) report() {
	verified, concerned := 0, 0
	for _, sub := range g.subjects {
		if sub.err == nil && !sub.verified && sub.note == "" {
			continue
		}
		concerned++
		r := row{Status: "verified", File: sub.change.Path, Note: sub.note, err: sub.err}
		if sub.mapped {
			r.Secret, r.Environment = sub.target.Mapping.SecretName, sub.target.Mapping.Env()
		}
		switch {
		case sub.err != nil:
			r.Status = problem(sub.err)
			r.Hints = g.repairSteps(sub.target, sub.change.Path, sub.err, true)
		case sub.verified:
			verified++
		default:
			r.Status = "not verified"
		}
		if r.Status != "verified" || g.verbose {
			g.add(r)
		}
	}
	if concerned > 0 {
		g.sum = fmt.Sprintf("envdrift: %d of %s verified", verified, plural(concerned, "staged env file"))
	}
}

// A stagedKeysError reports a private key that was about to be committed.
type stagedKeysError struct{ file string }

func (e *stagedKeysError) Error() string {
	return "holds private keys and must never be committed"
}
