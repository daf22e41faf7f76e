package leak

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/secret"
	"github.com/envdrift/envdrift/internal/workspace"
	"github.com/envdrift/envdrift/vault/age"
)

// list makes findings of the evidence: one for versions of a file, one after the
// other or not, that give away the same.
func (s *search) list(ctx context.Context) error {
	var hits []gitops.Version
	var commits []gitops.OID
	for _, v := range s.history.Versions {
		if e := s.evidence[v.OID]; e != nil && len(s.findings(v, e)) > 0 {
			hits = append(hits, v)
			if _, isCommit := s.history.Times[v.Commit]; isCommit {
				commits = append(commits, v.Commit)
			}
		}
	}
	unpushed, err := s.repo.Outside(ctx, commits, "--remotes")
	if err != nil {
		return err
	}
	aside, err := s.repo.Outside(ctx, commits, "--exclude=refs/stash", "--exclude=refs/notes/*", "--all")
	if err != nil {
		return err
	}
	at := map[string]int{}
	for _, v := range hits {
		_, isCommit := s.history.Times[v.Commit]
		for _, f := range s.findings(v, s.evidence[v.OID]) {
			f.Pushed, f.Aside = isCommit && !unpushed[v.Commit], aside[v.Commit]
			s.learnKnown(v, f)
			id := fmt.Sprint(f.Kind, f.File, f.Names, f.Pushed, f.Aside, f.Present, f.Unknown, publicOf(f.keys), f.recipients)
			i, there := at[id]
			if !there {
				i = len(s.result.Findings)
				at[id] = i
				s.result.Findings = append(s.result.Findings, f)
			}
			known := &s.result.Findings[i]
			known.InHead = known.InHead || s.head[v.Path] == v.OID
			known.Commits = append(known.Commits, Commit{cmp.Or(v.Commit, v.OID), s.history.Times[v.Commit]})
		}
	}
	return nil
}

func publicOf(keys ecies.Keys) (public []string) {
	for _, key := range keys {
		public = append(public, key.PublicKey().String())
	}
	return public
}

// findings returns what one version gives away, without its commits.
func (s *search) findings(v gitops.Version, e *evidence) (list []Finding) {
	if len(e.keys)+len(e.recipients) > 0 {
		f := Finding{Kind: PrivateKey, File: v.Path, recipients: e.recipients}
		for _, key := range e.keys {
			f.Names, f.keys = append(f.Names, key.Name), append(f.keys, key.Keys...)
		}
		for range e.recipients {
			f.Names = append(f.Names, "age identity")
		}
		list = append(list, f)
	}
	if f := s.plaintext(v, e); len(f.Names) > 0 {
		list = append(list, f)
	} else if values := s.elsewhere(v, e); len(values) > 0 {
		list = append(list, Finding{Kind: Value, File: v.Path, Names: values, Present: len(values)})
	}
	for i := range list {
		slices.Sort(list[i].Names)
		list[i].Names = slices.Compact(list[i].Names)
	}
	return list
}

// plaintext returns the names whose values are in plaintext in a version of an env
// file, if any.
func (s *search) plaintext(v gitops.Version, e *evidence) Finding {
	f := Finding{Kind: Plaintext, File: v.Path}
	for _, entry := range s.plainEntries(v, e) {
		if slices.Contains(f.Names, entry.Name) {
			continue
		}
		f.Names = append(f.Names, entry.Name)
		switch s.state(entry.Name, secret.New(entry.Value)) {
		case Same:
			f.Present++
		case Unknown:
			f.Unknown++
		}
	}
	return f
}

func (s *search) plainEntries(v gitops.Version, e *evidence) (entries []dotenv.Entry) {
	if e.doc == nil || !s.countsPlaintext(v.Path) || !v.Mode.IsFile() {
		return nil
	}
	doc := e.doc
	if t := s.target(v.Path); t != nil {
		doc = t.Keeping(doc)
	}
	for _, entry := range doc.Plaintext(dotenv.Selection{}) {
		if entry.Value != "" && !strings.HasPrefix(entry.Name, dotenv.PrivatePrefix) {
			entries = append(entries, entry)
		}
	}
	return entries
}

// elsewhere returns the names of present values in a file that is no env file.
func (s *search) elsewhere(v gitops.Version, e *evidence) []string {
	if s.isEnv(v.Path) && e.doc != nil && !s.countsPlaintext(v.Path) {
		return nil // plaintext is allowed there
	}
	return slices.Clone(e.values)
}

// state says what became of the value of a variable.
func (s *search) state(name string, value secret.Value) State {
	values, there := s.present[name]
	switch {
	case slices.ContainsFunc(values, value.Equal):
		return Same
	case s.unread[name]:
		return Unknown
	case there:
		return Other
	}
	return Absent
}

// learnKnown notes the variables whose values a finding gives away.
func (s *search) learnKnown(v gitops.Version, f Finding) {
	e := s.evidence[v.OID]
	switch f.Kind {
	case Plaintext:
		for _, entry := range s.plainEntries(v, e) {
			s.addKnown(v.Path, entry.Name, s.state(entry.Name, secret.New(entry.Value)), f.Pushed)
		}
	case Value:
		for _, name := range f.Names {
			s.addKnown(s.fileOf(name), name, Same, f.Pushed)
		}
	}
}

// fileOf returns a mapped env file that has the variable.
func (s *search) fileOf(name string) string {
	for _, t := range s.targets {
		if _, has := t.Doc.Get(name); has {
			return t.File
		}
	}
	return ""
}

func (s *search) addKnown(file, name string, state State, pushed bool) {
	id := [2]string{file, name}
	k := s.known[id]
	if k == nil {
		k = &Known{Name: name, File: file, State: state}
		s.known[id] = k
	}
	if slices.Index(states, state) < slices.Index(states, k.State) {
		k.State = state
	}
	k.Pushed = k.Pushed || pushed
}

