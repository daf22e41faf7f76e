// Package helper uses a vault through a program of its own, as git uses its
// credential helpers: [Open] starts one and is its client, [Serve] is the other end.
//
// Client and helper write one JSON object a line, the client to the helper's standard
// input and the helper to its standard output. docs/vaults/helpers.md describes them:
//
//	{"id":1,"do":"open","protocol":1,"provider":"hashicorp","settings":{"url":"https://vault.example.com"},"timeout":10}
//	{"id":1,"protocol":1,"vault":"hashicorp, https://vault.example.com","versions":true,"parallel":64,"batch":20}
//	{"id":2,"do":"get","name":"api-key"}
//	{"id":2,"value":"…","version":"3"}
//	{"id":3,"do":"put","name":"api-key","value":"…","base":"3"}
//	{"id":3,"version":"4"}
//	{"id":4,"do":"get","names":["api-key","web-key"]}
//	{"id":4,"secrets":{"api-key":{"value":"…","version":"4"},"web-key":{"error":{"kind":"not_found"}}}}
package helper

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/envdrift/envdrift/vault"
)

// Protocol is the number of the protocol that this package speaks.
const Protocol = 1

// maxLine bounds a line of the protocol, in bytes. A vault keeps at most 64 KiB under a
// name, and at most 20 are asked for at once.
const maxLine = 4 << 20

// maxParallel bounds how many requests a helper has at a time.
const maxParallel = 64

// A request is a line from the client.
type request struct {
	ID       int               `json:"id"`
	Do       string            `json:"do"` // "open", "get", "put" or "delete"
	Protocol int               `json:"protocol,omitempty"`
	Provider string            `json:"provider,omitempty"` // of open: what the helper was started for
	Settings map[string]string `json:"settings,omitempty"` // of open, by key
	Timeout  float64           `json:"timeout,omitempty"`  // of open: for one request, in seconds
	Name     string            `json:"name,omitempty"`     // of get, put and delete
	Names    []string          `json:"names,omitempty"`    // of get, instead of Name, from a batch of 2
	Value    string            `json:"value,omitempty"`    // of put
	Base     string            `json:"base,omitempty"`     // of put: the version that the client saw, "" for none
}

// An answer is a line from the helper.
type answer struct {
	ID       int    `json:"id,omitempty"`
	Protocol int    `json:"protocol,omitempty"` // to open
	Vault    string `json:"vault,omitempty"`    // to open: [vault.Store]'s String
	Versions bool   `json:"versions,omitempty"` // to open: it says versions, and put compares base with the present one
	Parallel int    `json:"parallel,omitempty"` // to open: how many requests may be unanswered; 0 for one
	Batch    int    `json:"batch,omitempty"`    // to open: how many names one get may have; 0 for one
	held
	Secrets map[string]held `json:"secrets,omitempty"` // to get of Names: each of them
	Notice  string          `json:"notice,omitempty"`
}

// held is what a vault holds under a name, or why there is nothing. The answer to put
// has at most the version.
type held struct {
	Value   string   `json:"value,omitempty"`
	Version string   `json:"version,omitempty"`
	Error   *failure `json:"error,omitempty"`
}

// A failure is a [vault.Error] without what the client knows itself.
type failure struct {
	Kind   string `json:"kind"`
	Vault  string `json:"vault,omitempty"` // of open: which vault it is about
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy,omitempty"`
}

// kinds are the names of failures. The first that fits is taken.
var kinds = []struct {
	name string
	err  error
}{
	{"not_found", vault.ErrNotFound},
	{"denied", vault.ErrDenied},
	{"unauthenticated", vault.ErrUnauthenticated},
	{"timeout", vault.ErrTimeout},
	{"throttled", vault.ErrThrottled},
	{"unavailable", vault.ErrUnavailable},
	{"malformed", vault.ErrMalformed},
	{"conflict", vault.ErrConflict},
	{"name", vault.ErrName},
	{"config", vault.ErrConfig},
	{"unsupported", vault.ErrUnsupported},
}

// failureOf returns the form of an error in the protocol.
func failureOf(err error, op string) *failure {
	f := &failure{Kind: "unavailable"}
	for _, k := range kinds {
		if errors.Is(err, k.err) {
			f.Kind = k.name
			break
		}
	}
	if e := (*vault.Error)(nil); errors.As(err, &e) {
		if f.Detail, f.Remedy = e.Detail, e.Remedy; op == "open" {
			f.Vault = e.Vault
		}
	} else if !errors.Is(err, context.Canceled) {
		f.Detail = err.Error()
	}
	return f
}

// cut bounds what a helper says to the user.
func cut(text string) string {
	if len(text) > 1000 {
		return strings.ToValidUTF8(text[:1000], "") + "…"
	}
	return text
}

// problem returns what the failure says, in the form of [vault.Problem].
func (f *failure) problem(program string) vault.Problem {
	f.Detail, f.Remedy = cut(f.Detail), cut(f.Remedy)
	for _, k := range kinds {
		if k.name == f.Kind {
			return vault.NewProblem(k.err, f.Detail, f.Remedy)
		}
	}
	return vault.NewProblem(vault.ErrUnavailable, fmt.Sprintf("%s reports the unknown kind %q: %s", program, f.Kind, f.Detail), f.Remedy)
}
