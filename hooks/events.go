package hooks

import (
	"fmt"
	"slices"
	"strings"

	"github.com/envdrift/envdrift/gitops"
)

// An Event is a git hook in which envdrift takes part.
type Event struct {
	Name string

	// Stops reports that a failure stops what git is about to do, so the
	// hook checks. The others run after git has done something.
	Stops bool

	// Range returns the two commits whose difference the hook handles: what
	// git passed to it or, under the pre-commit framework, what that put
	// into the environment. An empty to means the index. It is not ok if
	// there is nothing to do: single files were checked out, a commit was
	// amended, or nothing changed.
	Range func(args []string, getenv func(string) string) (from, to string, ok bool)

	// Switches reports that the two commits may be those of two branches.
	Switches bool

	// EndsRebase reports that git runs the hook before it has removed the
	// state of the finished rebase.
	EndsRebase bool

	texts    []string // of the hook file, the newest first
	prefetch func(printed []byte, args []string) gitops.Prefetched
}

// events are all events: any other hook is an error everywhere.
var events = [...]Event{
	{Name: "pre-commit", Stops: true, texts: preTexts, prefetch: prefetchStaged},
	{Name: "pre-merge-commit", Stops: true, texts: preTexts, prefetch: prefetchStaged},
	{Name: "post-checkout", Range: checkoutRange, Switches: true, texts: checkoutTexts, prefetch: prefetchCheckout},
	{Name: "post-merge", Range: mergeRange, texts: postTexts},
	{Name: "post-rewrite", Range: rewriteRange, EndsRebase: true, texts: postTexts},
}

// Names returns the hooks in which envdrift takes part.
func Names() []string {
	names := make([]string, len(events))
	for i, e := range events {
		names[i] = e.Name
	}
	return names
}

// EventNamed returns the event of that name, or an [*UnknownEventError].
func EventNamed(name string) (Event, error) {
	i := slices.IndexFunc(events[:], func(e Event) bool { return e.Name == name })
	if i < 0 {
		return Event{}, &UnknownEventError{name}
	}
	return events[i], nil
}

// An UnknownEventError reports a hook in which envdrift takes no part.
type UnknownEventError struct{ Name string }

func (e *UnknownEventError) Error() string {
	return fmt.Sprintf("envdrift takes no part in the hook %q, only in %s", e.Name, strings.Join(Names(), ", "))
}

// Prefetched parses what the hook file asked git for while envdrift started.
// Git is asked again for what cannot be parsed.
func (e Event) Prefetched(printed []byte, args []string) gitops.Prefetched {
	if e.prefetch == nil {
		return nil
	}
	return e.prefetch(printed, args)
}

func prefetchStaged(printed []byte, _ []string) gitops.Prefetched {
	return gitops.PrefetchedStaged(printed)
}

func prefetchCheckout(printed []byte, args []string) gitops.Prefetched {
	if len(args) < 2 {
		return nil
	}
	return gitops.PrefetchedChanges(printed, gitops.OID(args[0]), gitops.OID(args[1]))
}

func checkoutRange(args []string, getenv func(string) string) (from, to string, ok bool) {
	from, to = argument(args, 0, getenv("PRE_COMMIT_FROM_REF")), argument(args, 1, getenv("PRE_COMMIT_TO_REF"))
	return from, to, argument(args, 2, getenv("PRE_COMMIT_CHECKOUT_TYPE")) == "1" && from != to
}

func mergeRange(args []string, getenv func(string) string) (from, to string, ok bool) {
	if argument(args, 0, getenv("PRE_COMMIT_IS_SQUASH_MERGE")) == "1" {
		return "HEAD", "", true // what was merged is staged
	}
	return "ORIG_HEAD", "HEAD", true
}

func rewriteRange(args []string, getenv func(string) string) (from, to string, ok bool) {
	return "ORIG_HEAD", "HEAD", argument(args, 0, getenv("PRE_COMMIT_REWRITE_COMMAND")) == "rebase"
}

// argument returns the argument at index, or instead if there is none.
func argument(args []string, index int, instead string) string {
	if index < len(args) {
		return args[index]
	}
	return instead
}
