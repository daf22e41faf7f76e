package workspace

import (
	"context"
	"fmt"

	"github.com/envdrift/envdrift/gitops"
	"github.com/envdrift/envdrift/internal/dotenv"
)

// PlainSince returns the oldest commit of HEAD's history in which a file holds a
// value in plaintext, abbreviated, or "". Encrypting the file does not remove what
// is there.
func (w *Workspace) PlainSince(ctx context.Context, file string) (string, error) {
	repo, err := w.Git(ctx)
	if repo == nil || err != nil {
		return "", err
	}
	commits, err := repo.Touching(ctx, "HEAD", file)
	if err != nil {
		return "", err
	}
	names := make([]string, len(commits))
	for i, commit := range commits {
		names[i] = string(commit) + ":" + file
	}
	versions, err := repo.Objects(ctx, names, MaxFile)
	if err != nil {
		return "", err
	}
	var since gitops.OID
	for i, version := range versions {
		if HoldsPlaintext(dotenv.Parse(version)) {
			since = commits[i]
		}
	}
	return string(since[:min(12, len(since))]), nil
}

// HoldsPlaintext reports whether a value that is not empty is in plaintext.
func HoldsPlaintext(doc *dotenv.Document) bool {
	for _, e := range doc.Plaintext(dotenv.Selection{}) {
		if e.Value != "" {
			return true
		}
	}
	return false
}

// historyNote returns what to know about the history of a file that is encrypted
// now, or "".
func (w *Workspace) historyNote(ctx context.Context, file string, head *dotenv.Document) string {
	if head == nil || !HoldsPlaintext(head) {
		return ""
	}
	since, err := w.PlainSince(ctx, file)
	if err != nil || since == "" {
		return "HEAD's version is plaintext: change its values"
	}
	return fmt.Sprintf("plaintext is in git's history since %s: change these values", since)
}
