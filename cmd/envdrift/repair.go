package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kingpin/v2"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

type repairFlags struct {
	files  []string
	dryRun bool
}

func (c *cli) addRepair(app *kingpin.Application) (string, command) {
	var f repairFlags
	cmd := app.Command("repair", "Mend env files that the vault's key does not decrypt, without losing an edit.").HelpLong(`
What was encrypted with another key is encrypted anew for the vault's, by a key
at hand that decrypts it: in the environment, or in a .env.keys. Values that did
not change keep their ciphertext. If no key fits, the last committed version
comes back. What is staged is mended where it is staged, the rest in the working
tree; the old version is kept as a backup.

Statuses: 0 mended, or nothing to mend · 1 a file could not be, or --dry-run
found one · 2 wrong usage or configuration · 3 a vault could not be used
Example:  envdrift repair --dry-run`)
	cmd.Arg("FILE", "Only these env files; default: those of all mappings.").StringsVar(&f.files)
	cmd.Flag("dry-run", "Write nothing; say what would be done.").BoolVar(&f.dryRun)
	return cmd.FullCommand(), func(ctx context.Context) error { return c.repair(ctx, f) }
}

// repair mends what is staged, then what lies in the working tree.
func (c *cli) repair(ctx context.Context, f repairFlags) error {
	s, err := c.open()
	if err != nil {
		return err
	}
	var only []string
	for _, name := range f.files {
		file, err := s.inside(name)
		if err != nil {
			return err
		}
		only = append(only, file)
	}
	wanted := func(file string) bool { return len(only) == 0 || slices.Contains(only, file) }
	repo, err := s.git(ctx)
	if err != nil {
		return err
	}
	if repo != nil {
		if err := s.repairStaged(ctx, wanted, f.dryRun); err != nil {
			return err
		}
	}
	if err := s.repairTree(ctx, only, f.dryRun); err != nil {
		return err
	}
	if len(c.rows) == 0 {
		s.sum = "nothing to repair"
	}
	return nil
}

// errWouldRepair reports, under --dry-run, a file that repair would change.
var errWouldRepair = errors.New("the vault's key does not decrypt it; nothing was written")

// repairStaged does by hand what the hook does.
func (s *session) repairStaged(ctx context.Context, wanted func(string) bool, dry bool) error {
	g, err := s.guard(ctx)
	if err != nil || len(g.subjects) == 0 {
		return err
	}
	defer func() { _ = g.index.Close() }()
	g.subjects = slices.DeleteFunc(g.subjects, func(sub *subject) bool { return !wanted(sub.change.Path) })
	g.judge(ctx)
	if err := g.repair(ctx, dry); err != nil {
		return err
	}
	for _, sub := range g.subjects {
		if m := sub.mended; m != nil {
			r := row{Status: string(m.Action), File: sub.change.Path, Names: m.Names, Note: m.where(dry), err: m.err}
			if dry && m.err == nil {
				r.err = errWouldRepair
			}
			s.add(r)
		}
	}
	return nil
}

// repairTree mends env files of mappings in the working tree: those named, or
// all that are there.
func (s *session) repairTree(ctx context.Context, only []string, dry bool) error {
	targets, err := s.repairable(only)
	if err != nil {
		return err
	}
	var files []string
	for _, t := range targets {
		files = append(files, t.File)
	}
	if err := s.readHead(ctx, files); err != nil {
		return err
	}
	var changes []drift.Change
	for i, key := range s.fetch(ctx, targets) {
		t := targets[i]
		if key.Err != nil {
			changes = append(changes, drift.Change{Mapping: t.Mapping, File: t.File, Action: drift.Failed, Err: key.Err})
			continue
		}
		if !isDrift(drift.Check(t.Doc, nil, key.Keys).Err()) {
			continue
		}
		ch := s.planRepair(ctx, t.File, t.Doc, key.Keys)
		ch.Mapping = t.Mapping
		changes = append(changes, ch)
	}
	if !dry {
		if err := s.apply(ctx, changes); err != nil {
			return err
		}
	}
	for _, ch := range changes {
		if dry && ch.Write {
			ch.Note, ch.Err = "would be "+string(ch.Action)+" in the working tree", errWouldRepair
		}
		s.addChange(ch)
	}
	return nil
}

