package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/atomicfile"
	"github.com/envdrift/envdrift/internal/drift"
)

// What a session writes: plans and single files under the clone's lock, backups,
// and what git must ignore.

// apply writes a plan under the clone's lock, and removes what a run that was
// killed left beside the plan's files, even if nothing is to be written there.
func (s *session) apply(ctx context.Context, changes []drift.Change) (err error) {
	if !slices.ContainsFunc(changes, func(c drift.Change) bool { return c.Write }) && len(s.leftovers(changes)) == 0 {
		return nil
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	for _, name := range s.leftovers(changes) {
		if err := s.root.Remove(name); err != nil {
			return err
		}
	}
	if err := s.ignorePrivate(ctx, changes); err != nil {
		return err
	}
	defer s.showing("writing " + plural(len(changes), "file"))()
	drift.Apply(ctx, s.root, changes, s.keep, s.workers())
	return nil
}

// leftovers lists what killed runs left beside the files of a plan. Without a
// clone no lock tells them from the files of a run that is at work: their age
// does.
func (s *session) leftovers(changes []drift.Change) (names []string) {
	var before time.Time
	if !s.inRepo {
		before = time.Now().Add(-time.Minute)
	}
	seen := map[string]bool{}
	for _, c := range changes {
		if dir := path.Dir(c.File); !seen[dir] {
			seen[dir] = true
			names = append(names, atomicfile.Leftovers(s.root, dir, before)...)
		}
	}
	return names
}

// lock takes the clone's lock, waiting for another run of ours at most as long
// as a person would.
func (s *session) lock(ctx context.Context) (unlock func() error, err error) {
	repo, err := s.git(ctx)
	if err != nil {
		return nil, err
	}
	if repo == nil {
		return func() error { return nil }, nil // no clone: each file is atomic on its own
	}
	waited := s.showing("waiting for another envdrift")
	unlock, err = repo.Lock(ctx, fmt.Sprintf("envdrift %s, process %d", s.name, os.Getpid()))
	waited()
	if err != nil {
		return nil, err
	}
	// What a killed run leaves may hold secrets: no "git add -A" takes it.
	if err := repo.Exclude(atomicfile.Pattern); err != nil {
		return nil, errors.Join(err, unlock())
	}
	return unlock, nil
}

// keep is a [drift.Keeper]: in a clone under its git directory, where nothing
// can be committed, elsewhere beside the file.
func (s *session) keep(file string, old []byte) (string, error) {
	if s.repo != nil {
		return s.repo.Backup(file, old, time.Now())
	}
	name := file + ".backup." + time.Now().UTC().Format("20060102T150405.000000000")
	return name, atomicfile.Write(s.root, name, old, 0o600, true)
}

// write replaces one file under the clone's lock, unless it holds data already.
func (s *session) write(name string, data []byte, perm fs.FileMode) error {
	return atomicfile.Write(s.root, name, data, perm, false)
}

// ignorePrivate makes sure that git ignores every private file before it is
// written.
func (s *session) ignorePrivate(ctx context.Context, changes []drift.Change) error {
	repo, err := s.git(ctx)
	if repo == nil || err != nil {
		return err
	}
	var private []string
	for _, c := range changes {
		if c.Write && c.Private {
			private = append(private, c.File)
		}
	}
	return s.ignore(ctx, repo, private)
}

// ignore appends to the top .gitignore what git would not ignore yet.
func (s *session) ignore(ctx context.Context, repo *gitops.Repo, files []string) error {
	if len(files) == 0 {
		return nil
	}
	ignored, err := repo.Ignored(ctx, files)
	if err != nil {
		return err
	}
	var lines []string
	for _, file := range files {
		line := "/" + file
		if path.Base(file) == s.cfg.Sync.EnvKeysFilename {
			line = path.Base(file) // wherever a service lies
		}
		if !ignored[file] && !slices.Contains(lines, line) {
			lines = append(lines, line)
		}
	}
	if len(lines) == 0 {
		return nil
	}
	old, err := atomicfile.ReadFile(s.root.FS(), ".gitignore")
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.say("added to .gitignore: %s", strings.Join(lines, ", "))
	return s.write(".gitignore", appendLines(old, lines), 0o644)
}

// appendLines adds lines to a text file in the file's own line ending.
func appendLines(old []byte, lines []string) []byte {
	eol := "\n"
	if strings.Contains(string(old), "\r\n") {
		eol = "\r\n"
	}
	text := string(old)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += eol
	}
	return []byte(text + strings.Join(lines, eol) + eol)
}
