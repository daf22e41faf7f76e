package scan

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/leak"
	"github.com/envdrift/envdrift/internal/mapping"
	"github.com/envdrift/envdrift/internal/verify"
	"github.com/envdrift/envdrift/internal/workspace"
)

// list lists what is to be searched, and the env files whose values count: those of
// the working tree, and of what is searched.
func (s *search) list(ctx context.Context) error {
	switch {
	case s.scope.Staged:
		changes, err := s.repo.Staged(ctx)
		if err != nil {
			return err
		}
		return s.orNone(ErrNotStaged, s.listStaged(ctx, changes))
	case strings.Contains(s.scope.Rev, ".."):
		return s.orNone(nil, s.listRange(ctx)) // its commits may take away alone
	case s.scope.Rev != "":
		return s.orNone(ErrNoFiles, s.listCommit(ctx))
	}
	return s.orNone(ErrNoFiles, s.listTree(ctx))
}

// orNone returns err, or instead if there is nothing to search.
func (s *search) orNone(instead, err error) error {
	if err == nil && len(s.items) == 0 {
		return instead
	}
	return err
}

// withTargets returns files with what links among them lead to, if that is in the tree.
func withTargets(w *workspace.Workspace, files []string) []string {
	for _, file := range files {
		target, err := filepath.EvalSymlinks(w.Absolute(file))
		if err != nil {
			continue
		}
		if there, err := w.Inside(target); err == nil && !slices.Contains(files, there) {
			files = append(files, there)
		}
	}
	return files
}

// isAsked reports whether a file is one that was asked for, or below one.
func (s *search) isAsked(file string) bool {
	return len(s.scope.Files) == 0 || slices.ContainsFunc(s.scope.Files, func(asked string) bool {
		return asked == "." || asked == file || strings.HasPrefix(file, asked+"/")
	})
}

// addItem adds a content, unless nobody asked for it. A symbolic link has its target's
// name for one.
func (s *search) addItem(mode gitops.Mode, i item) {
	switch {
	case !s.isAsked(i.path):
	case mode == gitops.Submodule:
		s.result.Skipped++
		s.submodules = append(s.submodules, i.path)
	default:
		s.items = append(s.items, i)
	}
}

// listTree lists the files of the working tree that git tracks, and those that were
// asked for by name.
func (s *search) listTree(ctx context.Context) error {
	tracked, err := s.listTracked(ctx)
	if err != nil {
		return err
	}
	for _, file := range s.scope.Files {
		if err := s.addNamed(file); err != nil {
			return err
		}
	}
	for _, file := range tracked {
		if config.IsTemplate(path.Base(file)) {
			if data, err := atomicfile.ReadFile(s.work.Files(), file); err == nil {
				s.addShown(data)
			}
		}
	}
	return errors.Join(s.addTree(ctx, nil, tracked), s.addAbsent(ctx, tracked))
}

// addAbsent adds the env files of the index if one of them is not in the working tree,
// as in a sparse checkout.
func (s *search) addAbsent(ctx context.Context, tracked []string) error {
	if s.repo == nil || !slices.ContainsFunc(tracked, func(file string) bool {
		if !config.IsEnvFileName(path.Base(file)) {
			return false
		}
		_, err := fs.Lstat(s.work.Files(), file)
		return errors.Is(err, fs.ErrNotExist)
	}) {
		return nil
	}
	tree, err := s.repo.IndexTree(ctx, workspace.MaxFile)
	if err != nil {
		return err
	}
	return errors.Join(s.addTree(ctx, tree, regular(tree.Files())), tree.Close())
}

// addNamed adds a file that was asked for by name, and of a folder in which git tracks
// nothing, such as that of a build, all files.
func (s *search) addNamed(file string) error {
	info, err := fs.Lstat(s.work.Files(), file)
	if err != nil { // also of what git tracks
		return atomicfile.ReadError(file, err)
	}
	isIt := func(there string) bool { return there == file || file == "." || strings.HasPrefix(there, file+"/") }
	if slices.ContainsFunc(s.items, func(i item) bool { return isIt(i.path) }) || slices.ContainsFunc(s.submodules, isIt) {
		return nil
	}
	if !info.IsDir() {
		s.items = append(s.items, item{path: file})
		return nil
	}
	return fs.WalkDir(s.work.Files(), file, func(name string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return atomicfile.ReadError(name, err)
		case e.IsDir() && e.Name() == ".git":
			return fs.SkipDir
		case !e.IsDir():
			s.items = append(s.items, item{path: name})
		}
		return nil
	})
}

// listTracked lists the files that git tracks, and returns their paths without links:
// outside of a repository those of the env files.
func (s *search) listTracked(ctx context.Context) (tracked []string, err error) {
	if s.repo == nil {
		return mapping.Discover(s.work.Files())
	}
	files, err := s.repo.TrackedFiles(ctx)
	for _, f := range files {
		s.addItem(f.Mode, item{path: f.Path})
	}
	return regular(files), err
}