// repairable gives the targets whose file holds ciphertext in the working
// tree. A file that is named must have a mapping: else the right key is not
// known.
func (s *session) repairable(only []string) ([]mapping.Target, error) {
	var targets []mapping.Target
	named := map[string]bool{}
	for _, t := range mapping.Resolve(s.root.FS(), s.base, s.cfg, s.cfg.Mappings) {
		named[t.File] = true
		if len(only) > 0 && !slices.Contains(only, t.File) {
			continue
		}
		if t.Err != nil && len(only) > 0 {
			return nil, t.Err
		}
		if t.Err != nil && !errors.As(t.Err, new(*config.NoEnvFileError)) {
			s.add(row{Status: string(drift.Failed), File: cmp.Or(t.File, t.Folder()), Secret: t.Mapping.SecretName, Environment: t.Mapping.Env(), err: t.Err})
		}
		if t.Doc != nil && isEncrypted(t.Doc) {
			targets = append(targets, t)
		}
	}
	for _, file := range only {
		if !named[file] {
			return nil, &unmappedError{s.shown(file)}
		}
	}
	return targets, nil
}

// planRepair plans the repair of a file as it is in the working tree.
func (s *session) planRepair(ctx context.Context, file string, doc *dotenv.Document, right ecies.Keys) drift.Change {
	ch := drift.Change{File: file, Action: drift.Failed, Old: doc.Bytes()}
	head, err := s.previous(ctx, file)
	if err != nil {
		ch.Err = err
		return ch
	}
	plan, err := drift.Drifted{File: path.Base(file), Doc: doc, Head: head, Right: right, Held: s.everyRing(file).Keys()}.Repair()
	if err != nil {
		ch.Err = err
		return ch
	}
	ch.Action, ch.Names, ch.New, ch.Write, ch.Keep = plan.Action, plan.Names, plan.Data, true, true
	return ch
}

// everyRing collects the keys at hand beside every mapped file: what drifted
// may have been encrypted with a neighbour's key. The neighbours' are read
// once: all of hundreds of files may have drifted.
func (s *session) everyRing(file string) *keyring.Ring {
	if s.others == nil {
		var folders []string
		for _, m := range s.cfg.Mappings {
			folders = append(folders, path.Join(s.base, m.Folder))
		}
		slices.Sort(folders)
		s.others = s.ringOf(slices.Compact(folders)...).Held
	}
	ring := s.ring(file)
	ring.Held = append(ring.Held, s.others...)
	return ring
}

// A mended is what was done, or is to be done, about a staged file that drifted.
type mended struct {
	drift.Repair
	err    error  // why it cannot be repaired, or was not
	index  bool   // the index has the new version, and will have it when the hook is over
	tree   bool   // the working tree has it
	backup string // where the old version is
}

// where tells which versions were mended.
func (m *mended) where(dry bool) string {
	switch {
	case m.err != nil:
		return ""
	case dry:
		return "would be " + string(m.Action) + " in the index"
	}
	return m.place() + "; as it was: " + m.backup
}

// errEdited reports that a repair would not last: git drops the index of this
// commit when the hook fails, and the working tree has more than is staged.
var errEdited = errors.New("the working tree has further edits, so this commit cannot be mended for you")

// repair mends the drifted subjects where the configuration wants it. The
// commit does not go on: a person is to look at it first.
func (g *guard) repair(ctx context.Context, dry bool) error {
	var todo []*subject
	for _, sub := range g.subjects {
		if isDrift(sub.err) && (sub.session.cfg.Hooks.OnDrift == config.Repair || !g.hook) {
			if sub.plan(); sub.mended.err == nil {
				todo = append(todo, sub)
			}
		}
	}
	switch {
	case dry || len(todo) == 0:
		return nil
	case g.framework():
		return g.repairBeside(ctx, todo)
	}
	unlock, err := g.lock(ctx)
	if err != nil {
		return err
	}
	return errors.Join(g.repairIndex(ctx, todo), unlock())
}

func (sub *subject) plan() {
	m := &mended{}
	m.Repair, m.err = drift.Drifted{
		File: path.Base(sub.change.Path), Doc: sub.doc, Head: sub.before(), Right: sub.keys,
		Held: sub.session.everyRing(sub.change.Path).Keys(),
	}.Repair()
	if m.err != nil {
		m.Action = drift.Failed
	}
	sub.mended = m
}

// before gives the version that the staged one is an edit of: of the two that
// are merged the one that the right key decrypts.
func (sub *subject) before() *dotenv.Document {
	if sub.theirs != nil && (sub.head == nil || drift.Check(sub.head, nil, sub.keys).Err() != nil) {
		return sub.theirs
	}
	return sub.head
}