// open notes the variables that were ever encrypted for keys, in any version of an
// env file that is in the history or in the working tree.
func (s *search) open(keys ecies.Keys, pushed bool) {
	var versions []envVersion
	var todo []string
	asked := map[string]bool{}
	for _, v := range s.envVersions() {
		if !declares(v.doc, keys) {
			continue
		}
		versions = append(versions, v)
		for _, e := range v.doc.Entries() {
			if _, done := s.opened[e.Value]; e.Encrypted() && !done && !asked[e.Value] {
				todo, asked[e.Value] = append(todo, e.Value), true
			}
		}
	}
	for i, opened := range keys.DecryptAll(todo) {
		if opened.Err == nil { // else another key may decrypt it
			s.opened[todo[i]] = opened
		}
	}
	for _, v := range versions {
		for _, e := range v.doc.Entries() {
			if opened, ok := s.opened[e.Value]; ok && e.Encrypted() && keys.Find(opened.Used) != nil {
				s.addKnown(v.file, e.Name, s.state(e.Name, opened.Plaintext), pushed)
			}
		}
	}
}

// An envVersion is a version of an env file.
type envVersion struct {
	file string
	doc  *dotenv.Document
}

// envVersions returns the versions of env files, each once.
func (s *search) envVersions() []envVersion {
	if s.versions == nil {
		seen := map[string]bool{}
		for _, v := range s.history.Versions {
			if e := s.evidence[v.OID]; e != nil && e.doc != nil && s.isEnv(v.Path) && !seen[v.Path+string(v.OID)] {
				seen[v.Path+string(v.OID)] = true
				s.versions = append(s.versions, envVersion{v.Path, e.doc})
			}
		}
		for _, t := range s.targets {
			s.versions = append(s.versions, envVersion{t.File, t.Doc})
		}
	}
	return s.versions
}

// conclude says of each key that was found which files and vaults it opens, which
// variables are known by that, and which keys are to be replaced.
func (s *search) conclude(ctx context.Context) error {
	var errs []error
	for i := range s.result.Findings {
		f := &s.result.Findings[i]
		if len(f.keys) > 0 {
			s.judge(f)
			s.open(f.keys, f.Pushed)
		}
		for _, recipient := range f.recipients {
			errs = append(errs, s.judgeIdentity(ctx, f, recipient))
		}
	}
	for _, k := range s.known {
		s.result.Known = append(s.result.Known, *k)
	}
	for _, t := range s.targets {
		s.result.Bases[t.File] = t.work.Base
	}
	slices.SortFunc(s.result.Known, func(a, b Known) int {
		return cmp.Or(slices.Index(states, a.State)-slices.Index(states, b.State), strings.Compare(a.File, b.File), strings.Compare(a.Name, b.Name))
	})
	return errors.Join(errs...)
}

// declares reports whether the header of an env file names the public half of a key.
func declares(doc *dotenv.Document, keys ecies.Keys) bool {
	headers, _ := doc.PublicKeys()
	return slices.ContainsFunc(headers, func(h dotenv.Header) bool { return keys.Find(h.Key) != nil })
}

// judge says which files the keys of a finding decrypt.
func (s *search) judge(f *Finding) {
	var retire []string
	for _, t := range s.targets {
		if declares(t.Doc, f.keys) {
			f.KeyOf = append(f.KeyOf, t.File)
		} else if slices.ContainsFunc(t.keys, func(k *ecies.PrivateKey) bool { return f.keys.Find(k.PublicKey()) != nil }) {
			retire = append(retire, t.File)
		}
	}
	for _, v := range s.envVersions() {
		if !slices.Contains(f.KeyOf, v.file) && declares(v.doc, f.keys) {
			f.OnceKeyOf = union(f.OnceKeyOf, []string{v.file})
		}
	}
	s.result.Rotate, s.result.Retire = union(s.result.Rotate, f.KeyOf), union(s.result.Retire, retire)
}

// judgeIdentity says which age vaults an identity reads.
func (s *search) judgeIdentity(ctx context.Context, f *Finding, recipient string) error {
	var errs []error
	for _, w := range s.works {
		lists, err := w.ReadersOf(ctx, "")
		for _, l := range lists {
			if slices.ContainsFunc(l.Readers, func(r age.Reader) bool { return r.Key == recipient }) {
				s.reads(f, w, l, recipient)
			}
		}
		if w.UsesAge() {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// reads notes that the identity of a recipient reads a vault.
func (s *search) reads(f *Finding, w *workspace.Workspace, l workspace.Readers, recipient string) {
	var secrets []string
	for _, a := range l.Secrets {
		secrets = append(secrets, a.Secret)
	}
	files, _ := w.FilesOf(l.Name, secrets)
	f.Vaults, s.result.Rotate = union(f.Vaults, []string{l.Vault}), union(s.result.Rotate, files)
	r := Removal{l.Name, recipient, files, w.Base}
	if !slices.ContainsFunc(s.result.Removals, func(o Removal) bool { return o.Vault == r.Vault && o.Base == r.Base && o.Recipient == r.Recipient }) {
		s.result.Removals = append(s.result.Removals, r)
	}
	for _, file := range files {
		if t := s.target(file); t != nil {
			s.knowAll(t, f.Pushed)
		}
	}
}

// knowAll notes the encrypted variables of a file whose key can be read.
func (s *search) knowAll(t *mappedFile, pushed bool) {
	for _, e := range t.Doc.Entries() {
		if e.Encrypted() {
			s.addKnown(t.File, e.Name, Same, pushed)
		}
	}
}

func union(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
