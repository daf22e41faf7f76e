// Package leak searches all that a clone holds of its history for private keys and
// for values of env files in plaintext, and lists what has to be replaced because of
// them. It changes nothing, and returns no value.
package leak

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/ecies"
	"github.com/envdrift/envdrift/internal/workspace"
)

// A Kind is what a file gives away.
type Kind string

// The kinds, the most serious first.
const (
	PrivateKey Kind = "private key"
	Plaintext  Kind = "plaintext" // an env file
	Value      Kind = "value"     // a present value of an env file, in another file
)

// A Finding is what one file gives away in some commits, each time the same.
type Finding struct {
	Kind      Kind     `json:"kind"`
	File      string   `json:"file"`      // relative to Top; [Message] for that of a commit or a tag
	Names     []string `json:"names"`     // of the keys or variables
	Present   int      `json:"present"`   // how many of the values are the present ones
	Unknown   int      `json:"unknown"`   // how many may be
	KeyOf     []string `json:"keyOf"`     // the env files that are encrypted for the key now
	OnceKeyOf []string `json:"onceKeyOf"` // those that were at some time
	Vaults    []string `json:"vaults"`    // the age vaults that an identity reads
	Commits   []Commit `json:"commits"`   // that brought it, the oldest first
	Pushed    bool     `json:"pushed"`    // one of them is on a remote-tracking branch
	Aside     bool     `json:"aside"`     // only a stash, a note or a reflog leads to them
	InHead    bool     `json:"inHead"`    // HEAD still has it

	keys       ecies.Keys
	recipients []string
}

// Message is the file of what is in the message of a commit or a tag.
const Message = "message"

// A Commit brought a content.
type Commit struct {
	ID   gitops.OID `json:"commit"` // that of a tag or blob if a ref leads there without a commit
	Time time.Time  `json:"time,omitzero"`
}

// A State says what became of a value that is known now.
type State string

// The states, those with the most to do first.
const (
	Same    State = "present" // an env file has that value now
	Unknown State = "unknown" // no key to read the env file
	Other   State = "changed" // the variable has another value now
	Absent  State = "absent"  // no env file has the variable any more
)

var states = []State{Same, Unknown, Other, Absent}

// A Known is a variable whose value is known to whoever has what was found.
type Known struct {
	Name   string `json:"name"`
	File   string `json:"file"` // the env file, as it was called
	State  State  `json:"state"`
	Pushed bool   `json:"pushed"`
}

// A Removal is a recipient of an age vault whose identity was found.
type Removal struct {
	Vault     string   `json:"vault"` // its name in the configuration
	Recipient string   `json:"recipient"`
	Files     []string `json:"files"` // whose keys it reads
	Base      string   `json:"base"`  // the directory of the configuration
}

// A Gap is what could not be searched, or compared.
type Gap struct {
	File string // "" if it concerns all
	Err  error
}

// A Result is what a search found.
type Result struct {
	Commits  int       `json:"commits"` // that were searched
	Contents int       `json:"contents"`
	Findings []Finding `json:"findings"`
	Known    []Known   `json:"change"`
	Rotate   []string  `json:"rotate"` // env files that are encrypted for a key that was found
	Retire   []string  `json:"retire"` // those whose keys include one, beside the present key
	Removals []Removal `json:"removals"`
	Gaps     []Gap     `json:"-"`

	Bases map[string]string `json:"-"` // of mapped files: the directory of their configuration
}

// ErrNoCommits reports a repository in which there is nothing to search.
var ErrNoCommits = errors.New("there are no commits here, so nothing was searched")

// A ShallowError reports a clone that has only a part of the history.
type ShallowError struct{ Before []string }

func (e *ShallowError) Error() string {
	return "this clone is shallow: history before " + e.Before[0] + " is not here, and was not searched"
}

// A MissingError reports contents that this clone does not have.
type MissingError struct {
	Contents int
	Partial  bool // git would have to fetch them
}

func (e *MissingError) Error() string {
	if e.Partial {
		return "this clone is partial: contents are not here, and were not searched"
	}
	return "contents are missing in this repository, and were not searched"
}

// Search searches what all refs and reflogs lead to. Keys are recognized by their
// form, and those of the mapped files, local or the vault's, by themselves.
func Search(ctx context.Context, w *workspace.Workspace) (*Result, error) {
	repo, err := w.Git(ctx)
	if err == nil && repo == nil {
		err = gitops.ErrNotRepository
	}
	if err != nil {
		return nil, err
	}
	defer w.Progress("searching the history")()
	s := &search{work: w, repo: repo, result: &Result{Bases: map[string]string{}}, evidence: map[gitops.OID]*evidence{}, known: map[[2]string]*Known{}, opened: map[string]ecies.Decrypted{}, portion: workspace.MaxFile}
	if s.history, err = repo.History(ctx); err != nil {
		return nil, err
	}
	if s.result.Commits = len(s.history.Order); s.result.Commits+len(s.history.Versions) == 0 {
		return nil, ErrNoCommits
	}
	for _, step := range []func(context.Context) error{s.findGaps, s.openConfigs, s.readPresent, s.learnFiles, s.readContents} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	if err := s.list(ctx); err != nil {
		return nil, err
	}
	return s.result, s.conclude(ctx)
}

// findGaps reports what is missing in a shallow clone.
func (s *search) findGaps(context.Context) error {
	shallow, err := s.repo.ShallowCommits()
	e := &ShallowError{}
	for oid := range shallow {
		if _, reached := s.history.Times[oid]; reached {
			e.Before = append(e.Before, short(oid))
		}
	}
	if slices.Sort(e.Before); len(e.Before) > 0 {
		s.result.Gaps = append(s.result.Gaps, Gap{Err: e})
	}
	return err
}

func short(oid gitops.OID) string { return string(oid[:min(12, len(oid))]) }