// repairIndex puts the repaired versions into every index of the commit, and
// into the working tree where that holds nothing else. The backup comes first.
func (g *guard) repairIndex(ctx context.Context, todo []*subject) error {
	todo, err := g.lasting(ctx, todo)
	if err != nil {
		return err
	}
	var files []gitops.Staged
	for _, sub := range todo {
		where, err := g.repo.Backup(sub.change.Path, sub.data, time.Now())
		if err != nil {
			return fmt.Errorf("keep a backup: %w", err)
		}
		sub.mended.backup = g.near(where)
		files = append(files, gitops.Staged{Path: sub.change.Path, Mode: sub.change.Mode, Data: sub.mended.Data})
	}
	kept, err := g.repo.Replace(ctx, files)
	if err != nil {
		return err
	}
	for _, sub := range todo {
		sub.mended.index = !g.repo.Discarded()
		sub.mended.tree = !slices.Contains(kept, sub.change.Path)
	}
	return nil
}

// lasting leaves out what git would forget: "git commit -p" and the like work
// on an index that is dropped when the hook fails, so a repair lasts only where
// the working tree takes it too.
func (g *guard) lasting(ctx context.Context, todo []*subject) ([]*subject, error) {
	if !g.repo.Discarded() {
		return todo, nil
	}
	var paths []string
	for _, sub := range todo {
		paths = append(paths, sub.change.Path)
	}
	edited, err := g.repo.Unstaged(ctx, paths)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(todo, func(sub *subject) bool {
		if edited[sub.change.Path] {
			sub.mended.err = errEdited
		}
		return edited[sub.change.Path]
	}), nil
}

// repairBeside mends the working tree only: the index belongs to the pre-commit
// framework, which has put the unstaged edits away and would lose them.
func (g *guard) repairBeside(ctx context.Context, todo []*subject) error {
	var changes []drift.Change
	for _, sub := range todo {
		ch := drift.Change{File: sub.change.Path, Action: drift.Failed}
		doc, err := mapping.ReadEnvFile(g.root.FS(), sub.change.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			ch.Err = errEdited
		case err != nil:
			ch.Err = err
		default:
			ch = sub.session.planRepair(ctx, sub.change.Path, doc, sub.keys)
		}
		changes = append(changes, ch)
	}
	if err := g.apply(ctx, changes); err != nil {
		return err
	}
	for i, sub := range todo {
		ch, m := changes[i], sub.mended
		m.Action, m.Names, m.err, m.tree = ch.Action, ch.Names, ch.Err, ch.Err == nil
		_, where, _ := strings.Cut(ch.Note, " as ")
		m.backup = g.near(where)
	}
	return nil
}

// near shortens the path of a file below where the person stands.
func (c *cli) near(file string) string {
	if rel, err := filepath.Rel(c.dir, file); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return file
}

// isDrift reports whether a repair may help against err.
func isDrift(err error) bool {
	return errors.As(err, new(*drift.DriftError)) || errors.As(err, new(*drift.MixedError))
}

// owners tells whose key a subject was encrypted with, if that is known.
func (g *guard) owners(sub *subject) string {
	ring := sub.session.everyRing(sub.change.Path)
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
	declared(sub.head, "the key of HEAD's version")
	for _, t := range mapping.Resolve(sub.session.tree, sub.session.base, sub.session.cfg, sub.session.cfg.Mappings) {
		if t.File != sub.change.Path {
			declared(t.Doc, "the key of "+t.File)
		}
	}
	owners := drift.Owners(sub.doc, sub.keys, ring.Keys(), known)
	if len(owners) == 0 {
		return ""
	}
	return "encrypted with " + strings.Join(owners[:min(2, len(owners))], ", ")
}

// outcome is what the last line of the report adds about repairs.
func (g *guard) outcome(ctx context.Context) string {
	done := 0
	for _, sub := range g.subjects {
		if m := sub.mended; m != nil && (m.index || m.tree) {
			done++
		}
	}
	if done == 0 {
		return ""
	}
	if g.framework() {
		return fmt.Sprintf("; %d mended in the working tree: look, git add, and commit again", done)
	}
	if nothing, err := g.repo.NothingStaged(ctx); err == nil && nothing {
		return "; nothing is left to commit"
	}
	return fmt.Sprintf("; %d mended: look, and commit again", done)
}

// framework reports whether the hook is run by the pre-commit framework.
func (g *guard) framework() bool { return g.hook && g.env["PRE_COMMIT"] == "1" }
