// Package scan searches files for the values of the repository's own env files: what
// is staged, what a range of commits adds, or the working tree. Keys come from where no
// network is needed; what they do not decrypt is reported as not checked. It returns
// names and places, and no value.
package scan

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"runtime"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/leak"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Scope says what is searched. Only one of Staged and Rev is set; without both it is
// the working tree.
type Scope struct {
	Files  []string // only these and what is below them, relative to the top; none for all that git tracks
	Staged bool     // what the next commit adds
	Rev    string   // all of a commit, or what the commits of a range A..B add
}

// A Finding is a place that has a value.
type Finding struct {
	File   string  `json:"file"`           // relative to the top, [leak.Message] for a commit's; what a value is in has Masked instead
	Line   int     `json:"line,omitempty"` // 0 where there are no lines
	Commit string  `json:"commit,omitempty"`
	Values []Owner `json:"values"` // whose value it is: the same one, unless the file is an env file in plaintext
	Form   Form    `json:"form,omitempty"`
	Kind   Kind    `json:"kind"`
}

// A Kind is where a value is.
type Kind string

// The kinds.
const (
	Content   Kind = "content"
	FileName  Kind = "file name"
	Message   Kind = "message"   // of a commit
	Plaintext Kind = "plaintext" // an env file that has its own values in plaintext
)

// Masked replaces the parts of a path that have a value.
const Masked = "[masked]"

// Unchecked is what is not known to be absent, and why.
type Unchecked struct {
	File  string `json:"file"`
	Names int    `json:"names"` // that could not be decrypted; 0 where there may be no names
	Err   error  `json:"-"`
}

// A Result is what a search found.
type Result struct {
	Findings  []Finding   `json:"findings"`
	Allowed   int         `json:"allowed"` // findings in lines with [Allow]
	Contents  int         `json:"contents"`
	Commits   int         `json:"commits,omitempty"` // of a range
	Values    int         `json:"values"`            // that were searched for, private keys too
	Checked   int         `json:"checked"`           // names whose values are known
	Short     int         `json:"short"`             // values that are too short to search for
	Common    int         `json:"common"`            // and those that are in files for other reasons
	Unchecked []Unchecked `json:"unchecked"`
	Pulled    []string    `json:"pulled"`  // env files that are in plaintext in the working tree now
	Skipped   int         `json:"skipped"` // submodules, which are repositories of their own

	match *matcher
}

// Shows reports whether a text, such as one with a path, has a value.
func (r *Result) Shows(text string) (shows bool) {
	if r.match != nil {
		r.match.find([]byte(text), func(int, Form, int, int) { shows = true })
	}
	return shows
}

// Unknown returns the number of names that could not be decrypted.
func (r *Result) Unknown() (names int) {
	for _, u := range r.Unchecked {
		names += u.Names
	}
	return names
}

func (r *Result) unchecked(file string, names int, err error) {
	if !slices.ContainsFunc(r.Unchecked, func(u Unchecked) bool { return u.File == file && u.Err.Error() == err.Error() }) {
		r.Unchecked = append(r.Unchecked, Unchecked{file, names, err})
	}
}

// Why nothing was searched.
var (
	ErrNoRevision = errors.New("a revision is missing")
	ErrNoFiles    = errors.New("there are no files there, so nothing was searched")
	ErrNotStaged  = errors.New("nothing is staged, so nothing was searched")
	ErrNoValues   = errors.New("there is no encrypted env file, and no private key at hand, so there was nothing to search for")
	ErrNoKeys     = errors.New("no key at hand decrypts an env file, so no value was searched for")
)

var errNoVersion = errors.New("an earlier version cannot be read")

// A search is one run of [Search].
type search struct {
	work   *workspace.Workspace
	repo   *gitops.Repo // nil outside of one
	scope  Scope
	result *Result

	items      []item
	changes    []gitops.Change // that are searched
	submodules []string
	shown      map[string]bool // values that templates show
	files      map[string][]envFile
	known      map[string]int // values, by their text
	values     []value
	short      map[Owner]bool
	common     map[Owner]bool
	match      *matcher
}