// regular returns the paths of regular files: what a link leads to is no env file of
// the repository, or has a path of its own.
func regular(files []gitops.File) (paths []string) {
	for _, f := range files {
		if f.Mode.IsFile() {
			paths = append(paths, f.Path)
		}
	}
	return paths
}

// searchTree searches files of the working tree.
func (s *search) searchTree(ctx context.Context, hits [][]hit) error {
	g, working := workers(ctx)
	problems := make([]error, len(s.items))
	for i, item := range s.items {
		g.Go(func() error {
			hits[i], problems[i] = s.searchFile(working, item.path)
			return working.Err()
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i, problem := range problems {
		if problem == nil {
			continue
		}
		s.items[i].unread = true
		if !errors.Is(problem, fs.ErrNotExist) { // git tracks what was deleted
			s.result.unchecked(s.items[i].path, 0, problem)
		}
	}
	return nil
}

func (s *search) searchFile(ctx context.Context, file string) ([]hit, error) {
	info, err := s.work.Root().Lstat(file)
	if err != nil {
		return nil, atomicfile.ReadError(file, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		target, err := s.work.Root().Readlink(file)
		if err != nil {
			return nil, atomicfile.ReadError(file, err)
		}
		return s.match.search(ctx, strings.NewReader(target), int64(len(target)))
	}
	if !info.Mode().IsRegular() { // opening a FIFO waits for a writer
		return nil, &fs.PathError{Op: "read", Path: file, Err: atomicfile.ErrNotRegular}
	}
	f, err := s.work.Root().Open(file)
	if err != nil {
		return nil, atomicfile.ReadError(file, err)
	}
	defer func() { _ = f.Close() }()
	return s.match.search(ctx, f, info.Size())
}

// listStaged lists what is staged. What HEAD has in a line, or another side of a
// merge, is not new.
func (s *search) listStaged(ctx context.Context, changes []gitops.Change) error {
	s.addChanges("", changes)
	for _, rev := range verify.Merging(s.work, s.repo) {
		if err := s.subtract(ctx, rev); err != nil {
			return err
		}
	}
	if len(s.items) == 0 {
		return nil
	}
	tree, err := s.repo.IndexTree(ctx, workspace.MaxFile)
	if err != nil {
		return err
	}
	before := map[string]gitops.OID{}
	for _, ch := range changes {
		before[ch.Path] = ch.OldOID
	}
	var templates []gitops.OID
	for _, f := range tree.Files() {
		if oid, changed := before[f.Path]; config.IsTemplate(path.Base(f.Path)) {
			if !changed {
				oid = f.OID
			}
			templates = append(templates, oid)
		}
	}
	return errors.Join(s.addTemplates(ctx, templates), s.addTrees(ctx, tree), s.addVersions(ctx))
}

// addChanges adds what changes bring. What was moved is not new.
func (s *search) addChanges(commit string, changes []gitops.Change) {
	s.changes = append(s.changes, changes...)
	old := map[gitops.OID]bool{}
	for _, ch := range changes {
		if ch.Status == gitops.Deleted {
			old[ch.OldOID] = true
		}
	}
	for _, ch := range changes {
		if ch.Status == gitops.Deleted || ch.OID == "" || ch.OID.IsNull() || old[ch.OID] {
			continue
		}
		i := item{path: ch.Path, commit: commit, oid: ch.OID}
		if ch.OldMode.IsFile() {
			i.earlier = []gitops.OID{ch.OldOID}
		}
		s.addItem(ch.Mode, i)
	}
}

// subtract removes the items that another side of a merge has as they are, and notes
// what it has of the others.
func (s *search) subtract(ctx context.Context, rev string) error {
	if len(s.items) == 0 {
		return nil
	}
	var paths []string
	for _, i := range s.items {
		paths = append(paths, i.path)
	}
	theirs, err := s.repo.TreeFiles(ctx, rev, paths...)
	if err != nil {
		return err
	}
	have := map[string]gitops.OID{}
	for _, f := range theirs {
		have[f.Path] = f.OID
	}
	s.items = slices.DeleteFunc(s.items, func(i item) bool { return have[i.path] == i.oid })
	for n, i := range s.items {
		if oid, there := have[i.path]; there {
			s.items[n].earlier = append(i.earlier, oid)
		}
	}
	return nil
}

// listRange lists what the commits of a range add, the oldest first. A merge adds what
// no side has.
func (s *search) listRange(ctx context.Context) error {
	start, end, _ := strings.Cut(s.scope.Rev, "..")
	if end = strings.TrimPrefix(end, "."); start == "" || end == "" {
		return ErrNoRevision
	}
	commits, err := verify.Commits(ctx, s.repo, s.scope.Rev)
	if err != nil {
		return err
	}
	s.result.Commits = len(commits)
	changed, err := s.repo.ChangedIn(ctx, commits)
	if err != nil {
		return err
	}
	var items []item
	for _, c := range slices.Backward(commits) {
		s.items = nil
		s.addChanges(short(c.OID), changed[c.OID])
		for _, other := range c.Others {
			if err := s.subtract(ctx, string(other)); err != nil {
				return err
			}
		}
		items = append(items, s.items...)
	}
	for _, c := range slices.Backward(commits) {
		if len(s.scope.Files) == 0 {
			items = append(items, item{path: leak.Message, message: true, commit: short(c.OID), oid: c.OID})
		}
	}
	s.items = firstOf(items)
	files, err := s.repo.TreeFiles(ctx, start)
	if err != nil {
		return err
	}
	if len(s.items) == 0 && !slices.ContainsFunc(files, func(f gitops.File) bool { return s.isAsked(f.Path) }) {
		return ErrNoFiles // neither before nor since
	}
	if err := s.addTemplates(ctx, templatesOf(files)); err != nil {
		return err
	}
	return errors.Join(s.addCommit(ctx, end), s.addVersions(ctx))
}

func short(oid gitops.OID) string { return string(oid[:min(12, len(oid))]) }

// firstOf returns the items without those of which an earlier one has path and content.
func firstOf(items []item) []item {
	seen := map[[2]string]bool{}
	return slices.DeleteFunc(items, func(i item) bool {
		id := [2]string{i.path, string(i.oid)}
		defer func() { seen[id] = true }()
		return seen[id]
	})
}

// listCommit lists the files of a commit.
func (s *search) listCommit(ctx context.Context) error {
	oid, err := s.repo.Resolve(ctx, s.scope.Rev)
	if err != nil {
		return err
	}
	files, err := s.repo.TreeFiles(ctx, string(oid))
	if err != nil {
		return err
	}
	for _, f := range files {
		s.addItem(f.Mode, item{path: f.Path, commit: short(oid), oid: f.OID})
	}
	if err := s.addTemplates(ctx, templatesOf(files)); err != nil {
		return err
	}
	return s.addCommit(ctx, string(oid))
}

func templatesOf(files []gitops.File) (oids []gitops.OID) {
	for _, f := range files {
		if config.IsTemplate(path.Base(f.Path)) {
			oids = append(oids, f.OID)
		}
	}
	return oids
}

// addTemplates learns what templates show, as they were before what is searched: a
// value that comes into one is found.
func (s *search) addTemplates(ctx context.Context, oids []gitops.OID) error {
	return s.repo.Read(ctx, oids, func(_ int, content io.Reader, size int64) error {
		if content == nil || size > workspace.MaxFile {
			return nil
		}
		data, err := io.ReadAll(content)
		s.addShown(data)
		return err
	})
}

func (s *search) addCommit(ctx context.Context, rev string) error {
	tree, err := s.repo.Tree(ctx, rev, workspace.MaxFile)
	if err != nil {
		return err
	}
	return s.addTrees(ctx, tree)
}

// addTrees adds the env files of a tree, and of the working tree. It closes the tree.
func (s *search) addTrees(ctx context.Context, tree *gitops.Tree) error {
	files := regular(tree.Files())
	return errors.Join(s.addTree(ctx, tree, files), tree.Close(), s.addTree(ctx, nil, files))
}

// addVersions adds the versions of env files that changes replace or bring: a value
// that was moved out of one is not in the last one.
func (s *search) addVersions(ctx context.Context) error {
	var oids []gitops.OID
	var files []string
	seen := map[gitops.OID]bool{"": true}
	for _, ch := range s.changes {
		if len(s.files[ch.Path]) == 0 && !config.IsEnvFileName(path.Base(ch.Path)) {
			continue
		}
		for _, side := range []gitops.File{{Mode: ch.OldMode, OID: ch.OldOID}, {Mode: ch.Mode, OID: ch.OID}} {
			if side.Mode.IsFile() && !side.OID.IsNull() && !seen[side.OID] {
				seen[side.OID] = true
				oids, files = append(oids, side.OID), append(files, ch.Path)
			}
		}
	}
	return s.repo.Read(ctx, oids, func(i int, content io.Reader, size int64) error {
		if content == nil || size > workspace.MaxFile {
			s.result.unchecked(files[i], 0, errNoVersion)
			return nil
		}
		data, err := io.ReadAll(content)
		if err != nil {
			return err
		}
		doc, err := mapping.ParseEnvFile(files[i], data)
		switch known := s.files[files[i]]; {
		case err != nil: // it was repaired since
			if names := bytes.Count(data, []byte(ecies.Prefix)); names > 0 {
				s.result.unchecked(files[i], names, err)
			}
		case len(known) > 0:
			t := known[0].Target
			t.Doc = t.Keeping(doc)
			s.addFile(known[0].work, t)
		case doc.State().HasCiphertext():
			s.addFile(s.work, mapping.Target{File: files[i], Doc: doc})
		}
		return nil
	})
}
