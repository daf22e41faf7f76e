package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"

	"github.com/envdrift/envdrift/internal/config"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/drift"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/keyring"
	"github.com/envdrift/envdrift/internal/mapping"
)

// sources reads the env files and finds the keys that decrypt them.
func (s *session) sources(ctx context.Context, f environFlags) ([]dotenv.Source, error) {
	targets, err := s.execTargets(f)
	if err != nil {
		return nil, err
	}
	sources := make([]dotenv.Source, len(targets))
	var asks []mapping.Target
	var asking []int
	for i, t := range targets {
		sources[i] = dotenv.Source{Name: s.shown(t.File), Doc: t.Doc}
		keys, ask, err := s.execKeys(t, f.keys)
		if err != nil {
			return nil, err
		}
		sources[i].Keys = keys
		if ask {
			asks, asking = append(asks, t), append(asking, i)
		}
	}
	for n, key := range keyring.Fetch(ctx, s.vaultOf, asks, s.workers()) {
		if key.Err != nil {
			return nil, fmt.Errorf("%s: %w", s.shown(asks[n].File), key.Err)
		}
		sources[asking[n]].Keys = key.Keys
	}
	return sources, nil
}

// execTargets decides which files are read: those that -f names, else the
// mappings of the nearest folder above that has some, else .env.
func (s *session) execTargets(f environFlags) ([]mapping.Target, error) {
	if len(f.files) > 0 {
		targets := make([]mapping.Target, len(f.files))
		for i, name := range f.files {
			t, err := s.execFile(name)
			if err != nil {
				return nil, err
			}
			targets[i] = t
		}
		return targets, nil
	}
	here, err := s.inside(".")
	if err != nil {
		return nil, err
	}
	mappings, err := s.serviceMappings(here, f.env)
	if err != nil {
		return nil, err
	}
	if len(mappings) == 0 && f.env != "" {
		return nil, fmt.Errorf("no mapping of environment %q here or above", f.env)
	}
	if len(mappings) == 0 {
		t, err := s.execFile(".env")
		return []mapping.Target{t}, err
	}
	targets := mapping.Resolve(s.root.FS(), s.base, s.cfg, mappings)
	for _, t := range targets {
		if t.Err != nil {
			return nil, t.Err
		}
	}
	return targets, nil
}

// serviceMappings gives the mappings of the nearest folder, from here up to
// the root, that has any for the profile and the environment.
func (s *session) serviceMappings(here, environment string) ([]config.Mapping, error) {
	if len(s.cfg.Mappings) == 0 {
		return nil, nil
	}
	selected, err := s.cfg.Select(s.profile)
	if err != nil {
		return nil, err
	}
	for folder := here; ; folder = path.Dir(folder) {
		var found []config.Mapping
		for _, m := range selected {
			if path.Join(s.base, m.Folder) == folder && (environment == "" || m.Env() == environment) {
				found = append(found, m)
			}
		}
		if len(found) > 0 || folder == "." {
			return found, nil
		}
	}
}

// execFile reads a file that was named. It may lie outside the repository,
// since it is only read; its keys are then looked for beside it.
func (s *session) execFile(name string) (mapping.Target, error) {
	file, err := s.inside(name)
	if err == nil {
		if t, ok := s.target(file); ok && t.Err == nil {
			return t, nil
		}
		doc, err := mapping.ReadEnvFile(s.root.FS(), file)
		return mapping.Target{File: file, Doc: doc}, err
	}
	abs := s.absolute(name)
	doc, err := mapping.ReadEnvFile(os.DirFS(filepath.Dir(abs)), filepath.Base(abs))
	return mapping.Target{File: abs, Doc: doc}, err
}

// execKeys gives the keys at hand for a file, or says that the vault is to be
// asked.
func (s *session) execKeys(t mapping.Target, which string) (keys ecies.Keys, ask bool, err error) {
	ring := s.ring(t.File)
	keys = ring.For(t.Doc)
	if state := t.Doc.State(); state == dotenv.Plain || state == dotenv.Empty {
		return keys, false, nil // a variable of the process may be encrypted
	}
	mapped := t.Mapping.SecretName != ""
	if which == "vault" || mapped && t.Mapping.Ephemeral {
		if !mapped {
			return nil, false, &unmappedError{s.shown(t.File)}
		}
		return nil, true, nil
	}
	declared := len(ring.Declared(t.Doc)) > 0
	if mapped && which == "auto" {
		return keys, !declared, nil
	}
	if declared || len(drift.Check(t.Doc, nil, keys).Failures) == 0 {
		return keys, false, nil
	}
	keys, err = s.keysAtHand(t.File, t.Doc)
	return keys, false, err
}