// An item is a content, or what a commit changed it to.
type item struct {
	path    string
	commit  string // "" in the working tree and in the index
	oid     gitops.OID
	earlier []gitops.OID // what is in these is not new
	message bool         // it is a commit, for its message
	unread  bool
}

// Search searches what scope says. With an error the result is what was found
// until then, or nil.
func Search(ctx context.Context, w *workspace.Workspace, scope Scope) (*Result, error) {
	s, err := newSearch(ctx, w, scope)
	if err != nil {
		return nil, err
	}
	defer w.Progress("searching")()
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	return s.run(ctx)
}

// Staged searches what a commit is about to change, which the caller knows.
func Staged(ctx context.Context, w *workspace.Workspace, changes []gitops.Change) (*Result, error) {
	s, err := newSearch(ctx, w, Scope{Staged: true})
	if err == nil {
		err = s.listStaged(ctx, changes)
	}
	if err != nil || len(s.items) == 0 {
		return &Result{}, err
	}
	return s.run(ctx)
}

func newSearch(ctx context.Context, w *workspace.Workspace, scope Scope) (*search, error) {
	scope.Files = withTargets(w, scope.Files)
	s := &search{
		work: w, scope: scope, result: &Result{Findings: []Finding{}, Unchecked: []Unchecked{}, Pulled: []string{}}, shown: map[string]bool{}, files: map[string][]envFile{},
		known: map[string]int{}, short: map[Owner]bool{}, common: map[Owner]bool{},
	}
	var err error
	s.repo, err = w.Git(ctx)
	if s.repo == nil && err == nil && (scope.Staged || scope.Rev != "" || len(scope.Files) == 0) {
		err = gitops.ErrNotRepository
	}
	return s, err
}

func (s *search) run(ctx context.Context) (*Result, error) {
	s.readValues(ctx)
	r := s.result
	r.Values, r.Short, r.Common = len(s.values), len(s.short), len(s.common)
	if r.Values+r.Checked+len(r.Unchecked) == 0 {
		return r, ErrNoValues
	}
	s.match = newMatcher(s.values)
	r.match = s.match
	hits, err := s.searchAll(ctx)
	for i, item := range s.items {
		if !item.unread {
			s.report(item, hits[i])
		}
	}
	s.maskUnchecked()
	if err == nil && s.scope.Rev == "" && r.Contents+len(r.Unchecked) == 0 { // none is in the working tree
		err = ErrNoFiles
	}
	if err == nil && r.Checked == 0 && r.Unknown() > 0 {
		err = ErrNoKeys
	}
	return r, err
}

// searchAll searches the contents on all cores, and those before them of what is found.
func (s *search) searchAll(ctx context.Context) ([][]hit, error) {
	hits := make([][]hit, len(s.items))
	if !s.scope.Staged && s.scope.Rev == "" {
		return hits, s.searchTree(ctx, hits)
	}
	known := map[gitops.OID][]hit{}
	var oids, earlier []gitops.OID
	for _, item := range s.items {
		oids = append(oids, item.oid)
	}
	if err := s.searchObjects(ctx, oids, known); err != nil {
		return hits, err
	}
	for _, item := range s.items {
		if len(known[item.oid]) > 0 {
			earlier = append(earlier, item.earlier...)
		}
	}
	err := s.searchObjects(ctx, earlier, known)
	for i, item := range s.items {
		hits[i] = known[item.oid]
		for _, oid := range item.earlier {
			hits[i] = removed(hits[i], known[oid])
		}
	}
	return hits, err
}

