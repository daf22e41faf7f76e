package hooks_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/hooks"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	if got := strings.Join(hooks.Names(), " "); got != "pre-commit pre-merge-commit pre-applypatch pre-push post-checkout post-merge post-rewrite" {
		t.Errorf("Names = %s", got)
	}
	if got := strings.Join(hooks.AllNames(), " "); got != strings.Join(hooks.Names(), " ")+" pre-receive update" {
		t.Errorf("AllNames = %s", got)
	}
	for _, name := range hooks.Names() {
		event, err := hooks.EventNamed(name)
		if err != nil || event.Name != name || event.Stops != strings.HasPrefix(name, "pre-") || (event.Range == nil) != event.Stops {
			t.Errorf("EventNamed(%s) = %+v, %v", name, event, err)
		}
	}
	unknown := (*hooks.UnknownEventError)(nil)
	if _, err := hooks.EventNamed("pre-rebase"); !errors.As(err, &unknown) || !strings.Contains(err.Error(), `"pre-rebase"`) || !strings.Contains(err.Error(), "post-rewrite") {
		t.Errorf("EventNamed(pre-rebase) = %v; want an UnknownEventError", err)
	}
}

func TestEventRange(t *testing.T) {
	t.Parallel()
	tests := []struct {
		event    string
		args     string
		env      map[string]string
		from, to string
		ok       bool
	}{
		{event: "post-checkout", args: "a b 1", from: "a", to: "b", ok: true},
		{event: "post-checkout", args: "a a 1", from: "a", to: "a"},
		{event: "post-checkout", args: "a b 0", from: "a", to: "b"},
		{event: "post-checkout", env: map[string]string{"PRE_COMMIT_FROM_REF": "c", "PRE_COMMIT_TO_REF": "d", "PRE_COMMIT_CHECKOUT_TYPE": "1"}, from: "c", to: "d", ok: true},
		{event: "post-checkout"},
		{event: "post-merge", args: "0", from: "ORIG_HEAD", to: "HEAD", ok: true},
		{event: "post-merge", args: "1", from: "HEAD", ok: true},
		{event: "post-merge", env: map[string]string{"PRE_COMMIT_IS_SQUASH_MERGE": "1"}, from: "HEAD", ok: true},
		{event: "post-rewrite", args: "rebase", from: "ORIG_HEAD", to: "HEAD", ok: true},
		{event: "post-rewrite", args: "amend", from: "ORIG_HEAD", to: "HEAD"},
		{event: "post-rewrite", env: map[string]string{"PRE_COMMIT_REWRITE_COMMAND": "rebase"}, from: "ORIG_HEAD", to: "HEAD", ok: true},
	}
	for _, tt := range tests {
		event, err := hooks.EventNamed(tt.event)
		if err != nil {
			t.Fatal(err)
		}
		from, to, ok := event.Range(strings.Fields(tt.args), func(name string) string { return tt.env[name] })
		if from != tt.from || to != tt.to || ok != tt.ok {
			t.Errorf("%s %s %v: Range = %s, %s, %t; want %s, %s, %t", tt.event, tt.args, tt.env, from, to, ok, tt.from, tt.to, tt.ok)
		}
	}
}

func TestEventUpdates(t *testing.T) {
	t.Parallel()
	one, two, null := strings.Repeat("1", 40), strings.Repeat("2", 40), strings.Repeat("0", 40)
	tests := []struct {
		event, stdin string
		args         []string
		want         []gitops.RefUpdate // nil for a RefsError
	}{
		{event: "pre-push", args: []string{"origin", "url"}, want: []gitops.RefUpdate{}},
		{event: "pre-push", stdin: "refs/heads/a " + one + " refs/heads/b " + two + "\n(delete) " + null + " refs/heads/c " + one + "\n",
			want: []gitops.RefUpdate{{Name: "refs/heads/b", Old: gitops.OID(two), New: gitops.OID(one)}, {Name: "refs/heads/c", Old: gitops.OID(one), New: gitops.OID(null)}}},
		{event: "pre-push", stdin: "HEAD@{1 day ago} " + one + " refs/heads/b " + two, want: []gitops.RefUpdate{{Name: "refs/heads/b", Old: gitops.OID(two), New: gitops.OID(one)}}},
		{event: "pre-push", stdin: one + " " + two + " refs/heads/a\n"},
		{event: "pre-receive", stdin: two + " " + one + " refs/heads/a\n", want: []gitops.RefUpdate{{Name: "refs/heads/a", Old: gitops.OID(two), New: gitops.OID(one)}}},
		{event: "pre-receive", stdin: "\n"},
		{event: "pre-receive"}, // somebody else has read it
		{event: "update", args: []string{"refs/tags/t", null, one}, want: []gitops.RefUpdate{{Name: "refs/tags/t", Old: gitops.OID(null), New: gitops.OID(one)}}},
		{event: "update", stdin: two + " " + one + " refs/heads/a\n"},
	}
	for _, tt := range tests {
		event, err := hooks.EventNamed(tt.event)
		if err != nil {
			t.Fatal(err)
		}
		got, err := event.Updates(tt.args, strings.NewReader(tt.stdin))
		if !slices.Equal(got, tt.want) || (tt.want == nil) != errors.As(err, new(*hooks.RefsError)) {
			t.Errorf("%s %q %q: Updates = %v, %v; want %v", tt.event, tt.args, tt.stdin, got, err, tt.want)
		}
	}
}

func TestEventPrefetched(t *testing.T) {
	t.Parallel()
	for _, name := range hooks.Names() {
		event, _ := hooks.EventNamed(name)
		got := event.Prefetched(strings.NewReader("\n"), []string{strings.Repeat("a", 40), strings.Repeat("b", 40), "1"})
		if want := slices.Contains([]string{"pre-commit", "pre-merge-commit", "pre-applypatch", "post-checkout"}, name); (len(got) > 0) != want {
			t.Errorf("%s: Prefetched = %d answers; want some: %t", name, len(got), want)
		}
	}
}
