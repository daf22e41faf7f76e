package vault

import (
	"fmt"

	"github.com/envdrift/envdrift/internal/secret"
)

// A Problem is a failure whose kind a provider knows where it happens. The
// failed operation turns it into an [*Error], with [Problem.Of].
type Problem struct {
	Kind   error
	Detail string
	Remedy string
}

// NewProblem returns a failure of a kind; see [Error] for the other parameters.
func NewProblem(kind error, detail, remedy string) Problem {
	return Problem{Kind: kind, Detail: detail, Remedy: remedy}
}

// Stale returns the ErrConflict of a Put whose base is not the version that the
// vault has. which is the vault's term for that version: "newest", "current".
func Stale(which, seen, base string) Problem {
	const again = "run the command again: it begins with what the vault has now"
	if IsMark(seen) || IsMark(base) {
		return Problem{ErrConflict, "it holds another text than before", again}
	}
	return Problem{Kind: ErrConflict, Remedy: again, Detail: fmt.Sprintf("the %s version is %s, not %s", which, orNone(seen), orNone(base))}
}

func orNone(version string) string {
	if version == "" {
		return "none"
	}
	return version
}

func (p Problem) Error() string { return p.Detail }

// Of returns the error of an operation that failed because of p. What has the
// form of a secret is removed: servers and libraries quote what they were sent.
func (p Problem) Of(op, vault, name string) *Error {
	return &Error{Op: op, Vault: vault, Name: name, Err: p.Kind, Detail: secret.Redact(p.Detail), Remedy: secret.Redact(p.Remedy)}
}