// searchObjects searches the objects that are not known, each once.
func (s *search) searchObjects(ctx context.Context, oids []gitops.OID, known map[gitops.OID][]hit) error {
	var todo []gitops.OID
	for _, oid := range oids {
		if _, there := known[oid]; !there {
			known[oid] = nil
			todo = append(todo, oid)
		}
	}
	hits := make([][]hit, len(todo))
	missing := &leak.MissingError{}
	g, working := workers(ctx)
	err := s.repo.Read(working, todo, func(i int, content io.Reader, size int64) error {
		if content == nil {
			missing.Contents++
			return nil
		}
		if size >= usual {
			var err error
			hits[i], err = s.match.search(working, content, size)
			return err
		}
		data := make([]byte, size)
		if _, err := io.ReadFull(content, data); err != nil {
			return err
		}
		g.Go(func() (err error) {
			hits[i], err = s.match.search(working, bytes.NewReader(data), size)
			return err
		})
		return working.Err()
	})
	err = cmp.Or(g.Wait(), err)
	for i, oid := range todo {
		known[oid] = hits[i]
	}
	if missing.Contents > 0 && err == nil {
		missing.Partial, err = s.repo.IsPartial(ctx)
		s.result.unchecked("", 0, missing)
	}
	return err
}

func workers(ctx context.Context) (*errgroup.Group, context.Context) {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	return g, ctx
}

// report adds the findings of one content, and of its name.
func (s *search) report(item item, hits []hit) {
	if !item.message {
		s.result.Contents++
	}
	file, named := s.masked(item.path)
	own := Finding{File: file, Commit: item.commit, Kind: Plaintext}
	committed := s.scope.Staged || s.scope.Rev != "" // or is about to be
	for _, v := range named {
		s.result.Findings = append(s.result.Findings, Finding{File: file, Commit: item.commit, Values: s.owners(v), Kind: FileName})
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(a.line, b.line) })
	for _, h := range hits {
		if item.message {
			h.line = 0 // that of what git stores
		}
		switch owner := s.values[h.value].in(item.path); {
		case h.allowed:
			s.result.Allowed++
		case owner != nil && (committed || s.values[h.value].plain[item.path]):
			if own.Line = cmp.Or(own.Line, h.line); !slices.Contains(own.Values, *owner) {
				own.Values = append(own.Values, *owner)
			}
		default:
			kind := Content
			if item.message {
				kind = Message
			}
			s.result.Findings = append(s.result.Findings, Finding{File: file, Line: h.line, Commit: item.commit, Values: s.owners(h.value), Form: h.form, Kind: kind})
		}
	}
	switch {
	case own.Values == nil:
	case committed:
		s.result.Findings = append(s.result.Findings, own)
	default:
		s.result.Pulled = append(s.result.Pulled, file)
	}
}

// maskUnchecked masks the paths of what was not checked.
func (s *search) maskUnchecked() {
	for i, u := range s.result.Unchecked {
		shown, values := s.masked(u.File)
		if e := (*fs.PathError)(nil); errors.As(u.Err, &e) || values != nil {
			cause := errors.New("could not be read")
			if e != nil {
				cause = e.Err
			}
			s.result.Unchecked[i] = Unchecked{shown, u.Names, cause}
		}
	}
}

// owners returns whose value it is, without values in their files' paths.
func (s *search) owners(value int) []Owner {
	owners := slices.Clone(s.values[value].owners)
	for i := range owners {
		owners[i].File, _ = s.masked(owners[i].File)
	}
	return owners
}

// masked returns a path without the parts that have a value, and these values.
func (s *search) masked(path string) (shown string, values []int) {
	var spans [][2]int
	s.match.find([]byte(path), func(value int, _ Form, from, to int) {
		spans = append(spans, [2]int{from, to})
		if !slices.Contains(values, value) {
			values = append(values, value)
		}
	})
	if spans == nil {
		return path, nil
	}
	parts, at := strings.Split(path, "/"), 0
	for i, part := range parts {
		if slices.ContainsFunc(spans, func(s [2]int) bool { return s[0] < at+len(part) && at < s[1] }) {
			parts[i] = Masked
		}
		at += len(part) + 1
	}
	return strings.Join(parts, "/"), values
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
