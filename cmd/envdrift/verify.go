package main

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

type verifyFlags struct {
	files  []string
	staged bool
	rev    string
}

func (c *cli) addVerify(app *kingpin.Application) (string, command) {
	var f verifyFlags
	cmd := app.Command("verify", "Prove that the vault's keys decrypt every value of every mapped env file.").HelpLong(`
The check for CI: it reads and writes nothing. What could not be checked counts
as a failure. A range A..B proves every version that its commits brought, so
that a key which drifted and came back is found. In GitHub Actions each failure
is an annotation.

Statuses: 0 all verified · 1 drift, plaintext, or a file that is missing ·
2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift verify --ci --rev origin/main..HEAD`)
	cmd.Arg("FILE", "Only these env files; default: those of all mappings.").StringsVar(&f.files)
	cmd.Flag("staged", "What is staged, instead of the working tree.").BoolVar(&f.staged)
	cmd.Flag("rev", "A commit, or every version that the commits of A..B brought.").PlaceHolder("REV").StringVar(&f.rev)
	cmd.Flag("format", "What standard output gets: none, json, junit or sarif.").Default("none").EnumVar(&c.format, "none", "json", "junit", "sarif")
	return cmd.FullCommand(), func(ctx context.Context) error { return c.verify(ctx, f) }
}

func (c *cli) verify(ctx context.Context, f verifyFlags) error {
	c.json = c.json || c.format == "json"
	if f.staged && f.rev != "" {
		return &usageError{err: errors.New("--staged and --rev exclude each other"), command: "verify"}
	}
	s, err := c.open()
	if err != nil {
		return err
	}
	if len(f.files) > 0 && !f.staged && f.rev == "" {
		return s.verifyFiles(ctx, f.files, "")
	}
	subjects, err := s.subjects(ctx, f)
	if err != nil {
		return err
	}
	return s.prove(ctx, subjects)
}

// A proofSubject is one version of a mapped env file.
type proofSubject struct {
	mapping.Target
	session *session         // whose configuration routes to the vault
	at      string           // the commit, in short; "" for the working tree
	before  *dotenv.Document // the version before it; nil if none is known
}

// subjects gives the versions that are to be proven.
func (s *session) subjects(ctx context.Context, f verifyFlags) ([]proofSubject, error) {
	if !f.staged && f.rev == "" {
		targets, err := s.mapped()
		return s.subjectsOf(targets, ""), err
	}
	repo, err := s.git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return nil, gitops.ErrNotRepository
	}
	only := map[string]bool{}
	for _, name := range f.files {
		file, err := s.inside(name)
		if err != nil {
			return nil, err
		}
		only[file] = true
	}
	h := history{session: s, repo: repo, only: only, seen: map[fileVersion]bool{}, byConfig: map[gitops.OID]*session{}, before: map[string]*dotenv.Document{}}
	switch {
	case f.staged:
		tree, err := repo.IndexTree(ctx, stagedLimit)
		if err != nil {
			return nil, err
		}
		err = h.collect(tree, "")
		return h.subjects, err
	case strings.Contains(f.rev, ".."):
		return h.collectRange(ctx, f.rev)
	}
	err = h.collectCommit(ctx, f.rev)
	return h.subjects, err
}

func (s *session) subjectsOf(targets []mapping.Target, at string) []proofSubject {
	subjects := make([]proofSubject, len(targets))
	for i, t := range targets {
		subjects[i] = proofSubject{t, s, at, nil}
	}
	return subjects
}

// A history collects versions of env files from trees, each version once.
type history struct {
	*session
	repo     *gitops.Repo
	only     map[string]bool
	seen     map[fileVersion]bool
	byConfig map[gitops.OID]*session     // one that routes, for each version of the configuration
	before   map[string]*dotenv.Document // the newest version of each file so far
	subjects []proofSubject
}

type fileVersion struct {
	file, secret string
	oid          gitops.OID
}

func (h *history) collectRange(ctx context.Context, revisions string) ([]proofSubject, error) {
	commits, err := h.repo.Revisions(ctx, revisions)
	if err != nil {
		return nil, err
	}
	if base, _, _ := strings.Cut(revisions, ".."); base != "" {
		// What the range starts from is compared with, and not proven.
		if err := h.collectCommit(ctx, base); err != nil {
			h.detail("not compared with %s: %v", base, err)
		}
		h.subjects, h.seen = nil, map[fileVersion]bool{}
	}
	for _, commit := range slices.Backward(commits) { // the oldest first
		if err := h.collectCommit(ctx, string(commit)); err != nil {
			return nil, err
		}
	}
	return h.subjects, nil
}

