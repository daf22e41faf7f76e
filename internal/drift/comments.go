package drift

import (
	"errors"

	"github.com/envdrift/envdrift/internal/dotenv"
	"github.com/envdrift/envdrift/internal/ecies"
)

// commentedOut returns joined [*dotenv.FormError]s for new comments NAME=value in
// which a value is readable that the version before had encrypted. That is what pull,
// a # before the line, and lock make. A variable that is still there may have an
// example beside it, so its comment must have the very value; keys tell that.
func commentedOut(doc, before *dotenv.Document, keys ecies.Keys) error {
	if before == nil {
		return nil
	}
	known := map[string]bool{}
	for _, e := range before.CommentedOut() {
		known[e.Name+"="+e.Value] = true
	}
	var errs []error
	for _, e := range doc.CommentedOut() {
		was, ok := before.Get(e.Name)
		if !ok || !was.Encrypted() || e.Encrypted() || e.Value == "" || doc.StaysPlain(e.Name) || known[e.Name+"="+e.Value] {
			continue
		}
		if _, stays := doc.Get(e.Name); stays && !hasValue(before, keys, e) {
			continue
		}
		errs = append(errs, &dotenv.FormError{Name: e.Name, Line: e.Line, Problem: "it was encrypted, and this comment shows a value of it: delete the line"})
	}
	return errors.Join(errs...)
}

// hasValue reports whether keys tell that an encrypted variable has the value of e.
func hasValue(doc *dotenv.Document, keys ecies.Keys, e dotenv.Entry) bool {
	plain, _, err := doc.Decrypt(keys, dotenv.Selection{Only: []string{e.Name}})
	if err != nil {
		return false
	}
	was, _ := plain.Get(e.Name)
	return was.Value == e.Value
}
