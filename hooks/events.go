package hooks

import (
	"bufio"
	"fmt"
	"io"
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

	// Doing is what git says it does, for a message: "commit".
	Doing string

	// Updates returns what a push does to refs, as git passes it to the hook. It
	// is nil for a hook that is not about a push.
	Updates func(args []string, stdin io.Reader) ([]gitops.RefUpdate, error)

	// Receives reports that the hook runs where a push arrives. Such a hook is
	// written by who runs the server, and not installed.
	Receives bool

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

	texts    func() []string // of the hook file, the newest first
	ask      string          // what the hook file asks git for
	prefetch func(printed io.Reader, args []string) gitops.Prefetched
}

// events are all events: any other hook is an error everywhere.
var events = [...]Event{
	{Name: "pre-commit", Stops: true, Doing: "commit", texts: preTexts, ask: askStaged, prefetch: prefetchStaged},
	{Name: "pre-merge-commit", Stops: true, Doing: "merge", texts: preTexts, ask: askStaged, prefetch: prefetchStaged},
	{Name: "pre-applypatch", Stops: true, Doing: "patch", texts: patchTexts, ask: askStaged, prefetch: prefetchStaged},
	{Name: "pre-push", Stops: true, Doing: "push", Updates: pushedRefs, texts: pushTexts},
	{Name: "post-checkout", Range: checkoutRange, Switches: true, texts: checkoutTexts, ask: askSwitched, prefetch: prefetchCheckout},
	{Name: "post-merge", Range: mergeRange, texts: postTexts},
	{Name: "post-rewrite", Range: rewriteRange, EndsRebase: true, texts: postTexts},
	{Name: "pre-receive", Stops: true, Doing: "push", Updates: receivedRefs, Receives: true},
	{Name: "update", Stops: true, Doing: "push", Updates: updatedRef, Receives: true},
}

// Names returns the hooks that [Install] installs.
func Names() []string { return names(func(e Event) bool { return !e.Receives }) }

// AllNames returns the hooks in which envdrift takes part, also those of servers.
func AllNames() []string { return names(func(Event) bool { return true }) }

func names(wanted func(Event) bool) (list []string) {
	for _, e := range events {
		if wanted(e) {
			list = append(list, e.Name)
		}
	}
	return list
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
	return fmt.Sprintf("envdrift takes no part in the hook %q, only in %s", e.Name, strings.Join(AllNames(), ", "))
}

// Prefetched is what the hook file asked git for while envdrift started, read when it
// is needed. Git is asked again for what is not complete.
func (e Event) Prefetched(printed io.Reader, args []string) gitops.Prefetched {
	if e.prefetch == nil {
		return nil
	}
	return e.prefetch(printed, args)
}

func prefetchStaged(printed io.Reader, _ []string) gitops.Prefetched {
	return gitops.PrefetchedStaged(printed)
}

func prefetchCheckout(printed io.Reader, args []string) gitops.Prefetched {
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

// pushedRefs reads the lines of pre-push: "<local ref> <local oid> <remote ref>
// <remote oid>".
func pushedRefs(_ []string, stdin io.Reader) ([]gitops.RefUpdate, error) {
	return readRefs(stdin, func(w []string) gitops.RefUpdate {
		return gitops.RefUpdate{Name: w[len(w)-2], Old: gitops.OID(w[len(w)-1]), New: gitops.OID(w[len(w)-3])}
	}, 4)
}

// receivedRefs reads the lines of pre-receive: "<old oid> <new oid> <ref>".
func receivedRefs(_ []string, stdin io.Reader) ([]gitops.RefUpdate, error) {
	refs, err := readRefs(stdin, func(w []string) gitops.RefUpdate {
		return gitops.RefUpdate{Name: w[2], Old: gitops.OID(w[0]), New: gitops.OID(w[1])}
	}, 3)
	if len(refs) == 0 && err == nil {
		err = &RefsError{} // there is at least one: another hook has read them
	}
	return refs, err
}

func readRefs(stdin io.Reader, ref func(words []string) gitops.RefUpdate, words int) (refs []gitops.RefUpdate, err error) {
	lines := bufio.NewScanner(stdin)
	for lines.Scan() {
		w := strings.Fields(lines.Text())
		if len(w) < words {
			return nil, &RefsError{lines.Text()}
		}
		refs = append(refs, ref(w))
	}
	return refs, lines.Err()
}

// updatedRef takes the arguments of update: the ref, the old and the new object.
func updatedRef(args []string, _ io.Reader) ([]gitops.RefUpdate, error) {
	if len(args) != 3 {
		return nil, &RefsError{strings.Join(args, " ")}
	}
	return []gitops.RefUpdate{{Name: args[0], Old: gitops.OID(args[1]), New: gitops.OID(args[2])}}, nil
}

// A RefsError reports what is not what git passes to the hook of a push.
type RefsError struct{ Text string }

func (e *RefsError) Error() string {
	if e.Text == "" {
		return "an empty standard input is not what git passes to this hook, so nothing was checked"
	}
	return fmt.Sprintf("%q is not what git passes to this hook, so nothing was checked", e.Text)
}

// argument returns the argument at index, or instead if there is none.
func argument(args []string, index int, instead string) string {
	if index < len(args) {
		return args[index]
	}
	return instead
}