func (h *history) collectCommit(ctx context.Context, rev string) error {
	tree, err := h.repo.Tree(ctx, rev, stagedLimit)
	if err != nil {
		return err
	}
	return h.collect(tree, rev[:min(len(rev), 12)])
}

// collect adds the versions of one tree. A tree without configuration, as
// before envdrift came, has none.
func (h *history) collect(tree *gitops.Tree, at string) (err error) {
	defer func() { err = errors.Join(err, tree.Close()) }()
	view, err := h.at(tree, h.base)
	if err != nil || len(view.cfg.Mappings) == 0 {
		if at == "" && err == nil {
			return config.ErrNoConfig
		}
		return err
	}
	entry, _ := tree.File(path.Join(view.base, path.Base(view.cfg.File)))
	router, known := h.byConfig[entry.OID]
	if !known {
		router = view
		h.byConfig[entry.OID] = view
	}
	targets, err := view.mapped()
	if err != nil {
		return err
	}
	for _, t := range targets {
		entry, _ := tree.File(t.File)
		v := fileVersion{t.File, t.Mapping.SecretName, entry.OID}
		if h.seen[v] || len(h.only) > 0 && !h.only[t.File] {
			continue
		}
		h.seen[v] = true
		h.subjects = append(h.subjects, proofSubject{t, router, at, h.before[t.File]})
		h.before[t.File] = t.Doc
	}
	return nil
}

// prove proves the subjects with the vault's keys and reports each.
func (s *session) prove(ctx context.Context, subjects []proofSubject) error {
	keys := make([]keyring.Answer, len(subjects))
	for router, places := range byRouter(subjects) {
		targets := make([]mapping.Target, len(places))
		for n, i := range places {
			targets[n] = subjects[i].Target
		}
		for n, key := range router.fetch(ctx, targets) {
			keys[places[n]] = key
		}
	}
	s.compareWithHead(ctx, subjects)
	verified := 0
	for i, sub := range subjects {
		r := s.proveOne(sub, keys[i])
		if r.err == nil {
			verified++
		}
		s.add(r)
	}
	s.sum = fmt.Sprintf("%d of %d verified", verified, len(subjects))
	return ctx.Err()
}

// compareWithHead sets the version before those of the working tree and the
// index. The proof itself needs no git, so that one which refuses, as for a
// checkout that belongs to somebody else, is no failure.
func (s *session) compareWithHead(ctx context.Context, subjects []proofSubject) {
	var files []string
	for _, sub := range subjects {
		if sub.at == "" && sub.File != "" {
			files = append(files, sub.File)
		}
	}
	if err := s.readHead(ctx, files); err != nil {
		s.detail("not compared with HEAD: %v", err)
		return
	}
	for i := range subjects {
		if sub := &subjects[i]; sub.at == "" {
			sub.before = s.heads[sub.File].doc
		}
	}
}

// byRouter groups the places of subjects by the session that routes them.
func byRouter(subjects []proofSubject) map[*session][]int {
	groups := map[*session][]int{}
	for i, sub := range subjects {
		groups[sub.session] = append(groups[sub.session], i)
	}
	return groups
}

func (s *session) proveOne(sub proofSubject, key keyring.Answer) row {
	t := sub.Target
	r := row{Status: "verified", File: t.File, Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), Vault: key.Vault, err: key.Err}
	if r.File == "" {
		r.File = t.Folder()
	}
	if sub.at != "" {
		r.Note = "at " + sub.at
	}
	if t.Err != nil {
		r.err = t.Err
	}
	if r.err == nil {
		verdict := drift.Check(t.Doc, sub.before, key.Keys)
		r.err = verdict.Err()
		r.Note = strings.TrimSpace(plural(verdict.Values, "value") + " " + r.Note)
		r.Note = strings.Join(append([]string{r.Note}, verdict.Warnings...), "; ")
	}
	if r.err == nil {
		return r
	}
	r.Status = problem(r.err)
	if sub.at == "" {
		r.Hints = s.repairSteps(t, t.File, r.err, false)
	}
	return r
}
